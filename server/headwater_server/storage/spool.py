"""Uploads on their way: in memory up to a limit, beyond it encrypted in a file that has no name."""

import os
import tempfile
import threading
import weakref
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from headwater.errors import StorageError
from headwater.secagg.coordinator.spool import Kept, MemorySpool

__all__ = ["DiskSpool"]

_log = structlog.get_logger(__name__)

_TAG_BYTES = 16
_NONCE_BYTES = 12


class DiskSpool:
    """Keeps the parts of incomplete uploads of one session.

    The file is unlinked before its first byte is written, so it ends with the process, however that ends; it is cut to
    nothing whenever no part waits in it. Its key is made here and never leaves memory: what a disk still holds of
    the blocks later opens for nobody.

    Guarantee: a part is read back as it was given, or `StorageError` is raised.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        """Keep up to `memory_bytes` in memory, the rest in a file in `folder`; neither is touched before it is needed.

        Args:
            folder: made when the file is; its file system needs room for one vector of every member.
            memory_bytes: 0 keeps everything in the file.
        """
        self._folder, self._memory_room = folder, memory_bytes
        self._memory = MemorySpool()
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._written = 0
        self._file: int | None = None
        self._end = self._parts_in_file = 0
        self._free: dict[int, list[int]] = {}
        self._sealed, self._plain = bytearray(), bytearray()
        # Uploads come in a worker thread, and a session that is given up lets go of them in another.
        self._lock = threading.Lock()

    def keep(self, data: memoryview) -> Kept:
        """Take bytes that nobody will change.

        Raises:
            StorageError: they fit neither in memory nor on the disk; nothing was taken.
        """
        size = len(data)
        with self._lock:
            if size <= self._memory_room:
                self._memory_room -= size
                return _InMemory(self, self._memory.keep(data), size)
            try:
                return self._write(data)
            except OSError as error:
                raise StorageError(
                    f"an upload of {size:,} bytes more could not be spooled to {self._folder}: {error.strerror}; "
                    "make room there, or raise spool_memory_mib in settings.toml"
                ) from error

    def _write(self, data: memoryview) -> "_InFile":
        file = self._opened()
        # One nonce for one part: a counter under a key that encrypts nothing else.
        nonce = self._written.to_bytes(_NONCE_BYTES, "big")
        self._written += 1
        size = len(data) + _TAG_BYTES
        free = self._free.setdefault(size, [])
        if not free:
            free.append(self._end)
            self._end += size
        begin = free.pop()
        self._parts_in_file += 1
        try:
            rest, _ = self._buffers(size)
            self._cipher.encrypt_into(nonce, data, None, rest)
            while rest:
                rest = rest[os.pwrite(file, rest, begin + size - len(rest)) :]
        except OSError:
            self._release(begin, size)
            raise
        return _InFile(self, begin, size, nonce)

    def _opened(self) -> int:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                self._file = os.dup(file.fileno())
            # Never earlier: a worker thread may still be at it when its session is given up.
            weakref.finalize(self, os.close, self._file)
        return self._file

    def _buffers(self, size: int) -> tuple[memoryview, memoryview]:
        """Room for a sealed part of this size, and for what is in it; used over and over, as fresh pages cost more."""
        if len(self._sealed) < size:
            self._sealed, self._plain = bytearray(size), bytearray(size)
        return memoryview(self._sealed)[:size], memoryview(self._plain)[: size - _TAG_BYTES]

    def read_part(self, begin: int, size: int, nonce: bytes) -> memoryview:
        """Read a part of the file and check it; for the part itself.

        Raises:
            StorageError: the disk did not give back what was written.
        """
        try:
            with self._lock:
                sealed, plain = self._buffers(size)
                read = os.preadv(self._opened(), [sealed], begin)
                self._cipher.decrypt_into(nonce, sealed[:read], None, plain)
                return plain.toreadonly()
        except (OSError, InvalidTag, ValueError) as error:
            # ValueError: the file was cut, and what is left does not fill the buffer.
            reason = getattr(error, "strerror", None) or "the bytes are not those that were written"
            _log.error("spool_unreadable", folder=str(self._folder), reason=reason)
            raise StorageError(
                f"the spool in {self._folder} did not give back what was written: {reason}; check that disk"
            ) from error

    def forget_part(self, begin: int, size: int) -> None:
        """Give the place of a part to others; for the part itself."""
        with self._lock:
            self._release(begin, size)

    def forget_memory(self, size: int) -> None:
        """Give the memory of a part to others; for the part itself."""
        with self._lock:
            self._memory_room += size

    def _release(self, begin: int, size: int) -> None:
        self._free[size].append(begin)
        self._parts_in_file -= 1
        if self._parts_in_file == 0 and self._file is not None:
            self._free.clear()
            self._end = 0
            os.ftruncate(self._file, 0)


class _InMemory:
    __slots__ = ("_kept", "_size", "_spool")

    def __init__(self, spool: DiskSpool, kept: Kept, size: int) -> None:
        self._spool, self._kept, self._size = spool, kept, size

    def read(self) -> memoryview:
        return self._kept.read()

    def discard(self) -> None:
        self._kept.discard()
        self._spool.forget_memory(self._size)
        self._size = 0


class _InFile:
    __slots__ = ("_begin", "_nonce", "_size", "_spool")

    def __init__(self, spool: DiskSpool, begin: int, size: int, nonce: bytes) -> None:
        self._spool, self._begin, self._size, self._nonce = spool, begin, size, nonce

    def read(self) -> memoryview:
        return self._spool.read_part(self._begin, self._size, self._nonce)

    def discard(self) -> None:
        if self._size:
            self._spool.forget_part(self._begin, self._size)
            self._size = 0
