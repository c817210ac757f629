"""The outgoing half of one member's stream: a queue with an end, a failure and a bound."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from headwater.errors import HeadwaterError, TransportError
from headwater.secagg.wire.codec import MAXIMUM_TOGETHER, TOGETHER_BYTES

__all__ = ["MemberStream"]


class MemberStream:
    """Messages for one member, put in by the session and taken out by the gRPC handler, on one event loop."""

    def __init__(self, member: str, limit_bytes: int) -> None:
        """Start empty.

        Args:
            member: the authenticated member.
            limit_bytes: most bytes that may wait. A member that reads slower than its coordinator writes is cut off
                at this point instead of costing more memory; it may connect again.
        """
        self.member = member
        self.sent_bytes = 0
        self._limit_bytes = limit_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._finished = False
        self._failure: HeadwaterError | None = None

    @property
    def ended(self) -> bool:
        """No further message is taken."""
        return self._finished or self._failure is not None

    def send(self, data: bytes) -> None:
        """Queue a message; nothing happens once the stream has ended."""
        if self.ended:
            return
        if self._waiting_bytes + len(data) > self._limit_bytes:
            self.fail(TransportError(f"this stream is too slow: {self._waiting_bytes} bytes wait; connect again"))
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._changed.set()

    def finish(self) -> None:
        """End the stream with OK once what waits has been sent."""
        self._finished = True
        self._changed.set()

    def fail(self, error: HeadwaterError) -> None:
        """End the stream with this error at once; what waits is dropped. The first error counts."""
        if self.ended:
            return
        self._failure = error
        self._waiting.clear()
        self._waiting_bytes = 0
        self._changed.set()

    async def parcels(self) -> AsyncIterator[list[bytes]]:
        """What to write to the member, in order, until the stream ends: messages that wait together, if they are small.

        Raises:
            HeadwaterError: the error that the stream was failed with.
        """
        while True:
            while self._waiting:
                yield self._parcel()
            if self._failure is not None:
                raise self._failure
            if self._finished:
                return
            self._changed.clear()
            await self._changed.wait()

    def _parcel(self) -> list[bytes]:
        messages = [self._waiting.popleft()]
        size = len(messages[0])
        # Each gRPC message has a price of its own, so what waits goes together.
        while self._waiting and size + len(self._waiting[0]) <= TOGETHER_BYTES and len(messages) < MAXIMUM_TOGETHER:
            messages.append(self._waiting.popleft())
            size += len(messages[-1])
        self._waiting_bytes -= size
        self.sent_bytes += size
        return messages
