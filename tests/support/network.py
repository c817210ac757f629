"""An in-memory network of one aggregator and its participants, with breaks, replays and lies on demand."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg import Aggregator, Participant, Roster, SessionTerms
from headwater.secagg.crypto.ring import RingBits, RingVector, ring_type
from headwater.secagg.protocol.events import (
    COORDINATOR,
    AggregatorEvent,
    AttemptStarted,
    CohortConfirmed,
    MemberEvent,
    PeersRolledBack,
    Persist,
    RoundAborted,
    RoundClosed,
    RoundRequested,
    RoundSummed,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater.secagg.protocol.families import Cohort, Family
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Message

Vector = RingVector
Tap = Callable[[str, bytes], Sequence[bytes]]
"""What the wire does with a message to or from a member: the messages that arrive instead, in order."""

AnyMessage = TypeVar("AnyMessage", bound=Message)

TASK = b'{"kind":"histograms"}'


def member_names(count: int) -> list[str]:
    """Ids whose order as text is not the order in which they are made."""
    return sorted(f"org-{index}" for index in range(count))


@dataclass
class World:
    """Keys and terms of one consortium, and the machines of one attempt.

    Attributes:
        to_member: what the wire does with the coordinator's messages, by member.
        to_coordinator: what it does with a member's messages.
        faults: a context in which a member handles its messages, such as a patch that makes it lie.
        vectors: the vector that each member contributes when asked; missing: it never answers.
        errors: every `PeerError`, with who raised it ("" for the coordinator).
    """

    count: int = 3
    rounds: int = 4
    retries: int = 4
    length: int = 5
    colluders: int = 1
    ring_bits: RingBits = 32
    now: float = 0.0
    to_member: Tap = lambda member, data: [data]
    to_coordinator: Tap = lambda member, data: [data]
    answering: bool = True
    faults: dict[str, Callable[[], AbstractContextManager[object]]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    vectors: dict[str, Vector] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    aggregator_events: list[AggregatorEvent] = field(default_factory=list)
    member_events: dict[str, list[MemberEvent]] = field(default_factory=dict)
    traffic: list[tuple[str, str, bytes]] = field(default_factory=list)
    participants: dict[str, Participant] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    records: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    outstanding: dict[str, int] = field(default_factory=dict)
    distrusted: dict[str, set[str]] = field(default_factory=dict)
    strict: bool = False
    family: Family | None = None
    cohorts: dict[str, dict[Family, list[Cohort]]] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make keys, a roster and terms."""
        self.names = member_names(self.count)
        self.identity = {name: Ed25519PrivateKey.generate() for name in self.names}
        self.coordinator_key = Ed25519PrivateKey.generate()
        self.roster = Roster(
            {name: key.public_key().public_bytes_raw() for name, key in self.identity.items()},
            self.coordinator_key.public_key().public_bytes_raw(),
            bytes(range(32)),
            colluders=self.colluders,
        )
        self.queue: deque[tuple[str, str, bytes]] = deque()
        self.chain: list[bytes] = []
        self.attempt = 0
        self.new_attempt()
        generator = np.random.default_rng(7)
        kind, top = ring_type(self.ring_bits), 2**self.ring_bits
        self.vectors = {
            name: generator.integers(0, top, size=self.length, dtype=kind.type).astype(kind) for name in self.names
        }

    def terms(self, attempt: int) -> SessionTerms:
        """The terms of an attempt."""
        limits = (self.rounds, self.retries, 10_000_000, 20)
        return SessionTerms("run-1", bytes(32), attempt, *limits, ring_bits=self.ring_bits, strict=self.strict)

    def new_attempt(self) -> None:
        """Build the aggregator of the next attempt, from the persisted chain."""
        self.attempt += 1
        self.online.clear()
        self.aggregator = Aggregator(
            self.roster, self.terms(self.attempt), self.coordinator_key, now=self.now, chain=self.chain
        )

    def join(self, *names: str, attempt: int | None = None, last_receipt: bytes | None = None) -> None:
        """Start fresh participants and connect them."""
        for name in names or tuple(self.names):
            self.participants[name] = Participant(
                self.roster,
                self.terms(attempt or self.attempt),
                name,
                self.identity[name],
                last_receipt,
                records=self.records.get(name, 0),
                outstanding=self.outstanding.get(name),
                seen={peer: count for peer, count in self.seen.items() if peer != name},
                distrusted=self.distrusted.get(name, ()),
                cohorts=self.cohorts.get(name, {}),
                excluded=self.excluded,
            )
            self.connect(name)

    def connect(self, name: str) -> None:
        """Open a member's stream."""
        self.online.add(name)
        self.coordinator_does(self.aggregator.connected(name, self.now))

    def disconnect(self, name: str) -> None:
        """Break a member's stream; messages under way to it or from it are lost."""
        self.online.discard(name)
        self.queue = deque(item for item in self.queue if name not in item[:2])
        self.coordinator_does(self.aggregator.disconnected(name, self.now))

    def open(self) -> None:
        """Join everybody and run the setup to its end."""
        self.join()
        self.run()

    def begin(self, task: bytes = TASK, model: bytes = b"", length: int | None = None, charge: bytes = b"") -> None:
        """Begin a round without running it."""
        size = length or self.length
        self.coordinator_does(self.aggregator.begin_round(task, model, size, self.now, charge))

    def play(self, task: bytes = TASK, model: bytes = b"") -> None:
        """Begin a round and run it to its end."""
        self.begin(task, model)
        self.run()

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Deliver messages until none is left or `until` holds."""
        while self.queue and not (until and until()):
            self.step()

    def step(self) -> None:
        """Deliver the oldest message."""
        sender, receiver, data = self.queue.popleft()
        if receiver == COORDINATOR:
            self.deliver_to_coordinator(sender, data)
        else:
            self.deliver_to_member(receiver, data)

    def deliver_to_coordinator(self, member: str, data: bytes) -> None:
        """Hand one message to the aggregator, noting a refusal."""
        try:
            self.coordinator_does(self.aggregator.receive(member, data, self.now))
        except PeerError as error:
            self.errors.append((COORDINATOR, str(error)))

    def deliver_to_member(self, member: str, data: bytes) -> None:
        """Hand one message to a participant, noting a refusal."""
        try:
            with self.faults.get(member, nullcontext)():
                events = self.participants[member].receive(data, self.now)
            self.member_does(member, events)
        except PeerError as error:
            self.errors.append((member, str(error)))

    def tick(self, seconds: float) -> None:
        """Let time pass at the coordinator."""
        self.now += seconds
        self.coordinator_does(self.aggregator.tick(self.now))

    def coordinator_does(self, events: list[AggregatorEvent]) -> None:
        """Perform the aggregator's events."""
        for event in events:
            self.aggregator_events.append(event)
            match event:
                case Send(member, data) if member in self.online:
                    for arriving in self.to_member(member, data):
                        self.traffic.append((COORDINATOR, member, arriving))
                        self.queue.append((COORDINATOR, member, arriving))
                case Persist(kind, data) if kind in ("receipt", "abort"):
                    self.chain.append(data)
                case _:
                    pass

    def member_does(self, member: str, events: list[MemberEvent]) -> None:
        """Perform a participant's events."""
        for event in events:
            self.member_events.setdefault(member, []).append(event)
            match event:
                case Send(_, data):
                    self.send(member, data)
                case RoundRequested(number) if self.answering and member in self.vectors:
                    for data in self.participants[member].upload(number, self.vectors[member], self.family):
                        self.send(member, data)
                case PeersRolledBack(records):
                    self.distrusted.setdefault(member, set()).update(records)
                case CohortConfirmed(_, family, members):
                    self.cohorts.setdefault(member, {}).setdefault(family, []).append(members)
                case _:
                    pass

    def send(self, member: str, data: bytes) -> None:
        """Put a member's message on the wire, unless its stream is broken."""
        if member in self.online:
            for arriving in self.to_coordinator(member, data):
                self.traffic.append((member, COORDINATOR, arriving))
                self.queue.append((member, COORDINATOR, arriving))

    def sid(self) -> bytes:
        """The present session's identifier."""
        ready = [event for event in self.aggregator_events if isinstance(event, SessionReady)]
        return ready[-1].sid

    def forge(self, message: Message, context: bytes | None = None) -> bytes:
        """A message that the coordinator really signs, whatever it says; in the session unless told otherwise."""
        kind, body = message.TYPE, message.encode()
        return sign_envelope(kind, COORDINATOR, body, self.coordinator_key, context or self.sid())

    def setup_context(self) -> bytes:
        """What signatures of this attempt's setup are bound to."""
        return setup_context(self.roster, self.terms(self.attempt), self.attempt)

    def lie_to(
        self,
        victims: Collection[str],
        kind: type[AnyMessage],
        change: Callable[[AnyMessage], AnyMessage],
        *,
        setup: bool = False,
    ) -> None:
        """From now on the coordinator changes its messages of one kind to these members, and signs them.

        Messages of the setup are signed under the setup's context; `setup` says so for others than the usual ones.
        """

        def tap(member: str, data: bytes) -> list[bytes]:
            envelope = open_envelope(data)
            if member not in victims or envelope.type is not kind.TYPE:
                return [data]
            early = setup or kind.TYPE in (MessageType.HELLOS, MessageType.SESSION, MessageType.INVITATION)
            return [self.forge(change(kind.decode(envelope)), self.setup_context() if early else None)]

        self.to_member = tap

    def sums(self) -> list[RoundSummed]:
        """Rounds completed so far."""
        return [event for event in self.aggregator_events if isinstance(event, RoundSummed)]

    def aborts(self) -> list[RoundAborted]:
        """Rounds aborted so far."""
        return [event for event in self.aggregator_events if isinstance(event, RoundAborted)]

    def failures(self) -> list[str]:
        """Why sessions failed so far."""
        return [event.reason for event in self.aggregator_events if isinstance(event, SessionFailed)]

    def events_of(self, member: str, kind: type) -> list[MemberEvent]:
        """A member's events of one kind."""
        return [event for event in self.member_events.get(member, []) if isinstance(event, kind)]

    def attempts_of(self, member: str) -> list[int]:
        """The attempts that a member stored."""
        return [event.attempt for event in self.member_events.get(member, []) if isinstance(event, AttemptStarted)]

    def documents_of(self, member: str) -> list[bytes]:
        """The receipts and aborts that a member stored."""
        return [event.document for event in self.member_events.get(member, []) if isinstance(event, RoundClosed)]

    def expected(self, contributors: Sequence[str]) -> Vector:
        """The sum modulo the ring, computed in whole numbers and without masks."""
        whole = np.stack([self.vectors[name].astype(object) for name in contributors]).sum(axis=0)
        total: Vector = np.mod(whole, 2**self.ring_bits).astype(ring_type(self.ring_bits))
        return total

    def sent(self, kind: MessageType) -> Iterator[tuple[str, str, bytes]]:
        """Recorded traffic of one type."""
        return ((a, b, data) for a, b, data in self.traffic if open_envelope(data).type is kind)


def kind_of(data: bytes) -> MessageType:
    """The type that a message claims."""
    return open_envelope(data).type
