"""One file over an unsteady line: resumed where it broke, hashed while written, named only when whole."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from headwater.catalogue.fetching import BrokenLine, Fetcher
from headwater.errors import ReleaseRefused
from headwater.release import FileEntry
from headwater.release.hashing import hash_file

__all__ = ["PART_SUFFIX", "fetch_file"]

PART_SUFFIX = ".part"
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_PIECE_BYTES = 1 << 18


def fetch_file(
    fetcher: Fetcher,
    name: str,
    version: int,
    entry: FileEntry,
    target: Path,
    on_size: Callable[[int], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Download one file whose size and digest are known beforehand.

    Bytes go to `target.part`, which a broken attempt leaves for the next one; `target` exists only once it is whole
    and its SHA-256 is right.

    Args:
        fetcher: of whoever has it.
        name: of the dataset.
        version: of the dataset.
        entry: from a verified manifest.
        target: the final name.
        on_size: told how many bytes of the file are there, whenever that changes.
        pause: how to wait between attempts.

    Raises:
        ReleaseRefused: the bytes are not those that were signed; they are deleted.
        InputError: the catalogue does not have the file, or asks for another token.
        TransportError: the catalogue stayed away; what came is kept for the next attempt.
    """
    if target.is_file() and hash_file(target) == (entry.size_bytes, entry.sha256):
        on_size(entry.size_bytes)
        return
    part = target.with_name(target.name + PART_SUFFIX)
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    digest: str | None = None
    while digest is None:
        before = _size(part)
        try:
            digest = _continue(fetcher, name, version, entry, part, on_size)
        except BrokenLine:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= _ATTEMPTS:
                raise
            pause(_PAUSE_SECONDS * 2 ** (failures - 1))
    if digest != entry.sha256:
        part.unlink()
        raise ReleaseRefused(
            f"{entry.path} is not the file that was signed: SHA-256 {digest[:16]}…, expected {entry.sha256[:16]}…; "
            "it was deleted, tell the consortium if it happens again"
        )
    os.replace(part, target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _continue(
    fetcher: Fetcher, name: str, version: int, entry: FileEntry, part: Path, on_size: Callable[[int], None]
) -> str:
    """Receive what is missing; SHA-256 of the whole file."""
    with part.open("a+b") as file:
        digest = hashlib.sha256()
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
        size = file.tell()
        on_size(size)
        # An empty file has no byte to ask a range of; a whole one needs no request at all.
        if size == entry.size_bytes and size > 0:
            return digest.hexdigest()
        start = size if size < entry.size_bytes else 0
        with fetcher.open_file(name, version, entry, start) as arriving:
            if arriving.start != size:
                file.truncate(0)
                digest, size = hashlib.sha256(), 0
            for piece in arriving.pieces:
                size += len(piece)
                if size > entry.size_bytes:
                    file.truncate(0)
                    raise ReleaseRefused(
                        f"{entry.path} is longer than the {entry.size_bytes:,} bytes that were signed; it was deleted"
                    )
                file.write(piece)
                digest.update(piece)
                on_size(size)
        if size < entry.size_bytes:
            raise BrokenLine(f"{entry.path} ended at byte {size:,} of {entry.size_bytes:,}; download it again")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
