"""Processes whose CPU seconds are counted, and the frames that go to and from them."""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["Child", "Clock", "Frame", "Role", "receive_frame", "send_frame", "serve"]

Header = Mapping[str, Any]
Frame = tuple[Header, Sequence[bytes]]
"""What travels between two processes: a JSON object, and the large things beside it."""


class Role(Protocol):
    """A party of the protocol, in this process or in another."""

    def answers(self, header: Header, parts: Sequence[bytes]) -> Iterator[Frame]:
        """Do one thing; what comes of it, piece by piece."""
        ...


class Clock:
    """CPU seconds of this process inside `with` blocks, threads that work on behind them included.

    What the main thread does outside of the blocks is left out: it reads, writes and makes test data there.
    """

    def __init__(self) -> None:
        """Stand at zero."""
        self.reset()

    def reset(self) -> None:
        """Begin again at zero, outside of any block."""
        self._begun, self._mark, self._outside = time.process_time(), time.thread_time(), 0.0

    def __enter__(self) -> Self:
        """The counted part begins."""
        self._outside += time.thread_time() - self._mark
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The counted part ends."""
        self._mark = time.thread_time()

    @property
    def seconds(self) -> float:
        """CPU seconds since `reset`; read it outside of the blocks."""
        return time.process_time() - self._begun - self._outside - (time.thread_time() - self._mark)


def send_frame(connection: Connection, header: Header, parts: Sequence[bytes] = ()) -> None:
    """Send one frame, each part by itself and without a copy."""
    connection.send_bytes(json.dumps({"header": header, "parts": len(parts)}).encode())
    for part in parts:
        connection.send_bytes(part)


def receive_frame(connection: Connection) -> Frame:
    """Wait for one frame.

    Raises:
        SystemExit: the other process ended.
    """
    try:
        outer = json.loads(connection.recv_bytes())
        return outer["header"], [connection.recv_bytes() for _ in range(outer["parts"])]
    except EOFError:
        raise SystemExit("a process of the benchmark ended before its work was done; its error is above") from None


def serve(connection: Connection, role: Role) -> None:
    """Answer frames until one says that it is the last."""
    while True:
        header, parts = receive_frame(connection)
        if header["do"] == "end":
            return
        for answer, large in role.answers(header, parts):
            send_frame(connection, {"more": True, **answer}, large)
        parts = ()
        send_frame(connection, {"more": False})


class Child:
    """A role in a process of its own."""

    def __init__(self, main: Callable[[Connection, str], None], settings: Mapping[str, Any]) -> None:
        """Start it: `main` gets its end of the pipe and the settings as JSON."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, json.dumps(settings)), daemon=True)
        self._process.start()
        theirs.close()

    def answers(self, header: Header, parts: Sequence[bytes]) -> Iterator[Frame]:
        """Ask the process; take every answer before asking again."""
        send_frame(self.connection, header, parts)
        while True:
            answer, large = receive_frame(self.connection)
            if not answer["more"]:
                return
            yield answer, large

    def end(self) -> None:
        """Let the process finish."""
        send_frame(self.connection, {"do": "end"})
        self._process.join()
