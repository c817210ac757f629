"""`headwater-org` as people use it: what is shown, what is asked, how it fails."""

import dataclasses
import inspect
import json
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from headwater.errors import HeadwaterError, InputError, OutOfOrder
from headwater_client.cli import app
from headwater_client.cli.log import configure_log
from headwater_client.cli.text import shown
from support.consortium import SMALL_SCHEMA
from support.organisations import RUN, EnrolledConsortium


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("NO_COLOR", "1")


def invoke(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


def done(*arguments: str, typed: str | None = None) -> str:
    result = invoke(*arguments, typed=typed)
    if result.exception is not None:
        raise result.exception
    return result.output


def failed(*arguments: str, typed: str | None = None) -> HeadwaterError:
    """The error that `main` turns into one line."""
    result = invoke(*arguments, typed=typed)
    assert isinstance(result.exception, HeadwaterError)
    return result.exception


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(group: typer.Typer, path: tuple[str, ...]) -> None:
        for command in group.registered_commands:
            assert command.callback is not None
            found.append((*path, command.name or command.callback.__name__))
        for inner in group.registered_groups:
            assert inner.typer_instance is not None
            walk(inner.typer_instance, (*path, str(inner.name)))

    walk(app, ())
    return found


def test_the_commands_are_the_documented_ones() -> None:
    assert sorted(" ".join(path) for path in every_command()) == [
        "charter accept",
        "charter show",
        "check",
        "cohort allow",
        "cohort list",
        "cohort trust",
        "datasets download",
        "datasets list",
        "datasets show",
        "enroll",
        "ledger check",
        "ledger export",
        "ledger show",
        "ledger verify",
        "plan approve",
        "plan list",
        "plan refuse",
        "plan show",
        "receipts export",
        "receipts list",
        "receipts show",
        "receipts verify",
        "release approve",
        "release list",
        "release open-canaries",
        "release refuse",
        "release review",
        "release waive",
        "release waivers",
        "serve",
        "status",
    ]


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_reads_like_a_manual_and_has_an_example(command: tuple[str, ...]) -> None:
    text = done(*command, "--help")
    assert f"Example:  headwater-org {' '.join(command)}" in " ".join(text.split("\n"))
    assert "HEADWATER_ORG_HOME" in text


@pytest.mark.parametrize("group", sorted({path[0] for path in every_command() if len(path) > 1}))
def test_every_group_of_commands_has_an_example(group: str) -> None:
    assert f"Example:  headwater-org {group} " in done(group, "--help")


def test_enrolling_shows_the_key_and_the_next_step(consortium: EnrolledConsortium, tmp_path: Path) -> None:
    token = consortium.coordinator.invite("org-4", name="Fourth").to_token()
    output = done("enroll", token, "--home", str(tmp_path / "fourth"))
    assert "Enrolled as org-4" in output
    assert "charter show" in output
    assert stat.S_IMODE((tmp_path / "fourth").stat().st_mode) == 0o700


def test_the_charter_is_shown_with_keys_in_groups_and_advice(consortium: EnrolledConsortium) -> None:
    output = done("charter", "show", "--home", str(consortium.homes["org-1"]))
    digest = consortium.charter.digest
    assert " ".join(digest[start : start + 4] for start in range(0, 64, 4)) in output
    assert "org-1 (you)" in output
    assert "by a channel that the coordinator does not run" in output
    assert "0 of 3 members have signed" in output


def test_accepting_asks_for_the_digest_as_another_member_read_it(consortium: EnrolledConsortium) -> None:
    home = str(consortium.homes["org-1"])
    assert isinstance(failed("charter", "accept", "--home", home, typed="0000000000000000\n"), InputError)
    assert "nothing was accepted" in str(failed("charter", "accept", "--home", home, typed=""))
    output = done("charter", "accept", "--home", home, typed=f"{consortium.charter.digest[:16]}\n")
    assert "Accepted charter" in output
    assert "You have accepted" in done("charter", "show", "--home", home)


def test_a_plan_is_read_and_decided(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    home = str(consortium.homes["org-1"])
    assert "No run has been proposed" in done("plan", "list", "--home", home)
    plan = consortium.propose()
    output = done("plan", "show", RUN, "--home", home)
    assert "privacy" in output
    assert "none — this run is NOT DIFFERENTIALLY PRIVATE" in output
    assert "no protection against differencing" in output
    assert "whole number from 0 to 120" in output
    assert f"plan approve {RUN} --digest {plan.digest[:16]}" in output
    assert "Approved run" in done("plan", "approve", RUN, "--digest", plan.digest, "--home", home)
    assert "approve" in done("plan", "list", "--home", home)
    assert "Refused run" in done("plan", "refuse", RUN[:8], "--reason", "changed our mind", "--home", home)
    assert "Your decision so far: refuse" in done("plan", "show", RUN, "--home", home)


def test_runs_are_readable_in_80_columns_and_count_sums(
    consortium: EnrolledConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    consortium.accept()
    consortium.propose(name="a-plan-of-many-words-for-visits")
    record = consortium.coordinator.store.records[RUN]
    detail = "waits for org-2, which was invited and has not come since the morning of the day before yesterday"
    consortium.coordinator.store.records[RUN] = dataclasses.replace(record, detail=detail, rounds_done=3)
    monkeypatch.setenv("COLUMNS", "80")
    table, _, below = done("plan", "list", "--home", str(consortium.homes["org-1"])).rpartition(RUN[:12])
    assert all(len(line) <= 80 for line in table.splitlines())
    assert RUN[:12] in table
    assert f"3 of {record.rounds_planned}" in table
    assert "sums" in table
    assert "rounds" not in table
    assert detail in below


def test_a_forbidden_plan_is_shown_with_every_reason(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    file = consortium.homes["org-1"] / "policy.toml"
    file.write_text(file.read_text().replace("maximum_rounds = 120", "maximum_rounds = 1"))
    output = done("plan", "show", RUN, "--home", str(consortium.homes["org-1"]))
    assert "policy.toml forbids it" in output
    assert "To agree" not in output


def write_rows(file: Path, **columns: list[object]) -> None:
    pyarrow.csv.write_csv(pa.table(columns), file)


def test_check_shows_problems_by_column_without_values(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(SMALL_SCHEMA.to_toml())
    write_rows(tmp_path / "rows.csv", age=[31, 777], ward=["north", "attic"], returned=["yes", "no"])
    result = invoke("check", "--data", str(tmp_path / "rows.csv"), "--schema", str(tmp_path / "schema.toml"))
    assert isinstance(result.exception, InputError)
    assert "age" in result.output
    assert "ward" in result.output
    words = " ".join(result.output.replace("│", " ").split())
    assert "1 value is in none of the 2 categories; mend them or add them (line 3)" in words
    assert "777" not in result.output
    assert "attic" not in result.output


def test_check_passes_good_rows_without_an_enrolment(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(SMALL_SCHEMA.to_toml())
    write_rows(tmp_path / "rows.csv", age=[31], ward=["north"], returned=["yes"])
    output = done("check", "--data", str(tmp_path / "rows.csv"), "--schema", str(tmp_path / "schema.toml"))
    assert "holds to the schema" in output


def test_check_takes_the_schema_of_the_run(consortium: EnrolledConsortium, tmp_path: Path) -> None:
    consortium.accept()
    consortium.propose()
    write_rows(tmp_path / "rows.csv", age=[31], ward=["north"], returned=["yes"])
    home = str(consortium.homes["org-1"])
    assert "holds" in done("check", "--data", str(tmp_path / "rows.csv"), "--run", RUN[:8], "--home", home)


def test_status_shows_how_things_stand(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.propose()
    output = done("status", "--home", str(consortium.homes["org-1"]))
    for part in ("ORG-1 (org-1)", "good until", "not serving", "reachable", RUN[:12], "none yet"):
        assert part in output


def test_serving_without_a_charter_is_one_line(consortium: EnrolledConsortium, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", age=[31])
    home = str(consortium.homes["org-1"])
    assert isinstance(failed("serve", "--data", str(tmp_path / "rows.csv"), "--home", home), OutOfOrder)


def test_serving_with_a_column_of_persons_that_is_not_there_is_one_line_at_the_start(
    consortium: EnrolledConsortium, tmp_path: Path
) -> None:
    consortium.accept()
    write_rows(tmp_path / "rows.csv", age=[31])
    home = str(consortium.homes["org-1"])
    error = failed("serve", "--data", str(tmp_path / "rows.csv"), "--entity", "nosuch", "--home", home)
    assert "the rows have no column 'nosuch' to tell persons apart by" in str(error)


def test_names_from_others_neither_colour_nor_move_the_terminal() -> None:
    assert shown("[red]Good[/red]\x1b[2J\nnext") == "\\[red]Good\\[/red]\ufffd[2J\ufffdnext"


def test_logs_are_lines_of_json_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    try:
        configure_log("json")
        structlog.get_logger().info("run_joined", run=RUN)
        structlog.get_logger().debug("nothing")
        [line] = capsys.readouterr().err.splitlines()
    finally:
        structlog.reset_defaults()
    assert {"event": "run_joined", "run": RUN, "level": "info"}.items() <= json.loads(line).items()
    with pytest.raises(InputError, match="text or json"):
        configure_log("xml")


@pytest.mark.parametrize("arguments", [["status"], ["plan", "list"], ["charter", "show"], ["enroll", "garbage"]])
def test_the_command_fails_with_one_line_and_no_traceback(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from headwater_client.cli import main; main()", *arguments, "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, headwater_client, headwater_client.cli; "
        "print([name for name in ('torch', 'flwr', 'grpc', 'pandas', 'structlog') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_the_api_is_exported_lazily() -> None:
    import headwater_client
    from headwater_client import organisation

    assert headwater_client.Organisation is organisation.Organisation
    assert inspect.isclass(headwater_client.Organisation)
    with pytest.raises(AttributeError):
        _ = headwater_client.Nothing
