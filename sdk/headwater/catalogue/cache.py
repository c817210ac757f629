"""What was downloaded and verified, kept for the next call, shared by processes."""

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from headwater.agreement.charter import Charter
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.download import require_room
from headwater.catalogue.fetching import Fetcher
from headwater.catalogue.transfer import fetch_file
from headwater.errors import ReleaseRefused
from headwater.release import Manifest, Verification, verify_release
from headwater.release.large import LARGE_FOLDER
from headwater.release.layout import ATTESTATION, CHECKSUMS, MANIFEST, checksums
from headwater.release.verification import DamagedRelease, read_manifest
from headwater.release.withdrawal import Withdrawal, verify_withdrawal

__all__ = ["CacheEntry", "DatasetCache", "is_optional"]

_CHARTER_DIGITS = 16


def is_optional(path: str) -> bool:
    """Whether a file of a release is fetched only when it is needed: rows, drawings and networks, not the evidence."""
    return path.endswith((".parquet", ".csv", ".csv.gz", ".svg")) or path.startswith(("generator/", LARGE_FOLDER))


@dataclass(frozen=True)
class CacheEntry:
    """One version in the cache.

    Attributes:
        charter: first digits of the digest of the charter that was pinned.
        name: of the dataset.
        version: of the dataset.
        size_bytes: on disk.
        last_used: when it was last loaded.
        folder: where it is.
    """

    charter: str
    name: str
    version: int
    size_bytes: int
    last_used: datetime
    folder: Path


