"""A disk that is full at the coordinator or at an organisation: one clear line, nothing lost, and on with room."""

import json
import re
from contextlib import closing

import pytest

from crash.evidence import check_all
from crash.points import Point
from crash.tape import Entry
from crash.world import COORDINATOR, RUN, CrashWorld
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RunState

pytestmark = pytest.mark.crash

VICTIM = "org-3"
OTHERS = ("org-1", "org-2", "org-4")
SECONDS = 60.0

# What the system says: of a disk, and of a limit on the size of files.
SAID = {
    "disk": "database or disk is full|No space left on device|are free on the disk of",
    "limit": "disk I/O error|File too large",
}


@pytest.fixture(params=["disk", "limit"])
def full(request: pytest.FixtureRequest) -> str:
    """A disk of its own that has no byte left, or a limit on files that lets none grow."""
    return str(request.param)


def told(world: CrashWorld, process: str, what: str, kind: str) -> str:
    """Wait for the line in which a process says why it goes no further; the reason in it."""

    def found(entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if (entry.process, entry.what, entry.kind) == (process, what, kind)]

    world.tape.wait(lambda entries: bool(found(entries)), f"{process} said {kind}", SECONDS)
    return str(found(world.tape.entries)[0].facts["reason"])


@pytest.mark.parametrize(
    "point",
    [
        *(Point("persisting", kind, 1, "fill disk") for kind in ("attempt", "session", "start", "receipt", "sum")),
        Point("persisted", "receipt", 2, "fill disk"),
        Point("received", "UPLOAD", 6, "fill disk"),
    ],
    ids=str,
)
def test_a_coordinator_pauses_the_run_and_goes_on_when_there_is_room(
    world: CrashWorld, point: Point, full: str
) -> None:
    world.propose()
    if full == "disk":
        world.give_disk(COORDINATOR)
    world.begin({COORDINATOR: [point]})
    reason = told(world, COORDINATOR, "log", "run_paused")
    assert re.search(SAID[full], reason), reason
    assert re.search("make room|mend it and retry", reason), reason
    world.make_room(COORDINATOR)
    assert world.finish() is RunState.FINISHED
    chain = check_all(world)
    completed = [document for document in chain if document.completed]
    assert all(document.members == world.members for document in completed)
    assert len(chain) <= len(world.lengths) + 1
    assert not any(entry.what == "exited" and entry.kind != "0" for entry in world.tape.entries)
    check_progress_is_whole(world)


@pytest.mark.parametrize("kind", ["attempt", "charge", "receipt"])
def test_an_organisation_leaves_by_name_and_takes_part_again_when_there_is_room(
    world: CrashWorld, kind: str, full: str
) -> None:
    world.propose(setup_seconds=20.0)
    if full == "disk":
        world.give_disk(VICTIM)
    # The coordinator is held in the second round, and killed when there is room: a new session follows, with everybody.
    world.begin(
        {VICTIM: [Point("persisting", kind, 1, "fill disk")], COORDINATOR: [Point("persisting", "receipt", 2, "hold")]}
    )
    reason = told(world, VICTIM, "left", "storage")
    assert re.search(SAID[full], reason), reason
    assert re.search("free the disk", reason), reason
    world.make_room(VICTIM)
    world.processes.kill(COORDINATOR)
    assert world.finish() is RunState.FINISHED
    chain = check_all(world)
    assert [document.members for document in chain if document.completed][-2:] == [world.members] * 2


def test_an_organisation_whose_disk_stays_full_is_gone_on_without(world: CrashWorld) -> None:
    world.propose()
    points = {VICTIM: [Point("persisting", "receipt", 1, "fill disk")]}
    assert world.drive(points, stays_dead=frozenset({VICTIM})) is RunState.FINISHED
    assert [document.members for document in check_all(world)] == [world.members, OTHERS, OTHERS]


def check_progress_is_whole(world: CrashWorld) -> None:
    """The file of progress that people read has the records of the database, each on a line of its own."""
    with closing(world.storage()) as storage:
        records = [dict(record) for _, record in storage.progress(RUN)]
    lines = (CoordinatorHome(world.folder / COORDINATOR).runs / RUN / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records
