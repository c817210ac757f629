"""Parts of one large file at the same time, handed on in their order, in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

from headwater.catalogue.fetching import Arriving, BrokenLine
from headwater.errors import PeerError

__all__ = ["PARALLEL_FROM_BYTES", "PART_BYTES", "WholeAnswer", "fetch_parts"]

PARALLEL_FROM_BYTES = 32 * 2**20
"""Less than this comes over one connection: more would not pay for their handshakes."""

PART_BYTES = 8 * 2**20
"""Bytes of one request. One more of them than there are connections is held in memory."""


class WholeAnswer(Exception):
    """The other side sent the whole file where a part was asked for: it knows no ranges, or has another file now."""


def fetch_parts(
    open_part: Callable[[int, int], AbstractContextManager[Arriving]],
    start: int,
    stop: int,
    streams: int,
    take: Callable[[memoryview], None],
) -> None:
    """Fetch bytes `start` to before `stop` by several connections.

    Whatever happens, `take` was given a run of bytes without a gap from `start` on, so that a file written by it can
    be continued after its end.

    Args:
        open_part: of the file, from a byte to before another.
        start: first byte.
        stop: after the last byte.
        streams: connections at the same time.
        take: given each part in order, from this thread.

    Raises:
        WholeAnswer: the other side does not send parts.
        BrokenLine: a connection broke.
    """
    waiting: deque[Future[bytearray]] = deque()
    ended = threading.Event()
    starts = iter(range(start, stop, PART_BYTES))
    with ThreadPoolExecutor(streams, thread_name_prefix="headwater-part") as pool:

        def order() -> None:
            if (first := next(starts, None)) is not None:
                waiting.append(pool.submit(_fetch, open_part, first, min(first + PART_BYTES, stop), ended))

        try:
            for _ in range(streams + 1):
                order()
            while waiting:
                part = waiting.popleft().result()
                take(memoryview(part))
                order()
        finally:
            ended.set()
            for future in waiting:
                future.cancel()


def _fetch(
    open_part: Callable[[int, int], AbstractContextManager[Arriving]], start: int, stop: int, ended: threading.Event
) -> bytearray:
    part = bytearray(stop - start)
    size = 0
    with open_part(start, stop) as arriving:
        if arriving.start != start:
            raise WholeAnswer
        for piece in arriving.pieces:
            if ended.is_set():
                raise BrokenLine("another part of the file failed")
            if size + len(piece) > len(part):
                raise PeerError("the catalogue sent more than the part that was asked for; refused")
            part[size : size + len(piece)] = piece
            size += len(piece)
    if size < len(part):
        raise BrokenLine(f"the answer ended {len(part) - size:,} bytes early; try again")
    return part
