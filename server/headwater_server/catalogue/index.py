"""What the catalogue serves: published releases, found by name and version."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from headwater.canonical import sha256_hex
from headwater.errors import HeadwaterError
from headwater.release import FileEntry, Manifest
from headwater.release.layout import ATTESTATION, CHECKSUMS, MANIFEST
from headwater.release.verification import read_manifest

__all__ = ["FolderReleaseIndex", "ReleaseEntry", "ReleaseIndex"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@dataclass(frozen=True)
class ReleaseEntry:
    """One published version.

    Attributes:
        manifest: as signed by the coordinator when it was published.
        folder: where its files are; they never change.
    """

    manifest: Manifest
    folder: Path

    @cached_property
    def files(self) -> Mapping[str, FileEntry]:
        """Every file that may be downloaded, by path; nothing else in the folder is ever served."""
        entries = {entry.path: entry for entry in self.manifest.files}
        beside = [(MANIFEST, "application/json"), (CHECKSUMS, "text/plain")]
        if self.manifest.protection.audit != "none":
            beside.append((ATTESTATION, "application/json"))
        for path, kind in beside:
            data = (self.folder / path).read_bytes()
            entries[path] = FileEntry(path=path, size_bytes=len(data), sha256=sha256_hex(data), media_type=kind)
        return dict(sorted(entries.items()))


class ReleaseIndex(Protocol):
    """Where the catalogue looks releases up; storage of any kind can stand behind it."""

    def latest(self) -> Sequence[ReleaseEntry]:
        """The newest version of every dataset, the most recently made first."""

    def versions(self, name: str) -> Sequence[ReleaseEntry]:
        """All versions of a dataset, newest first; empty for a name that is unknown or no name at all."""

    def find(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, or None."""


class FolderReleaseIndex:
    """Releases in a folder, as `publish_release` writes them: NAME/VERSION/manifest.json."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def latest(self) -> Sequence[ReleaseEntry]:
        """The newest version of every dataset, the most recently made first."""
        if not self._root.is_dir():
            return []
        found = [self.versions(folder.name)[:1] for folder in self._root.iterdir()]
        entries = [entry for newest in found for entry in newest]
        # By name first: what was made in one second keeps a steady order.
        entries.sort(key=lambda entry: entry.manifest.name)
        return sorted(entries, key=lambda entry: entry.manifest.created, reverse=True)

    def versions(self, name: str) -> Sequence[ReleaseEntry]:
        """All versions of a dataset, newest first."""
        # The name comes from a URL: it is matched whole before it becomes part of a path.
        if not _NAME.fullmatch(name) or not (self._root / name).is_dir():
            return []
        numbers = [int(path.name) for path in (self._root / name).iterdir() if _VERSION.fullmatch(path.name)]
        entries = [self.find(name, number) for number in sorted(numbers, reverse=True)]
        return [entry for entry in entries if entry is not None]

    def find(self, name: str, version: int) -> ReleaseEntry | None:
        """This very version, or None."""
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(str(version)):
            return None
        folder = self._root / name / str(version)
        if not (folder / MANIFEST).is_file():
            return None
        try:
            entry = _load(folder)
        except HeadwaterError:
            # A folder that somebody broke is not served; every other release still is.
            return None
        return entry if (entry.manifest.name, entry.manifest.version) == (name, version) else None


@lru_cache(maxsize=1024)
def _load(folder: Path) -> ReleaseEntry:
    # A published folder never changes, so it is read once.
    return ReleaseEntry(read_manifest((folder / MANIFEST).read_bytes()).manifest, folder)
