"""Where the files of a release lie: beside the published ones while it waits, among them afterwards, or nowhere."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from headwater.agreement.charter import Charter
from headwater.canonical import canonical_json
from headwater.errors import HeadwaterError, OutOfOrder, StorageError
from headwater.release.dsse import envelope_of, read_envelope
from headwater.release.layout import ATTESTATION, AUDIT, MANIFEST
from headwater.release.verification import read_manifest
from headwater_server.services.ports import ReleaseRecord, ReleaseState
from headwater_server.settings import CoordinatorHome

__all__ = ["TOMBSTONE", "ReleaseFolders", "sync_folder", "write_durably"]

TOMBSTONE = "tombstone.json"
"""What is left of a refused release: who refused it, and why."""

_KEPT = {MANIFEST, AUDIT, ATTESTATION, TOMBSTONE}


class ReleaseFolders:
    """The folders of a home's releases; `headwater_server.services.ports.ReleaseFiles` for the service.

    Guarantee: a release's files are published by one rename of their whole folder. Wherever the process or the machine
    stops, either nothing of it is in the catalogue or all of it with the quorum's signatures, and what was begun is
    gone on with by the next `publish`; none is published twice.
    """

    def __init__(self, home: CoordinatorHome) -> None:
        """Use a coordinator's home."""
        self._waiting = home.pending
        self._published = home.releases

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the releases to this process; others wait.

        Raises:
            StorageError: the disk did not do what was asked.
        """
        try:
            self._waiting.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._waiting / ".lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StorageError(f"{self._waiting} cannot be written: {error.strerror}; make room") from error

    def staging(self) -> Path:
        """A new path among the waiting releases, to write one to."""
        return self._waiting / f".{secrets.token_hex(8)}.part"

    def add(self, digest: str, folder: Path) -> None:
        """Take in a folder that was written and synced."""
        os.rename(folder, self._waiting / digest)
        sync_folder(self._waiting)

    def sweep(self, known: set[str]) -> None:
        """Remove what commands left behind that were cut off before they recorded a release; hold the releases first.

        Args:
            known: digests of all recorded releases.
        """
        if not self._waiting.is_dir():
            return
        for entry in self._waiting.iterdir():
            if entry.is_dir() and entry.name not in known:
                shutil.rmtree(entry, ignore_errors=True)

    def publish(self, record: ReleaseRecord, charter: Charter) -> Path:
        """Put an approved release where the catalogue serves it; again is the same as once. Hold the releases first.

        Args:
            record: approved, with its decisions.
            charter: of its run.

        Returns:
            Where it is.

        Raises:
            StorageError: its files are gone, or another release stands in its place.
        """
        source, target = self._waiting / record.release_digest, self._published / record.name / str(record.version)
        if source.is_dir():
            write_durably(source / ATTESTATION, self._signed(source, record, charter))
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # A rename onto a folder that holds anything fails, so a published version is never replaced.
                os.rename(source, target)
            except OSError as error:
                raise StorageError(
                    f"{target} cannot take the release: {error.strerror}; move away what stands there"
                ) from error
            sync_folder(target.parent)
            sync_folder(self._waiting)
        if _digest_of(target) != record.release_digest:
            raise StorageError(f"{target} does not hold the release that was approved; restore it from a backup")
        return target

    def bury(self, record: ReleaseRecord, when: str) -> None:
        """Leave a tombstone of a refused release, and nothing of its rows; again is the same as once.

        Args:
            record: refused, with its decisions.
            when: now, in UTC.
        """
        folder = self._waiting / record.release_digest
        if not folder.is_dir():
            return
        if not (folder / TOMBSTONE).is_file():
            write_durably(folder / TOMBSTONE, canonical_json(_tombstone(record, when)))
        for entry in folder.iterdir():
            if entry.name not in _KEPT:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    # For the service.

    def folder(self, record: ReleaseRecord) -> Path:
        """Where the files of a release are now."""
        if record.state is ReleaseState.REFUSED:
            raise OutOfOrder(f"{record.name} version {record.version} was refused; its files are gone")
        return self._place(record)

    def manifest(self, record: ReleaseRecord) -> bytes:
        """The signed manifest."""
        return _read(self._place(record) / MANIFEST)

    def attestation(self, record: ReleaseRecord, charter: Charter) -> bytes:
        """The attestation as it stands."""
        return self._signed(self._place(record), record, charter)

    def _place(self, record: ReleaseRecord) -> Path:
        # The waiting folder first: what moves between the two looks is found at the second.
        for place in (
            self._waiting / record.release_digest,
            self._published / record.name / str(record.version),
        ):
            if (place / MANIFEST).is_file():
                return place
        raise StorageError(f"the files of {record.name} version {record.version} are gone; restore them")

    def _signed(self, folder: Path, record: ReleaseRecord, charter: Charter) -> bytes:
        _, signatures = read_envelope(_read(folder / ATTESTATION))
        coordinator = {charter.coordinator_key: signatures[charter.coordinator_key]}
        return envelope_of(record.statement, coordinator | _approvals(record, charter))


def _approvals(record: ReleaseRecord, charter: Charter) -> dict[str, str]:
    return {
        charter.keys[signed.decision.member]: signed.statement_signature
        for signed in record.decisions
        if signed.statement_signature is not None
    }


def _tombstone(record: ReleaseRecord, when: str) -> dict[str, object]:
    return {
        "format": "headwater-tombstone/1",
        "name": record.name,
        "version": record.version,
        "release": record.release_digest,
        "run": record.run_id,
        "refused": when,
        "by": [
            {
                "member": signed.decision.member,
                "reason": signed.decision.reason,
                "verdicts": dict(signed.decision.verdicts),
            }
            for signed in record.decisions
            if signed.decision.decision == "refuse"
        ],
    }


def _digest_of(folder: Path) -> str:
    try:
        return read_manifest((folder / MANIFEST).read_bytes()).manifest.digest
    except (OSError, HeadwaterError):
        return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}; restore it from a backup") from error


def write_durably(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, durably."""
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was written to, renamed in or removed from a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
