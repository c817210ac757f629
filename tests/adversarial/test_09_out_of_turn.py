"""Protocol 7, item 9: an Upload, Confirm or Reveal that comes late, and anything before its turn."""

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.protocol.events import RoundRefused
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.messages import (
    Abort,
    Chunk,
    Confirm,
    Deal,
    Inquiry,
    Quorum,
    Receipt,
    Survivors,
)
from support.lies import KIND, LIAR, VICTIM, session_key
from support.network import World, kind_of


def test_messages_out_of_turn_are_refused_and_change_nothing() -> None:
    world = World(3, answering=False)
    world.open()
    bad = world.participants[VICTIM]
    for message in (
        Survivors(1, bytes(32), ()),
        Quorum(1, ()),
        Receipt(world.sid(), 1, bytes(32), (), (), bytes(32), bytes(32), bytes(32), b"", bytes(32)),
        Abort(world.sid(), 1, bytes(32), "upload", (), "why", (), (), bytes(32)),
        Inquiry(1, bytes(32), 0),
        Inquiry(1, bytes(32), 1),
        Confirm(1, bytes(32), bytes(32)),
        Deal(b"", (), (), b""),
    ):
        with pytest.raises(PeerError):
            bad.receive(world.forge(message), 0.0)
    with pytest.raises(PeerError, match="none is awaited"):
        bad.receive(pack_chunk("", Chunk(1, 0, b"x").encode()), 0.0)
    world.answering = True
    world.play()
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


def test_a_reveal_without_a_confirm_is_refused() -> None:
    world = World(5)
    world.open()
    reveals: dict[str, bytes] = {}
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if kind_of(data) is KIND.CONFIRM and member == LIAR:
            held.append(data)
            return []
        if kind_of(data) is KIND.REVEAL:
            reveals[member] = data
            return []
        return [data]

    world.to_coordinator = tap
    world.begin()
    world.run()
    world.tick(30)
    world.run()
    # The liar was dropped for its silence; what it sends now is late, and changes nothing.
    body = messages.Reveal.decode(open_envelope(reveals["org-0"])).encode()
    late = sign_envelope(KIND.REVEAL, LIAR, body, session_key(world, LIAR), world.sid())
    assert world.aggregator.receive(LIAR, late, world.now) == []
    assert world.aggregator.receive(LIAR, held[0], world.now) == []
    assert world.sums() == []


def test_messages_before_their_phase_are_refused() -> None:
    world = World(3)
    world.join("org-0")
    world.run()
    joining = world.participants["org-0"]._joining
    if joining is None:
        raise LookupError
    for kind, message in (
        (KIND.ACCEPT, messages.Accept(bytes(32), bytes(32))),
        (KIND.CONFIRM, messages.Confirm(1, bytes(32), bytes(32))),
        (KIND.REFUSAL, messages.Refusal(3, "why")),
    ):
        data = sign_envelope(kind, "org-0", message.encode(), joining.session_key, world.setup_context())
        with pytest.raises(PeerError):
            world.aggregator.receive("org-0", data, 0.0)


LATE = {KIND.UPLOAD: 600, KIND.CONFIRM: 30, KIND.REVEAL: 30}
"""Message → the deadline after which it comes, in seconds."""


@pytest.mark.parametrize("kind", LATE)
def test_a_late_upload_confirm_or_reveal_changes_neither_the_sum_nor_who_is_in_it(kind: MessageType) -> None:
    world = World(5)
    world.open()
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == LIAR and kind_of(data) is kind:
            held.append(data)
            return []
        return [data]

    world.to_coordinator = tap
    world.begin()
    world.run()
    if kind is not KIND.REVEAL:
        # T Reveals open the sum, so a fifth one is late already.
        world.tick(LATE[kind])
        world.run()
    (before,) = world.sums()
    shown = len(world.traffic)
    assert world.aggregator.receive(LIAR, held[0], world.now) == []
    assert world.sums() == [before]
    assert len(world.traffic) == shown
    expected = [name for name in world.names if name != LIAR or kind is not KIND.UPLOAD]
    assert before.contributors == tuple(expected)
    np.testing.assert_array_equal(before.vector, world.expected(expected))
    # Nobody honest is worse off: the late one takes part in the next round.
    world.to_coordinator = lambda member, data: [data]
    world.play()
    assert world.sums()[-1].contributors == tuple(world.names)


@pytest.mark.parametrize("kind", [KIND.SURVIVORS, KIND.QUORUM, KIND.START])
def test_a_message_of_the_coordinator_after_the_member_gave_the_round_up_changes_nothing(kind: MessageType) -> None:
    # protocol 4.9: a member waits for a stated time; afterwards the round is over for it, whatever still comes.
    world = World(5)
    world.open()
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member == VICTIM and kind_of(data) is kind and kind is not KIND.START:
            held.append(data)
            return []
        return [data]

    world.to_member = tap
    world.begin()
    world.run()
    if kind is KIND.START:
        held.append(next(data for _, to, data in world.sent(KIND.START) if to == VICTIM))
    member = world.participants[VICTIM]
    if member.next_deadline is not None:
        events = member.tick(member.next_deadline)
        assert [event.reason for event in events if isinstance(event, RoundRefused)] == ["the round's deadline passed"]
    assert member.receive(held[0], world.now) == []
    assert not [data for sender, _, data in world.sent(KIND.REVEAL) if sender == VICTIM] or kind is KIND.START
