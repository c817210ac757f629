"""Headwater's own machines in one process, with a coordinator that signs whatever an attack tells it to."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from headwater.errors import PeerError
from headwater.secagg import Aggregator, Participant, Roster, SessionTerms
from headwater.secagg.protocol.events import (
    COORDINATOR,
    RoundRefused,
    RoundRequested,
    Send,
    SessionClosed,
    SessionReady,
)
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import Message, Reveal

__all__ = ["Members"]

AnyMessage = TypeVar("AnyMessage", bound=Message)


class Members:
    """Honest members that run Headwater's `Participant`, each with one private vector, and the coordinator's stream.

    Attributes:
        refusals: (member, what it said) of every refusal so far.
        to_member: what the coordinator sends in place of a message: (member, message) → messages.
    """

    def __init__(self, count: int, values: int, generator: np.random.Generator) -> None:
        """Make a consortium of `count` organisations."""
        self.names = [f"org-{index}" for index in range(count)]
        self.identity = {name: Ed25519PrivateKey.generate() for name in self.names}
        self.key = Ed25519PrivateKey.generate()
        keys = {name: key.public_key().public_bytes_raw() for name, key in self.identity.items()}
        self.roster = Roster(keys, self.key.public_key().public_bytes_raw(), bytes(32))
        self.terms = SessionTerms("run", bytes(32), 1, 4, 4, values, 20)
        self.vectors: dict[str, NDArray[np.uint32]] = {
            name: generator.integers(0, 2**32, values, dtype=np.uint32) for name in self.names
        }
        self.participants = {
            name: Participant(self.roster, self.terms, name, self.identity[name]) for name in self.names
        }
        self.to_member: Callable[[str, bytes], Sequence[bytes]] = lambda member, data: [data]
        self.refusals: list[tuple[str, str]] = []
        self.sent: list[tuple[str, bytes]] = []
        self.reveals: list[tuple[str, Reveal]] = []
        self.sid = b""
        self._queue: deque[tuple[str, str, bytes]] = deque()

    @property
    def context(self) -> bytes:
        """What signatures of the setup are bound to."""
        return setup_context(self.roster, self.terms, 1)

    def open(self, terms: SessionTerms | None = None) -> None:
        """Run the setup, under the members' terms or others."""
        self.aggregator = Aggregator(self.roster, terms or self.terms, self.key, now=0.0)
        for name in self.names:
            self._coordinator_does(self.aggregator.connected(name, 0.0))
        self._run()

    def round(self, task: bytes = b"task") -> None:
        """Ask for one vector of each member, and go as far as the messages go."""
        self._coordinator_does(self.aggregator.begin_round(task, b"", self.terms.max_length, 0.0))
        self._run()

    def tell(self, member: str, data: bytes) -> None:
        """Hand a member one message outside the protocol's order, then go on."""
        self._queue.append((COORDINATOR, member, data))
        self._run()

    def forge(self, message: Message, context: bytes | None = None) -> bytes:
        """A message of the coordinator, truly signed."""
        return sign_envelope(message.TYPE, COORDINATOR, message.encode(), self.key, context or self.sid)

    def lie(
        self, kind: type[Message], change: Callable[[str, Message], Message | None], *, setup: bool = False
    ) -> None:
        """From now on change, or hold back, the coordinator's messages of one kind."""

        def tap(member: str, data: bytes) -> list[bytes]:
            envelope = open_envelope(data)
            if envelope.type is not kind.TYPE:
                return [data]
            message = change(member, kind.decode(envelope))
            return [] if message is None else [self.forge(message, self.context if setup else None)]

        self.to_member = tap

    def _run(self) -> None:
        while self._queue:
            sender, receiver, data = self._queue.popleft()
            try:
                if receiver == COORDINATOR:
                    self._coordinator_does(self.aggregator.receive(sender, data, 0.0))
                else:
                    self._member_does(receiver, self.participants[receiver].receive(data, 0.0))
            except PeerError as error:
                if receiver != COORDINATOR:
                    self.refusals.append((receiver, str(error)))

    def _coordinator_does(self, events: Sequence[object]) -> None:
        for event in events:
            match event:
                case Send(member, data):
                    self._queue.extend((COORDINATOR, member, arriving) for arriving in self.to_member(member, data))
                case SessionReady(_, sid, _):
                    self.sid = sid
                case _:
                    pass

    def _member_does(self, member: str, events: Sequence[object]) -> None:
        for event in events:
            match event:
                case Send(_, data):
                    self._send(member, data)
                case RoundRequested():
                    for data in self.participants[member].upload(event.round, self.vectors[member]):
                        self._send(member, data)
                case RoundRefused(_, reason) | SessionClosed(reason):
                    self.refusals.append((member, reason))
                case _:
                    pass

    def _send(self, member: str, data: bytes) -> None:
        envelope = open_envelope(data)
        if envelope.type is Reveal.TYPE:
            self.reveals.append((member, Reveal.decode(envelope)))
        self.sent.append((member, data))
        self._queue.append((member, COORDINATOR, data))
