"""Liars on real streams: a coordinator whose messages are changed after its aggregator made them, and members alike."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import grpc
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from headwater.rpc.v1 import aggregation_pb2, aggregation_pb2_grpc
from headwater.secagg import Aggregator, Participant
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.protocol.events import (
    COORDINATOR,
    AggregatorEvent,
    MemberEvent,
    RoundRequested,
    Send,
    SessionReady,
)
from headwater.secagg.protocol.families import Family
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.protocol.terms import Deadlines, Roster, SessionTerms
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Message
from headwater_client.participation import RunPart
from headwater_client.transport.aggregation import participate
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.contributor import Contribution
from headwater_client.transport.participation import Backoff, Participation, Progress
from headwater_server.services.session import AggregationSession
from support.rpc import RpcCoordinator

__all__ = ["LENGTH", "RUN", "LyingParticipant", "Tap", "WireWorld"]

RUN = "ad" * 16
LENGTH = 300_000
"""Values of a vector: two chunks."""

Tap = Callable[[str, bytes], Sequence[bytes]]
"""(member, message) → the messages that go over the wire instead."""

_QUICK = Backoff(first_seconds=0.01, longest_seconds=0.05, patience_seconds=0.2)


class LyingAggregator:
    """A true aggregator whose messages pass a tap on their way out."""

    def __init__(self, true: Aggregator, world: "WireWorld") -> None:
        """Take the aggregator that counts, and the world that lies."""
        self._true, self._world = true, world

    @property
    def next_deadline(self) -> float | None:
        """As the true one's."""
        return self._true.next_deadline

    def connected(self, member: str, now: float) -> list[AggregatorEvent]:
        """As the true one, then the lie."""
        return self._lie(self._true.connected(member, now))

    def disconnected(self, member: str, now: float) -> list[AggregatorEvent]:
        """As the true one, then the lie."""
        return self._lie(self._true.disconnected(member, now))

    def receive(self, member: str, message: bytes, now: float) -> list[AggregatorEvent]:
        """As the true one, then the lie."""
        return self._lie(self._true.receive(member, message, now))

    def begin_round(self, task: bytes, model: bytes, length: int, now: float, charge: bytes = b"") -> Any:
        """As the true one, then the lie."""
        return self._lie(self._true.begin_round(task, model, length, now, charge))

    def tick(self, now: float) -> list[AggregatorEvent]:
        """As the true one, then the lie."""
        return self._lie(self._true.tick(now))

    def close(self, reason: str, now: float) -> list[AggregatorEvent]:
        """As the true one, then the lie."""
        return self._lie(self._true.close(reason, now))

    def _lie(self, events: Sequence[AggregatorEvent]) -> list[AggregatorEvent]:
        changed: list[AggregatorEvent] = []
        for event in events:
            if isinstance(event, SessionReady):
                self._world.sid = event.sid
            if isinstance(event, Send):
                sent = self._world.to_member(event.member, event.data)
                self._world.outgoing.extend((event.member, data) for data in sent)
                changed.extend(Send(event.member, data) for data in sent)
            else:
                changed.append(event)
        return changed


class LyingParticipant(Participant):
    """A true participant whose messages pass a tap on their way out."""

    tap: Tap = staticmethod(lambda member, data: [data])

    def receive(self, message: bytes, now: float) -> list[MemberEvent]:
        """As the true one, then the lie."""
        changed: list[MemberEvent] = []
        for event in super().receive(message, now):
            if isinstance(event, Send):
                changed.extend(Send(COORDINATOR, data) for data in self.tap(self._me, event.data))
            else:
                changed.append(event)
        return changed

    def upload(self, round: int, vector: RingVector, family: Family | None = None) -> Iterator[bytes]:
        """As the true one, then the lie."""
        for data in super().upload(round, vector, family):
            yield from self.tap(self._me, data)

    def signed(self, message: Message) -> bytes:
        """Any message, truly signed under this member's session key."""
        session = self._player.session
        if session is None:
            raise LookupError(self._me)
        return session.sign(message.TYPE, message.encode())


