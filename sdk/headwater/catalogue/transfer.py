"""One file over an unsteady line: resumed where it broke, hashed while written, named only when whole."""

import errno
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

from headwater.catalogue.fetching import BrokenLine, Fetcher
from headwater.catalogue.parallel import PARALLEL_FROM_BYTES, WholeAnswer, fetch_parts
from headwater.catalogue.refusals import Busy
from headwater.errors import ReleaseRefused, StorageError
from headwater.release import FileEntry
from headwater.release.hashing import hash_file

__all__ = ["PART_SUFFIX", "fetch_file"]

PART_SUFFIX = ".part"
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
_PIECE_BYTES = 1 << 20


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
        StorageError: the disk is full; what came is kept for the next attempt.
    """
    if target.is_file() and hash_file(target) == (entry.size_bytes, entry.sha256):
        on_size(entry.size_bytes)
        return
    part = target.with_name(target.name + PART_SUFFIX)
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_symlink():
        # Whatever it leads to is nobody's download; nothing is written there.
        part.unlink()
    failures = 0
    digest: str | None = None
    while digest is None:
        before = _size(part)
        try:
            digest = _continue(fetcher, name, version, entry, part, on_size)
        except (BrokenLine, Busy) as error:
            failures = 1 if _size(part) > before else failures + 1
            seconds = error.wait_seconds if isinstance(error, Busy) else _PAUSE_SECONDS * 2 ** (failures - 1)
            if failures >= _ATTEMPTS or seconds > _LONGEST_PAUSE_SECONDS:
                raise
            pause(seconds)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StorageError(
                f"the disk that holds {part.parent} is full, {entry.path} needs "
                f"{entry.size_bytes - _size(part):,} bytes more; make room and run this again"
            ) from error
        except ReleaseRefused:
            part.unlink(missing_ok=True)
            raise
    if digest != entry.sha256:
        part.unlink()
        raise ReleaseRefused(
            f"{entry.path} is not the file that was signed: SHA-256 {digest[:16]}…, expected {entry.sha256[:16]}…; "
            "it was deleted, tell the consortium if it happens again"
        )
    os.replace(part, target)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


class _Growing:
    """The beginning of a file on disk, with the digest of what is there."""

    def __init__(
        self, file: BinaryIO, entry: FileEntry, on_size: Callable[[int], None], hashing: Executor | None = None
    ) -> None:
        """Take in what is there; `hashing`: one thread, in which what comes is hashed while more is received."""
        self.file, self.entry, self._on_size, self._hashing = file, entry, on_size, hashing
        self.digest = hashlib.sha256()
        self._hashed: Future[None] | None = None
        self.size = 0
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            self.digest.update(piece)
            self.size += len(piece)
        if self.size > entry.size_bytes:
            self.begin_again()
        on_size(self.size)

    def begin_again(self) -> None:
        self._await_hash()
        self.file.truncate(0)
        self.digest, self.size = hashlib.sha256(), 0

    def take(self, piece: bytes | memoryview) -> None:
        if self.size + len(piece) > self.entry.size_bytes:
            raise ReleaseRefused(
                f"{self.entry.path} is longer than the {self.entry.size_bytes:,} bytes that were signed; it was deleted"
            )
        # The one before first: its bytes are good until the next but one are asked for.
        self._await_hash()
        if self._hashing is None:
            self.digest.update(piece)
        else:
            self._hashed = self._hashing.submit(self.digest.update, piece)
        self.file.write(piece)
        self.size += len(piece)
        self._on_size(self.size)

    def hexdigest(self) -> str:
        self._await_hash()
        return self.digest.hexdigest()

    def _await_hash(self) -> None:
        if self._hashed is not None:
            self._hashed.result()
            self._hashed = None


def _continue(
    fetcher: Fetcher, name: str, version: int, entry: FileEntry, part: Path, on_size: Callable[[int], None]
) -> str:
    """Receive what is missing; SHA-256 of the whole file."""
    # Unbuffered, so that what was taken is in the file whatever happens next; pieces are large. Not synced: what a
    # crash of the machine loses is noticed by the digest, and can be had again.
    with ExitStack() as stack:
        file = stack.enter_context(part.open("a+b", buffering=0))
        large = entry.size_bytes >= PARALLEL_FROM_BYTES
        hashing = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="headwater-hash")) if large else None
        growing = _Growing(file, entry, on_size, hashing)
        # An empty file has no byte to ask a range of; a whole one needs no request at all.
        if growing.size == entry.size_bytes and growing.size > 0:
            return growing.hexdigest()
        if fetcher.streams > 1 and entry.size_bytes - growing.size >= PARALLEL_FROM_BYTES:
            try:
                opened = partial(fetcher.open_file, name, version, entry)
                fetch_parts(opened, growing.size, entry.size_bytes, fetcher.streams, growing.take)
                return growing.hexdigest()
            except WholeAnswer:
                pass
        with fetcher.open_file(name, version, entry, growing.size) as arriving:
            if arriving.start != growing.size:
                growing.begin_again()
            for piece in arriving.pieces:
                growing.take(piece)
        if growing.size < entry.size_bytes:
            raise BrokenLine(f"{entry.path} ended at byte {growing.size:,} of {entry.size_bytes:,}; download it again")
    return growing.hexdigest()
