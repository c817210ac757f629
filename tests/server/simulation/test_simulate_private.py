"""`simulate --epsilon`: what it spends, says and draws, and what it refuses before anything is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import typer
from typer.testing import CliRunner

import headwater_server.cli.simulate as command
from headwater.agreement.charge import plan_events
from headwater.errors import InputError
from headwater.evaluation.usefulness import Usefulness
from headwater.privacy.accountant import spent
from headwater.privacy.events import NoisyCounts
from headwater.privacy.words import rounded_up
from headwater.recipe.machine import build_recipe
from headwater.release.privacy_claim import PrivacyClaim
from headwater.schema.writing import write_csv
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.simulation.inputs import read_inputs
from headwater_server.simulation.spending import spending
from support.private import private_plan
from support.recipes import small_plan, small_table

QUICK = ("--set", "recipe.private.steps=20", "--set", "recipe.private.components=4")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.5, "lr": 0.5})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "visits.csv"
    write_csv(small_table(300), file)
    return file


def simulated(data: Path, *more: str) -> tuple[str, dict[str, Any]]:
    """What it prints, and its result."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    out = data.parent / "sim"
    given = ["simulate", "--data", str(data), "--target", "outcome", "--out", str(out), *QUICK, *more]
    result = CliRunner().invoke(app, given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output, json.loads((out / "result.json").read_text())


@pytest.mark.usefixtures("in_outline")
@pytest.mark.parametrize("mode", ["joint", "local"])
def test_the_result_holds_the_budget_and_what_was_spent_of_it_event_by_event(data: Path, mode: str) -> None:
    said, result = simulated(data, "--epsilon", "3", "--mode", mode)
    privacy = result["privacy"]
    events = [NoisyCounts.from_document(event) for event in privacy["events"]]
    assert len(events) == result["sums"] == 3
    # By the names and in the meaning of a run's claim: what was spent, rounded up.
    assert privacy["epsilon"] == rounded_up(spent(events, 1e-6).epsilon)
    assert 2.7 < privacy["epsilon"] <= privacy["budget_epsilon"] == 3.0
    assert f"spends ε = {privacy['epsilon']:g} at δ = 1e-06" in said
    assert f"of a budget of ε = {privacy['budget_epsilon']:g}" in said
    assert {"epsilon", "budget_epsilon"} <= set(PrivacyClaim.model_fields)
    assert privacy["mode"] == mode
    assert "Such a run spends ε = " in said
    assert "at δ = 1e-06 for one record, added or removed" in said
    assert "The simulation itself protects nobody" in said
    assert "NOT DIFFERENTIALLY PRIVATE" not in said


@pytest.mark.usefixtures("in_outline")
def test_a_schema_read_from_the_rows_is_said_to_be_outside_of_epsilon(data: Path) -> None:
    said, result = simulated(data, "--epsilon", "3")
    assert result["privacy"]["schema"] == "schema read from the rows, outside ε"
    assert "schema read from the rows, outside ε" in said
    schema = data.parent / "schema.toml"
    schema.write_text(small_table(10).schema.to_toml(), encoding="utf-8")
    said, result = simulated(data, "--epsilon", "3", "--schema", str(schema))
    assert result["privacy"]["schema"] == "given"
    assert "outside ε" not in said


def test_the_rounds_are_told_with_their_noise_and_drawn(data: Path) -> None:
    said, result = simulated(data, "--epsilon", "3")
    assert "every feature with the label, in the codes that follow: 6 tables" in said
    assert "Fitting the generator to the noisy sums" in said
    assert "in variances of the noise" in said
    assert "fitted to noisy counts of" in result["released"]
    assert result["attack"] is None
    assert "health.svg (how the run went)" in said


@pytest.mark.usefixtures("in_outline")
def test_a_plan_s_own_budget_is_spent_where_no_other_is_named(data: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(private_plan(1.0).to_toml(), encoding="utf-8")
    assert simulated(data, "--plan", str(plan))[1]["privacy"]["budget_epsilon"] == 1.0
    assert simulated(data, "--plan", str(plan), "--epsilon", "2")[1]["privacy"]["budget_epsilon"] == 2.0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--epsilon", "3", "--recipe", "mixture"], "the recipe mixture has no form under a privacy budget; choose"),
        (["--epsilon", "3", "--most-rows", "100"], "training rows, the budget's public bound says at most 100"),
        (["--epsilon", "3", "--unit", "entity", "--records", "2"], "name the column with --entity"),
        (["--epsilon", "3", "--entity", "patient"], "there is no column 'patient'"),
        (["--epsilon", "3", "--entity", "floor"], "--entity floor names persons, and the budget protects single"),
        (["--entity", "floor"], "--entity floor names persons, and no privacy budget is given; say --epsilon"),
        (["--epsilon", "21"], "expected a number above 0 and at most 20"),
        (["--delta", "1e-7"], "--delta belongs to a privacy budget"),
    ],
)
def test_what_no_budget_can_be_spent_on_is_refused_before_anything_is_written(
    data: Path, given: list[str], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        simulated(data, *given)
    assert said in str(refused.value)
    assert not (data.parent / "sim").exists()


def test_a_plan_of_another_recipe_is_not_given_a_budget(data: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(small_plan("mixture").to_toml(), encoding="utf-8")
    with pytest.raises(InputError, match="the recipe mixture has no form under a privacy budget; choose marginals"):
        simulated(data, "--plan", str(plan), "--epsilon", "3")


@pytest.mark.usefixtures("in_outline")
def test_of_each_person_no_more_rows_take_part_than_the_budget_pays_for(tmp_path: Path) -> None:
    rows = small_table(300).to_arrow()
    people = pa.array(np.arange(300) % 30)
    file = tmp_path / "visits.parquet"
    pyarrow.parquet.write_table(rows.append_column("patient", people), file)
    budget = private_plan(3.0, unit="entity", records=2).privacy
    assert budget != "none"
    inputs = read_inputs(file, "outcome", 3, "iid", budget=budget, entity="patient")
    assert "patient" not in inputs.plan.schema_.names
    assert all(part.rows <= 2 * 30 for part in inputs.parts)
    assert sum(part.rows for part in inputs.parts) < 240


def test_spending_replays_what_was_asked_and_nothing_else() -> None:
    plan, cost = private_plan(3.0), Cost()
    drive(build_recipe(plan), LocalEngine([small_table(100, seed) for seed in range(3)], plan), Silent(), cost)
    whole = spending(plan, cost.asked, schema_from_rows=False)
    part = spending(plan, cost.asked[:1], schema_from_rows=False)
    assert isinstance(whole, dict)
    assert isinstance(part, dict)
    assert whole["events"] == [event.to_document() for event in plan_events(plan)]
    assert part["events"] == whole["events"][:1]
    assert spending(small_plan("marginals"), cost.asked, schema_from_rows=True) == "none"
