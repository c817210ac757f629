"""Protocol 4.9: every wait has an end, and time comes in as `now`."""

import numpy as np
import pytest

from headwater.secagg.protocol.events import MemberDropped, RoundRefused
from headwater.secagg.protocol.phases import CoordinatorPhase, MemberPhase
from headwater.secagg.wire.envelope import MessageType
from support.network import World, kind_of

KIND = MessageType


def mute(world: World, member: str, kind: MessageType) -> None:
    """Let all of a member's messages of one kind be lost, its stream staying up."""
    world.to_coordinator = lambda name, data: [] if name == member and kind_of(data) is kind else [data]


def test_a_member_that_never_comes_is_waited_for_until_the_deadline() -> None:
    world = World(4)
    world.join(*world.names[:3])
    world.run()
    assert world.aggregator.next_deadline == 60
    world.tick(59.9)
    world.run()
    assert list(world.sent(KIND.HELLOS)) == []
    world.tick(0.1)
    world.run()
    assert world.aggregator.phase is CoordinatorPhase.READY
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-1", "org-2")


def test_a_setup_without_enough_members_fails_at_its_deadline() -> None:
    world = World(3)
    world.join("org-0", "org-1")
    world.run()
    world.tick(60)
    world.run()
    assert world.failures() == ["the setup failed: 2 members take part, at least 3 must"]
    assert world.participants["org-0"].closed
    assert world.aggregator.next_deadline is None


@pytest.mark.parametrize("count", [3, 4])
def test_an_accept_that_never_comes_leaves_its_member_out(count: int) -> None:
    world = World(count)
    mute(world, "org-1", KIND.ACCEPT)
    world.open()
    assert world.aggregator.phase is CoordinatorPhase.ACCEPTING
    world.tick(30)
    world.run()
    if count == 3:
        assert "2 members take part" in world.failures()[0]
    else:
        assert world.participants["org-1"].closed
        world.play()
        assert world.sums()[0].contributors == ("org-0", "org-2", "org-3")


@pytest.mark.parametrize(
    ("kind", "phase", "contributors"),
    [
        (KIND.DEAL, "", ("org-0", "org-2", "org-3", "org-4")),
        (KIND.CHUNK, "upload", ("org-0", "org-2", "org-3", "org-4")),
        (KIND.UPLOAD, "upload", ("org-0", "org-2", "org-3", "org-4")),
        (KIND.CONFIRM, "confirm", ("org-0", "org-1", "org-2", "org-3", "org-4")),
        (KIND.REVEAL, "reveal", ("org-0", "org-1", "org-2", "org-3", "org-4")),
    ],
)
def test_a_silent_member_costs_its_deadline_and_no_more(
    kind: MessageType, phase: str, contributors: tuple[str, ...]
) -> None:
    world = World(5)
    mute(world, "org-1", kind)
    world.open()
    world.begin()
    world.run()
    if kind is not KIND.REVEAL:
        # Four reveals open the round; nobody waits for the fifth.
        assert world.sums() == []
        deadline = world.aggregator.next_deadline
        assert deadline is not None
        world.tick(deadline - world.now)
        world.run()
    (event,) = world.sums()
    assert event.contributors == contributors
    np.testing.assert_array_equal(event.vector, world.expected(contributors))
    dropped = [(e.member, e.phase) for e in world.aggregator_events if isinstance(e, MemberDropped)]
    assert dropped == ([("org-1", phase)] if phase in ("upload", "confirm") else [])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (KIND.CHUNK, "2 members uploaded, a round needs 3"),
        (KIND.CONFIRM, "2 members confirmed, a round needs 3"),
        (KIND.REVEAL, "2 members revealed, a round needs 3"),
    ],
)
def test_a_round_without_its_quorum_is_aborted_at_the_deadline(kind: MessageType, reason: str) -> None:
    world = World(3)
    mute(world, "org-1", kind)
    world.open()
    world.begin()
    world.run()
    deadline = world.aggregator.next_deadline
    assert deadline is not None
    world.tick(deadline - world.now)
    assert [event.reason for event in world.aborts()] == [reason]
    world.to_coordinator = lambda name, data: [data]
    world.run()
    world.play()
    assert [event.round for event in world.sums()] == [2]


def test_a_session_without_enough_members_for_a_round_ends() -> None:
    world = World(3)
    world.open()
    world.disconnect("org-2")
    world.begin()
    world.run()
    assert world.failures() == []
    world.tick(30)
    assert world.failures() == ["2 members are present, a round needs 3"]


def test_a_member_gives_up_a_round_that_never_ends() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda name, data: [] if kind_of(data) is KIND.SURVIVORS else [data]
    world.begin()
    world.run()
    member = world.participants["org-0"]
    deadline = member.next_deadline
    assert deadline == 690
    assert member.tick(deadline - 1) == []
    world.member_does("org-0", member.tick(deadline))
    assert world.events_of("org-0", RoundRefused) == [RoundRefused(1, "the round's deadline passed")]
    assert member.phase is MemberPhase.READY
    assert member.next_deadline is None
