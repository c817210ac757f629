"""`headwater-org receipts` and `cohort`: a real run's chain, verified offline, and every kind of damage to it."""

import base64
import dataclasses
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from headwater.agreement.receipt_check import check_receipts
from headwater.agreement.receipt_file import ReceiptFile
from headwater.canonical import canonical_json
from headwater.errors import HeadwaterError, PeerError
from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Receipt
from headwater_client.cli import app
from support.offices import approve_everywhere, sum_in_two_sessions
from support.organisations import RUN, EnrolledConsortium
from support.rpc import RpcCoordinator, shared_loop

STRICT = {"on_membership_change": "strict", "setup_seconds": 10, "round_seconds": 20}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> EnrolledConsortium:
    """Three organisations after a run of two sessions with a sum each."""
    coordinator = RpcCoordinator(shared_loop())
    consortium = EnrolledConsortium(coordinator, tmp_path_factory.mktemp("members"))
    sum_in_two_sessions(consortium, approve_everywhere(consortium, aggregation=STRICT))
    consortium.close()
    # From here on nothing may need it.
    coordinator.close()
    return consortium


@pytest.fixture
def home(ran: EnrolledConsortium, tmp_path: Path) -> Path:
    """A copy of org-1's folder, to be damaged."""
    copy, original = tmp_path / "org-1", ran.homes["org-1"]
    copy.mkdir()
    for name in ("settings.toml", "policy.toml"):
        (copy / name).write_bytes((original / name).read_bytes())
    with closing(sqlite3.connect(original / "state.db")) as source, closing(sqlite3.connect(copy / "state.db")) as db:
        source.backup(db)
    return copy


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def done(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert isinstance(result.exception, HeadwaterError)
    text = str(result.exception)
    assert "\n" not in text
    return text


def exported(home: Path) -> dict[str, Any]:
    out = home / "receipts.json"
    done("receipts", "export", RUN[:8], "--out", str(out), "--home", str(home))
    return dict(json.loads(out.read_bytes()))


def test_a_whole_chain_is_verified_without_the_coordinator(ran: EnrolledConsortium, home: Path) -> None:
    assert RUN in done("receipts", "list", "--home", str(home))
    output = done("receipts", "verify", RUN, "--home", str(home))
    assert f"run {RUN} holds: 2 sums, 0 aborts, in one chain; org-1's vector is in 2" in output
    assert f"charter version 1 {ran.charter.digest}" in output
    document = json.loads(done("receipts", "verify", RUN[:6], "--home", str(home), "--json"))
    assert document["ok"] is True
    assert [each["round"] for each in document["rounds"]] == [1, 2]
    assert document["rounds"][0]["confirmed_by"] == ["org-1", "org-2", "org-3"]
    assert document["rounds"][0]["charge"] == {"mechanism": "none"}
    shown = done("receipts", "show", RUN, "--home", str(home))
    assert "org-1, org-2, org-3" in shown
    assert "none" in shown
    assert "mechanism" not in shown
    assert "charter not compared" not in output
    assert "head not compared: read this digest to another member, or give --head" in output
    head = document["head"]
    assert "not compared" not in done("receipts", "verify", RUN, "--head", head, "--home", str(home))
    assert document["charter_compared"] is True
    assert document["head_compared"] is False


def test_an_exported_file_is_verified_where_nobody_enrolled(ran: EnrolledConsortium, home: Path) -> None:
    out = home / "receipts.json"
    exported(home)
    output = done("receipts", "verify", "--file", str(out), "--charter", ran.charter.digest[:16])
    assert "holds" in output
    assert "the file says that it was exported by org-1" in output
    assert "charter not compared" not in output
    output = done("receipts", "verify", "--file", str(out))
    assert "charter not compared: read this digest to a member, or give --charter" in output
    assert "head not compared" in output
    assert json.loads(done("receipts", "verify", "--file", str(out), "--json"))["charter_compared"] is False
    assert "already" in refused("receipts", "export", RUN, "--out", str(out), "--home", str(home))
    assert "the charter has digest" in refused("receipts", "verify", "--file", str(out), "--charter", "0" * 16)
    assert "the last document has digest" in refused("receipts", "verify", "--file", str(out), "--head", "0" * 16)
    short = refused("receipts", "verify", "--file", str(out), "--charter", ran.charter.digest[:4])
    assert short == f"--charter {ran.charter.digest[:4]} is too short to compare; give at least 16 digits"
    assert "--head 0 is too short" in refused("receipts", "verify", "--file", str(out), "--head", "0")
    assert "receipts list shows them) or --file" in refused("receipts", "verify")
    assert "not both" in refused("receipts", "verify", RUN, "--file", str(out))
    assert "there is no file" in refused("receipts", "verify", "--file", str(home / "none.json"))


def test_all_members_end_with_one_head(ran: EnrolledConsortium) -> None:
    heads = {
        json.loads(done("receipts", "verify", RUN, "--home", str(folder), "--json"))["head"]
        for folder in ran.homes.values()
    }
    assert len(heads) == 1


def _flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def edited_receipt(file: dict[str, Any]) -> None:
    file["documents"][0] = _flip(file["documents"][0])


def dropped_receipt(file: dict[str, Any]) -> None:
    del file["documents"][0]


def swapped_receipts(file: dict[str, Any]) -> None:
    file["documents"].reverse()


def cut_short(file: dict[str, Any]) -> None:
    file["documents"].clear()


def edited_opening(file: dict[str, Any]) -> None:
    file["openings"]["1"] = _flip(file["openings"]["1"])


def missing_opening(file: dict[str, Any]) -> None:
    del file["openings"]["1"]


def opening_of_another_setup(file: dict[str, Any]) -> None:
    file["openings"]["1"] = file["openings"]["2"]


def another_member(file: dict[str, Any]) -> None:
    file["member"] = "org-9"


def another_plan(file: dict[str, Any]) -> None:
    file["proposal"]["proposal"]["plan"]["seed"] += 1


def another_run(file: dict[str, Any]) -> None:
    file["proposal"]["proposal"]["run_id"] = "2f" * 16


def unsigned_charter(file: dict[str, Any]) -> None:
    del file["charters"][0]["signatures"]["org-2"]


def added_member(file: dict[str, Any]) -> None:
    file["charters"][0]["charter"]["members"][2]["identity_key"] = "ab" * 32


def unended_round(file: dict[str, Any]) -> None:
    file["confirmed"] = [1, 3]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (edited_receipt, "document 1 of 2"),
        (dropped_receipt, "document 1 of 1 .* does not continue the chain"),
        (swapped_receipts, "document 1 of 2 .* does not continue the chain"),
        (cut_short, "setup 2 .* goes on from round 1, whose document is missing"),
        (edited_opening, "the session of setup 1"),
        (missing_opening, "round 1 summed a vector of org-1, and the opening of its session is missing"),
        (opening_of_another_setup, "the session of setup 1"),
        (another_member, "does not name 'org-9'"),
        (another_plan, "not signed by the charter's coordinator key"),
        (another_run, "not signed by the charter's coordinator key"),
        (unsigned_charter, "org-2"),
        (added_member, "sign|charter"),
        (unended_round, "round 3 .* was confirmed here and has no receipt or abort"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_every_kind_of_damage_is_one_clear_line(
    home: Path, damage: Callable[[dict[str, Any]], None], said: str
) -> None:
    file = exported(home)
    damage(file)
    out = home / "damaged.json"
    out.write_bytes(canonical_json(file))
    result = CliRunner().invoke(app, ["receipts", "verify", "--file", str(out), "--json"])
    assert isinstance(result.exception, PeerError)
    assert result.exit_code != 0
    assert json.loads(result.stdout)["ok"] is False
    assert str(result.exception).startswith(f"{out} does not hold: ")
    with pytest.raises(PeerError, match=said) as problem:
        check_receipts(ReceiptFile.from_bytes(out.read_bytes()))
    assert "\n" not in str(problem.value)


def test_no_byte_of_a_document_or_opening_can_be_changed_unseen(home: Path) -> None:
    file = ReceiptFile.model_validate(exported(home))
    check_receipts(file)
    random = np.random.default_rng(5)
    for _ in range(40):
        parts = [*file.documents, *file.openings.values()]
        place = int(random.integers(len(parts)))
        data = bytearray(parts[place])
        data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        parts[place] = bytes(data)
        count = len(file.documents)
        openings = dict(zip(file.openings, parts[count:], strict=True))
        with pytest.raises(PeerError):
            check_receipts(file.model_copy(update={"documents": tuple(parts[:count]), "openings": openings}))


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "not JSON"), (b"{", "not JSON"), (b"[]", "other JSON"), (b"{}", ""), (b"\xff", "not JSON")],
)
def test_a_file_that_is_no_export_is_one_clear_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(data)
    line = refused("receipts", "verify", "--file", str(path))
    assert line.startswith(f"{path} is no export of receipts ({said}")
    assert line.endswith("); ask the member for it again")
    assert "ReceiptFile" not in line


