"""Whole sessions of HW-SecAgg/1 over gRPC and mutual TLS on loopback."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from structlog.testing import capture_logs

from headwater.errors import StorageError, TransportError
from headwater.secagg.coordinator.aggregator import Aggregator
from headwater.secagg.coordinator.spool import Kept, Spool
from headwater.secagg.member.participant import Participant
from headwater.secagg.protocol.events import AggregatorEvent, Persist, RoundRequested, RoundSummed
from headwater.secagg.protocol.families import Family
from headwater.secagg.protocol.terms import Roster, SessionTerms
from headwater_client.transport.aggregation import Contribution, participate
from headwater_client.transport.channel import CoordinatorChannel
from headwater_client.transport.participation import Backoff, Participation
from headwater_server.services.session import AggregationSession
from headwater_server.storage import DiskSpool
from support.rpc import LoopThread, RpcCoordinator

RUN = "cd" * 16
QUICK = Backoff(first_seconds=0.01, longest_seconds=0.05, patience_seconds=30.0)
VALUES = 400_000


class Consortium:
    """Real participants on threads, a real aggregator in the hub."""

    def __init__(self, coordinator: RpcCoordinator, members: int) -> None:
        self.coordinator = coordinator
        self.members = tuple(f"org-{number}" for number in range(1, members + 1))
        self.keys = {member: Ed25519PrivateKey.generate() for member in self.members}
        self.coordinator_key = Ed25519PrivateKey.generate()
        self.roster = Roster(
            members={member: key.public_key().public_bytes_raw() for member, key in self.keys.items()},
            coordinator_key=self.coordinator_key.public_key().public_bytes_raw(),
            charter_digest=b"c" * 32,
        )
        self.terms = SessionTerms(
            run_id=RUN, plan_digest=b"p" * 32, attempt=1, rounds=4, retries=2, max_length=VALUES, value_bits=24
        )
        self.events: list[AggregatorEvent] = []
        self.records: list[Persist] = []
        self.stops = {member: threading.Event() for member in self.members}
        self._stack = ExitStack()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(members))

    def open(self, spool: Spool | None = None) -> AggregationSession:
        hub = self.coordinator.hub
        aggregator = Aggregator(self.roster, self.terms, self.coordinator_key, now=hub.now(), spool=spool)
        return self.coordinator.loop.run(
            hub.open_session(RUN, aggregator, self.members, persist=self.records.append, observe=self.events.append)
        )

    def join(self, member: str, participant: Participant | None = None) -> Future[Participation]:
        identity = self.coordinator.admit(member)
        channel = self._stack.enter_context(CoordinatorChannel(self.coordinator.members, identity))
        return self._pool.submit(
            participate,
            channel,
            RUN,
            participant or self.participant(member),
            lambda request: Contribution(self.vector(member, request)),
            self.stops[member],
            backoff=QUICK,
        )

    def participant(self, member: str, kind: type[Participant] = Participant) -> Participant:
        return kind(self.roster, self.terms, member, self.keys[member])

    def vector(self, member: str, request: RoundRequested) -> NDArray[np.uint32]:
        seed = [request.round, self.members.index(member), *request.task]
        return np.random.default_rng(seed).integers(0, 2**24, request.length, dtype=np.uint32)

    def expected(self, number: int, task: bytes, members: tuple[str, ...]) -> NDArray[np.uint32]:
        request = RoundRequested(number, task, b"", VALUES, members)
        total = np.zeros(VALUES, dtype=np.uint32)
        for member in members:
            total += self.vector(member, request)
        return total

    def close(self) -> None:
        for stop in self.stops.values():
            stop.set()
        self._stack.close()


@pytest.fixture
def three(coordinator: RpcCoordinator) -> Iterator[Consortium]:
    consortium = Consortium(coordinator, 3)
    yield consortium
    consortium.close()


@pytest.fixture
def five(coordinator: RpcCoordinator) -> Iterator[Consortium]:
    consortium = Consortium(coordinator, 5)
    yield consortium
    consortium.close()


def test_three_members_sum_securely_and_exactly(
    loop: LoopThread, coordinator: RpcCoordinator, three: Consortium
) -> None:
    session = three.open()
    parts = [three.join(member) for member in three.members]
    assert loop.run(session.ready()).members == three.members
    for number, task in ((1, b"first task"), (2, b"second task")):
        result = loop.run(session.round(task, b"model" * 300_000, VALUES))
        assert isinstance(result, RoundSummed)
        assert (result.round, result.contributors) == (number, three.members)
        np.testing.assert_array_equal(result.vector, three.expected(number, task, three.members))
    loop.run(coordinator.hub.end_run(RUN, "the recipe is done"))
    assert [part.result(20).outcome for part in parts] == ["closed"] * 3
    assert [record.kind for record in three.records] == ["session", "start", "receipt", "start", "receipt"]


def test_a_member_whose_connection_breaks_in_mid_upload_costs_its_vector_alone(
    loop: LoopThread, five: Consortium
) -> None:
    leaving = five.members[1]

    class Leaving(Participant):
        def upload(self, round: int, vector: NDArray[np.uint32], family: Family | None = None) -> Iterator[bytes]:
            whole = super().upload(round, vector, family)
            yield next(whole)
            five.stops[leaving].set()

    session = five.open()
    for member in five.members:
        five.join(member, five.participant(member, Leaving if member == leaving else Participant))
    loop.run(session.ready())
    result = loop.run(session.round(b"task", b"", VALUES))
    assert isinstance(result, RoundSummed)
    assert result.contributors == tuple(member for member in five.members if member != leaving)
    np.testing.assert_array_equal(result.vector, five.expected(1, b"task", result.contributors))


def test_a_member_that_reconnects_is_in_the_next_round(
    loop: LoopThread, coordinator: RpcCoordinator, five: Consortium
) -> None:
    blinking = five.members[2]
    broke = threading.Event()

    class Blinking(Participant):
        def upload(self, round: int, vector: NDArray[np.uint32], family: Family | None = None) -> Iterator[bytes]:
            whole = super().upload(round, vector, family)
            if not broke.is_set():
                broke.set()
                yield next(whole)
                cut(blinking)
                return
            yield from whole

    session = five.open()

    def cut(member: str) -> None:
        # As a network does it: the server's side of this one stream ends, the member's process lives on.
        stream = session._streams[member]
        coordinator.loop.loop.call_soon_threadsafe(stream.fail, TransportError("the network broke"))

    for member in five.members:
        five.join(member, five.participant(member, Blinking if member == blinking else Participant))
    loop.run(session.ready())
    first = loop.run(session.round(b"task", b"", VALUES))
    assert isinstance(first, RoundSummed)
    assert first.contributors == tuple(member for member in five.members if member != blinking)
    second = loop.run(session.round(b"task", b"", VALUES))
    assert isinstance(second, RoundSummed)
    np.testing.assert_array_equal(second.vector, five.expected(2, b"task", second.contributors))
    assert blinking in second.contributors


def test_a_disk_that_is_full_for_a_moment_costs_one_upload_and_the_next_round_is_whole(
    loop: LoopThread, tmp_path: Path, five: Consortium
) -> None:
    class FullOnce(DiskSpool):
        fails = 1

        def keep(self, data: memoryview) -> Kept:
            if self.fails:
                self.fails -= 1
                raise StorageError(f"an upload could not be spooled to {tmp_path}: No space left on device; make room")
            return super().keep(data)

    session = five.open(FullOnce(tmp_path, 2**20))
    for member in five.members:
        five.join(member)
    loop.run(session.ready())
    with capture_logs() as logs:
        first = loop.run(session.round(b"task", b"", VALUES))
    (told,) = (log for log in logs if log["event"] == "message_not_kept")
    assert "No space left on device" in told["reason"]
    assert isinstance(first, RoundSummed)
    assert first.contributors == tuple(member for member in five.members if member != told["member"])
    np.testing.assert_array_equal(first.vector, five.expected(1, b"task", first.contributors))
    second = loop.run(session.round(b"task", b"", VALUES))
    assert isinstance(second, RoundSummed)
    assert second.contributors == five.members
    np.testing.assert_array_equal(second.vector, five.expected(2, b"task", five.members))