class DatasetCache:
    """Releases under one folder, each with the files that were needed so far.

    A lock of the file system stands beside each: shared by readers, held alone by whoever adds or removes.
    """

    def __init__(self, root: Path) -> None:
        """Of a folder, which need not exist; nothing is read yet."""
        self.root = root

    def folder(self, charter_digest: str, name: str, version: int) -> Path:
        """Where a version is, or would be."""
        return self.root / charter_digest[:_CHARTER_DIGITS] / name / str(version)

    def entries(self) -> Sequence[CacheEntry]:
        """All that is there, by name and version."""
        found = []
        for manifest in self.root.glob(f"*/*/*/{MANIFEST}"):
            folder = manifest.parent
            if folder.name.isascii() and folder.name.isdecimal():
                used = _beside(folder, "used")
                stamp = (used if used.exists() else manifest).stat().st_mtime
                found.append(
                    CacheEntry(
                        charter=folder.parent.parent.name,
                        name=folder.parent.name,
                        version=int(folder.name),
                        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
                        last_used=datetime.fromtimestamp(stamp, UTC),
                        folder=folder,
                    )
                )
        return sorted(found, key=lambda each: (each.name, each.version, each.charter))

    def newer(self, folder: Path) -> Sequence[Path]:
        """Folders of later versions of the same dataset that are there, in no order."""
        there = (path.parent for path in folder.parent.glob(f"*/{MANIFEST}"))
        return [each for each in there if each.name.isdecimal() and int(each.name) > int(folder.name)]

    def manifest(self, folder: Path) -> Manifest | None:
        """The manifest of a version that is there, not verified; None where there is none."""
        path = folder / MANIFEST
        return read_manifest(path.read_bytes()).manifest if path.is_file() else None

    def holds(self, folder: Path, paths: Collection[str]) -> bool:
        """Whether a version is there with these files; whether they are sound, `verify` tells."""
        return all((folder / path).is_file() for path in (MANIFEST, *paths))

    def verify(
        self, folder: Path, charter: Charter | CharterHistory, *, hashed: Collection[str] = (), cells: bool = False
    ) -> Verification:
        """Check all that is there of a version, as `verify_release`; what was not fetched is not missed.

        Rows beside data.parquet are held to the schema when they come (`cells`), and to their digests later.

        Raises:
            ReleaseRefused: it is damaged or not what was signed.
        """
        manifest = self.manifest(folder)
        listed = () if manifest is None else manifest.files
        absent = [each.path for each in listed if is_optional(each.path) and not (folder / each.path).exists()]
        advice = f"remove the folder and load the dataset again (`headwater cache remove {folder.parent.name}`)"
        try:
            verification = verify_release(folder, charter, absent=absent, hashed=hashed, cells=cells)
        except DamagedRelease as error:
            raise ReleaseRefused(f"{folder} holds a damaged copy: {error.problem}; {advice}") from error
        found = verification.manifest
        if (found.name, str(found.version)) != (folder.parent.name, folder.name):
            raise ReleaseRefused(f"{folder} holds another release than its name says; {advice}")
        return verification

    def add(
        self,
        fetcher: Fetcher,
        charter: Charter | CharterHistory,
        folder: Path,
        wanted: Collection[str],
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Verification:
        """Fetch what is missing of a version, and verify all that is there then.

        Args:
            fetcher: of whoever has it.
            charter: that it is verified under.
            folder: of the version, as `folder` names it.
            wanted: optional files that are needed; the others that are missing are left out.
            on_progress: told (bytes there, bytes in all) of what is fetched.

        Raises:
            InputError: the catalogue has no such version.
            ReleaseRefused: a signature, size or digest is wrong, or another release of this version is there.
            StorageError: the disk has no room.
            TransportError: the catalogue could not be reached; call again to continue.
        """
        name, version = folder.parent.name, int(folder.name)
        signed, data = fetcher.manifest(name, version, charter)
        manifest = signed.manifest
        staging = _beside(folder, "part")
        with self.held_alone(folder):
            kept = self.manifest(folder)
            if kept is not None and kept.digest != manifest.digest:
                # Its files are those of another list: they would be taken for what the kept one's signers signed.
                raise ReleaseRefused(
                    f"there are two releases of {name} version {version}: {kept.digest[:16]}… is here, the catalogue "
                    f"shows {manifest.digest[:16]}…; a version never changes, so tell the consortium"
                )
            missing = [
                each
                for each in manifest.files
                if (not is_optional(each.path) or each.path in wanted) and not (folder / each.path).is_file()
            ]
            staging.mkdir(parents=True, exist_ok=True)
            total = sum(each.size_bytes for each in missing)
            require_room(staging, total - sum(path.stat().st_size for path in staging.rglob("*") if path.is_file()))
            done = 0
            for entry in missing:
                fetch_file(fetcher, name, version, entry, staging / entry.path, _shifted(on_progress, done, total))
                done += entry.size_bytes
            for entry in missing:
                target = folder / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / entry.path, target)
            if not (folder / MANIFEST).is_file():
                if manifest.protection.audit != "none":
                    (folder / ATTESTATION).write_bytes(fetcher.attestation(name, version))
                (folder / CHECKSUMS).write_bytes(checksums(manifest.files, data))
                # Last, by one step: without it there is nothing in the cache.
                (staging / MANIFEST).write_bytes(data)
                os.replace(staging / MANIFEST, folder / MANIFEST)
            shutil.rmtree(staging)
            try:
                return self.verify(folder, charter, hashed=[each.path for each in missing], cells=bool(missing))
            except ReleaseRefused:
                if missing:
                    shutil.rmtree(folder)
                raise

    def note_withdrawal(self, folder: Path, notice: bytes) -> None:
        """Keep a notice that was checked, so that a version is refused without a network too."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        _beside(folder, "withdrawn.json").write_bytes(notice)

    def withdrawal(
        self, folder: Path, charter: Charter | CharterHistory, manifest: Manifest | None = None
    ) -> Withdrawal | None:
        """The kept notice about a version, checked anew; None where none is known.

        Args:
            folder: of the version.
            charter: that the notice is believed under.
            manifest: of the version, verified; None for the one that is there.

        Raises:
            ReleaseRefused: the kept notice is not the consortium's.
        """
        path, manifest = _beside(folder, "withdrawn.json"), manifest or self.manifest(folder)
        if manifest is None or not path.is_file():
            return None
        return verify_withdrawal(path.read_bytes(), manifest, charter)

    def touch(self, folder: Path) -> None:
        """Note that a version was used now."""
        _beside(folder, "used").touch()

    def remove(self, folder: Path) -> None:
        """Remove a version; processes that read it now are waited for."""
        with self.held_alone(folder):
            # The manifest first: whatever stops the rest, nothing half is taken for a dataset.
            (folder / MANIFEST).unlink(missing_ok=True)
            for path in (folder, _beside(folder, "part")):
                shutil.rmtree(path, ignore_errors=True)
            _beside(folder, "used").unlink(missing_ok=True)

    @contextmanager
    def held(self, folder: Path) -> Iterator[None]:
        """Keep a version from being changed or removed while it is read."""
        with self._lock(folder, fcntl.LOCK_SH):
            yield

    @contextmanager
    def held_alone(self, folder: Path) -> Iterator[None]:
        """Keep everybody else out of a version."""
        with self._lock(folder, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _lock(self, folder: Path, kind: int) -> Iterator[None]:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder and never removed, so that everybody locks the same file.
        descriptor = os.open(_beside(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)


def _beside(folder: Path, ending: str) -> Path:
    return folder.parent / f".{folder.name}.{ending}"


def _shifted(on_progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda size: on_progress(before + size, total)
