"""Blobs by content digest in a folder."""

import contextlib
import os
import re
import tempfile
from pathlib import Path

from headwater.canonical import sha256_hex
from headwater.errors import StorageError

__all__ = ["BlobStore"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BlobStore:
    """Immutable bytes, named by their SHA-256; a blob is whole or not there."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made when the first blob comes."""
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest; again is the same as once.

        Raises:
            StorageError: the disk is full or cannot be written; nothing is left behind.
        """
        digest = sha256_hex(data)
        path = self._path(digest)
        if path.is_file():
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise StorageError(
                f"a blob of {len(data):,} bytes could not be stored in {self._folder}: {error.strerror}; make room"
            ) from error
        return digest

    def get(self, digest: str) -> bytes:
        """Read a blob and check it.

        Raises:
            StorageError: there is none, or the disk altered it.
        """
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"there is no blob {digest[:12]} in {self._folder}; restore it from a backup") from error
        if sha256_hex(data) != digest:
            raise StorageError(f"the blob {digest[:12]} in {self._folder} was altered; restore it from a backup")
        return data

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise StorageError("a blob's digest is not 64 hexadecimal digits")
        return self._folder / digest[:2] / digest
