"""`headwater-coordinator plan`: the choice that has no default, asked for and explained."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.recipe.settings import RecipeSettings
from headwater_server.cli import app
from headwater_server.storage import RunState, SqlStorage
from support.consortium import SMALL_SCHEMA
from support.coordinator_home import home_with_charter
from support.pictures import PICTURES


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


def drafted(schema: Path, *more: str) -> Plan:
    result = draft(schema, "--on-membership-change", "strict", *more)
    assert result.exception is None, result.output
    return Plan.from_toml((schema.parent / "plan.toml").read_text(encoding="utf-8"))


def test_what_is_not_named_stands_at_its_default(schema: Path) -> None:
    assert drafted(schema).recipe == RecipeSettings()


def test_policy_follows_the_budget_unless_it_is_named(schema: Path) -> None:
    def policy(*more: str) -> str:
        audit = drafted(schema, "--force", *more).audit
        return audit if audit == "none" else audit.policy

    assert policy() == "non-private"
    assert policy("--epsilon", "1") == "standard"
    assert policy("--policy", "demo") == "demo"
    assert policy("--policy", "none") == "none"
    text = (schema.parent / "plan.toml").read_text(encoding="utf-8")
    assert "before they are released" in text[: text.index('audit = "none"')]
    refused = draft(schema, "--on-membership-change", "strict", "--force", "--policy", "No Such")
    assert isinstance(refused.exception, InputError)
    assert "say standard, strict" in str(refused.exception)


def test_plan_check_says_what_will_be_audited(schema: Path) -> None:
    drafted(schema)
    shown = CliRunner().invoke(app, ["plan", "check", str(schema.parent / "plan.toml")]).output
    assert "audit: policy non-private: when the generator is done" in shown


def test_rounds_are_those_of_the_recipe_that_trains(schema: Path) -> None:
    assert drafted(schema, "--rounds", "2").recipe == RecipeSettings(rounds=2)
    recipe = drafted(schema, "--rounds", "2", "--recipe", "adversarial", "--force").recipe
    assert recipe.training_rounds == recipe.adversarial.rounds == 2


def test_rounds_on_pictures_are_those_of_the_network_that_is_trained_on_them(schema: Path) -> None:
    schema.write_text(PICTURES.to_toml(), encoding="utf-8")
    plan = drafted(schema, "--rounds", "2", "--recipe", "adversarial")
    assert plan.recipe.images.convolution.rounds == 2
    checked = CliRunner().invoke(app, ["plan", "check", str(schema.parent / "plan.toml")]).output
    assert "recipe adversarial, 2 rounds of training, at most 9 sums" in checked
    none = draft(schema, "--on-membership-change", "strict", "--rounds", "0", "--recipe", "adversarial", "--force")
    assert "at least 1 round" in str(none.exception)


@pytest.mark.parametrize("kind", ["mixture", "marginals"])
def test_rounds_of_a_recipe_that_trains_nothing_are_refused(schema: Path, kind: str) -> None:
    result = draft(schema, "--on-membership-change", "strict", "--recipe", kind, "--rounds", "3")
    assert f"the recipe {kind} has no rounds of training, 3 were asked for" in str(result.exception)
    assert drafted(schema, "--recipe", kind, "--rounds", "0").recipe.kind == kind


@pytest.mark.parametrize(
    ("name", "plan"), [("Größe & Alter", "gr-e-alter"), ("日本", "plan"), ("my_table.v2", "my_table.v2")]
)
def test_a_schema_of_any_name_makes_a_plan(schema: Path, name: str, plan: str) -> None:
    schema.write_text(SMALL_SCHEMA.model_copy(update={"name": name}).to_toml(), encoding="utf-8")
    assert drafted(schema).name == plan


@pytest.mark.parametrize("command", ["draft", "check"])
def test_a_file_that_is_no_text_is_one_clear_line(schema: Path, command: str) -> None:
    schema.write_bytes(b"\xff\xfe\x00")
    given = ["--schema", str(schema), "--on-membership-change", "strict"] if command == "draft" else [str(schema)]
    result = CliRunner().invoke(app, ["plan", command, *given])
    assert isinstance(result.exception, InputError)
    assert "is not UTF-8 text" in str(result.exception)


def test_brackets_in_a_column_s_name_are_no_markup(schema: Path) -> None:
    columns = tuple(
        column.model_copy(update={"name": "back [/days]"} if column.role == "target" else {})
        for column in SMALL_SCHEMA.columns
    )
    schema.write_text(SMALL_SCHEMA.model_copy(update={"columns": columns}).to_toml(), encoding="utf-8")
    drafted(schema)
    shown = CliRunner().invoke(app, ["plan", "check", str(schema.parent / "plan.toml")])
    assert "target back [/days]" in shown.output


def test_a_consortium_s_name_is_no_markup(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["init", "--name", "Rivers [/north]", "--home", str(tmp_path / "home")])
    assert made.exception is None
    assert "Made the coordinator of Rivers [/north]" in " ".join(made.output.split())


def test_a_seed_that_no_plan_can_hold_is_wrong_usage(schema: Path) -> None:
    assert draft(schema, "--on-membership-change", "strict", "--seed", str(2**53)).exit_code == 2


def test_a_plan_may_name_its_schema_file_wherever_it_is_read(schema: Path) -> None:
    whole = drafted(schema)
    file = schema.parent / "plan.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text('schema = "schema.toml"\n' + text[: text.index("[schema]")], encoding="utf-8")
    checked = CliRunner().invoke(app, ["plan", "check", str(file)])
    assert f"plan {whole.digest}" in checked.output


@pytest.mark.parametrize("command", ["check", "propose"])
def test_guesses_left_keep_a_plan_back_until_they_are_deleted_as_it_says(schema: Path, command: str) -> None:
    columns = tuple(column.model_copy(update={"unconfirmed": ("kind",)}) for column in SMALL_SCHEMA.columns)
    schema.write_text(SMALL_SCHEMA.model_copy(update={"columns": columns}).to_toml(), encoding="utf-8")
    drafted(schema)
    file = schema.parent / "plan.toml"
    refused = CliRunner().invoke(app, ["plan", command, str(file)]).exception
    assert isinstance(refused, InputError)
    assert f"{len(columns)} guesses of the schema are not confirmed" in str(refused)
    assert str(refused).endswith("check each in the plan's schema, then delete its entry in the column's `unconfirmed`")
    file.write_text(file.read_text(encoding="utf-8").replace('unconfirmed = ["kind"]', "unconfirmed = []"))
    assert "It can be proposed." in CliRunner().invoke(app, ["plan", "check", str(file)]).output


def test_check_says_what_the_choice_protects(schema: Path) -> None:
    plan = str(schema.parent / "plan.toml")
    draft(schema, "--on-membership-change", "strict")
    strict = CliRunner().invoke(app, ["plan", "check", plan]).output
    assert "one cohort: sums over different sets of organisations cannot be subtracted" in strict
    assert "no protection against differencing" not in strict
    draft(schema, "--on-membership-change", "continue", "--force")
    assert "no protection against differencing" in CliRunner().invoke(app, ["plan", "check", plan]).output


def test_the_same_plan_proposed_twice_warns_and_still_proposes(schema: Path) -> None:
    home = home_with_charter(schema.parent / "coordinator")
    storage = SqlStorage(home.database_url(home.settings()))
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
