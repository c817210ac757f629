"""Protocol 3.5 and 4.8: streams that break and return, processes that restart, coordinators that crash."""

import numpy as np
import pytest

from headwater.errors import InputError, PeerError
from headwater.secagg import Aggregator
from headwater.secagg.protocol.events import Persist, RoundClosed, SessionClosed
from headwater.secagg.protocol.phases import MemberPhase
from headwater.secagg.protocol.receipts import close_unfinished
from headwater.secagg.wire.envelope import MessageType
from support.network import World, kind_of

KIND = MessageType


@pytest.mark.parametrize("point", [KIND.DEAL, KIND.CHUNK, KIND.UPLOAD, KIND.CONFIRM, KIND.REVEAL])
def test_a_stream_that_breaks_anywhere_joins_at_the_next_round(point: MessageType) -> None:
    world = World(5)
    world.open()
    broken: list[str] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == "org-2" and kind_of(data) is point and not broken:
            broken.append(member)
        return [] if broken and member == "org-2" else [data]

    world.to_coordinator = tap
    world.begin()
    world.run()
    if "org-2" in world.online:
        world.disconnect("org-2")
    world.run()
    assert [event.round for event in world.sums()] == [1]
    world.to_coordinator = lambda member, data: [data]
    world.connect("org-2")
    world.run()
    assert world.documents_of("org-2") == world.chain
    world.play()
    assert world.sums()[-1].contributors == tuple(world.names)
    np.testing.assert_array_equal(world.sums()[-1].vector, world.expected(world.names))
    assert world.errors == []


def test_a_member_away_for_rounds_is_brought_up_to_date() -> None:
    world = World(5, rounds=6)
    world.open()
    world.play()
    world.disconnect("org-4")
    world.play()
    world.play()
    world.connect("org-4")
    world.run()
    assert world.documents_of("org-4") == world.chain
    world.play()
    assert [event.round for event in world.sums()] == [1, 2, 3, 4]
    assert len(world.sums()[2].contributors) == 4
    assert world.sums()[3].contributors == tuple(world.names)


@pytest.mark.parametrize("kind", [KIND.HELLOS, KIND.SESSION])
def test_a_stream_that_breaks_in_setup_catches_up(kind: MessageType) -> None:
    world = World(4)
    lost: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == "org-0" and kind_of(data) is kind and not lost:
            lost.append(data)
            return []
        return [data]

    world.to_member = tap
    world.open()
    world.connect("org-0")
    world.run()
    world.play()
    assert world.sums()[0].contributors == tuple(world.names)


def test_a_second_stream_replaces_the_first() -> None:
    world = World(4)
    world.open()
    world.connect("org-1")
    world.run()
    world.play()
    assert world.sums()[0].contributors == tuple(world.names)


def test_a_deal_is_sent_again_byte_for_byte() -> None:
    world = World(3)
    world.open()
    world.disconnect("org-1")
    world.connect("org-1")
    world.run()
    deals = [data for sender, _, data in world.sent(KIND.DEAL) if sender == "org-1"]
    assert len(deals) == 2
    assert deals[0] == deals[1]


def test_a_restarted_process_waits_for_the_next_setup() -> None:
    world = World(5)
    world.open()
    world.play()
    # The process restarts: it stored attempt 1 and the receipt, and nothing else.
    world.disconnect("org-3")
    world.join("org-3", attempt=2, last_receipt=world.chain[-1])
    world.run()
    assert world.participants["org-3"].phase is MemberPhase.WAITING
    world.play()
    assert world.sums()[-1].contributors == ("org-0", "org-1", "org-2", "org-4")
    # Every message of the old session is refused.
    old = [data for sender, to, data in world.traffic if sender == "" and to == "org-3"]
    for data in old:
        if kind_of(data) in (KIND.INVITATION, KIND.RECEIPT):
            continue
        with pytest.raises(PeerError):
            world.participants["org-3"].receive(data, world.now)
    # At the next setup it is one of five again, and the chain goes on.
    world.coordinator_does(world.aggregator.close("a new setup begins", world.now))
    world.run()
    world.new_attempt()
    for name in world.names:
        known = world.documents_of(name)
        world.join(name, last_receipt=known[-1])
    world.run()
    world.play()
    assert world.sums()[-1].round == 3
    assert world.sums()[-1].contributors == tuple(world.names)
    assert world.attempts_of("org-0") == [1, 2]
    assert world.documents_of("org-3") == world.chain


def test_a_process_that_forgot_its_attempt_is_not_let_into_a_running_session() -> None:
    world = World(5)
    world.open()
    world.disconnect("org-3")
    world.join("org-3", attempt=1)
    world.run()
    world.play()
    assert world.sums()[-1].contributors == ("org-0", "org-1", "org-2", "org-4")


def test_a_new_setup_ends_the_old_session_at_a_member() -> None:
    world = World(3)
    world.open()
    world.play()
    # The coordinator restarts; the members' streams come back with their live participants.
    world.new_attempt()
    for name in world.names:
        world.connect(name)
    world.run()
    for name in world.names:
        assert world.events_of(name, SessionClosed) == [SessionClosed("the coordinator opened a new setup")]


def test_a_crash_of_the_coordinator_costs_the_round_in_flight() -> None:
    world = World(3)
    world.open()
    world.play()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.SURVIVORS else [data]
    world.begin()
    world.run()
    records = [event for event in world.aggregator_events if isinstance(event, Persist)]
    assert records[-1].kind == "start"
    world.chain.append(close_unfinished(records[-1].data, world.coordinator_key))
    world.to_member = lambda member, data: [data]
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.documents_of(name)[-1])
    world.run()
    # The members learn of the abort before the session opens, and go on after it.
    for name in world.names:
        closed = world.events_of(name, RoundClosed)[-1]
        assert isinstance(closed, RoundClosed)
        assert (closed.round, closed.reason) == (2, "the coordinator was interrupted")
    world.play()
    assert [event.round for event in world.sums()] == [1, 3]
    np.testing.assert_array_equal(world.sums()[-1].vector, world.expected(world.names))


def test_a_member_with_a_receipt_that_the_coordinator_lost_is_not_let_in() -> None:
    world = World(3)
    world.open()
    world.play()
    receipt = world.chain.pop()
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=receipt)
    world.run()
    assert all("rolled back" in message for _, message in world.errors)
    assert len(world.errors) == 3


def test_a_broken_stored_chain_is_refused() -> None:
    world = World(3)
    world.open()
    world.play()
    world.play()
    for chain in (world.chain[1:], world.chain[::-1], [world.chain[0], world.chain[0]], [b"nonsense"]):
        with pytest.raises(InputError, match="unusable"):
            Aggregator(world.roster, world.terms(2), world.coordinator_key, now=0.0, chain=chain)