def test_a_file_that_was_laid_out_anew_is_one_clear_line(home: Path) -> None:
    out = home / "pretty.json"
    out.write_text(json.dumps(exported(home), indent=2))
    assert "(not in canonical form: it was indented, sorted or edited since it was written)" in refused(
        "receipts", "verify", "--file", str(out)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"charge": b'{"mechanism":"gaussian"}'}, "names a charge that is none of the plan's"),
        ({"confirms": ()}, "0 members confirmed, 3 must"),
        ({"rho": bytes(32)}, "is for another view of the round"),
    ],
)
def test_what_the_coordinator_itself_forges_is_found(
    ran: EnrolledConsortium, home: Path, change: dict[str, Any], said: str
) -> None:
    file = ReceiptFile.model_validate(exported(home))
    receipt = Receipt.decode(open_envelope(file.documents[-1]))
    forged = dataclasses.replace(receipt, **change)
    key: Ed25519PrivateKey = ran.key
    signed = sign_envelope(MessageType.RECEIPT, COORDINATOR, forged.encode(), key, receipt.sid)
    with pytest.raises(PeerError, match=said):
        check_receipts(file.model_copy(update={"documents": (*file.documents[:-1], signed)}))


def test_records_damaged_in_the_store_are_found(home: Path) -> None:
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        database.execute("DELETE FROM receipt WHERE round = 1")
    assert "does not continue the chain" in refused("receipts", "verify", RUN, "--home", str(home))
    assert "does not continue the chain" in refused("receipts", "show", RUN, "--home", str(home))


