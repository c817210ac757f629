"""What the demo makes of a privacy budget before anything starts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.agreement.plan import Plan
from headwater.errors import HeadwaterError, InputError
from headwater.privacy.budget import Budget
from headwater_server.cli import app
from headwater_server.demo.alone import alone_plan
from headwater_server.demo.consortium import Consortium
from headwater_server.demo.data import prepare
from headwater_server.demo.processes import ProcessGroup
from support.consortium import SMALL_SCHEMA
from support.private import private_plan
from support.recipes import small_plan


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--epsilon", "0"], "--epsilon is 0, expected a number above 0"),
        (["--mode", "local"], "--mode belongs to a privacy budget"),
        (["--epsilon", "3", "--recipe", "mixture"], "the recipe mixture has no form under a privacy budget"),
        (["--epsilon", "3", "--rounds", "2"], "the recipe marginals has no rounds of training"),
        (["--epsilon", "3", "--unit", "entity", "--records", "2"], "have no column that names persons"),
        (["--epsilon", "3", "--most-rows", "100"], "training rows, the budget's public bound says at most 100"),
    ],
)
def test_what_has_no_private_form_is_one_clear_line_and_no_folder(given: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "demo"), *given])
    assert isinstance(result.exception, InputError), result.exception
    assert said in str(result.exception)
    assert not (tmp_path / "demo").exists()


def test_a_bound_that_holds_lets_the_table_through() -> None:
    assert prepare(None, None, None, 3, "iid", Budget(epsilon=3.0, most_rows=569)).train.num_rows == 455


def test_alone_an_organisation_has_the_same_budget_and_all_of_the_noise() -> None:
    plan = private_plan(3.0)
    assert plan.privacy != "none"
    assert alone_plan(plan).privacy == plan.privacy.model_copy(update={"mode": "local"})
    assert alone_plan(small_plan("marginals")).privacy == "none"


@pytest.mark.parametrize(("budget", "rows"), [(None, 455), (Budget(epsilon=3.0), 0)])
def test_the_true_number_of_rows_stands_in_no_plan_with_a_budget(
    budget: Budget | None, rows: int, tmp_path: Path
) -> None:
    with ProcessGroup(tmp_path / "logs", {}) as processes:
        consortium = Consortium(tmp_path, processes, prepare(None, None, None, 3, "iid"))
        # The plan is drafted and edited before it is proposed to a coordinator, who is not here.
        with pytest.raises(HeadwaterError, match="there is no coordinator"):
            consortium.propose_plan(SMALL_SCHEMA, recipe="marginals", budget=budget)
    assert Plan.from_toml((tmp_path / "plan.toml").read_text(encoding="utf-8")).rows == rows
