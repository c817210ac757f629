"""Bulk bytes as a row of chunk messages, put together again in order and within a stated size: protocol 4.4, 4.9."""

import hashlib
from collections.abc import Iterator

from headwater.errors import PeerError
from headwater.secagg.codec import MAXIMUM_CHUNK
from headwater.secagg.envelope import pack_chunk
from headwater.secagg.messages import Chunk

__all__ = ["Assembly", "chunk_messages"]


def chunk_messages(sender: str, round_number: int, *parts: bytes) -> Iterator[bytes]:
    """Cut the concatenated `parts` into chunk messages of 1 MiB, the last one shorter."""
    views = [memoryview(part) for part in parts if part]
    pending, index = bytearray(), 0
    for view in views:
        at = 0
        while at < len(view):
            taken = view[at : at + MAXIMUM_CHUNK - len(pending)]
            pending += taken
            at += len(taken)
            if len(pending) == MAXIMUM_CHUNK:
                yield pack_chunk(sender, Chunk(round_number, index, bytes(pending)).encode())
                pending, index = bytearray(), index + 1
    if pending:
        yield pack_chunk(sender, Chunk(round_number, index, bytes(pending)).encode())


class Assembly:
    """Collects the chunks of one stream of known size; memory grows only with bytes that really came."""

    def __init__(self, size: int) -> None:
        """Expect exactly `size` bytes."""
        self.size = size
        self.data = bytearray()
        self._next = 0
        self._hash = hashlib.sha256()

    @property
    def complete(self) -> bool:
        """Whether every byte came."""
        return len(self.data) == self.size

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes so far."""
        return self._hash.digest()

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            PeerError: it is repeated, out of order, of the wrong size, or one too many; nothing was taken.
        """
        expected = min(MAXIMUM_CHUNK, self.size - len(self.data))
        if expected == 0:
            raise PeerError(f"chunk {chunk.index} comes after the stated {self.size} bytes; the stream has too many")
        if chunk.index != self._next:
            raise PeerError(f"chunk {chunk.index} came where chunk {self._next} was expected; the order is broken")
        if len(chunk.data) != expected:
            raise PeerError(f"chunk {chunk.index} has {len(chunk.data)} bytes, {expected} were expected")
        self.data += chunk.data
        self._hash.update(chunk.data)
        self._next += 1
