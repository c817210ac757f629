"""Protocol 7, item 19: nothing of one organisation's values in any log, metric or error."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from headwater.secagg.protocol.events import MemberDropped, RoundAborted, RoundClosed, RoundSummed
from headwater.secagg.wire.envelope import open_envelope, pack_chunk
from headwater.secagg.wire.messages import Abort, Chunk, Receipt
from support.lies import KIND, VICTIM, flipped, play_to_the_end
from support.network import World, kind_of

ROOT = Path(__file__).parents[2]


def test_nothing_shown_of_a_machine_holds_a_secret() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    participant = world.participants["org-0"]
    session, current = participant._player.session, participant._player.round
    assert session is not None
    assert current is not None
    assert current.self_seed is not None
    shown = repr([session.deal, current, participant, world.aggregator, world.member_events["org-0"]])
    assert repr(current.self_seed.value)[2:-1] not in shown
    assert "TASK" not in shown
    assert str(world.member_events["org-0"]).count("data=") == 0


PLANTED = 1_987_654_321
"""A value that no length, size, round or count of these worlds has."""


def lying_worlds() -> Iterator[tuple[str, World]]:
    """Rounds that end in every way, with vectors of one value that is easy to find."""
    taps = {
        "honest": lambda data: [data],
        "no deal": lambda data: [] if kind_of(data) is KIND.DEAL else [data],
        "no upload": lambda data: [] if kind_of(data) is KIND.UPLOAD else [data],
        "cut upload": lambda data: [data[:-9]] if kind_of(data) is KIND.UPLOAD else [data],
        "changed chunk": lambda data: [changed_chunk(data)] if kind_of(data) is KIND.CHUNK else [data],
        "confirm twice": lambda data: [data, data] if kind_of(data) is KIND.CONFIRM else [data],
        "no reveal": lambda data: [] if kind_of(data) is KIND.REVEAL else [data],
        "cut reveal": lambda data: [data[:-70]] if kind_of(data) is KIND.REVEAL else [data],
    }
    for name, tap in taps.items():
        world = World(4)
        world.vectors = {member: np.full(world.length, PLANTED, np.uint32) for member in world.names}
        world.to_coordinator = lambda member, data, tap=tap: tap(data) if member == VICTIM else [data]  # type: ignore[misc]
        world.open()
        play_to_the_end(world)
        yield name, world


def changed_chunk(data: bytes) -> bytes:
    """A chunk of another vector."""
    chunk = Chunk.decode(open_envelope(data))
    return pack_chunk(VICTIM, dataclasses.replace(chunk, data=flipped(bytes(chunk.data))).encode())


def test_no_error_event_or_reason_of_a_broken_round_shows_a_value_share_or_key() -> None:
    for name, world in lying_worlds():
        shown = [text for _, text in world.errors]
        shown += [repr(event) for event in world.aggregator_events]
        shown += [repr(event) for events in world.member_events.values() for event in events]
        shown += [event.reason for event in world.aborts()]
        text = "\n".join(shown)
        for value in (PLANTED, PLANTED - 2**32, 4 * PLANTED % 2**32, 3 * PLANTED % 2**32):
            assert str(value) not in text, name
        # Digests, shares, keys and vectors are 16 bytes and more: as text, long runs of hexadecimal digits or escapes.
        assert not re.search(r"[0-9a-f]{24}|(\\x[0-9a-f]{2}){6}", text.replace(repr(world.sid())[2:-1], "")), name


LOGGED = {
    # Who and which.
    "run", "round", "plan", "attempt", "member", "members", "family", "kind", "step", "method", "worker", "program",
    "part", "flower_run", "code", "phase", "outcome", "completed", "contributors", "blamed", "disputes",
    # What is published, or waits for it.
    "candidate", "name", "version",
    # Where and how the process stands.
    "pid", "address", "coordinator", "log", "folder", "exit_status", "restart_seconds", "again_seconds",
    "bundle_sha256", "expected_sha256",
    # Words, held to account by the test above and the one below.
    "reason", "reasons", "exc_info",
}  # fmt: skip


def logged_fields() -> Iterator[tuple[str, str, set[str]]]:
    """(file, event, fields) of every line that client and server write."""
    for package in ("client", "server"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="_log")), args=[ast.Constant(value=event)]):
                        yield path.name, str(event), {str(keyword.arg) for keyword in node.keywords}


def test_a_log_line_has_no_field_for_a_loss_norm_row_count_or_duration() -> None:
    lines = list(logged_fields())
    assert len(lines) > 30
    assert {event for _, event, _ in lines} >= {"message_refused", "member_dropped", "round_summed", "task_admitted"}
    for path, event, fields in lines:
        assert fields <= LOGGED, (path, event, fields - LOGGED)


def test_the_sdk_writes_no_log_line_from_its_protocol_or_contribution() -> None:
    for package in ("secagg", "contribution", "recipe"):
        for path in (ROOT / "sdk" / "headwater" / package).rglob("*.py"):
            assert "logging" not in path.read_text().split(), path.name
            assert "structlog" not in path.read_text(), path.name


def test_what_a_round_tells_everybody_has_no_field_of_one_member_but_its_id_and_digest() -> None:
    # Metrics and weights travel inside the masked vector; documents and events of a round have no place for them.
    allowed = {
        "round", "vector", "contributors", "receipt", "reason", "abort", "blamed", "disputes", "sid", "rho", "uploads",
        "confirms", "sum_digest", "task_digest", "model_digest", "charge", "previous", "phase", "member",
    }  # fmt: skip
    for kind in (RoundSummed, RoundAborted, RoundClosed, MemberDropped, Receipt, Abort):
        assert {field.name for field in dataclasses.fields(kind)} <= allowed, kind.__name__