def test_a_run_without_receipts_is_named(home: Path) -> None:
    assert "no run begins with 5a5a" in refused("receipts", "verify", "5a5a", "--home", str(home))


def test_a_cohort_is_listed_and_an_exception_stays_on_record(home: Path) -> None:
    folder = str(home)
    output = done("cohort", "list", "--home", folder)
    assert "counts/main/train" in output
    assert "org-1, org-2, org-3" in output
    unknown = refused("cohort", "allow", "nothing", "--reason", "x", "--home", folder)
    assert unknown.startswith("no cohort of family 'nothing' is in force here; these families are bound to one: ")
    assert "counts/main/train" in unknown
    no = CliRunner().invoke(app, ["cohort", "allow", "counts/main/train", "--reason", "x", "--home", folder], input="n")
    assert no.exit_code == 1
    assert "can be subtracted" in no.output
    assert "allowed" not in done("cohort", "list", "--home", folder)
    done("cohort", "allow", "counts/main/tr", "--reason", "board of 2026-11-20", "--yes", "--home", folder)
    records = json.loads(done("cohort", "list", "--json", "--home", folder))
    assert [kept["in_force"] for kept in records["cohorts"]] == [False]
    assert records["allowances"][0]["reason"] == "board of 2026-11-20"
    assert "met anew" in done("cohort", "trust", "org-2", "--reason", "restored a backup", "--home", folder)
    assert "org-2 was let back" in done("cohort", "list", "--home", folder)
    assert "never seen" in refused("cohort", "trust", "org-9", "--reason", "x", "--home", folder)


def test_no_name_of_a_family_is_cropped_on_a_narrow_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = f"updates/main/{'7c' * 16}"
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        database.execute("UPDATE cohort SET family = ?", (family,))
    monkeypatch.setenv("COLUMNS", "50")
    lines = done("cohort", "list", "--home", str(home)).splitlines()
    cells = [line.split("\N{BOX DRAWINGS LIGHT VERTICAL}")[1].strip() for line in lines if line.startswith("\u2502")]
    assert "".join(cells) == family
