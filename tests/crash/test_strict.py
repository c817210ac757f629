"""A run under `strict`, whose sums are all over one cohort, when an organisation dies; and records that go back."""

import shutil

import pytest

from crash.evidence import check_all
from crash.points import Point
from crash.tape import Entry
from crash.world import CrashWorld
from headwater_server.storage import RunState

pytestmark = pytest.mark.crash

VICTIM = "org-3"
OTHERS = ("org-1", "org-2", "org-4")
NEXT = "1e" * 16


def reasons(world: CrashWorld, *events: str) -> list[str]:
    """What processes gave as reasons in log lines of these events."""
    return [
        str(entry.facts.get("reason")) for entry in world.tape.entries if entry.what == "log" and entry.kind in events
    ]


@pytest.mark.parametrize(
    "point",
    [
        Point("sending", "CHUNK", 2),
        Point("sent", "UPLOAD", 2),
        Point("persisting", "cohort", 1),
        Point("persisted", "cohort", 1),
        Point("sent", "CONFIRM", 2),
        Point("sent", "REVEAL", 2),
        Point("persisting", "receipt", 2),
    ],
    ids=str,
)
def test_one_that_dies_and_comes_back_is_waited_for_and_no_other_cohort_is_ever_summed(
    world: CrashWorld, point: Point
) -> None:
    world.propose(on_membership_change="strict", setup_seconds=15.0, round_seconds=4.0)
    assert world.drive({VICTIM: [point]}) is RunState.FINISHED
    assert any(entry.what == "struck" for entry in world.tape.entries), "the process did not come by the point"
    completed = [document.members for document in check_all(world) if document.completed]
    assert set(completed) == {world.members}


def test_one_that_stays_away_ends_the_run_by_name(world: CrashWorld) -> None:
    world.propose(on_membership_change="strict", setup_seconds=1.0, round_seconds=4.0)
    points = {VICTIM: [Point("persisted", "receipt", 1)]}
    assert world.drive(points, stays_dead=frozenset({VICTIM})) is RunState.FAILED
    assert [document.members for document in check_all(world) if document.completed] == [world.members]
    (reason,) = reasons(world, "run_failed")
    assert reason.startswith("strict: every sum is over one cohort, and org-3 is away")


def test_a_record_file_that_was_rolled_back_is_refused_by_name(world: CrashWorld) -> None:
    world.propose(run=NEXT, start=False, setup_seconds=1.0)
    world.propose()
    before = world.folder / "before"
    shutil.copytree(world.folder / VICTIM, before)
    assert world.drive() is RunState.FINISHED
    check_all(world)
    world.processes.end_all()

    shutil.rmtree(world.folder / VICTIM)
    shutil.copytree(before, world.folder / VICTIM)
    world.start_run(NEXT)
    world.drive(run=NEXT)
    # protocol 4.10: each peer remembers how many records it had, leaves a setup in which it shows no more, and every
    # later one, whatever its count grows to meanwhile.
    for peer in OTHERS:
        first, *later = [
            str(entry.facts["reason"])
            for entry in world.tape.entries
            if (entry.process, entry.what, entry.kind) == (peer, "log", "session_closed")
            and "rolled back" in str(entry.facts["reason"])
        ]
        assert first.startswith(f"the Hello of {VICTIM} counts 1 durable records, 1 were shown before: its record file")
        assert later
        assert all(reason.startswith(f"the record file of {VICTIM} was found rolled back before") for reason in later)
    check_all(world, NEXT)


@pytest.mark.parametrize("lost", ["state.db", "ledger.head"])
def test_a_ledger_without_its_head_or_a_head_without_its_ledger_takes_no_part(world: CrashWorld, lost: str) -> None:
    world.propose(run=NEXT, start=False, setup_seconds=1.0)
    world.propose()
    before = world.folder / "before"
    shutil.copytree(world.folder / VICTIM, before)
    assert world.drive() is RunState.FINISHED
    world.processes.end_all()

    place = world.folder / VICTIM
    if lost == "state.db":
        # A copy of the records alone, from before the first run: its head is that of today.
        for name in ("state.db-wal", "state.db-shm"):
            (place / name).unlink(missing_ok=True)
            if (before / name).exists():
                shutil.copy(before / name, place / name)
        shutil.copy(before / lost, place / lost)
    else:
        (place / lost).unlink()
    world.start_run(NEXT)
    world.begin(run=NEXT)
    reason = told_why(world)
    assert "set back" in reason if lost == "state.db" else "ledger.head is missing" in reason
    world.processes.end_all()
    sent = [e for e in world.tape.entries if e.process == VICTIM and e.what == "sending" and e.facts["run"] == NEXT]
    assert sent == []


def told_why(world: CrashWorld) -> str:
    """Wait for the line in which the victim says why it takes no part."""

    def found(entries: list[Entry]) -> list[str]:
        said = [e for e in entries if (e.process, e.what, e.kind) == (VICTIM, "left", "storage")]
        return [str(entry.facts["reason"]) for entry in said]

    world.tape.wait(lambda entries: bool(found(entries)), "the victim says why it takes no part", 60.0)
    return found(world.tape.entries)[0]
