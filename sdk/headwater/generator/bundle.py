"""A finished generator with its encoder on disk: safetensors and JSON, versioned, with one digest, no pickle."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from headwater.canonical import canonical_json, sha256_hex
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, StorageError
from headwater.generator.sampler import Sampler, read_sampler
from headwater.schema import Schema

__all__ = ["Bundle"]

_VERSION = 1
_MANIFEST, _MODEL, _ENCODING = "bundle.json", "generator.safetensors", "encoding.json"
# Parsed texts take many times their length in memory.
_MOST_BYTES = {_MANIFEST: 2**16, _MODEL: 2**30, _ENCODING: 2**26}


@dataclass(frozen=True, eq=False)
class Bundle:
    """What is needed to sample rows, and nothing else: a critic is in it only where it weighs a mixture's draws.

    Attributes:
        sampler: the generator, of whichever kind.
        encoding: codes to values.
    """

    sampler: Sampler
    encoding: Encoding

    @property
    def digest(self) -> str:
        """SHA-256 over the manifest, which holds the digests of the files."""
        return sha256_hex(self._manifest(self._files()))

    def save(self, folder: Path) -> str:
        """Write the bundle as a folder, all of it or nothing; returns its digest.

        Raises:
            InputError: the folder is there already.
            StorageError: it cannot be written.
        """
        if folder.exists():
            raise InputError(f"{folder} is there already; a bundle is never overwritten, choose another folder")
        files = self._files()
        manifest = self._manifest(files)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                for name, data in {**files, _MANIFEST: manifest}.items():
                    (temporary / name).write_bytes(data)
                os.rename(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise StorageError(
                f"the bundle {folder} could not be written: {error.strerror}; mend it and retry"
            ) from error
        return sha256_hex(manifest)

    @classmethod
    def load(cls, folder: Path, digest: str | None = None) -> "Bundle":
        """Read a bundle and check every file against its manifest.

        Args:
            folder: as `save` wrote it.
            digest: what the bundle must be; None takes any.

        Raises:
            InputError: a file is missing, too large, altered, or of another version.
            StorageError: a file cannot be read.
        """
        manifest = _read(folder, _MANIFEST)
        if digest is not None and sha256_hex(manifest) != digest:
            raise InputError(
                f"the bundle {folder} is {sha256_hex(manifest)[:12]}, {digest[:12]} was expected; fetch it again"
            )
        try:
            document = json.loads(manifest)
            version, listed = document["version"], dict(document["files"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{folder / _MANIFEST} is not a bundle's manifest; fetch the bundle again") from error
        if version != _VERSION or set(listed) != {_MODEL, _ENCODING}:
            raise InputError(f"the bundle {folder} is not of version {_VERSION}; install the release that wrote it")
        files = {name: _read(folder, name) for name in (_MODEL, _ENCODING)}
        for name, data in files.items():
            if sha256_hex(data) != listed[name]:
                raise InputError(
                    f"{folder / name} was altered: its digest is not the manifest's; fetch the bundle again"
                )
        try:
            document = json.loads(files[_ENCODING])
            encoding = Encoding.from_document(Schema.from_document(document["schema"]), document["encoding"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{folder / _ENCODING} is not an encoding; fetch the bundle again") from error
        return cls(read_sampler(files[_MODEL]), encoding)

    def _files(self) -> dict[str, bytes]:
        encoding = {"schema": self.encoding.schema.to_document(), "encoding": self.encoding.to_document()}
        return {_MODEL: self.sampler.to_bytes(), _ENCODING: canonical_json(encoding)}

    @staticmethod
    def _manifest(files: dict[str, bytes]) -> bytes:
        return canonical_json({"version": _VERSION, "files": {name: sha256_hex(data) for name, data in files.items()}})


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    if not path.is_file():
        raise InputError(f"there is no {path}; a bundle holds {_MANIFEST}, {_MODEL} and {_ENCODING}")
    try:
        if path.stat().st_size > _MOST_BYTES[name]:
            raise InputError(f"{path} is larger than a bundle's file may be; fetch the bundle again")
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}; mend it and retry") from error
