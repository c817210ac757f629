"""Protocol 7, item 5: messages of another round, session, run or member."""

import dataclasses

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg import messages
from headwater.secagg.envelope import open_envelope, sign_envelope
from headwater.secagg.messages import Abort, Start
from headwater.secagg.receipts import document_digest
from support.lies import KIND, LIAR, VICTIM, play_to_the_end, replaced, session_key
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
