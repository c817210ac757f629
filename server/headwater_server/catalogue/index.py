"""What the catalogue serves: published releases, found by name and version."""

import math
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from headwater.canonical import sha256_hex
from headwater.errors import HeadwaterError, ReleaseRefused
from headwater.release import FileEntry, Manifest
from headwater.release.layout import ATTESTATION, CHECKSUMS, MANIFEST
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import (
    MAXIMUM_WITHDRAWAL_BYTES,
    WITHDRAWN,
    Withdrawal,
    read_withdrawal,
    stays_when_withdrawn,
)

__all__ = ["FolderReleaseIndex", "ReleaseEntry", "ReleaseIndex", "newest_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_SETTLED_NS = 2 * 10**9
_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True)
class ReleaseEntry:
    """One published version.

    Attributes:
        manifest: as signed by the coordinator when it was published.
        folder: where its files are; they never change, but go when it is withdrawn.
        withdrawn: the notice; None for a release that stands.
    """

    manifest: Manifest
    folder: Path
    withdrawn: Withdrawal | None = None

    @cached_property
    def files(self) -> Mapping[str, FileEntry]:
        """Every file that may be downloaded, by path; nothing else in the folder is ever served."""
        withdrawn = self.withdrawn is not None
        entries = {e.path: e for e in self.manifest.files if not withdrawn or stays_when_withdrawn(e.path)}
        beside = [(MANIFEST, "application/json"), (CHECKSUMS, "text/plain")]
        if self.manifest.protection.audit != "none":
            beside.append((ATTESTATION, "application/json"))
        if withdrawn:
            beside.append((WITHDRAWN, "application/json"))
        for path, kind in beside:
            data = (self.folder / path).read_bytes()
            entries[path] = FileEntry(path=path, size_bytes=len(data), sha256=sha256_hex(data), media_type=kind)
        return dict(sorted(entries.items()))

    def lost(self, path: str) -> bool:
        """Tell whether this was a file of the release until it was withdrawn."""
        return self.withdrawn is not None and path not in self.files and self.manifest.file(path) is not None


class ReleaseIndex(Protocol):
    """Where the catalogue looks releases up; storage of any kind can stand behind it."""

    def latest(self) -> Sequence[ReleaseEntry]:
        """What `newest_of` says of every dataset, the most recently made first."""

    def latest_held(self) -> Sequence[ReleaseEntry] | None:
        """As `latest`, without waiting for any storage; None where it would have to be asked."""

    def versions(self, name: str) -> Sequence[ReleaseEntry]:
        """All versions of a dataset, withdrawn ones too, newest first; empty for a name that there is not."""

    def find(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, or None."""


def newest_of(versions: Sequence[ReleaseEntry]) -> ReleaseEntry | None:
    """The version that a dataset's name alone stands for.

    Args:
        versions: all of them, newest first.

    Returns:
        The newest that is not withdrawn; where all are, the newest; None where there is none.
    """
    standing = (entry for entry in versions if entry.withdrawn is None)
    return next(standing, versions[0] if versions else None)


class FolderReleaseIndex:
    """Releases in a folder, as `publish_release` writes them: NAME/VERSION/manifest.json."""

    def __init__(self, root: Path, list_seconds: float = 0.0) -> None:
        """Look up what is in a folder.

        Args:
            root: of all datasets.
            list_seconds: for so long the list of datasets is not read anew; a version by itself always is.
        """
        self._root, self._list_seconds = root, list_seconds
        self._list: tuple[float, Sequence[ReleaseEntry]] = (-math.inf, ())
        self._reading = threading.Lock()
        self._numbers_kept: dict[str, tuple[int, Sequence[int]]] = {}

    def latest(self) -> Sequence[ReleaseEntry]:
        """What `newest_of` says of every dataset, the most recently made first."""
        # All who come while it is read wait for it: each reading it anew would slow all of them down.
        with self._reading:
            held = self.latest_held()
            if held is None:
                # From before it is read: what changes meanwhile may be missing in it.
                begun = time.monotonic()
                held = self._read_latest()
                self._list = (begun, held)
            return held

    def latest_held(self) -> Sequence[ReleaseEntry] | None:
        """As `latest`, of the last moments; None where the disk would have to be asked."""
        read_at, entries = self._list
        return entries if time.monotonic() - read_at < self._list_seconds else None

    def _read_latest(self) -> Sequence[ReleaseEntry]:
        try:
            names = os.listdir(self._root)
        except OSError:
            return []
        found = [newest_of(self.versions(name)) for name in names]
        entries = [entry for entry in found if entry is not None]
        # By name first: what was made in one second keeps a steady order.
        entries.sort(key=lambda entry: entry.manifest.name)
        return sorted(entries, key=lambda entry: entry.manifest.created, reverse=True)

    def versions(self, name: str) -> Sequence[ReleaseEntry]:
        """All versions of a dataset, newest first."""
        # The name comes from a URL: it is matched whole before it becomes part of a path.
        if not _NAME.fullmatch(name):
            return []
        entries = [self.find(name, number) for number in self._numbers(name)]
        return [entry for entry in entries if entry is not None]

    def _numbers(self, name: str) -> Sequence[int]:
        """The versions that have a folder, newest first; listed again only where the dataset's folder changed."""
        folder = self._root / name
        try:
            changed = os.stat(folder).st_mtime_ns
            kept = self._numbers_kept.get(name)
            if kept is not None and kept[0] == changed:
                return kept[1]
            numbers = sorted((int(each) for each in os.listdir(folder) if _VERSION.fullmatch(each)), reverse=True)
        except OSError:
            return ()
        # A second change within one tick of the file system's clock would leave the same stamp.
        if time.time_ns() - changed > _SETTLED_NS:
            self._numbers_kept[name] = (changed, numbers)
        return numbers

    def find(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, or None."""
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(str(version)):
            return None
        folder = f"{self._root}/{name}/{version}"
        if not os.path.isfile(f"{folder}/{MANIFEST}"):
            return None
        try:
            entry = _load(folder, os.path.exists(f"{folder}/{WITHDRAWN}"))
        except (HeadwaterError, OSError):
            # A folder that somebody broke is not served; every other release still is.
            return None
        return entry if (entry.manifest.name, entry.manifest.version) == (name, version) else None

    def standing(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, unless it was withdrawn."""
        entry = self.find(name, version)
        return None if entry is None or entry.withdrawn is not None else entry


@lru_cache(maxsize=1024)
def _load(place: str, withdrawn: bool) -> ReleaseEntry:
    # A published folder changes once at most, when it is withdrawn, so it is read once before and once after.
    folder = Path(place)
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    return ReleaseEntry(manifest, folder, _notice(folder, manifest) if withdrawn else None)


def _notice(folder: Path, manifest: Manifest) -> Withdrawal:
    with (folder / WITHDRAWN).open("rb") as file:
        said = read_withdrawal(file.read(MAXIMUM_WITHDRAWAL_BYTES + 1)).withdrawal
    if said.release != manifest.digest:
        raise ReleaseRefused(f"{folder / WITHDRAWN} is of another release; restore it from a backup")
    return said
