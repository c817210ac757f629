"""A coordinator that lies over real streams: what its members make of it, and what either side's log says."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.protocol.events import RoundAborted, RoundRefused, RoundSummed
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Quorum, Start, Survivors
from headwater_client.transport.participation import MessageRefused
from support.lies import KIND
from support.lying_wire import LENGTH, WireWorld
from support.network import kind_of

VICTIM = "org-2"
OTHERS = ("org-1", "org-3", "org-4")


def ask(world: WireWorld, task: bytes = b"task") -> RoundSummed | RoundAborted:
    """Everybody joins, and one round runs to its end."""
    session = world.open()
    world.join()
    world.loop.run(session.ready())
    return world.loop.run(session.round(task, b"", LENGTH))


def test_an_equivocating_start_costs_its_victims_vector_and_both_logs_say_why(hasty: WireWorld) -> None:
    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member == VICTIM and kind_of(data) is KIND.START:
            return [hasty.forge(dataclasses.replace(Start.decode(open_envelope(data)), charge=b"{}"))]
        return [data]

    hasty.to_member = tap
    result = ask(hasty)
    assert isinstance(result, RoundSummed)
    assert result.contributors == OTHERS
    np.testing.assert_array_equal(result.vector, hasty.expected(OTHERS))
    reason = f"the upload of {VICTIM} is for another Task or cohort than this round's"
    assert hasty.logged("message_refused", VICTIM) == [reason]
    # The member's own process ends with the same words, which its operator reads.
    with pytest.raises(PeerError, match="is for another Task or cohort"):
        hasty.parts[VICTIM].result(20)
    assert hasty.leaked() == []


def test_survivors_of_two_views_open_nothing(hasty: WireWorld) -> None:
    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member in OTHERS[:2] and kind_of(data) is KIND.SURVIVORS:
            view = Survivors.decode(open_envelope(data))
            return [hasty.forge(dataclasses.replace(view, uploads=view.uploads[:3]))]
        return [data]

    hasty.to_member = tap
    result = ask(hasty)
    assert isinstance(result, RoundAborted)
    # How many of the other two had confirmed by then is a matter of time.
    assert re.fullmatch("[0-2] members confirmed, a round needs 3", result.reason)
    assert hasty.sent(KIND.QUORUM) == []
    for member in OTHERS[:2]:
        assert hasty.logged("message_refused", member) == [
            f"{member} confirms another view of the round than it was sent"
        ]
    assert hasty.leaked() == []


def test_a_replayed_start_of_an_old_round_is_ignored_and_the_victims_round_is_lost(hasty: WireWorld) -> None:
    old: list[bytes] = []

    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member == VICTIM and kind_of(data) in (KIND.START, KIND.CHUNK):
            if len(old) < 2:
                old.append(data)
                return [data]
            return [old[0] if kind_of(data) is KIND.START else old[1]]
        return [data]

    hasty.to_member = tap
    session = hasty.open()
    hasty.join()
    hasty.loop.run(session.ready())
    first = hasty.loop.run(session.round(b"task", b"", LENGTH))
    second = hasty.loop.run(session.round(b"task", b"", LENGTH))
    assert isinstance(first, RoundSummed)
    assert isinstance(second, RoundSummed)
    assert first.contributors == hasty.members
    assert second.contributors == OTHERS
    np.testing.assert_array_equal(second.vector, hasty.expected(OTHERS))
    assert hasty.logged("member_dropped", VICTIM) == ["the deadline passed"]
    assert hasty.told(VICTIM, MessageRefused) == []


def test_a_start_of_a_foreign_session_is_refused_by_its_member_in_words(hasty: WireWorld) -> None:
    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member == VICTIM and kind_of(data) is KIND.START:
            return [hasty.forge(Start.decode(open_envelope(data)), b"another session's SID 32 bytes!!")]
        return [] if member == VICTIM and kind_of(data) is KIND.CHUNK else [data]

    hasty.to_member = tap
    result = ask(hasty)
    assert isinstance(result, RoundSummed)
    assert result.contributors == OTHERS
    refused = "a START message of the coordinator has a signature that is not theirs for this session"
    assert hasty.told(VICTIM, MessageRefused) == [refused]
    # The organisation's log has the same line; the coordinator's names who was silent.
    assert refused in hasty.logged("message_refused")
    assert hasty.logged("member_dropped", VICTIM) == ["the deadline passed"]


def test_a_cohort_below_t_is_refused_by_its_member_and_both_logs_name_the_check(world: WireWorld) -> None:
    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member == VICTIM and kind_of(data) is KIND.START:
            start = Start.decode(open_envelope(data))
            return [world.forge(dataclasses.replace(start, entries=start.entries[:2]))]
        return [data]

    world.to_member = tap
    result = ask(world)
    check = "the Start names 2 members, at least 3 must take part"
    assert isinstance(result, RoundAborted)
    assert result.reason == f"{VICTIM} refused: {check}"
    assert world.told(VICTIM, RoundRefused) == [check]
    assert world.logged("round_refused") == [check]
    assert world.logged("member_dropped", VICTIM) == [check]
    assert world.logged("round_aborted") == [f"{VICTIM} refused: {check}"]


def test_a_quorum_that_is_none_reveals_nothing_over_the_wire(world: WireWorld) -> None:
    def tap(member: str, data: bytes) -> Sequence[bytes]:
        if member == VICTIM and kind_of(data) is KIND.QUORUM:
            quorum = Quorum.decode(open_envelope(data))
            return [world.forge(Quorum(quorum.round, quorum.confirms[:2]))]
        return [data]

    world.to_member = tap
    revealed: list[str] = []

    def noting(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is KIND.REVEAL:
            revealed.append(member)
        return [data]

    session = world.open()
    world.join(liar=noting)
    world.loop.run(session.ready())
    world.loop.run(session.round(b"task", b"", LENGTH))
    assert world.told(VICTIM, RoundRefused) == ["2 members confirmed, 3 must"]
    assert VICTIM not in revealed


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"HWS\x01\xc8" + bytes(80), "a message has the unknown type 200; the other side has another version"),
        (b"HWS\x02\x08" + bytes(80), "a message is not of HW-SecAgg/1; the other side speaks another protocol"),
        (b"", "a message ends inside a field of 4 bytes; it was cut or is malformed"),
        (b"HWS\x01\x08" + bytes(3), "a message ends inside a field of 4 bytes; it was cut or is malformed"),
    ],
    ids=["unknown type", "other version", "empty", "cut"],
)
def test_bytes_that_are_no_message_are_refused_in_words_and_cost_the_member_nothing(
    world: WireWorld, bad: bytes, reason: str
) -> None:
    world.to_member = lambda member, data: [bad, data] if member == VICTIM and kind_of(data) is KIND.START else [data]
    result = ask(world)
    assert isinstance(result, RoundSummed)
    assert result.contributors == world.members
    np.testing.assert_array_equal(result.vector, world.expected(world.members))
    (told,) = world.told(VICTIM, MessageRefused)
    assert told.startswith(reason)
    assert [line for line in world.logged("message_refused") if line.startswith(reason)]
