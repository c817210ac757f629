"""A pair of machines with the shape of secure aggregation's and none of its protection: for tests of the pipe.

A message is one letter, a space, a round number, a space, and bytes. The coordinator sends W (welcome), R (round), C
(closed round), Z (session closed); a member sends J (join), U (chunk of the vector), N (refusal).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.errors import OutOfOrder, PeerError
from headwater.secagg.protocol.events import (
    COORDINATOR,
    AggregatorEvent,
    MemberDropped,
    MemberEvent,
    Persist,
    RoundAborted,
    RoundClosed,
    RoundRefused,
    RoundRequested,
    RoundSummed,
    Send,
    SessionClosed,
    SessionReady,
)
from headwater.secagg.protocol.families import Family

__all__ = ["PlainAggregator", "PlainParticipant"]

CHUNK_BYTES = 64 * 1024


def _message(kind: bytes, number: int, body: bytes = b"") -> bytes:
    return b"%s %d %s" % (kind, number, body)


def _split(message: bytes) -> tuple[bytes, int, bytes]:
    try:
        kind, number, body = message.split(b" ", 2)
        return kind, int(number), body
    except ValueError as error:
        raise PeerError("these bytes are no message of the protocol; refused") from error


@dataclass
class PlainAggregator:
    """Sums vectors in the clear; the round ends when every member uploaded, refused or is away past the deadline."""

    members: frozenset[str]
    round_seconds: float = 1000.0
    calls: list[tuple[str, str]] = field(default_factory=list)
    here: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    received: dict[str, bytearray] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    round: int = 0
    length: int = 0
    running: bool = False
    next_deadline: float | None = None

    def connected(self, member: str, now: float) -> Sequence[AggregatorEvent]:
        """Welcome, and ask again for what was not given yet."""
        self.calls.append(("connected", member))
        self.here.add(member)
        if not self._is_whole(member):
            self.received.pop(member, None)
        return [Send(member, _message(b"W", 0)), *(self._ask(member) if self.running else [])]

    def disconnected(self, member: str, now: float) -> Sequence[AggregatorEvent]:
        """Note it."""
        self.calls.append(("disconnected", member))
        self.here.discard(member)
        return [MemberDropped(member, "plain", "its stream ended")]

    def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
        """Take a message."""
        kind, number, body = _split(message)
        if kind == b"J":
            self.joined.add(member)
            return [SessionReady(tuple(sorted(self.members)), b"s", b"")] if self.joined == self.members else []
        if not self.running or number != self.round:
            return []
        if kind == b"N":
            self.refused.add(member)
        elif kind == b"U" and self._is_whole(member):
            return []
        elif kind == b"U":
            self.received.setdefault(member, bytearray()).extend(body)
        else:
            raise PeerError(f"a message of kind {kind!r} came; refused")
        return self._finish()

    def begin_round(
        self, task: bytes, model: bytes, length: int, now: float, charge: bytes = b""
    ) -> Sequence[AggregatorEvent]:
        """Ask everybody."""
        if self.running:
            raise OutOfOrder("a round is under way")
        self.round, self.length, self.running = self.round + 1, length, True
        self.received, self.refused = {}, set()
        self.next_deadline = now + self.round_seconds
        start: list[AggregatorEvent] = [Persist("start", task)]
        return start + [event for member in sorted(self.here) for event in self._ask(member)]

    def tick(self, now: float) -> Sequence[AggregatorEvent]:
        """Abort a round whose deadline passed."""
        self.calls.append(("tick", ""))
        if not self.running or self.next_deadline is None or now < self.next_deadline:
            return []
        self.running, self.next_deadline = False, None
        return [*self._tell(_message(b"C", self.round)), RoundAborted(self.round, "the deadline passed", b"")]

    def close(self, reason: str, now: float) -> Sequence[AggregatorEvent]:
        """Tell everybody."""
        return self._tell(_message(b"Z", 0, reason.encode()))

    def _is_whole(self, member: str) -> bool:
        return len(self.received.get(member, b"")) == 4 * self.length

    def _ask(self, member: str) -> list[AggregatorEvent]:
        return [Send(member, _message(b"R", self.round, str(self.length).encode()))]

    def _tell(self, message: bytes) -> list[AggregatorEvent]:
        return [Send(member, message) for member in sorted(self.here)]

    def _finish(self) -> Sequence[AggregatorEvent]:
        whole = {name: bytes(data) for name, data in self.received.items() if self._is_whole(name)}
        if set(whole) | self.refused != self.members:
            return []
        self.running, self.next_deadline = False, None
        vector = np.zeros(self.length, dtype=np.uint32)
        for data in whole.values():
            vector += np.frombuffer(data, dtype="<u4")
        return [
            Persist("receipt", b""),
            *self._tell(_message(b"C", self.round)),
            RoundSummed(self.round, vector, tuple(sorted(whole)), b""),
        ]


@dataclass
class PlainParticipant:
    """Uploads in the clear."""

    closed: bool = False
    next_deadline: float | None = None
    awaited: int = 0

    def start(self) -> Sequence[MemberEvent]:
        """The coordinator speaks first."""
        return []

    def receive(self, message: bytes, now: float) -> Sequence[MemberEvent]:
        """Take a message."""
        kind, number, body = _split(message)
        match kind:
            case b"W":
                return [Send(COORDINATOR, _message(b"J", 0))]
            case b"R":
                self.awaited = number
                return [RoundRequested(number, b"task", b"", int(body), ())]
            case b"C":
                self.awaited = 0
                return [RoundClosed(number, receipt=b"receipt")]
            case b"Z":
                return self.close(body.decode())
            case _:
                raise PeerError(f"a message of kind {kind!r} came; refused")

    def upload(self, round: int, vector: NDArray[np.uint32], family: Family | None = None) -> Iterator[bytes]:
        """Cut the vector up."""
        if round != self.awaited:
            raise OutOfOrder(f"round {round} awaits no vector")
        self.awaited = 0
        data = vector.astype("<u4").tobytes()
        return (_message(b"U", round, data[start : start + CHUNK_BYTES]) for start in range(0, len(data), CHUNK_BYTES))

    def refuse(self, round: int, reason: str) -> Sequence[MemberEvent]:
        """Say no."""
        self.awaited = 0
        return [Send(COORDINATOR, _message(b"N", round, reason.encode())), RoundRefused(round, reason)]

    def tick(self, now: float) -> Sequence[MemberEvent]:
        """Nothing waits."""
        return []

    def close(self, reason: str) -> Sequence[MemberEvent]:
        """Leave."""
        if self.closed:
            return []
        self.closed = True
        return [SessionClosed(reason)]
