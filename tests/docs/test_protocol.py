"""The specification says what the code does: every clause has files and tests that exist, every message its fields."""

import re
from pathlib import Path

import pytest

from headwater.errors import PeerError
from headwater.secagg import largest_collusion, threshold
from headwater.secagg.protocol.events import COORDINATOR, SessionReady
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.protocol.terms import MAXIMUM_ATTEMPTS
from headwater.secagg.wire import messages
from headwater.secagg.wire.codec import MAXIMUM_CHUNK, MAXIMUM_MESSAGE, MAXIMUM_TOGETHER
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.limits import MAXIMUM_LENGTH, MAXIMUM_MEMBERS
from headwater.secagg.wire.messages import Message
from support.network import World
from support.specification import (
    ROOT,
    attack_rows,
    clause_evidence,
    field_words,
    message_rows,
    missing_paths,
    missing_tests,
    table_rows,
)

TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")

CLAUSES = [f"{part}.{number}" for part, last in ((1, 3), (2, 5), (3, 5), (4, 11)) for number in range(1, last + 1)]
ATTACKS = range(1, 21)

KINDS = {kind.TYPE.name: kind for kind in Message.__subclasses__()}


def cited_clauses() -> dict[str, set[str]]:
    """Clause → the files of the code that cite it."""
    cited: dict[str, set[str]] = {}
    for folder in ("sdk", "client", "server"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for sentence in re.findall(r"protocol ((?:\d+\.\d+(?: [iv]+)?(?:, |-| to )?)+)", path.read_text("utf-8")):
                for clause in re.findall(r"\d+\.\d+", sentence):
                    cited.setdefault(clause, set()).add(str(path.relative_to(ROOT)))
    return cited


def test_every_clause_is_there_once_and_in_order() -> None:
    assert list(clause_evidence(TEXT)) == CLAUSES
    assert len(re.findall(r"^### \d+\.\d+ ", TEXT, flags=re.MULTILINE)) == len(CLAUSES)


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_names_code_and_tests_that_exist(clause: str) -> None:
    evidence = clause_evidence(TEXT)[clause]
    assert evidence.files, "no file enforces it"
    assert evidence.tests, "no test shows it"
    assert missing_paths(iter(evidence.files)) == []
    assert missing_tests(iter(evidence.tests)) == []


def test_every_clause_that_the_code_cites_is_in_the_specification() -> None:
    known = {*CLAUSES, *(f"7.{number}" for number in ATTACKS)}
    assert {clause: files for clause, files in cited_clauses().items() if clause not in known} == {}


def test_the_table_of_thresholds_is_what_the_code_computes() -> None:
    table = TEXT.split("### 1.2 ", 1)[1].split("### 1.3 ", 1)[0]
    rows = [[int(cell) for cell in cells] for cells in table_rows(table)]
    assert len(rows) == 12
    assert rows == [[count, threshold(count), largest_collusion(count)] for count, _, _ in rows]


def test_the_bounds_of_messages_and_charters_are_the_codes() -> None:
    assert f"A message has at most {MAXIMUM_MESSAGE // 2**20} MiB,\na chunk {MAXIMUM_CHUNK // 2**20} MiB" in TEXT
    assert f"at most {MAXIMUM_TOGETHER} come together" in TEXT
    assert f"a run has at most {MAXIMUM_ATTEMPTS}" in TEXT
    assert f"A charter has at most {MAXIMUM_MEMBERS:,} members" in TEXT
    assert MAXIMUM_LENGTH == 2**28
    assert "a vector 2²⁸ values" in TEXT


def test_every_attack_is_shown_by_files_that_exist() -> None:
    rows = attack_rows(TEXT)
    assert all(rows.values()), "an attack has no file that shows it"
    assert list(rows) == list(ATTACKS)
    assert missing_paths(path for paths in rows.values() for path in paths) == []


def test_every_file_that_a_page_on_the_protocol_names_exists() -> None:
    pages = (TEXT, THREATS, (ROOT / "docs" / "decisions" / "0012-secure-aggregation-as-built.md").read_text("utf-8"))
    named = {
        path for page in pages for path in re.findall(r"`((?:sdk|client|server|tests|tools|examples)/[\w/]+\.py)", page)
    }
    assert len(named) > 50
    assert missing_paths(iter(named)) == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`(?:: ((?:`test_\w+`(?:, )?)+))?", THREATS)
    assert len(named) >= 10
    assert missing_paths(path for path, _ in named) == []
    assert missing_tests((path, name) for path, names in named for name in re.findall(r"test_\w+", names)) == []


def test_the_table_of_messages_has_every_type_under_its_number() -> None:
    assert {row.name: row.number for row in message_rows(TEXT).values()} == {kind.name: kind for kind in MessageType}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_table_of_messages_has_the_fields_and_limits_of_the_code(name: str) -> None:
    assert message_rows(TEXT)[name].fields == field_words(KINDS[name])


def test_every_message_goes_the_way_and_is_signed_by_the_key_that_the_table_names() -> None:
    world = World()
    world.open()
    world.play()
    rows, seen = message_rows(TEXT), set()
    ready = next(event for event in world.aggregator_events if isinstance(event, SessionReady))
    before = setup_context(world.roster, world.terms(1), 1)
    hellos = {
        open_envelope(data).sender: messages.Hello.decode(open_envelope(data))
        for _, _, data in world.traffic
        if open_envelope(data).type is MessageType.HELLO
    }
    for _, receiver, data in world.traffic:
        envelope = open_envelope(data)
        row = rows[envelope.type.name]
        seen.add(row.name)
        way = "member → coordinator" if receiver == COORDINATOR else "coordinator → member"
        assert way in row.way, row.name
        keys = {
            "identity key": world.roster.members.get(envelope.sender),
            "session key": hellos[envelope.sender].session_key if envelope.sender in hellos else None,
            "coordinator's key": world.roster.coordinator_key if envelope.sender == COORDINATOR else None,
        }
        if row.signed_by.startswith("nobody"):
            assert not envelope.signature
            continue
        context = before if "setup" in row.signed_by else ready.sid
        envelope.verify(keys[row.signed_by.split(",")[0]] or b"", context)
    assert {"HELLO", "ACCEPT", "SESSION", "DEAL", "START", "UPLOAD", "CONFIRM", "REVEAL", "RECEIPT"} <= seen


def test_a_missing_test_or_file_would_be_noticed(tmp_path: Path) -> None:
    assert missing_tests(iter([("tests/docs/test_protocol.py", "test_that_nobody_wrote")])) != []
    assert missing_paths(iter(["sdk/headwater/secagg/nothing.py"])) != []
    body = (
        "### 4.1 Deal\n\nText.\n\n<small>Enforced in `a.py`.</small>\n\n"
        "<details><summary>Shown by these tests</summary>\n\n"
        "- `b.py`: `test_c`\n- `d.py`: `test_e`\n\n</details>\n"
    )
    evidence = clause_evidence(body)["4.1"]
    assert (evidence.files, evidence.tests) == (("a.py",), (("b.py", "test_c"), ("d.py", "test_e")))
    with pytest.raises(PeerError):
        open_envelope(tmp_path.name.encode())
