"""`simulate --policy`: the run's audit, on rows of which this process has all."""

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import headwater_server.cli.simulate as command
from headwater.audit import checks as registry
from headwater.contribution.auditing import audit_rows
from headwater.evaluation.usefulness import Usefulness
from headwater.schema.writing import write_csv
from headwater_server.simulation.inputs import read_inputs
from support.audited import SMALL_AUDIT, only_floors
from support.recipes import small_plan, small_table

pytestmark = pytest.mark.usefixtures("in_outline")


@pytest.fixture(autouse=True)
def _floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", (only_floors,))
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.5, "lr": 0.5})
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "visits.csv"
    write_csv(small_table(300), file)
    plan = small_plan("marginals", 1, fit={"steps": 5, "batch": 16})
    (tmp_path / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    return file


def run(data: Path, *more: str) -> tuple[dict[str, object], str]:
    app, out = typer.Typer(), data.parent / "sim"
    app.callback()(lambda: None)
    command.register(app)
    given = ["simulate", "--data", str(data), "--plan", str(data.parent / "plan.toml"), "--out", str(out), *more]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    return json.loads((out / "result.json").read_text()), result.output


def test_the_rows_that_were_attacked_are_the_rows_that_are_written(data: Path) -> None:
    result, said = run(data, "--policy", "non-private")
    audit = result["audit"]
    assert isinstance(audit, dict)
    inputs = read_inputs(data, None, 3, "iid", plan_file=data.parent / "plan.toml", policy="non-private")
    train = [audit_rows(part, inputs.plan.splits)[0].train for part in inputs.parts]
    written = list(csv.reader((data.parent / "sim" / "synthetic.csv").read_text().splitlines()))
    assert len(written) - 1 == audit["rows"] == result["rows"] == sum(part.rows for part in train)
    assert audit["measures"][0]["tally"] == [sum(int((p.columns["floor"] == 0).sum()) for p in train), result["rows"]]
    assert "What 3 organisations found out" in said
    assert "3 organisations attacked the candidate" in said


def test_without_a_policy_nothing_is_audited_and_the_plan_s_own_can_be_left_out(data: Path) -> None:
    assert run(data)[0]["audit"] is None
    document = small_plan("marginals", 1, fit={"steps": 5, "batch": 16}).model_dump(mode="json", by_alias=True)
    plan = type(small_plan()).from_values(document | {"audit": SMALL_AUDIT})
    (data.parent / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    assert run(data)[0]["audit"] is not None
    assert run(data, "--policy", "none")[0]["audit"] is None


def test_under_a_budget_nothing_is_counted(data: Path) -> None:
    result, said = run(data, "--policy", "standard", "--epsilon", "3", "--set", "recipe.private.steps=20")
    audit = result["audit"]
    assert isinstance(audit, dict)
    assert (audit["organisations"], audit["measures"], audit["failed"]) == (0, [], "")
    assert "no figure of real rows leaves an organisation" in said
