"""The words of a participation: the machine it drives, what it reports, how it waits, how it ends."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.protocol.events import MemberEvent
from headwater.secagg.protocol.families import Family

__all__ = [
    "Backoff",
    "Connecting",
    "Disconnected",
    "MessageRefused",
    "ParticipantMachine",
    "Participation",
    "Progress",
]

_JITTER = secrets.SystemRandom()


class ParticipantMachine(Protocol):
    """What the loop needs of `headwater.secagg.Participant`; all calls come from the thread of `participate`."""

    @property
    def closed(self) -> bool:
        """The session is over for this organisation."""
        ...

    @property
    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        ...

    def start(self) -> Sequence[MemberEvent]:
        """Begin; once."""
        ...

    def receive(self, message: bytes, now: float) -> Sequence[MemberEvent]:
        """Take one message; `PeerError` refuses it."""
        ...

    def upload(self, round: int, vector: RingVector, family: Family | None = None) -> Iterator[bytes]:
        """Mask a vector; the iterator is walked in another thread."""
        ...

    def refuse(self, round: int, reason: str) -> Sequence[MemberEvent]:
        """Take no part in a round."""
        ...

    def tick(self, now: float) -> Sequence[MemberEvent]:
        """A deadline may have passed."""
        ...

    def close(self, reason: str) -> Sequence[MemberEvent]:
        """Leave and drop all secrets."""
        ...


@dataclass(frozen=True, slots=True)
class Connecting:
    """A stream is being opened, for the `attempt`-th time since a message last came; from 1."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream broke; another is opened after a wait."""

    reason: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message of the coordinator was refused and changed nothing."""

    reason: str


Progress = MemberEvent | Connecting | Disconnected | MessageRefused


@dataclass(frozen=True, slots=True)
class Participation:
    """How a participation ended without an error.

    Attributes:
        outcome: "closed": the protocol closed the session; "ended": the coordinator ended the stream; "stopped": the
            stop event was set.
        reason: the protocol's reason for "closed".
        sent_bytes: protocol messages sent, over all streams.
        received_bytes: protocol messages received.
    """

    outcome: Literal["closed", "ended", "stopped"]
    reason: str
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next stream: doubling from `first_seconds` to `longest_seconds`, with jitter.

    A coordinator that comes back must not be met by all organisations at one moment. After `patience_seconds` of
    failures without a message in between, the participation ends with the last error.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 15.0
    patience_seconds: float = 600.0

    def wait_seconds(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure in a row, from 1."""
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 30))
        return whole * _JITTER.uniform(0.5, 1.0)
