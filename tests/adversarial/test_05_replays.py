"""Protocol 7, item 5: messages of another round, session, run or member."""

import dataclasses

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret, expand
from headwater.secagg.protocol import pairing
from headwater.secagg.protocol.events import RoundRefused
from headwater.secagg.protocol.receipts import document_digest
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import Abort, Quorum, Start
from support.lies import KIND, LIAR, VICTIM, patched, play_to_the_end, replaced, session_key
from support.network import World, kind_of


@pytest.mark.parametrize("number", [2, 9, 2**62])
def test_a_start_of_a_round_not_dealt_for_is_refused_without_any_ratchet_step(number: int) -> None:
    world = World(3)
    world.open()
    world.lie_to([VICTIM], Start, replaced(round=number))
    world.begin()
    world.run()
    assert (VICTIM, f"a Start of round {number} came, for which this member has no outstanding Deal") in world.errors
    # Nothing was changed: the true Start is still welcome.
    world.to_member = lambda member, data: [data]
    true = next(data for sender, to, data in world.sent(KIND.START) if to == "org-0")
    assert kind_of(true) is KIND.START


@pytest.mark.parametrize("number", [3, 2**62])
def test_an_abort_of_a_round_far_ahead_steps_no_ratchet_and_is_refused(number: int) -> None:
    # A member that stepped its chains as often as the number says would never come back.
    world = World(3)
    world.open()
    world.play()
    head = document_digest(world.chain[-1])
    abort = Abort(world.sid(), number, bytes(32), "upload", (), "why", (), (), head)
    world.deliver_to_member(VICTIM, world.forge(abort))
    assert world.errors == [(VICTIM, f"the document of round {number} follows round 1, not the next one")]
    world.play()
    assert [total.contributors for total in world.sums()] == [tuple(world.names)] * 2


def test_late_and_repeated_messages_of_the_coordinator_are_ignored() -> None:
    world = World(3)
    world.open()
    world.play()
    world.play()
    past = [data for sender, to, data in world.traffic if sender == "" and to == VICTIM]
    before = len(world.member_events[VICTIM])
    for data in past:
        if kind_of(data) is not KIND.INVITATION:
            world.deliver_to_member(VICTIM, data)
    assert world.errors == []
    assert len(world.member_events[VICTIM]) == before
    world.play()
    assert len(world.sums()) == 3


def test_every_message_may_arrive_twice() -> None:
    world = World(4)
    world.open()
    world.to_member = lambda member, data: [data] if kind_of(data) is KIND.CHUNK else [data, data]
    world.to_coordinator = world.to_member
    world.play()
    world.play()
    assert len(world.sums()) == 2
    assert world.errors == []


def test_messages_of_an_earlier_session_of_the_run_change_nothing() -> None:
    world = World(3)
    world.open()
    world.play()
    old = [data for sender, to, data in world.traffic if sender == "" and to == VICTIM]
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.chain[-1])
    world.run()
    known = len(world.member_events[VICTIM])
    for data in old:
        world.deliver_to_member(VICTIM, data)
    # Old invitations, chunks and documents are ignored; everything else has another session's signature.
    late = (KIND.INVITATION, KIND.CHUNK, KIND.RECEIPT)
    assert len(world.member_events[VICTIM]) == known
    assert len(world.errors) == len([data for data in old if kind_of(data) not in late])
    world.play()
    assert world.sums()[-1].round == 2
    np.testing.assert_array_equal(world.sums()[-1].vector, world.expected(world.names))


def test_a_stranger_is_refused_at_the_door() -> None:
    world = World(3)
    world.open()
    with pytest.raises(PeerError, match="'zed' is not a member"):
        world.aggregator.connected("zed", 0.0)
    with pytest.raises(PeerError, match="'zed' is not a member"):
        world.aggregator.receive("zed", b"", 0.0)


def test_a_message_over_another_members_stream_is_refused() -> None:
    world = World(3)
    world.open()
    deal = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == "org-0")
    with pytest.raises(PeerError, match="over the stream of org-1"):
        world.aggregator.receive(LIAR, deal, 0.0)


def test_a_message_signed_by_another_key_is_refused() -> None:
    world = World(3)
    world.open()
    world.to_coordinator = lambda member, data: (
        [data]
        if member != LIAR or kind_of(data) is KIND.CHUNK
        else [sign_envelope(kind_of(data), LIAR, open_envelope(data).body, world.identity[LIAR], world.sid())]
    )
    play_to_the_end(world)
    assert world.sums() == []
    assert any("not theirs" in message for _, message in world.errors)


def test_a_deal_header_of_another_member_is_refused() -> None:
    world = World(5)
    world.open()
    other = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == "org-0")
    header = messages.Deal.decode(open_envelope(other)).header
    mine = messages.Deal.decode(open_envelope(next(d for s, _, d in world.sent(KIND.DEAL) if s == LIAR)))
    body = dataclasses.replace(mine, header=header).encode()
    with pytest.raises(PeerError, match="belongs elsewhere"):
        world.aggregator.receive(LIAR, sign_envelope(KIND.DEAL, LIAR, body, session_key(world, LIAR), world.sid()), 0.0)


