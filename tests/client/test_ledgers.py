"""`headwater-org ledger`: a real run under a budget, shown, verified against its receipts, exported, read again."""

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console
from structlog.testing import capture_logs
from typer.testing import CliRunner

from headwater.agreement.charge import plan_events
from headwater.agreement.ledger import LedgerEntry, SignedLedger
from headwater.agreement.troubles import Trouble
from headwater.errors import HeadwaterError, InputError
from headwater.privacy.accountant import spent
from headwater.privacy.events import NoisyCounts, read_charge, write_charge
from headwater.secagg.protocol.events import RoundAborted, RoundClosed, RoundSummed
from headwater_client.budget import OwnLimit
from headwater_client.cli import app
from headwater_client.cli.ledger import print_totals
from headwater_client.connectors import ArrowSource
from headwater_client.ledgers import review_of
from headwater_client.membership import Membership
from headwater_client.participation import join_run
from headwater_client.store import Store
from headwater_client.transport.aggregation import Participation
from support.ledgers import OTHER_RUN, chained, charge_of_round
from support.offices import Office, approve_everywhere, close_all, sum_in_two_sessions
from support.organisations import RUN, EnrolledConsortium
from support.rpc import RpcCoordinator, shared_loop
from support.sessions import Desk

PRIVATE: dict[str, Any] = {
    "recipe": {"kind": "marginals"},
    "privacy": {"epsilon": 2.0, "most_rows": 1000, "retries": 1},
    "aggregation": {"on_membership_change": "continue", "setup_seconds": 10, "round_seconds": 20},
}
DELTA = 1e-6


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> EnrolledConsortium:
    """Three organisations after a run under a budget: its first sum, asked for in two sessions."""
    coordinator = RpcCoordinator(shared_loop())
    consortium = EnrolledConsortium(coordinator, tmp_path_factory.mktemp("members"))
    sum_in_two_sessions(consortium, approve_everywhere(consortium, **PRIVATE))
    consortium.close()
    coordinator.close()
    return consortium


@pytest.fixture
def home(ran: EnrolledConsortium, tmp_path: Path) -> Path:
    """A copy of org-1's folder, to be damaged."""
    copy, original = tmp_path / "org-1", ran.homes["org-1"]
    (copy / "keys").mkdir(parents=True, mode=0o700)
    keys = [f"keys/{each.name}" for each in (original / "keys").iterdir()]
    for name in ("settings.toml", "policy.toml", "ledger.head", *keys):
        (copy / name).touch(mode=0o600)
        (copy / name).write_bytes((original / name).read_bytes())
    with closing(sqlite3.connect(original / "state.db")) as source, closing(sqlite3.connect(copy / "state.db")) as db:
        source.backup(db)
    return copy


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def done(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["ledger", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["ledger", *arguments])
    assert isinstance(result.exception, HeadwaterError)
    assert result.exit_code == 1
    text = str(result.exception)
    assert "\n" not in text
    return text


def entries_of(home: Path) -> tuple[LedgerEntry, ...]:
    with closing(Store(home / "state.db")) as store:
        return store.ledger()


def set_limit(home: Path, epsilon: float) -> None:
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace("# maximum_epsilon = 3.0", f"maximum_epsilon = {epsilon}"))


def forge(home: Path, position: int, **changes: object) -> None:
    """Rewrite an entry and all behind it, head included, as somebody would who knows how digests are made."""
    entries, last = list(entries_of(home)), None
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        for entry in entries:
            changed = entry.model_copy(update=changes) if entry.position == position else entry
            changed = changed.model_copy(update={"previous": entry.previous if last is None else last.digest})
            database.execute(
                "UPDATE ledger SET document = ?, digest = ? WHERE position = ?",
                (changed.to_bytes(), changed.digest, changed.position),
            )
            last = changed
    assert last is not None
    (home / "ledger.head").write_text(json.dumps({"length": last.position, "digest": last.digest}))


def test_a_round_is_charged_as_its_receipt_says(ran: EnrolledConsortium, home: Path) -> None:
    output = done("verify", "--home", str(home))
    assert "the ledger holds: 2 entries, in one chain" in output
    assert "2 rounds took a vector of yours, each charged as the coordinator signed" in output
    assert entries_of(home)[-1].digest in output
    document = json.loads(done("verify", "--home", str(home), "--json"))
    assert (document["ok"], document["receipts"], document["entries"]) == (True, 2, 2)
    assert {entry.data_set for entry in entries_of(home)} == {"main"}
    assert [(entry.attempt, entry.round) for entry in entries_of(home)] == [(1, 1), (2, 2)]


