"""The options of a privacy budget: what they make of a plan, and what they refuse in one line, writing nothing."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.recipe.settings import SplitShares
from headwater_server.cli import app
from support.consortium import SMALL_SCHEMA
from support.pictures import PICTURES


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    file = tmp_path / "schema.toml"
    file.write_text(SMALL_SCHEMA.to_toml(), encoding="utf-8")
    return file


def draft(schema: Path, *more: str) -> Result:
    given = ["--schema", str(schema), "--on-membership-change", "strict", "--out", str(schema.parent / "plan.toml")]
    return CliRunner().invoke(app, ["plan", "draft", *given, *more])


def drafted(schema: Path, *more: str) -> Plan:
    result = draft(schema, *more)
    assert result.exception is None, result.exception
    return Plan.from_toml((schema.parent / "plan.toml").read_text(encoding="utf-8"))


def test_epsilon_alone_makes_a_plan_with_a_budget_and_a_recipe_that_has_a_private_form(schema: Path) -> None:
    plan = drafted(schema, "--epsilon", "3")
    assert plan.privacy == Budget(epsilon=3.0)
    assert plan.recipe.kind == "marginals"
    # No row validates anything under a budget.
    assert plan.splits == SplitShares(train=0.95, validation=0.0, audit=0.05)


def test_a_weak_epsilon_is_said_when_it_is_drafted(schema: Path) -> None:
    assert "WEAK" not in draft(schema, "--epsilon", "10").output
    (schema.parent / "plan.toml").unlink()
    assert "WEAK: ε is above 10: whether a unit's records" in draft(schema, "--epsilon", "10.5").output


def test_every_part_of_a_budget_has_its_option(schema: Path) -> None:
    more = ("--delta", "1e-7", "--unit", "entity", "--records", "4", "--most-rows", "5000", "--mode", "local")
    assert drafted(schema, "--epsilon", "0.5", *more).privacy == Budget(
        epsilon=0.5, delta=1e-7, unit="entity", records=4, most_rows=5000, mode="local"
    )


def test_every_entry_of_a_drafted_budget_is_explained(schema: Path) -> None:
    drafted(schema, "--epsilon", "3")
    text = (schema.parent / "plan.toml").read_text(encoding="utf-8")
    assert "the true rows, in a plan or in `release --rows`" in text[: text.index("\nrows = 0\n")].splitlines()[-1]
    block = text[text.index("[privacy]") : text.index("[splits]")]
    for name in Budget.model_fields:
        above = block[: block.index(f"\n{name} = ")].splitlines()[-1]
        # The number of records is told beside the unit that has them.
        assert above.startswith("# ") or name == "records", name


def test_a_plan_without_a_budget_says_what_it_is(schema: Path) -> None:
    assert drafted(schema).privacy == "none"
    text = (schema.parent / "plan.toml").read_text(encoding="utf-8")
    assert "NOT DIFFERENTIALLY PRIVATE" in text[: text.index('privacy = "none"')]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--epsilon", "0"], "--epsilon is 0, expected a number above 0 and at most 20"),
        (["--epsilon", "-1"], "--epsilon is -1, expected"),
        (["--epsilon", "20.5"], "--epsilon is 20.5, expected"),
        (["--epsilon", "nan"], "--epsilon is nan, expected"),
        (["--epsilon", "inf"], "--epsilon is inf, expected"),
        (["--epsilon", "1e-300"], "asks for noise of"),
        (["--epsilon", "1", "--delta", "1e-5"], "δ is 1e-05 and must be below 1 / most_rows"),
        (["--epsilon", "1", "--delta", "0"], "--delta: δ is 0, expected a number from 1e-12 to 0.001"),
        (["--epsilon", "1", "--delta", "0.1"], "--delta: δ is 0.1, expected a number from 1e-12 to 0.001"),
        (["--epsilon", "1", "--delta", "nan"], "--delta: Input should be a finite number"),
        (["--epsilon", "1", "--most-rows", "1000000"], "δ is 1e-06 and must be below 1 / most_rows"),
        (["--epsilon", "1", "--records", "4"], 'say unit = "entity"'),
        (["--epsilon", "1", "--unit", "entity"], "--unit entity protects a person with all of at most --records"),
        (["--delta", "1e-7"], "--delta belongs to a privacy budget; say --epsilon too"),
        (["--most-rows", "5000"], "--most-rows belongs to a privacy budget; say --epsilon too"),
        (["--mode", "local"], "--mode belongs to a privacy budget; say --epsilon too"),
        (["--epsilon", "1", "--recipe", "adversarial"], "the recipe adversarial has no form under a privacy budget;"),
        (["--epsilon", "1", "--recipe", "hybrid", "--rounds", "1"], "takes 2 to 900 steps, 1 were asked for"),
        (["--epsilon", "1", "--recipe", "mixture"], "the recipe mixture has no form under a privacy budget; choose"),
        (["--epsilon", "1", "--rounds", "3"], "the recipe marginals has no rounds of training"),
    ],
)
def test_no_such_budget_is_one_clear_line_and_no_plan(schema: Path, given: list[str], said: str) -> None:
    result = draft(schema, *given)
    assert isinstance(result.exception, InputError), result.exception
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (schema.parent / "plan.toml").exists()


def test_pictures_have_no_plan_under_a_budget(schema: Path) -> None:
    schema.write_text(PICTURES.to_toml(), encoding="utf-8")
    result = draft(schema, "--epsilon", "1")
    assert isinstance(result.exception, InputError)
    assert "no recipe for pictures has a form under a privacy budget" in str(result.exception)


@pytest.mark.parametrize("command", ["check", "explain", "propose"])
def test_a_plan_whose_delta_is_nonsense_is_refused_wherever_it_is_read(schema: Path, command: str) -> None:
    drafted(schema, "--epsilon", "1")
    file = schema.parent / "plan.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("delta = 1e-06", "delta = 0.0005"), encoding="utf-8")
    result = CliRunner().invoke(app, ["plan", command, str(file)])
    assert isinstance(result.exception, InputError)
    assert "δ is 0.0005 and must be below 1 / most_rows" in str(result.exception)


def test_a_draft_that_was_told_no_bound_on_the_rows_says_that_it_is_to_be_decided(schema: Path) -> None:
    assert "most_rows is 100,000 since nobody said how many rows there may be" in draft(schema, "--epsilon", "3").output
    for more in (["--epsilon", "3", "--most-rows", "5000"], []):
        assert "most_rows" not in draft(schema, *more, "--force").output


def test_a_budget_in_a_file_without_a_bound_on_the_rows_is_one_clear_line(schema: Path) -> None:
    drafted(schema, "--epsilon", "3")
    plan = schema.parent / "plan.toml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("most_rows = 100000\n", ""), encoding="utf-8")
    for command in ("check", "explain", "propose"):
        said = str(CliRunner().invoke(app, ["plan", command, str(plan)]).exception)
        assert said.startswith("the plan's [privacy] has no most_rows: say the public upper bound")
        assert "\n" not in said


def test_drafts_and_their_price_name_the_guesses_that_nobody_confirmed(schema: Path) -> None:
    guessed = [column.model_copy(update={"unconfirmed": ("kind",)}) for column in SMALL_SCHEMA.columns]
    contract = SMALL_SCHEMA.model_copy(update={"columns": tuple(guessed)})
    said = "It cannot be proposed yet: 3 guesses of the schema are not confirmed (columns age, returned, ward); check"
    plan = str(schema.parent / "plan.toml")
    assert "cannot be proposed" not in draft(schema, "--epsilon", "3").output
    assert "cannot be proposed" not in " ".join(CliRunner().invoke(app, ["plan", "explain", plan]).output.split())
    schema.write_text(contract.to_toml(), encoding="utf-8")
    assert said.lower() in draft(schema, "--epsilon", "3", "--force").output.lower()
    assert said in " ".join(CliRunner().invoke(app, ["plan", "explain", plan]).output.split())
