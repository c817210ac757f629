"""Participation over real gRPC and mutual TLS, with a pair of machines that sums in the clear."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.errors import HeadwaterError, InputError, OutOfOrder, PeerError, TransportError
from headwater.secagg.protocol.events import COORDINATOR, MemberEvent, RoundClosed, RoundRequested, RoundSummed, Send
from headwater.secagg.protocol.families import Family
from headwater.secagg.wire.codec import MAXIMUM_TOGETHER
from headwater_client.transport.aggregation import Contribution, participate
from headwater_client.transport.channel import MAXIMUM_MESSAGE_BYTES, CoordinatorChannel, Identity
from headwater_client.transport.participation import (
    Backoff,
    Connecting,
    Disconnected,
    MessageRefused,
    Participation,
    Progress,
)
from headwater_server.authority import Authority
from headwater_server.services.session import AggregationSession
from support.plain_sum import PlainAggregator, PlainParticipant
from support.rpc import LOOPBACK, LoopThread, RpcCoordinator, tls_identity

RUN = "ab" * 16
MEMBERS = ("org-1", "org-2", "org-3")
QUICK = Backoff(first_seconds=0.01, longest_seconds=0.02, patience_seconds=20.0)
IMPATIENT = Backoff(first_seconds=0.01, longest_seconds=0.02, patience_seconds=-1.0)


def _vector(member: int, length: int) -> NDArray[np.uint32]:
    return np.random.default_rng(member).integers(0, 2**32, length, dtype=np.uint32)


def _contribution(member: int, length: int) -> Contribution:
    return Contribution(_vector(member, length))


class Organisations:
    """Members that take part on threads of their own."""

    def __init__(self, coordinator: RpcCoordinator) -> None:
        self.coordinator = coordinator
        self.stop = threading.Event()
        self.identities = {member: coordinator.admit(member) for member in MEMBERS}
        self._stack = ExitStack()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(8))
        self._stack.callback(self.stop.set)

    def channel(self, member: str) -> CoordinatorChannel:
        return self._stack.enter_context(CoordinatorChannel(self.coordinator.members, self.identities[member]))

    def join(self, member: str, contribute=None, on_progress=lambda event: None, **options) -> Future[Participation]:  # type: ignore[no-untyped-def]
        number = MEMBERS.index(member)
        options.setdefault("stop", self.stop)
        options.setdefault("participant", PlainParticipant())
        return self._pool.submit(
            participate,
            self.channel(member),
            RUN,
            contribute=contribute or (lambda request: _contribution(number, request.length)),
            on_progress=on_progress,
            backoff=options.pop("backoff", QUICK),
            **options,
        )

    def open(self, aggregator: PlainAggregator, **options: object) -> AggregationSession:
        options.setdefault("persist", lambda record: None)
        hub = self.coordinator.hub
        return self.coordinator.loop.run(hub.open_session(RUN, aggregator, MEMBERS, **options))  # type: ignore[arg-type]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def organisations(coordinator: RpcCoordinator) -> Iterator[Organisations]:
    everybody = Organisations(coordinator)
    yield everybody
    everybody.close()


def _expected(length: int, members: tuple[int, ...] = (0, 1, 2)) -> NDArray[np.uint32]:
    total = np.zeros(length, dtype=np.uint32)
    for member in members:
        total += _vector(member, length)
    return total


def test_three_members_sum_exactly_and_leave_when_the_run_ends(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    parts = [organisations.join(member) for member in MEMBERS]
    assert loop.run(session.ready()).members == MEMBERS
    length = 300_000
    for _ in range(2):
        result = loop.run(session.round(b"task", b"", length))
        assert isinstance(result, RoundSummed)
        np.testing.assert_array_equal(result.vector, _expected(length))
    loop.run(coordinator.hub.end_run(RUN, "all rounds are done"))
    for part in parts:
        ended = part.result(20)
        assert (ended.outcome, ended.reason) == ("closed", "all rounds are done")
        assert ended.sent_bytes > 2 * 4 * length
    assert session.traffic.received_bytes == sum(part.result(0).sent_bytes for part in parts)


def test_a_coordinator_that_goes_and_returns_finds_the_same_members_again(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    away, computing, let_go = threading.Event(), threading.Event(), threading.Event()

    def note(event: Progress) -> None:
        if isinstance(event, Disconnected):
            away.set()

    def slow(request: RoundRequested) -> Contribution:
        computing.set()
        assert let_go.wait(20)
        return _contribution(0, request.length)

    organisations.join("org-1", slow, note)
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    outcome = loop.submit(session.round(b"task", b"", 5000))
    assert computing.wait(20)
    coordinator.stop_members()
    assert away.wait(20)
    coordinator.restart_members()
    let_go.set()
    result = outcome.result(20)  # type: ignore[call-arg]
    assert isinstance(result, RoundSummed)
    np.testing.assert_array_equal(result.vector, _expected(5000))


def test_a_stream_that_breaks_in_mid_upload_is_taken_up_by_the_same_participant(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    broken = threading.Event()

    class Breaking(PlainParticipant):
        def upload(self, round: int, vector: NDArray[np.uint32], family: Family | None = None) -> Iterator[bytes]:
            whole = super().upload(round, vector)
            if broken.is_set():
                yield from whole
                return
            yield next(whole)
            broken.set()
            coordinator.stop_members()
            coordinator.restart_members()
            yield from whole

    organisations.join("org-1", participant=Breaking())
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    result = loop.run(session.round(b"task", b"", 200_000))
    assert broken.is_set()
    assert isinstance(result, RoundSummed)
    np.testing.assert_array_equal(result.vector, _expected(200_000))


def test_the_stop_event_ends_a_participation_and_its_secrets(loop: LoopThread, organisations: Organisations) -> None:
    aggregator = PlainAggregator(frozenset(MEMBERS))
    session = organisations.open(aggregator)
    participant, stop = PlainParticipant(), threading.Event()
    leaving = organisations.join("org-1", participant=participant, stop=stop)
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    stop.set()
    assert leaving.result(20).outcome == "stopped"
    assert participant.closed
    loop.run(session.close())
    assert ("disconnected", "org-1") in aggregator.calls


def test_a_failing_computation_refuses_the_round_and_raises_while_the_others_go_on(
    loop: LoopThread, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))

    def fail(request: RoundRequested) -> Contribution:
        raise ZeroDivisionError("a private number")

    failing = organisations.join("org-1", fail)
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    result = loop.run(session.round(b"task", b"", 100))
    assert isinstance(result, RoundSummed)
    assert result.contributors == MEMBERS[1:]
    with pytest.raises(ZeroDivisionError):
        failing.result(20)


def test_a_task_that_the_organisation_refuses_costs_one_round_only(
    loop: LoopThread, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    said: list[str] = []

    def choosy(request: RoundRequested) -> Contribution:
        if request.round == 1:
            raise PeerError("the plan does not allow this Task")
        return _contribution(0, request.length)

    def note(event: Progress) -> None:
        if isinstance(event, MessageRefused):
            said.append(event.reason)

    organisations.join("org-1", choosy, note)
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    contributors = [loop.run(session.round(b"task", b"", 10)).contributors for _ in range(2)]  # type: ignore[union-attr]
    assert contributors == [MEMBERS[1:], MEMBERS]
    assert said == ["round 1: the plan does not allow this Task"]


def test_events_reach_the_organisation_in_order_on_its_own_thread(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    seen: list[tuple[str, int]] = []
    organisations.join("org-1", on_progress=lambda event: seen.append((type(event).__name__, threading.get_ident())))
    rest = [organisations.join(member) for member in MEMBERS[1:]]
    loop.run(session.ready())
    loop.run(session.round(b"task", b"", 10))
    loop.run(coordinator.hub.end_run(RUN))
    for part in rest:
        part.result(20)
    organisations.close()
    assert [name for name, _ in seen] == ["Connecting", "RoundRequested", "RoundClosed", "SessionClosed"]
    assert len({thread for _, thread in seen}) == 1


def test_a_second_process_of_a_member_takes_the_first_ones_place(
    loop: LoopThread, organisations: Organisations
) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    first = organisations.join("org-1")
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    organisations.join("org-1")
    with pytest.raises(OutOfOrder, match="took this one's place"):
        first.result(20)
    result = loop.run(session.round(b"task", b"", 10))
    assert isinstance(result, RoundSummed)
    assert result.contributors == MEMBERS


def test_bytes_that_the_protocol_refuses_end_the_stream_with_one_line(organisations: Organisations) -> None:
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))

    class Garbling(PlainParticipant):
        def receive(self, message: bytes, now: float) -> list[MemberEvent]:
            return [Send(COORDINATOR, b"garbage")]

    with pytest.raises(PeerError, match="no message of the protocol") as caught:
        organisations.join("org-1", participant=Garbling()).result(20)
    assert "\n" not in str(caught.value)
    assert not session.over


def test_a_message_above_the_limit_does_not_leave(organisations: Organisations) -> None:
    organisations.open(PlainAggregator(frozenset(MEMBERS)))

    class Boasting(PlainParticipant):
        def receive(self, message: bytes, now: float) -> list[MemberEvent]:
            return [Send(COORDINATOR, bytes(MAXIMUM_MESSAGE_BYTES + 1))]

    with pytest.raises(PeerError, match="larger than the limit"):
        organisations.join("org-1", participant=Boasting()).result(20)


def test_refused_messages_of_the_coordinator_are_reported_and_change_nothing(
    loop: LoopThread, organisations: Organisations
) -> None:
    class Lying(PlainAggregator):
        def connected(self, member: str, now: float) -> list[Send]:
            return [Send(member, b"lie 0 "), *super().connected(member, now)]  # type: ignore[list-item]

    session = organisations.open(Lying(frozenset(MEMBERS)))
    seen: list[Progress] = []
    for member in MEMBERS:
        organisations.join(member, on_progress=seen.append)
    loop.run(session.ready())
    assert sum(isinstance(event, MessageRefused) for event in seen) == 3


def test_a_coordinator_that_only_lies_is_left(organisations: Organisations) -> None:
    class Lying(PlainAggregator):
        def connected(self, member: str, now: float) -> list[Send]:
            return [Send(member, b"lie 0 ") for _ in range(100)]

    organisations.open(Lying(frozenset(MEMBERS)))
    with pytest.raises(PeerError, match="refused"):
        organisations.join("org-1").result(20)


def test_a_coordinator_that_sends_too_much_together_is_left(
    organisations: Organisations, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pouring(PlainAggregator):
        def connected(self, member: str, now: float) -> list[Send]:
            return [Send(member, b"C 0 ") for _ in range(MAXIMUM_TOGETHER + 1)]

    monkeypatch.setattr("headwater_server.services.stream.MAXIMUM_TOGETHER", 2**20)
    organisations.open(Pouring(frozenset(MEMBERS)))
    with pytest.raises(PeerError, match="257 messages together, 256 are the most"):
        organisations.join("org-1").result(20)


def test_a_run_without_a_session_is_waited_for(loop: LoopThread, organisations: Organisations) -> None:
    waiting = threading.Event()

    def note(event: Progress) -> None:
        if isinstance(event, Connecting) and event.attempt > 2:
            waiting.set()

    parts = [organisations.join(member, on_progress=note) for member in MEMBERS]
    assert waiting.wait(20)
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    loop.run(session.ready())
    loop.run(session.close("done"))
    assert {part.result(20).outcome for part in parts} == {"closed"}


def test_a_run_that_is_over_is_not_waited_for(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    organisations.open(PlainAggregator(frozenset(MEMBERS)))
    loop.run(coordinator.hub.end_run(RUN))
    with pytest.raises(OutOfOrder, match="the run is over"):
        organisations.join("org-1").result(20)


def _refusal(coordinator: RpcCoordinator, identity: Identity) -> HeadwaterError:
    with (
        CoordinatorChannel(coordinator.members, identity) as channel,
        pytest.raises(HeadwaterError) as caught,
    ):
        participate(
            channel, RUN, PlainParticipant(), lambda request: _contribution(0, 1), threading.Event(), backoff=IMPATIENT
        )
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_stranger_with_a_certificate_of_the_ca_is_refused(coordinator: RpcCoordinator) -> None:
    error = _refusal(coordinator, tls_identity(coordinator.authority, "org-9", coordinator.now))
    assert isinstance(error, PeerError)
    assert "'org-9' is not a member" in str(error)


def test_a_member_outside_the_charter_is_refused(organisations: Organisations, coordinator: RpcCoordinator) -> None:
    organisations.open(PlainAggregator(frozenset(MEMBERS)))
    error = _refusal(coordinator, coordinator.admit("org-4"))
    assert isinstance(error, PeerError)
    assert "not a member of this run's charter" in str(error)


def test_a_certificate_that_was_replaced_no_longer_speaks_for_the_member(coordinator: RpcCoordinator) -> None:
    stolen = coordinator.admit("org-1")
    coordinator.admit("org-1")
    error = _refusal(coordinator, stolen)
    assert isinstance(error, PeerError)
    assert "replaced by a newer one" in str(error)


def test_a_coordinator_of_another_ca_is_not_talked_to(coordinator: RpcCoordinator) -> None:
    other = Authority.create("Somebody else", coordinator.now)
    error = _refusal(coordinator, tls_identity(other, "org-1", coordinator.now))
    assert isinstance(error, PeerError)
    assert "not signed by this consortium's CA" in str(error)


def test_an_expired_certificate_is_noticed_before_anything_is_dialled(coordinator: RpcCoordinator) -> None:
    old = coordinator.admit("org-1", now=coordinator.now - timedelta(days=500))
    with pytest.raises(InputError, match=r"expired on \d{4}-.*enrol again"):
        CoordinatorChannel(coordinator.members, old)


def test_an_expired_certificate_that_is_shown_all_the_same_is_not_served(coordinator: RpcCoordinator) -> None:
    old = coordinator.admit("org-1", now=coordinator.now - timedelta(days=500))
    long_ago = coordinator.now - timedelta(days=400)
    with CoordinatorChannel(coordinator.members, old, now=long_ago) as channel, pytest.raises(TransportError):
        participate(
            channel, RUN, PlainParticipant(), lambda request: _contribution(0, 1), threading.Event(), backoff=IMPATIENT
        )


def test_a_server_certificate_does_not_pass_for_a_members(coordinator: RpcCoordinator) -> None:
    pair = coordinator.authority.issue_server("org-1", [LOOPBACK], coordinator.now)
    identity = Identity(coordinator.authority.certificate_pem, pair.certificate_pem, pair.key_pem)
    assert isinstance(_refusal(coordinator, identity), TransportError)


def test_a_coordinator_that_stays_away_is_named_with_its_address(coordinator: RpcCoordinator) -> None:
    identity = coordinator.admit("org-1")
    coordinator.stop_members()
    error = _refusal(coordinator, identity)
    assert isinstance(error, TransportError)
    assert str(error).startswith(f"cannot reach {coordinator.members} (")
    assert str(error).endswith("; is headwater-coordinator serve running?")


def test_what_the_organisation_stores_is_stored_before_the_next_message_leaves(
    loop: LoopThread, organisations: Organisations
) -> None:
    # An error of the store (a full disk) ends the participation before anything that follows is sent.
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))

    def full_disk(event: Progress) -> None:
        if isinstance(event, RoundClosed):
            raise InputError("the disk is full")

    failing = organisations.join("org-1", on_progress=full_disk)
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    loop.run(session.round(b"task", b"", 10))
    with pytest.raises(InputError, match="the disk is full"):
        failing.result(20)


def test_patience_is_counted_from_the_first_failure_not_from_the_last_message(
    loop: LoopThread, coordinator: RpcCoordinator, organisations: Organisations
) -> None:
    # A round that computes for an hour must not make the first broken stream after it the last.
    session = organisations.open(PlainAggregator(frozenset(MEMBERS)))
    seconds, back = [0.0], threading.Event()

    def note(event: Progress) -> None:
        if isinstance(event, Connecting) and event.attempt > 1:
            back.set()

    organisations.join("org-1", on_progress=note, now=lambda: seconds[0])
    for member in MEMBERS[1:]:
        organisations.join(member)
    loop.run(session.ready())
    seconds[0] = 3600.0
    coordinator.stop_members()
    assert back.wait(20)
    coordinator.restart_members()
    result = loop.run(session.round(b"task", b"", 10))
    assert isinstance(result, RoundSummed)
