"""A file of a release read in parts over a network, as a seekable file whose every byte was checked."""

import io
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from headwater.catalogue.fetching import BrokenLine, Fetcher
from headwater.catalogue.refusals import Busy
from headwater.errors import InputError, PeerError
from headwater.release import FileEntry
from headwater.release.blocks import BlockDigests

__all__ = ["BlockFile", "NoRanges"]

_KEPT_BYTES = 32 * 2**20
_LONGEST_REQUEST_BYTES = 8 * 2**20
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0


class NoRanges(Exception):
    """The other side sends whole files only."""


class BlockFile(io.RawIOBase):
    """A release's file without a copy of it: what is read is fetched by range, block by block.

    Guarantee: no byte is handed out before the SHA-256 of its block was held to the signed list.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        name: str,
        version: int,
        entry: FileEntry,
        blocks: BlockDigests,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            fetcher: of whoever has the release.
            name: of the dataset.
            version: of the dataset.
            entry: of the file, from a verified manifest.
            blocks: of this very file, as `read_blocks` gives them.
            pause: how to wait between attempts.
        """
        super().__init__()
        self._fetcher, self._name, self._version = fetcher, name, version
        self._entry, self._blocks, self._pause = entry, blocks, pause
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self.fetched_bytes = 0
        """Bytes of the file that came over the network so far."""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; fetches nothing."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._entry.size_bytes}[whence]
        if origin + offset < 0:
            raise InputError(f"position {origin + offset} is before the beginning of {self._entry.path}")
        self._position = origin + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes from the position on; all that are left for a negative one.

        Raises:
            ReleaseRefused: a block is not what was signed.
            NoRanges: the other side does not send parts.
            TransportError: it could not be reached.
        """
        left = max(0, self._entry.size_bytes - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted == 0:
            return b""
        start, stop = self._position, self._position + wanted
        step = self._blocks.block_bytes
        first, last = start // step, (stop - 1) // step
        pieces = [
            block[max(0, start - index * step) : stop - index * step] for index, block in self._between(first, last)
        ]
        self._position = stop
        return b"".join(pieces)

    def readinto(self, buffer: "memoryview | bytearray", /) -> int:  # type: ignore[override]
        """As `read`, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _between(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Blocks from first to last, kept ones and fetched ones in their order."""
        most = max(1, _LONGEST_REQUEST_BYTES // self._blocks.block_bytes)
        index = first
        while index <= last:
            if (kept := self._kept.get(index)) is not None:
                self._kept.move_to_end(index)
                yield index, kept
                index += 1
                continue
            end = index + 1
            while end <= last and end - index < most and end not in self._kept:
                end += 1
            for block in self._fetch(index, end):
                yield index, block
                index += 1

    def _fetch(self, first: int, end: int) -> list[bytes]:
        """Blocks first to before end, each checked, by one request."""
        failures = 0
        data: bytearray | None = None
        while data is None:
            try:
                data = self._ask(first, end)
            except (BrokenLine, Busy) as error:
                failures += 1
                seconds = error.wait_seconds if isinstance(error, Busy) else _PAUSE_SECONDS * 2 ** (failures - 1)
                if failures >= _ATTEMPTS or seconds > _LONGEST_PAUSE_SECONDS:
                    raise
                self._pause(seconds)
        step = self._blocks.block_bytes
        found = []
        for index in range(first, end):
            block = bytes(data[(index - first) * step : (index - first + 1) * step])
            self._blocks.check(index, block)
            self._keep(index, block)
            found.append(block)
        return found

    def _ask(self, first: int, end: int) -> bytearray:
        step = self._blocks.block_bytes
        start, stop = first * step, min(end * step, self._entry.size_bytes)
        data = bytearray()
        with self._fetcher.open_file(self._name, self._version, self._entry, start, stop) as arriving:
            if arriving.start != start:
                raise NoRanges
            for piece in arriving.pieces:
                self.fetched_bytes += len(piece)
                data += piece
                # A whole file in answer to its first part begins at the right byte too.
                if len(data) > stop - start:
                    if start == 0:
                        raise NoRanges
                    raise PeerError(f"the catalogue sent more of {self._entry.path} than was asked for; refused")
        if len(data) < stop - start:
            raise BrokenLine(f"{self._entry.path} ended before byte {stop:,}; try again")
        return data

    def _keep(self, index: int, block: bytes) -> None:
        self._kept[index] = block
        while len(self._kept) * self._blocks.block_bytes > _KEPT_BYTES:
            self._kept.popitem(last=False)
