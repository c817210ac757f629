"""Protocol 3 and 4 when everybody is honest and stays: setup, rounds, the chain."""

import numpy as np
import pytest

from headwater.errors import InputError, OutOfOrder
from headwater.secagg import Aggregator, Participant, Roster, threshold
from headwater.secagg.protocol.events import (
    AttemptStarted,
    MemberDropped,
    Persist,
    RoundClosed,
    RoundRefused,
    RoundRequested,
    RoundSummed,
    Send,
    SessionClosed,
    SessionReady,
)
from headwater.secagg.protocol.phases import CoordinatorPhase, MemberPhase
from headwater.secagg.wire.envelope import MessageType, open_envelope
from support.network import World

KIND = MessageType


@pytest.mark.parametrize("count", [3, 4, 5, 6, 9])
def test_rounds_give_the_exact_sum_over_all_members(count: int) -> None:
    world = World(count, length=11)
    world.open()
    for _ in range(3):
        world.play(model=b"model")
    assert world.errors == []
    assert [event.round for event in world.sums()] == [1, 2, 3]
    for event in world.sums():
        assert event.contributors == tuple(world.names)
        assert event.vector.dtype == np.uint32
        np.testing.assert_array_equal(event.vector, world.expected(world.names))


@pytest.mark.parametrize("length", [1, 11, 131_069])
def test_the_wider_ring_sums_exactly_and_wraps_around(length: int) -> None:
    world = World(4, length=length, ring_bits=64)
    world.open()
    world.play()
    world.disconnect("org-2")
    world.play()
    assert world.errors == []
    for event, members in zip(world.sums(), (world.names, ["org-0", "org-1", "org-3"]), strict=True):
        assert event.contributors == tuple(members)
        assert event.vector.dtype == np.uint64
        np.testing.assert_array_equal(event.vector, world.expected(members))
    assert int(world.sums()[0].vector.max()) >= 2**62


def test_a_vector_of_another_ring_is_refused() -> None:
    for world, wrong in ((World(3), np.uint64), (World(3, ring_bits=64), np.uint32)):
        world.answering = False
        world.open()
        world.begin()
        world.run()
        with pytest.raises(InputError, match=f"uint{world.ring_bits} and"):
            world.participants["org-0"].upload(1, np.zeros(world.length, wrong))


def test_three_members_complete_with_a_threshold_of_three() -> None:
    assert threshold(3) == 3
    world = World(3)
    world.open()
    world.play()
    assert len(world.sums()) == 1


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32 - 1])
def test_sums_wrap_around_exactly(value: int) -> None:
    world = World(4)
    world.vectors = {name: np.full(world.length, value, dtype=np.uint32) for name in world.names}
    world.open()
    world.play()
    assert set(world.sums()[0].vector.tolist()) == {4 * value % 2**32}


