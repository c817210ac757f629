"""What waits for one session's aggregator: inputs in the order in which they came, its deadline among them."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from headwater.errors import HeadwaterError
from headwater_server.services.stream import MemberStream

__all__ = ["Attach", "Begin", "Close", "Detach", "Inbox", "Input", "Pending", "Receive", "Tick"]

# After a tick that left its deadline in the past, members' messages come first for this long.
_TICK_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Attach:
    """A member's stream opened."""

    stream: MemberStream


@dataclass(frozen=True, slots=True)
class Detach:
    """A stream ended."""

    stream: MemberStream


@dataclass(frozen=True, slots=True)
class Receive:
    """Messages came over a stream, together."""

    stream: MemberStream
    messages: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begin:
    """The driver wants a sum."""

    task: bytes = field(repr=False)
    model: bytes = field(repr=False)
    length: int
    charge: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The driver ends the session."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline passed."""


Input = Attach | Detach | Receive | Begin | Close | Tick


@dataclass(slots=True)
class Pending:
    """An input, and who waits until it is dealt with, if anybody does."""

    input: Input
    done: "asyncio.Future[None] | None" = None

    def settle(self, error: HeadwaterError | None = None) -> None:
        """Tell whoever waits; again does nothing, nor does it for one who left."""
        if self.done is None or self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Inbox:
    """A queue with one reader that also wakes it for a deadline; lives on one event loop."""

    def __init__(self, next_deadline: Callable[[], float | None], now: Callable[[], float]) -> None:
        """Start empty; `next_deadline` is on the clock of `now` and is asked again before every input."""
        self._next_deadline = next_deadline
        self._now = now
        self._waiting: deque[Pending] = deque()
        self._changed = asyncio.Event()
        self._ticked = False

    def put(self, pending: Pending) -> None:
        """Add an input behind all others."""
        self._waiting.append(pending)
        self._changed.set()

    async def next(self, limit: int) -> list[Pending]:
        """Wait for inputs: one of any kind, or up to `limit` parcels that came one after the other.

        A deadline that passed comes first, and then not again before the inputs that wait: neither can a queue that
        is never empty keep a deadline from passing, nor a deadline that stays in the past keep messages from coming.
        """
        deadline = self._next_deadline()
        wait = None if deadline is None else deadline - self._now()
        if wait is not None and wait <= 0 and not self._ticked:
            self._ticked = True
            return [Pending(Tick())]
        self._ticked = False
        if not self._waiting and not await self._arrival(None if wait is None else max(wait, _TICK_PAUSE_SECONDS)):
            self._ticked = True
            return [Pending(Tick())]
        batch = [self._waiting.popleft()]
        if isinstance(batch[0].input, Receive):
            while self._waiting and len(batch) < limit and isinstance(self._waiting[0].input, Receive):
                batch.append(self._waiting.popleft())
        return batch

    def drain(self) -> list[Pending]:
        """Take everything that waits."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def _arrival(self, timeout_seconds: float | None) -> bool:
        self._changed.clear()
        timer = None
        if timeout_seconds is not None:
            # `asyncio.wait_for` would start a task for every message.
            timer = asyncio.get_running_loop().call_later(timeout_seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()
        return bool(self._waiting)
