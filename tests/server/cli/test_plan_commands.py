"""`headwater-coordinator plan`: the choice that has no default, asked for and explained."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater_server.authority import Authority
from headwater_server.cli import app
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import RunState, SqlStorage
from support.consortium import SMALL_SCHEMA, ConsortiumInMemory


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("NO_COLOR", "1")
    file = tmp_path / "schema.toml"
    file.write_text(SMALL_SCHEMA.to_toml(), encoding="utf-8")
    return file


def draft(schema: Path, *more: str, typed: str | None = None) -> Result:
    out = schema.parent / "plan.toml"
    return CliRunner().invoke(app, ["plan", "draft", "--schema", str(schema), "--out", str(out), *more], input=typed)


@pytest.mark.parametrize("choice", ["strict", "continue"])
def test_the_choice_stands_in_the_plan_under_a_comment_that_explains_both(schema: Path, choice: str) -> None:
    assert draft(schema, "--on-membership-change", choice).exception is None
    text = (schema.parent / "plan.toml").read_text(encoding="utf-8")
    assert Plan.from_toml(text).aggregation.on_membership_change == choice
    comment = text[: text.index("on_membership_change = ")].rsplit("\n\n", 1)[-1]
    assert "# strict: each organisation keeps a record" in comment
    assert "# continue: the run goes on" in comment


def test_without_the_option_a_person_is_asked_and_told_what_each_means(schema: Path) -> None:
    asked = draft(schema, typed="strict\n")
    assert asked.exception is None
    assert "refuses a sum over others" in asked.output
    assert "no protection against differencing" in asked.output
    plan = Plan.from_toml((schema.parent / "plan.toml").read_text(encoding="utf-8"))
    assert plan.aggregation.on_membership_change == "strict"


@pytest.mark.parametrize("typed", ["", "lenient\n"])
def test_no_answer_writes_no_plan(schema: Path, typed: str) -> None:
    result = draft(schema, typed=typed)
    assert isinstance(result.exception, InputError)
    assert not (schema.parent / "plan.toml").exists()


def test_check_says_what_the_choice_protects(schema: Path) -> None:
    plan = str(schema.parent / "plan.toml")
    draft(schema, "--on-membership-change", "strict")
    strict = CliRunner().invoke(app, ["plan", "check", plan]).output
    assert "one cohort: sums over different sets of organisations cannot be subtracted" in strict
    assert "no protection against differencing" not in strict
    draft(schema, "--on-membership-change", "continue", "--force")
    assert "no protection against differencing" in CliRunner().invoke(app, ["plan", "check", plan]).output


def test_the_same_plan_proposed_twice_warns_and_still_proposes(schema: Path) -> None:
    home = CoordinatorHome(schema.parent / "coordinator")
    authority = Authority.create("Test consortium", datetime.now(UTC))
    home.create(
        CoordinatorSettings(consortium="Test consortium"),
        authority,
        authority.issue_server("coordinator", ["127.0.0.1"], datetime.now(UTC)),
    )
    consortium = ConsortiumInMemory(coordinator_key=home.charter_key())
    storage = SqlStorage(home.database_url(home.settings()))
    storage.add_charter(consortium.signed_charter(without=tuple(consortium.keys)))
    charter = consortium.charter()
    for member, key in consortium.keys.items():
        storage.add_charter_signature(charter.digest, member, charter.signed_by(key))
    draft(schema, "--on-membership-change", "strict")
    plan, place = str(schema.parent / "plan.toml"), str(home.folder)
    first = CliRunner().invoke(app, ["plan", "propose", plan, "--home", place])
    assert first.exception is None
    assert "warning" not in first.stderr
    run_id = first.stdout.splitlines()[-1]
    second = CliRunner().invoke(app, ["plan", "propose", plan, "--home", place])
    assert second.exception is None
    assert f"this very plan is proposed already as run {run_id} (proposed)" in second.stderr
    assert len(storage.runs()) == 2
    # One that is over warns of nothing.
    for record in storage.runs():
        storage.move_run(record.run_id, RunState.STOPPED)
    assert "warning" not in CliRunner().invoke(app, ["plan", "propose", plan, "--home", place]).stderr
    # One rule for both command lines: four digits at least name a run.
    assert "is no run id" in str(CliRunner().invoke(app, ["run", "status", run_id[:3], "--home", place]).exception)
    assert run_id in CliRunner().invoke(app, ["run", "status", run_id[:12], "--home", place]).output
    storage.close()
