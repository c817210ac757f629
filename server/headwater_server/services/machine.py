"""The aggregator as a session sees it."""

from collections.abc import Sequence
from typing import Protocol

from headwater.secagg.protocol.events import AggregatorEvent

__all__ = ["AggregatorMachine"]


class AggregatorMachine(Protocol):
    """What a session needs of `headwater.secagg.Aggregator`; no call is made while another one runs."""

    @property
    def next_deadline(self) -> float | None:
        """When `tick` is due, by the session's clock."""
        ...

    def connected(self, member: str, now: float) -> Sequence[AggregatorEvent]:
        """A member's stream opened."""
        ...

    def disconnected(self, member: str, now: float) -> Sequence[AggregatorEvent]:
        """A member's stream ended."""
        ...

    def receive(self, member: str, message: bytes, now: float) -> Sequence[AggregatorEvent]:
        """A member sent a message; `PeerError` refuses it."""
        ...

    def begin_round(
        self, task: bytes, model: bytes, length: int, now: float, charge: bytes = b""
    ) -> Sequence[AggregatorEvent]:
        """The driver asks for a sum."""
        ...

    def tick(self, now: float) -> Sequence[AggregatorEvent]:
        """A deadline may have passed."""
        ...

    def close(self, reason: str, now: float) -> Sequence[AggregatorEvent]:
        """The driver ends the session."""
        ...
