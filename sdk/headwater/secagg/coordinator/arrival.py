"""A member's masked vector on its way: hashed as it comes, kept in a spool, then added to the sum: protocol 4.4."""

import hashlib

import numpy as np

from headwater.secagg.coordinator.spool import Kept, Spool
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.wire.chunks import ChunkOrder
from headwater.secagg.wire.messages import Chunk

__all__ = ["Arrival"]


class Arrival(ChunkOrder):
    """A member's masked vector on its way: hashed as it comes, kept in a spool until it is complete."""

    def __init__(self, size: int, spool: Spool) -> None:
        """Expect exactly `size` bytes."""
        super().__init__(size)
        self._spool = spool
        self._kept: list[Kept] = []
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes so far."""
        return self._hash.digest()

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            PeerError: it is repeated, out of order, of the wrong size, or one too many; nothing was taken.
            StorageError: the spool could not keep it; nothing was taken.
        """
        self.check(chunk)
        data = memoryview(chunk.data)
        self._kept.append(self._spool.keep(data))
        self._hash.update(data)
        self.passed(chunk)

    def add_to(self, total: RingVector) -> None:
        """Add the complete vector to `total` in place, part by part, and let go of it.

        Raises:
            StorageError: a part cannot be read back; `total` may hold some of the others and is of no use any more.
        """
        begin = 0
        for kept in self._kept:
            values = np.frombuffer(kept.read(), dtype=total.dtype)
            part = total[begin : begin + values.size]
            np.add(part, values, out=part)
            begin += values.size
            kept.discard()
        self._kept = []

    def discard(self) -> None:
        """Let go of what came."""
        for kept in self._kept:
            kept.discard()
        self._kept = []
