"""kill -9 of an organisation at every offset of its Upload, and of every message that it sends after or before it."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np
import pytest

from crash.evidence import check_all
from crash.points import Point
from crash.world import COORDINATOR, CrashWorld
from headwater_server.storage import RunState

pytestmark = pytest.mark.crash

VICTIM = "org-3"
OTHERS = ("org-1", "org-2", "org-4")
LONG = 600_000
CHUNKS = 3

# Offsets of a vector of three chunks: before each, after each, and around the trailer.
OFFSETS = (
    *(Point("sending", "CHUNK", number) for number in range(1, CHUNKS + 1)),
    Point("sent", "CHUNK", CHUNKS),
    Point("sending", "UPLOAD", 1),
    Point("sent", "UPLOAD", 1),
)
AROUND_UPLOAD = (
    Point("persisted", "attempt", 1),
    Point("sending", "HELLO", 1),
    Point("sent", "HELLO", 1),
    Point("sent", "ACCEPT", 1),
    Point("sent", "DEAL", 1),
    Point("sent", "DEAL", 2),
    Point("persisting", "opening", 1),
    Point("persisting", "charge", 1),
    Point("persisted", "charge", 1),
    Point("persisted", "charge", 2),
    Point("sending", "CONFIRM", 1),
    Point("sent", "CONFIRM", 1),
    Point("sending", "REVEAL", 1),
    Point("sent", "REVEAL", 1),
    Point("persisting", "receipt", 1),
    Point("persisted", "receipt", 1),
)


def killed(world: CrashWorld, point: Point) -> None:
    """Kill one of four in a run of three sums under `continue`; the others go on without it."""
    assert world.drive({VICTIM: [point]}) is RunState.FINISHED
    assert any(entry.what == "struck" for entry in world.tape.entries), "the process did not come by the point"
    chain = check_all(world)
    completed = [document.members for document in chain if document.completed]
    assert len(completed) == len(world.lengths)
    # protocol 3.5: restarted, it has no secrets of this session, and no other session is set up: three remain.
    assert completed[1:] == [OTHERS] * 2


@pytest.mark.parametrize("point", OFFSETS, ids=str)
def test_killed_at_an_offset_of_its_upload(world: CrashWorld, point: Point) -> None:
    world.propose((LONG, 64, 64))
    killed(world, point)


@pytest.mark.parametrize("point", AROUND_UPLOAD, ids=str)
def test_killed_at_a_message_or_record_of_its_own(world: CrashWorld, point: Point) -> None:
    world.propose(setup_seconds=3.0)
    killed(world, point)


@pytest.mark.parametrize(
    # The last chunk goes in one parcel with the trailer.
    ("kind", "count", "in_the_sum"),
    [("CHUNK", CHUNKS - 1, False), ("UPLOAD", 1, True), ("CONFIRM", 1, True)],
)
def test_a_vector_counts_from_its_trailer_on(world: CrashWorld, kind: str, count: int, in_the_sum: bool) -> None:
    world.propose((LONG, 64))
    # Held where it would send the next message, so that it dies neither earlier nor later than that.
    world.begin({VICTIM: [Point("sent", kind, count, "hold")]})
    world.kill_when_heard(VICTIM, kind, count)
    assert world.finish() is RunState.FINISHED
    first, second = check_all(world)
    assert first.members == (world.members if in_the_sum else OTHERS)
    assert second.members == OTHERS


def test_two_that_die_in_one_round_abort_it_and_are_there_again_in_the_next_session(world: CrashWorld) -> None:
    world.propose(setup_seconds=15.0, round_seconds=4.0)
    points = [Point("sent", "CHUNK", 2)]
    assert world.drive({"org-2": points, "org-3": points}) is RunState.FINISHED
    chain = check_all(world)
    assert [document.completed for document in chain] == [True, False, True, True]
    assert all(document.members == world.members for document in chain if document.completed)


def test_one_that_dies_in_each_of_its_lives_leaves_no_second_vector(world: CrashWorld) -> None:
    world.propose(setup_seconds=3.0)
    # The coordinator dies as well, so that there is a next session for the restarted one to die in.
    coordinator = [[Point("handled", "UPLOAD", 3)], [Point("handled", "CONFIRM", 3)]]
    assert (
        world.drive(
            {VICTIM: [Point("sent", "CHUNK", 1)], COORDINATOR: [Point("persisted", "receipt", 1)]},
            again={VICTIM: [[Point("sent", "UPLOAD", 1)], [Point("sent", "REVEAL", 1)]], COORDINATOR: coordinator},
        )
        is RunState.FINISHED
    )
    check_all(world)


@pytest.mark.parametrize(
    ("point", "charged"),
    [
        (Point("persisting", "charge", 1), []),
        # protocol 4.10 i: no refund, although nothing of the round left.
        (Point("persisted", "charge", 1), [1]),
        (Point("sending", "CHUNK", 1), [1]),
        (Point("sent", "UPLOAD", 1), [1]),
        (Point("persisted", "charge", 2), [1, 2]),
    ],
    ids=str,
)
def test_a_charge_outlives_whoever_made_it(world: CrashWorld, point: Point, charged: list[int]) -> None:
    world.propose()
    killed(world, point)
    with closing(world.store(VICTIM)) as store:
        entries = store.ledger()
        # What was charged counts among the records that peers compare.
        assert store.records >= len(entries)
    assert [entry.round for entry in entries] == charged
    for member in OTHERS:
        with closing(world.store(member)) as store:
            assert [entry.round for entry in store.ledger()] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(4))
def test_everybody_dies_somewhere(world: CrashWorld, seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds = ("ACCEPT", "DEAL", "CHUNK", "UPLOAD", "CONFIRM", "REVEAL")

    def somewhere(boundaries: Sequence[str]) -> list[Point]:
        return [Point(str(random.choice(boundaries)), str(random.choice(kinds)), int(random.integers(1, 4)))]

    points = {member: somewhere(("sending", "sent")) for member in world.members}
    points[COORDINATOR] = somewhere(("received", "handled"))
    world.propose((LONG, 64, 64), setup_seconds=4.0, round_seconds=4.0)
    assert world.drive(points) is RunState.FINISHED
    check_all(world)
