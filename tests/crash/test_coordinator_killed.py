"""kill -9 of the coordinator at every message type that it receives or sends, and at every record that it stores."""

import pytest

from crash.evidence import check_all
from crash.points import Point
from crash.world import COORDINATOR, CrashWorld
from headwater.secagg.protocol.receipts import Document
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.messages import Abort
from headwater_server.storage import RunState

pytestmark = pytest.mark.crash

MEMBERS = 4

RECEIVED = ("HELLO", "ACCEPT", "CAPSULES", "DEAL", "CHUNK", "UPLOAD", "CONFIRM", "REVEAL")
SENT = ("INVITATION", "HELLOS", "DELIVERY", "SESSION", "START", "CHUNK", "SURVIVORS", "QUORUM", "RECEIPT", "CLOSE")
STORED = ("attempt", "session", "start", "receipt", "sum")


# How a member lies, and what then comes to the coordinator and leaves it that an honest run never sees.
DISPUTED = [
    ("deals other shares", Point("received", "COMPLAINT", 1)),
    ("deals other shares", Point("handled", "COMPLAINT", 1)),
    ("deals other shares", Point("sent", "ABORT", 1)),
    ("deals another seed", Point("sent", "INQUIRY", 1)),
    ("deals another seed", Point("received", "SEED", 1)),
    ("deals another seed", Point("handled", "SEED", 1)),
    ("masks another vector", Point("sent", "INQUIRY", 1)),
    ("masks another vector", Point("received", "BLOCKS", 2)),
    ("masks another vector", Point("handled", "BLOCKS", 2)),
    ("masks another vector", Point("persisting", "abort", 1)),
    ("masks another vector", Point("persisted", "abort", 1)),
    ("masks another vector", Point("sent", "ABORT", 2)),
]


def killed_and_started_again(world: CrashWorld, point: Point, *lengths: int) -> list[Document]:
    """Kill the coordinator at a point of a run of three sums, start it again, and check what is left."""
    world.propose(lengths or (64, 64, 64))
    assert world.drive({COORDINATOR: [point]}) is RunState.FINISHED
    assert any(entry.what == "struck" for entry in world.tape.entries), "the process did not come by the point"
    chain = check_all(world)
    completed = [document for document in chain if document.completed]
    # protocol 4.8: at most the round in flight is lost; everybody is there again for the others.
    assert len(chain) <= len(world.lengths) + 1
    assert all(document.members == world.members for document in completed)
    return chain


@pytest.mark.parametrize("boundary", ["received", "handled"])
@pytest.mark.parametrize("kind", RECEIVED)
def test_killed_at_the_second_message_that_it_receives_of_a_kind(world: CrashWorld, kind: str, boundary: str) -> None:
    killed_and_started_again(world, Point(boundary, kind, 2))


@pytest.mark.parametrize("kind", ["UPLOAD", "CONFIRM", "REVEAL"])
def test_killed_at_the_last_message_of_a_kind_of_the_second_round(world: CrashWorld, kind: str) -> None:
    killed_and_started_again(world, Point("received", kind, 2 * MEMBERS))


@pytest.mark.parametrize("kind", SENT)
def test_killed_when_one_member_of_four_was_sent_a_message(world: CrashWorld, kind: str) -> None:
    killed_and_started_again(world, Point("sent", kind, 1))


@pytest.mark.parametrize("kind", ["START", "SURVIVORS", "QUORUM", "RECEIPT"])
def test_killed_when_all_members_were_sent_a_message_of_the_second_round(world: CrashWorld, kind: str) -> None:
    killed_and_started_again(world, Point("sent", kind, 2 * MEMBERS))


@pytest.mark.parametrize("boundary", ["persisting", "persisted"])
@pytest.mark.parametrize("kind", STORED)
def test_killed_around_a_record(world: CrashWorld, kind: str, boundary: str) -> None:
    killed_and_started_again(world, Point(boundary, kind, 1))


def test_killed_inside_an_upload_of_several_chunks(world: CrashWorld) -> None:
    killed_and_started_again(world, Point("handled", "CHUNK", 6), 600_000, 64)


def test_killed_once_in_each_of_three_rounds(world: CrashWorld) -> None:
    world.propose()
    points = [Point("handled", "UPLOAD", 2), Point("persisted", "receipt", 1), Point("received", "REVEAL", 3)]
    assert world.drive({COORDINATOR: points[:1]}, again={COORDINATOR: [points[1:2], points[2:]]}) is RunState.FINISHED
    assert sum(entry.what == "struck" for entry in world.tape.entries) == len(points)
    chain = check_all(world)
    assert [document.completed for document in chain].count(False) <= len(points)


@pytest.mark.parametrize(("lie", "point"), DISPUTED, ids=lambda value: value if isinstance(value, str) else str(value))
def test_killed_while_it_finds_out_who_lied(world: CrashWorld, lie: str, point: Point) -> None:
    world.lies["org-2"] = lie
    world.propose(setup_seconds=3.0)
    assert world.drive({COORDINATOR: [point]}) is RunState.FINISHED
    assert any(entry.what == "struck" for entry in world.tape.entries), "the process did not come by the point"
    chain = check_all(world)
    # protocol 4.8: nobody honest is framed, and the rounds after the verdict go on without the liar.
    assert {name for document in chain if isinstance(document.content, Abort) for name in document.content.blamed} <= {
        "org-2"
    }
    assert [document.members for document in chain if document.completed][-1] == ("org-1", "org-3", "org-4")


def test_every_type_of_message_is_a_point_at_which_the_coordinator_is_killed() -> None:
    killed_at = {*RECEIVED, *SENT, *(point.kind for _, point in DISPUTED)}
    # Part of a Deal, and a record that stays on the coordinator's disk; a member refuses only what the tests of the
    # adversarial suite make up.
    assert killed_at >= {kind.name for kind in MessageType} - {"DEAL_HEADER", "START_RECORD", "REFUSAL"}