def test_every_member_is_charged_alike(ran: EnrolledConsortium) -> None:
    charges = {tuple(entry.charge for entry in entries_of(folder)) for folder in ran.homes.values()}
    assert len(charges) == 1


def test_epsilon_replays_from_the_ledger_and_from_the_receipts(home: Path) -> None:
    shown = json.loads(done("show", "--home", str(home), "--json"))
    result = CliRunner().invoke(app, ["receipts", "verify", RUN, "--json", "--home", str(home)])
    charges = [each["charge"] for each in json.loads(result.stdout)["rounds"]]
    replayed = spent([NoisyCounts.from_document(charge) for charge in charges], DELTA).epsilon
    assert shown["runs"][0]["epsilon"] == shown["totals"][0]["epsilon"] == replayed > 0


def test_a_ledger_is_shown_run_by_run_with_its_limit_and_what_is_left(home: Path) -> None:
    output = done("show", "--home", str(home))
    assert RUN[:8] in output
    assert "for one record here, added or removed, over all runs together; no limit" in output
    assert "somebody with one record at each of the 3 members has ε = " in output
    set_limit(home, 3.0)
    total = json.loads(done("show", "--home", str(home), "--json"))["totals"][0]
    assert f"your limit is 3, of which {3 - total['epsilon']:.4g} is left" in done("show", "--home", str(home))
    assert total["epsilon_everywhere"] > 2 * total["epsilon"]


def test_a_total_for_one_record_says_that_it_is_for_no_person(home: Path, tmp_path: Path) -> None:
    said = "One record, not one person: who has k records here has k times this or more."
    assert said in done("show", "--home", str(home))
    done("export", "--out", str(tmp_path / "ledger.json"), "--home", str(home))
    assert said in done("verify", str(tmp_path / "ledger.json"))
    console = Console(width=200)
    with console.capture() as capture:
        print_totals(console, review_of(chained(charges=[charge_of_round(1, NoisyCounts(900, 2, 5))]), DELTA))
    assert "for a person with at most 5 records here" in capture.get()
    assert said not in capture.get()


def test_runs_without_privacy_are_called_so_and_bounded_by_no_number() -> None:
    none = write_charge(None).decode()
    review = review_of(chained(charges=[charge_of_round(1), charge_of_round(1, run_id=OTHER_RUN, charge=none)]), DELTA)
    assert [run.epsilon is None for run in review.runs] == [False, True]
    assert (review.totals[0].non_private, review.totals[0].records) == (1, 1)


def test_data_sets_count_together_unless_they_are_declared_disjoint() -> None:
    entries = chained(charges=[charge_of_round(1), charge_of_round(1, run_id=OTHER_RUN, data_set="registry")])
    (together,) = review_of(entries, DELTA).totals
    first, second = review_of(entries, DELTA, OwnLimit(disjoint_data_sets=True)).totals
    assert (together.data_sets, first.data_sets, second.data_sets) == (("main", "registry"), ("main",), ("registry",))
    assert together.epsilon > 1.3 * first.epsilon == 1.3 * second.epsilon


def test_the_smallest_group_of_all_runs_is_whom_the_total_covers() -> None:
    review = review_of(
        chained(charges=[charge_of_round(1, NoisyCounts(900, 2, 5)), charge_of_round(2, NoisyCounts(900, 2, 3))]), DELTA
    )
    assert review.totals[0].records == 3