@pytest.mark.parametrize("length", [1, 262_140, 262_141, 300_000])
def test_vectors_of_one_chunk_and_of_several_are_summed(length: int) -> None:
    world = World(3, length=length)
    world.open()
    world.play(model=bytes(2**20) + b"end")
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))
    chunks = [data for _, to, data in world.sent(KIND.CHUNK) if to == ""]
    assert len(chunks) == 3 * -(-(length + 4) // 262_144)


def test_members_get_the_very_bytes_of_task_and_model() -> None:
    world = World(3)
    world.open()
    task, model = bytes(range(256)), bytes(2**20) + b"m" * 70_000
    world.play(task, model)
    for name in world.names:
        (request,) = world.events_of(name, RoundRequested)
        assert isinstance(request, RoundRequested)
        assert (request.task, request.model, request.length) == (task, model, world.length)
        assert request.members == tuple(world.names)


def test_every_message_fits_its_limit_and_uploads_hide_the_vector() -> None:
    world = World(3)
    world.vectors = {name: np.zeros(world.length, dtype=np.uint32) for name in world.names}
    world.open()
    world.play()
    assert max(len(data) for _, _, data in world.traffic) <= 2**20 + 4096
    bodies = [open_envelope(data).body[20:] for _, to, data in world.sent(KIND.CHUNK) if to == ""]
    assert len(set(bodies)) == 3
    for body in bodies:
        assert bytes(4) not in body


def test_the_messages_of_a_round_come_in_order() -> None:
    world = World(3)
    world.open()
    world.traffic.clear()
    world.play()
    seen = [open_envelope(data).type for a, b, data in world.traffic if "org-1" in (a, b)]
    assert seen == [
        KIND.START,
        KIND.CHUNK,
        KIND.CHUNK,
        KIND.UPLOAD,
        KIND.DEAL,
        KIND.SURVIVORS,
        KIND.CONFIRM,
        KIND.QUORUM,
        KIND.REVEAL,
        KIND.RECEIPT,
    ]


def test_start_and_receipt_are_persisted_before_they_are_sent() -> None:
    world = World(3)
    world.open()
    world.play()
    order = []
    for event in world.aggregator_events:
        match event:
            case Persist(kind, _):
                order.append(f"persist {kind}")
            case Send(_, data):
                order.append(f"send {open_envelope(data).type.name}")
            case _:
                order.append(type(event).__name__)
    for kind, sent in (("session", "SESSION"), ("start", "START"), ("receipt", "RECEIPT")):
        assert order.index(f"persist {kind}") < order.index(f"send {sent}")
    assert order.index("persist receipt") < order.index("RoundSummed")


def test_an_attempt_is_stored_before_the_hello_leaves() -> None:
    world = World(3)
    world.open()
    for name in world.names:
        events = world.member_events[name]
        assert isinstance(events[0], AttemptStarted)
        assert isinstance(events[1], Send)


def test_all_parties_agree_on_the_session() -> None:
    world = World(4)
    world.open()
    (ready,) = [event for event in world.aggregator_events if isinstance(event, SessionReady)]
    assert all(world.events_of(name, SessionReady) == [ready] for name in world.names)
    assert len(ready.sid) == 32


def test_members_hold_the_same_chain_as_the_coordinator() -> None:
    world = World(3)
    world.open()
    world.play()
    world.play()
    for name in world.names:
        assert world.documents_of(name) == world.chain
    assert world.aggregator.phase is CoordinatorPhase.READY
    assert {world.participants[name].phase for name in world.names} == {MemberPhase.READY}


def test_closing_the_session_tells_the_members() -> None:
    world = World(3)
    world.open()
    world.coordinator_does(world.aggregator.close("the run is complete", world.now))
    world.run()
    assert world.aggregator.closed
    assert world.aggregator.close("again", world.now) == []
    for name in world.names:
        assert world.participants[name].closed
        assert world.events_of(name, SessionClosed) == [SessionClosed("the run is complete")]


def test_closing_in_a_round_aborts_it_first() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    world.coordinator_does(world.aggregator.close("the operator stopped the run", world.now))
    world.run()
    assert [event.reason for event in world.aborts()] == ["the operator stopped the run"]
    assert all(world.events_of(name, RoundClosed) for name in world.names)


def test_rounds_end_with_the_plan() -> None:
    world = World(3, rounds=2, retries=0)
    world.open()
    world.play()
    world.play()
    world.begin()
    world.run()
    assert world.failures() == ["the plan's rounds and retries are used up"]
    assert all(world.participants[name].closed for name in world.names)
    # No member dealt beyond the plan: round 3 was never prepared.
    assert len(list(world.sent(KIND.DEAL))) == 6


def test_a_round_is_not_begun_before_its_time() -> None:
    world = World(3, answering=False)
    with pytest.raises(OutOfOrder):
        world.begin()
    world.open()
    world.begin()
    with pytest.raises(OutOfOrder):
        world.begin()


@pytest.mark.parametrize("length", [0, 10_000_001])
def test_a_vector_beyond_the_terms_is_not_asked_for(length: int) -> None:
    world = World(3)
    world.open()
    with pytest.raises(InputError, match="larger than the session's terms"):
        world.aggregator.begin_round(b"", b"", length, world.now)


def test_a_vector_of_another_shape_or_type_is_refused_and_can_be_mended() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants["org-0"]
    for wrong in (np.zeros(4, np.uint32), np.zeros(5, np.int64), np.zeros((5, 1), np.uint32)):
        with pytest.raises(InputError, match="asked for"):
            member.upload(1, wrong)  # type: ignore[arg-type]
    assert list(member.upload(1, np.zeros(5, np.uint32)))


def test_a_round_is_uploaded_to_once() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants["org-0"]
    # The round is used up by the call, though no byte was taken from the iterator.
    member.upload(1, np.zeros(5, np.uint32))
    for number in (1, 2):
        with pytest.raises(OutOfOrder):
            member.upload(number, np.ones(5, np.uint32))


def test_machines_refuse_keys_that_are_not_the_charters() -> None:
    world, other = World(3), World(3)
    with pytest.raises(InputError, match="charter"):
        Aggregator(world.roster, world.terms(1), other.coordinator_key, now=0.0)
    with pytest.raises(InputError, match="no member"):
        Participant(world.roster, world.terms(1), "org-0", other.identity["org-0"])
    with pytest.raises(InputError, match="no member"):
        Participant(world.roster, world.terms(1), "org-9", world.identity["org-0"])
    with pytest.raises(InputError, match="unusable"):
        Participant(world.roster, world.terms(1), "org-0", world.identity["org-0"], bytes(32))


def test_a_session_whose_sums_could_wrap_is_refused_by_all() -> None:
    world = World(3)
    roomless = world.terms(1).__class__("run-1", bytes(32), 1, 4, 4, 10, value_bits=30)
    world.aggregator = Aggregator(world.roster, roomless, world.coordinator_key, now=0.0)
    world.join()
    world.run()
    assert "needs 33 bits" in world.failures()[0]


def test_order_of_ids_is_that_of_their_bytes() -> None:
    world = World(3)
    names = {"org-0": "Zürich", "org-1": "alpha", "org-2": "Ω"}
    world.identity = {names[old]: key for old, key in world.identity.items()}
    world.vectors = {names[old]: vector for old, vector in world.vectors.items()}
    world.names = sorted(world.identity)
    world.roster = Roster(
        {name: key.public_key().public_bytes_raw() for name, key in world.identity.items()},
        world.roster.coordinator_key,
        world.roster.charter_digest,
    )
    world.aggregator = Aggregator(world.roster, world.terms(1), world.coordinator_key, now=0.0)
    world.open()
    world.play()
    (summed,) = world.sums()
    assert isinstance(summed, RoundSummed)
    np.testing.assert_array_equal(summed.vector, world.expected(world.names))


def test_an_organisation_may_refuse_a_task() -> None:
    world = World(5)
    world.vectors.pop("org-3")
    world.open()
    world.begin()
    world.run()
    world.member_does("org-3", world.participants["org-3"].refuse(1, "the plan allows no such Task"))
    world.run()
    assert world.events_of("org-3", RoundRefused) == [RoundRefused(1, "the plan allows no such Task")]
    assert [abort.reason for abort in world.aborts()] == ["org-3 refused: the plan allows no such Task"]
    dropped = [event for event in world.aggregator_events if isinstance(event, MemberDropped)]
    assert [(event.member, event.reason) for event in dropped] == [("org-3", "the plan allows no such Task")]
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-1", "org-2", "org-4")
