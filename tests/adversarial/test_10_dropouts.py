"""Protocol 7, item 10 (4.8): whoever leaves, whenever: the exact sum or an abort, never a wrong sum."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.secagg import threshold
from headwater.secagg.protocol.events import MemberDropped
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Reveal
from support.network import World, kind_of, member_names

KIND = MessageType

BEFORE = {"before deal": KIND.DEAL, "before upload": KIND.CHUNK, "before confirm": KIND.CONFIRM}
"""The stream breaks when the member would send its first message of this kind, which is lost."""

AFTER = {
    "after deal": KIND.DEAL,
    "mid-upload": KIND.CHUNK,
    "after upload": KIND.UPLOAD,
    "between confirm and reveal": KIND.CONFIRM,
}
"""The stream breaks when the first message of this kind was delivered."""

POINTS = [*BEFORE, *AFTER]
UPLOADED = {"after upload", "before confirm", "between confirm and reveal"}


class Leaving(World):
    """A world in which members leave at named points."""

    def leave(self, points: Mapping[str, str]) -> None:
        """Let each member leave at its point."""
        self.points = dict(points)

    def deliver_to_coordinator(self, member: str, data: bytes) -> None:
        """Deliver, with the break before or after."""
        point = self.points.get(member, "")
        if BEFORE.get(point) is kind_of(data):
            self.disconnect(member)
            return
        super().deliver_to_coordinator(member, data)
        if AFTER.get(point) is kind_of(data) and member in self.online:
            self.disconnect(member)


def world_of(count: int, points: Mapping[str, str]) -> Leaving:
    """A round played with members leaving at these points."""
    long = "mid-upload" in points.values()
    world = Leaving(count, length=262_200 if long else 5)
    world.leave(points)
    world.open()
    if not world.aggregator.closed:
        world.begin()
        world.run()
        # Whoever is still awaited does not come.
        for _ in range(4):
            world.tick(1000)
            world.run()
    return world


def check(world: Leaving, points: Mapping[str, str]) -> None:
    """The outcome that the points allow, and no other."""
    count, least = world.count, max(3, threshold(world.count))
    uploaded = [name for name in world.names if points.get(name, "after upload") in UPLOADED]
    staying = [name for name in world.names if name not in points]
    for event in world.sums():
        np.testing.assert_array_equal(event.vector, world.expected(event.contributors))
    assert world.errors == []
    if len(uploaded) >= least and len(staying) >= threshold(count):
        (event,) = world.sums()
        assert event.contributors == tuple(uploaded)
    else:
        assert world.sums() == []
        assert world.aborts() or world.failures()
    assert no_dealer_is_opened_twice(world)


def no_dealer_is_opened_twice(world: World) -> bool:
    """Whether all shares revealed for a dealer in a round are of one kind."""
    kinds: dict[tuple[int, str], set[str]] = {}
    for _, _, data in world.sent(KIND.REVEAL):
        reveal = Reveal.decode(open_envelope(data))
        for dealer, _ in reveal.self_shares:
            kinds.setdefault((reveal.round, dealer), set()).add("self")
        for dealer, _ in reveal.bundle_shares:
            kinds.setdefault((reveal.round, dealer), set()).add("bundle")
    return all(len(kind) == 1 for kind in kinds.values())


SUBSETS = [
    (count, leavers)
    for count in (3, 4, 5, 6)
    for size in range(1, count + 1)
    for leavers in combinations([f"org-{index}" for index in range(count)], size)
]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("count", "leavers"), SUBSETS)
def test_every_subset_may_leave_at_every_point(count: int, leavers: tuple[str, ...], point: str) -> None:
    points = dict.fromkeys(leavers, point)
    check(world_of(count, points), points)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 6), st.data())
def test_members_may_leave_at_different_points(count: int, data: st.DataObject) -> None:
    drawn = [data.draw(st.sampled_from(["stays", "stays", *POINTS])) for _ in range(count)]
    points = {f"org-{index}": point for index, point in enumerate(drawn) if point not in ("stays", "mid-upload")}
    check(world_of(count, points), points)


@pytest.mark.parametrize("point", ["before upload", "after upload"])
def test_five_members_complete_with_one_killed(point: str) -> None:
    world = world_of(5, {"org-3": point})
    assert threshold(5) == 4
    (event,) = world.sums()
    assert ("org-3" in event.contributors) == (point == "after upload")
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


@pytest.mark.parametrize("point", ["before upload", "after upload"])
def test_the_coordinator_says_who_left_and_when(point: str) -> None:
    world = world_of(5, {"org-3": point})
    (dropped,) = [event for event in world.aggregator_events if isinstance(event, MemberDropped)]
    assert (dropped.member, dropped.phase, dropped.reason) == ("org-3", "upload", "the stream ended")


def test_the_session_goes_on_without_a_member_that_left() -> None:
    world = world_of(5, {"org-0": "after upload"})
    world.play()
    assert [event.round for event in world.sums()] == [1, 2]
    assert world.sums()[1].contributors == ("org-1", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(world.sums()[1].vector, world.expected(world.names[1:]))


def test_an_aborted_round_is_tried_again_under_the_next_number() -> None:
    world = Leaving(3)
    world.leave({"org-1": "after upload"})
    world.open()
    world.play()
    assert [event.round for event in world.aborts()] == [1]
    world.points.clear()
    world.connect("org-1")
    world.play()
    assert [event.round for event in world.sums()] == [2]
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


def test_a_broken_upload_is_forgotten_at_once() -> None:
    # protocol 4.9: bytes of a stream that broke cost no memory until the round ends.
    world = Leaving(5, length=262_200)
    world.leave({"org-1": "mid-upload"})
    world.open()
    world.begin()
    world.run(lambda: "org-1" not in world.online)
    conductor = world.aggregator._conductor
    assert conductor is not None
    assert conductor._round is not None
    assert "org-1" not in conductor._round._arriving


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fifty_members_may_leave_anywhere(seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = member_names(50)
    # T(50) = 34: with 12, 16 and 20 leaving, rounds complete, are close, and abort.
    leaving = generator.choice(names, size=8 + 4 * seed, replace=False)
    drawn = generator.choice([point for point in POINTS if point != "mid-upload"], size=leaving.size)
    points = dict(zip(leaving.tolist(), drawn.tolist(), strict=True))
    world = world_of(50, points)
    check(world, points)
    assert bool(world.sums()) == (50 - leaving.size >= threshold(50))