def test_an_exported_ledger_is_verified_anywhere_and_replayed(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "ledger.json"
    assert "wrote 2 entries" in done("export", "--out", str(out), "--home", str(home))
    assert done("export", "--home", str(home)).strip() == out.read_text()
    assert "is there already" in refused("export", "--out", str(out), "--home", str(home))
    elsewhere = str(tmp_path / "nowhere")
    output = done("verify", str(out), "--home", elsewhere)
    assert "signed by org-1: compare this key with the charter" in output
    document = json.loads(done("verify", str(out), "--json", "--home", elsewhere))
    own = json.loads(done("show", "--home", str(home), "--json"))
    assert document["totals"][0]["epsilon"] == own["totals"][0]["epsilon"]
    assert document["member"] == "org-1"
    assert document["head"] == own["head"]


def cut_short(ledger: dict[str, list[object]]) -> None:
    ledger["entries"].pop()


def cheapened(ledger: dict[str, list[dict[str, str]]]) -> None:
    event = read_charge(ledger["entries"][0]["charge"].encode())
    assert isinstance(event, NoisyCounts)
    ledger["entries"][0]["charge"] = write_charge(NoisyCounts(event.variance * 2, event.tables)).decode()


def swapped(ledger: dict[str, list[object]]) -> None:
    ledger["entries"].reverse()


@pytest.mark.parametrize("damage", [cut_short, cheapened, swapped], ids=lambda damage: damage.__name__)
def test_an_exported_ledger_that_was_changed_does_not_hold(
    home: Path, tmp_path: Path, damage: Callable[[object], None]
) -> None:
    from headwater.canonical import canonical_json

    out = tmp_path / "ledger.json"
    done("export", "--out", str(out), "--home", str(home))
    document = json.loads(out.read_bytes())
    damage(document["ledger"])
    out.write_bytes(canonical_json(document))
    assert refused("verify", str(out)) == (
        f"{out} does not hold: it is not signed by the key that it names: it was edited, or cut short"
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"{}", "ledger: this entry is missing; write it (and 1 more)"),
        (b"[]", "other JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_what_is_no_export_is_one_clear_line(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(data)
    assert f"is no export of a ledger ({why}); ask the member for it again" in refused("verify", str(path))
    assert "there is no file" in refused("verify", str(tmp_path / "none.json"))


def test_an_export_that_was_indented_is_told_from_one_with_other_content(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    done("export", "--out", str(path), "--home", str(home))
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=2))
    assert refused("verify", str(path)) == (
        f"{path} is no export of a ledger (not in canonical form: it was indented, sorted or edited since it was "
        "written); ask the member for it again"
    )


def test_an_export_to_standard_output_is_verified_as_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(done("export", "--home", str(home)))
    assert "the ledger holds: 2 entries" in done("verify", str(path))


def test_a_charge_that_was_made_cheaper_with_all_digests_is_found_by_its_receipt(home: Path) -> None:
    event = read_charge(entries_of(home)[0].charge.encode())
    assert isinstance(event, NoisyCounts)
    forge(home, 1, charge=write_charge(NoisyCounts(event.variance * 2, event.tables)).decode())
    line = refused("verify", "--home", str(home))
    assert f"entry 1 of the ledger charges another task or cost than the receipt of round 1 of run {RUN}" in line
    assert (
        json.loads(CliRunner().invoke(app, ["ledger", "verify", "--json", "--home", str(home)]).stdout)["ok"] is False
    )


def test_an_entry_that_was_taken_out_with_all_digests_is_missed_by_the_count_of_records(home: Path) -> None:
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        database.execute("DELETE FROM ledger WHERE position = 2")
        digest = str(database.execute("SELECT digest FROM ledger WHERE position = 1").fetchone()[0])
    (home / "ledger.head").write_text(json.dumps({"length": 1, "digest": digest}))
    assert "has 1 entries, and its file counted at least 2" in refused("verify", "--home", str(home))


def test_an_entry_that_was_made_another_round_s_with_all_digests_is_missed_by_its_receipt(home: Path) -> None:
    forge(home, 2, round=9)
    assert f"round 2 of run {RUN} took a vector of this organisation, and its ledger has no charge" in refused(
        "verify", "--home", str(home)
    )


@pytest.mark.parametrize("command", ["show", "verify", "export"])
def test_a_ledger_that_was_cut_short_is_neither_shown_nor_handed_out(home: Path, command: str) -> None:
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        database.execute("DELETE FROM ledger WHERE position = 2")
    assert "has 1 entries and had 2: it was cut short or set back" in refused(command, "--home", str(home))


def test_status_tells_whether_the_ledger_holds(home: Path) -> None:
    def status(folder: Path) -> str:
        result = CliRunner().invoke(app, ["status", "--home", str(folder)])
        assert result.exception is None, result.exception
        return " ".join(result.output.split())

    assert "ledger 2 entries" in status(home)
    with closing(sqlite3.connect(home / "state.db", isolation_level=None)) as database:
        database.execute("DELETE FROM ledger WHERE position = 2")
    assert "ledger no part in any run: " in status(home)
    assert "it was cut short or set back" in status(home)


def test_an_empty_ledger_is_shown_and_handed_out_as_such(consortium: EnrolledConsortium) -> None:
    folder = str(consortium.homes["org-1"])
    assert done("show", "--home", folder) == "Nothing was charged yet.\n"
    assert "0 entries" in done("verify", "--home", folder)
    assert SignedLedger.from_bytes(done("export", "--home", folder).strip().encode()).ledger.entries == ()


def no_session(*arguments: object) -> Participation:
    pytest.fail("a session began")


def test_a_run_beyond_the_own_limit_is_not_approved_and_does_not_start(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    plan = consortium.propose(**PRIVATE)
    organisation, folder = consortium.organisations["org-1"], consortium.homes["org-1"]
    for each in consortium.organisations.values():
        each.charter_in_force()
    organisation.approve(RUN, plan.digest)
    set_limit(folder, 1.0)
    with pytest.raises(InputError, match=r"policy.toml forbids this plan: the plan would come to ε = .* limit is 1 "):
        organisation.approve(RUN, plan.digest)
    (problem,) = organisation.plan(RUN).policy.problems
    assert problem.startswith("the plan would come to ε = ")
    membership, told = Membership.open(folder), list[Trouble]()
    try:
        with capture_logs() as logs:
            # Refused before any row is read.
            source = ArrowSource(pa.table({}))
            assert join_run(membership, source, no_session, RUN, threading.Event(), told.append) == "refused"
    finally:
        membership.store.close()
    assert logs[-1]["reasons"] == [problem]
    assert told == [Trouble.LIMIT_REACHED]


def test_a_limit_that_other_runs_used_up_meanwhile_ends_a_run_in_one_line(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium, **PRIVATE)
    desk, folder = Desk(consortium, plan), consortium.homes["org-1"]
    # The run alone is within it; with one round of another it is not.
    set_limit(folder, spent(plan_events(plan), DELTA).epsilon * 1.001)

    def another_run_charges(event: object) -> None:
        # What a run beside this one does between the start and the first round.
        with closing(Store(folder / "state.db")) as store:
            for number, each in enumerate(plan_events(plan), 1):
                charge = charge_of_round(number, each, run_id=OTHER_RUN)
                store.charge(charge, lambda entries: None)

    told = list[Trouble]()
    offices = [Office(home) for member, home in consortium.homes.items() if member != "org-1"]
    office = Office(folder, on_progress=another_run_charges, report=told.append)
    try:
        with capture_logs() as logs:
            desk.sum(1)
            assert office.join() == "refused"
        desk.end()
    finally:
        for each in offices:
            each.stop.set()
            each.join()
    (reason,) = next(entry["reasons"] for entry in logs if entry["event"] == "run_refused")
    assert f"run {RUN} would take the ledger of all data sets together to ε = " in reason
    assert "nothing was charged" in reason
    assert told == [Trouble.LIMIT_REACHED]
    assert {entry.run_id for entry in entries_of(folder)} == {OTHER_RUN}


def test_below_the_threshold_each_ledger_holds_what_it_was_asked_for_and_no_more(
    consortium: EnrolledConsortium,
) -> None:
    plan = approve_everywhere(consortium, **PRIVATE)
    desk, folders = Desk(consortium, plan), consortium.homes
    (first, *_), leaver = plan_events(plan), folders["org-3"]
    set_limit(leaver, spent(plan_events(plan), DELTA).epsilon * 1.001)

    def leave_after_the_first_sum(event: object) -> None:
        if isinstance(event, RoundClosed):
            # Another run uses up its limit, so that it takes no part in the second.
            with closing(Store(leaver / "state.db")) as store:
                for number, each in enumerate(plan_events(plan), 1):
                    store.charge(charge_of_round(number, each, run_id=OTHER_RUN), lambda entries: None)

    offices = [Office(home) for member, home in folders.items() if member != "org-3"]
    offices.append(Office(leaver, on_progress=leave_after_the_first_sum))
    try:
        assert isinstance(desk.sum(1), RoundSummed)
        ended = desk.sum(2)
        assert isinstance(ended, RoundAborted)
        assert ended.reason == "org-3 refused: its part broke off; its own log says why"
        desk.end()
    finally:
        close_all(offices)
    charged = {name: [e for e in entries_of(folder) if e.run_id == RUN] for name, folder in folders.items()}
    # The first sum at each; the second at those who were asked before it came to nothing, and it stays charged.
    assert {name: [entry.attempt for entry in found] for name, found in charged.items()} == {
        "org-1": [1, 2],
        "org-2": [1, 2],
        "org-3": [1],
    }
    assert {entry.event for found in charged.values() for entry in found} == {first}
    for folder in folders.values():
        assert "the ledger holds" in done("verify", "--home", str(folder))
