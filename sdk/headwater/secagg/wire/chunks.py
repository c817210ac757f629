"""Bulk bytes as a row of chunk messages, put together again in order and within a stated size: protocol 4.4, 4.9."""

from collections.abc import Iterator, Sequence

from headwater.errors import PeerError
from headwater.secagg.wire.codec import MAXIMUM_CHUNK
from headwater.secagg.wire.envelope import pack_chunk
from headwater.secagg.wire.messages import Chunk

__all__ = ["Assembly", "ChunkOrder", "chunk_message", "chunk_messages"]


def chunk_message(sender: str, round_number: int, index: int, parts: Sequence[bytes | memoryview]) -> bytes:
    """One chunk message that carries the concatenated `parts`; each byte is copied once."""
    size = sum(len(part) for part in parts)
    return pack_chunk(sender, Chunk.head(round_number, index, size), *parts)


def chunk_messages(sender: str, round_number: int, *parts: bytes) -> Iterator[bytes]:
    """Cut the concatenated `parts` into chunk messages of 1 MiB, the last one shorter."""
    pending: list[memoryview] = []
    room, index = MAXIMUM_CHUNK, 0
    for part in parts:
        view = memoryview(part)
        while view:
            taken, view = view[:room], view[room:]
            pending.append(taken)
            room -= len(taken)
            if room == 0:
                yield chunk_message(sender, round_number, index, pending)
                pending, room, index = [], MAXIMUM_CHUNK, index + 1
    if pending:
        yield chunk_message(sender, round_number, index, pending)


class ChunkOrder:
    """The order and sizes that the chunks of one stream must have."""

    def __init__(self, size: int) -> None:
        """Expect exactly `size` bytes."""
        self.size = size
        self._came = 0
        self._next = 0

    @property
    def complete(self) -> bool:
        """Whether every byte came."""
        return self._came == self.size

    def check(self, chunk: Chunk) -> None:
        """Refuse what is not the next chunk.

        Raises:
            PeerError: it is repeated, out of order, of the wrong size, or one too many.
        """
        expected = min(MAXIMUM_CHUNK, self.size - self._came)
        if expected == 0:
            raise PeerError(f"chunk {chunk.index} comes after the stated {self.size} bytes; the stream has too many")
        if chunk.index != self._next:
            raise PeerError(f"chunk {chunk.index} came where chunk {self._next} was expected; the order is broken")
        if len(chunk.data) != expected:
            raise PeerError(f"chunk {chunk.index} has {len(chunk.data)} bytes, {expected} were expected")

    def passed(self, chunk: Chunk) -> None:
        """Await the one after this chunk."""
        self._came += len(chunk.data)
        self._next += 1


class Assembly(ChunkOrder):
    """Collects the chunks of one stream of known size; memory grows only with bytes that really came."""

    def __init__(self, size: int) -> None:
        """Expect exactly `size` bytes."""
        super().__init__(size)
        self._chunks: list[bytes | memoryview] = []

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            PeerError: it is repeated, out of order, of the wrong size, or one too many; nothing was taken.
        """
        self.check(chunk)
        self._chunks.append(chunk.data)
        self.passed(chunk)

    def cut(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` to `end` of those that came."""
        first, last = begin // MAXIMUM_CHUNK, -(-end // MAXIMUM_CHUNK)
        parts = [memoryview(part) for part in self._chunks[first:last]]
        if parts:
            parts[-1] = parts[-1][: end - (last - 1) * MAXIMUM_CHUNK]
            parts[0] = parts[0][begin - first * MAXIMUM_CHUNK :]
        return b"".join(parts)