def test_a_false_refusal_aborts_nothing() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    body = messages.Refusal(1, "I am org-0").encode()
    with pytest.raises(PeerError, match="not theirs"):
        world.aggregator.receive(
            "org-0", sign_envelope(KIND.REFUSAL, "org-0", body, session_key(world, LIAR), world.sid()), 0.0
        )
    ahead = messages.Refusal(5, "early").encode()
    with pytest.raises(PeerError, match="did not begin"):
        world.aggregator.receive(
            "org-0", sign_envelope(KIND.REFUSAL, "org-0", ahead, session_key(world, "org-0"), world.sid()), 0.0
        )
    assert world.aborts() == []


def test_a_confirm_of_an_earlier_round_counts_for_no_later_one() -> None:
    world = World(5)
    world.open()
    world.play()
    old = next(data for sender, _, data in world.sent(KIND.CONFIRM) if sender == "org-4")
    world.lie_to([VICTIM], Quorum, lambda quorum: dataclasses.replace(quorum, confirms=(*quorum.confirms[:3], old)))
    world.play()
    assert refusals_of(world) == ["the Confirm of org-4 is for another view of the round"]


@pytest.mark.parametrize(("old_key", "old_session"), [(True, True), (True, False), (False, True)])
def test_a_confirm_of_an_earlier_session_counts_for_no_later_one(old_key: bool, old_session: bool) -> None:
    # Round, ρ and view are made to agree with today's: the key or the session alone is the earlier one.
    world = World(5)
    world.open()
    first_key, first_sid = session_key(world, "org-4"), world.sid()
    world.new_attempt()
    world.join()
    world.run()
    key = first_key if old_key else session_key(world, "org-4")
    sid = first_sid if old_session else world.sid()

    def lie(quorum: Quorum) -> Quorum:
        forged = sign_envelope(KIND.CONFIRM, "org-4", open_envelope(quorum.confirms[0]).body, key, sid)
        return dataclasses.replace(quorum, confirms=(*quorum.confirms[:3], forged))

    world.lie_to([VICTIM], Quorum, lie)
    world.play()
    assert refusals_of(world) == ["a CONFIRM message of org-4 has a signature that is not theirs for this session"]


@pytest.mark.parametrize("where", ["round", "session", "run"])
def test_sealed_shares_replayed_from_elsewhere_do_not_open(where: str) -> None:
    world = World(5)
    world.open()
    world.play()
    source = world
    if where == "run":
        source = World(5)
        source.identity, source.coordinator_key, source.roster = world.identity, world.coordinator_key, world.roster
        source.attempt = 0
        source.new_attempt()
        source.open()
        source.play()
    if where == "session":
        world.new_attempt()
        for name in world.names:
            world.join(name, last_receipt=world.chain[-1])
        world.run()
    data = next(data for _, to, data in source.sent(KIND.START) if to == VICTIM)
    old = {row[0]: row for row in Start.decode(open_envelope(data)).entries}["org-0"]

    def change(start: Start) -> Start:
        # The header of today, the sealed shares of then: the victim must find it out by itself.
        rows = tuple((row[0], row[1], old[2], row[3]) if row[0] == "org-0" else row for row in start.entries)
        return dataclasses.replace(start, entries=rows)

    world.lie_to([VICTIM], Start, change)
    world.play()
    assert refusals_of(world) == ["the shares of org-0 do not open: seal check failed"]


def test_a_start_of_another_run_is_refused_unread() -> None:
    world, other = World(3), World(3)
    other.identity, other.coordinator_key, other.roster = world.identity, world.coordinator_key, world.roster
    other.attempt = 0
    other.new_attempt()
    for one in (world, other):
        one.open()
        one.begin()
    other.run()
    foreign = next(data for _, to, data in other.sent(KIND.START) if to == VICTIM)
    world.deliver_to_member(VICTIM, foreign)
    assert world.errors == [(VICTIM, NOT_THEIRS.format("a START"))]


def test_a_far_round_costs_no_more_than_the_next_one() -> None:
    # Constant time, counted in derivations instead of seconds.
    world = World(3)
    world.open()
    derived: list[str] = []

    def counted(key: Secret, label: str, *fields: bytes) -> Secret:
        derived.append(label)
        return expand(key, label, *fields)

    start = Start.decode(open_envelope(first_start(world)))
    with patched(pairing, "expand", counted):
        for number in (9, 10**6, 2**62):
            world.deliver_to_member(VICTIM, world.forge(dataclasses.replace(start, round=number)))
    assert derived == []
    assert len(world.errors) == 3


NOT_THEIRS = "{} message of the coordinator has a signature that is not theirs for this session"


def refusals_of(world: World, member: str = VICTIM) -> list[str]:
    """Why a member refused rounds."""
    return [event.reason for event in world.events_of(member, RoundRefused) if isinstance(event, RoundRefused)]


def first_start(world: World) -> bytes:
    """The victim's Start of a round that begins and whose messages are lost."""
    world.to_member = lambda member, data: [data] if kind_of(data) is KIND.START else []
    world.begin()
    world.queue.clear()
    world.to_member = lambda member, data: [data]
    return next(data for _, to, data in world.sent(KIND.START) if to == VICTIM)