class _Unstored:
    """A store that keeps nothing; what the organisation logs is looked at, not what it stores."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


class WireWorld:
    """Members on threads and an aggregator in the hub, over gRPC and mutual TLS; either side may lie."""

    def __init__(self, coordinator: RpcCoordinator, members: int = 4, wait_seconds: float = 60.0) -> None:
        """Make keys, a roster and terms; every wait of a round ends after `wait_seconds`."""
        self.coordinator, self.loop = coordinator, coordinator.loop
        self.members = tuple(f"org-{number}" for number in range(1, members + 1))
        self.keys = {member: Ed25519PrivateKey.generate() for member in self.members}
        self.coordinator_key = Ed25519PrivateKey.generate()
        self.roster = Roster(
            {member: key.public_key().public_bytes_raw() for member, key in self.keys.items()},
            self.coordinator_key.public_key().public_bytes_raw(),
            b"c" * 32,
        )
        waits = Deadlines(
            hello=max(wait_seconds, 5.0),
            upload=wait_seconds,
            confirm=wait_seconds,
            reveal=wait_seconds,
            deal=wait_seconds,
        )
        self.terms = SessionTerms(RUN, b"p" * 32, 1, 6, 4, LENGTH, 24, deadlines=waits)
        self.to_member: Tap = lambda member, data: [data]
        self.sid = b""
        self.outgoing: list[tuple[str, bytes]] = []
        self.progress: dict[str, list[Progress]] = {member: [] for member in self.members}
        self.participants: dict[str, LyingParticipant] = {}
        self.parts: dict[str, Future[Participation]] = {}
        self._stops = {member: threading.Event() for member in self.members}
        self._stack = ExitStack()
        self.log = self._stack.enter_context(capture_logs())
        self._pool = self._stack.enter_context(ThreadPoolExecutor(members))

    def open(self) -> AggregationSession:
        """Open the session for members to join."""
        hub = self.coordinator.hub
        true = Aggregator(self.roster, self.terms, self.coordinator_key, now=hub.now())
        opening = hub.open_session(RUN, LyingAggregator(true, self), self.members, persist=lambda record: None)
        return self.loop.run(opening)

    def join(self, *names: str, liar: Tap | None = None) -> None:
        """Let members join, on a thread each; `liar` changes what they send."""
        for member in names or self.members:
            participant = LyingParticipant(self.roster, self.terms, member, self.keys[member])
            if liar is not None:
                participant.tap = liar
            self.participants[member] = participant
            channel = self._stack.enter_context(
                CoordinatorChannel(self.coordinator.members, self.coordinator.admit(member))
            )
            self.parts[member] = self._pool.submit(
                participate,
                channel,
                RUN,
                participant,
                lambda request, member=member: Contribution(self.vector(member, request), None),  # type: ignore[misc]
                self._stops[member],
                self._noting(member),
                backoff=_QUICK,
            )

    def vector(self, member: str, request: RoundRequested) -> RingVector:
        """What a member contributes."""
        return np.full(request.length, self.planted(member), dtype=np.uint32)

    def planted(self, member: str) -> int:
        """The one value of a member's vector, which no size, round or port is."""
        return int(7 ** (6 + self.members.index(member)))

    def leaked(self) -> list[int]:
        """Values of vectors that a log line shows."""
        return [self.planted(member) for member in self.members if str(self.planted(member)) in str(self.log)]

    def expected(self, members: Sequence[str]) -> RingVector:
        """The exact sum of some members' vectors."""
        return np.full(LENGTH, sum(self.planted(member) for member in members), dtype=np.uint32)

    def forge(self, message: Message, sid: bytes | None = None) -> bytes:
        """A message that the coordinator really signs."""
        return sign_envelope(message.TYPE, COORDINATOR, message.encode(), self.coordinator_key, sid or self.sid)

    def setup_context(self) -> bytes:
        """What signatures of the setup are bound to."""
        return setup_context(self.roster, self.terms, 1)

    def sent(self, kind: MessageType) -> list[tuple[str, bytes]]:
        """What the coordinator sent of one type."""
        return [(member, data) for member, data in self.outgoing if open_envelope(data).type is kind]

    def raw(self, member: str, messages: Iterator[bytes], timeout: float = 20.0) -> tuple[grpc.StatusCode, str]:
        """A client that is none of Headwater's: sends bytes over a member's certificate, and says how it ended."""
        identity = self.coordinator.admit(member)
        credentials = grpc.ssl_channel_credentials(identity.ca_pem, identity.key_pem, identity.certificate_pem)
        with grpc.secure_channel(str(self.coordinator.members), credentials) as channel:
            wrapped = (aggregation_pb2.Parcel(messages=[data]) for data in messages)
            call = aggregation_pb2_grpc.AggregationStub(channel).Participate(
                wrapped, metadata=(("headwater-run", RUN),), timeout=timeout
            )
            try:
                for _ in call:
                    pass
            except grpc.RpcError as error:
                return error.code(), error.details() or ""
            return call.code(), call.details() or ""

    def logged(self, event: str, member: str | None = None) -> list[str]:
        """The reasons in all log lines of one event, of the coordinator about one member if given."""
        return [
            str(line.get("reason", ""))
            for line in self.log
            if line["event"] == event and (member is None or line.get("member") == member)
        ]

    def told(self, member: str, kind: type) -> list[str]:
        """The reasons that a member's own process noted in events of one kind."""
        return [str(getattr(event, "reason", "")) for event in self.progress[member] if isinstance(event, kind)]

    def close(self) -> None:
        """Stop everybody."""
        for stop in self._stops.values():
            stop.set()
        self._stack.close()

    def _noting(self, member: str) -> Callable[[Progress], None]:
        """The organisation's own log lines, written by what writes them in a real run."""
        part = cast("RunPart", SimpleNamespace(run_id=RUN, store=_Unstored(), _settle=lambda closed: None))

        def note(event: Progress) -> None:
            self.progress[member].append(event)
            RunPart._note(part, event)

        return note
