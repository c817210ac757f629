"""What a simulation leaves on request: its generator, with the curve of usefulness against rows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import headwater_server.simulation.curve as curve
from headwater.errors import InputError
from headwater.evaluation.usefulness import Usefulness
from headwater.generator import load_generator
from headwater.schema.writing import write_csv
from headwater_server.simulation.driving import Silent
from headwater_server.simulation.inputs import SimulationInputs, read_inputs
from headwater_server.simulation.simulate import GENERATOR, RESULT, simulate
from support.mixtures import MIXTURE_PLAN
from support.pictures import picture_table
from support.recipes import SCHEMA, small_table


@pytest.mark.parametrize(("least", "tested_on"), [(10, "validation"), (500, "held-out fifth")])
def test_the_folder_gets_generator_and_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, tested_on: str
) -> None:
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.5, "lr": 0.5})
    monkeypatch.setattr(curve, "SIZES", (40, 300))
    monkeypatch.setattr(curve, "_LEAST_VALIDATION", least)
    data, plan, out = tmp_path / "visits.csv", tmp_path / "plan.toml", tmp_path / "out"
    write_csv(small_table(600), data)
    plan.write_text(MIXTURE_PLAN.to_toml(), encoding="utf-8")
    inputs = read_inputs(data, "outcome", 3, "iid", plan_file=plan)
    result = simulate(inputs, out, "local", "iid", Silent(), curve=True, keep_generator=True)
    document = json.loads((out / curve.CURVE).read_text())
    assert json.loads((out / RESULT).read_text())["curve"] == document
    assert document["tested_on"] == tested_on
    assert document["model"] == "LightGBM"
    drawn = (out / curve.CURVE_PLOT).read_text()
    if tested_on == "validation":
        assert f"(recipe mixture), tested on {document['test_rows']:,} validation rows" in drawn
        assert "real training rows" not in drawn
    else:
        assert document["test_rows"] == 120
        assert "tested on 120 real rows that were held out" in drawn
        assert "learned from the 480 real training rows: 0.500" in drawn
    assert [point["rows"] for point in document["points"]] == [40, 300]
    assert all(0.4 < point["gbm"] <= 1.0 for point in document["points"])
    assert (out / curve.CURVE_PLOT).read_text().lstrip().startswith("<?xml")
    generator = load_generator(out / GENERATOR, str(result["generator_digest"]))
    assert generator.sample(50).num_rows == 50


def of_pictures(folder: Path) -> SimulationInputs:
    write_csv(picture_table(60), folder / "scans.csv")
    return read_inputs(folder / "scans.csv", "shape", 3, "iid")


def of_a_target_of_numbers(folder: Path) -> SimulationInputs:
    write_csv(small_table(300), folder / "visits.csv")
    columns = tuple(
        column.model_copy(update={"role": "target" if column.name == "age" else "feature"}) for column in SCHEMA.columns
    )
    (folder / "schema.toml").write_text(SCHEMA.model_copy(update={"columns": columns}).to_toml(), encoding="utf-8")
    return read_inputs(folder / "visits.csv", "age", 3, "iid", schema_file=folder / "schema.toml")


def of_one_class(folder: Path) -> SimulationInputs:
    table = small_table(300)
    write_csv(table.take(table.columns["outcome"] == table.columns["outcome"][0]), folder / "visits.csv")
    return read_inputs(folder / "visits.csv", "outcome", 3, "iid")


class Unwanted(Silent):
    """Nothing may begin."""

    def begins(self, what: str) -> None:
        """Say what did."""
        pytest.fail(f"{what} began")


@pytest.mark.parametrize("inputs_of", [of_pictures, of_a_target_of_numbers, of_one_class])
def test_a_curve_that_nothing_can_be_scored_for_is_refused_before_the_run(
    tmp_path: Path, inputs_of: Callable[[Path], SimulationInputs]
) -> None:
    inputs, watcher = inputs_of(tmp_path), Unwanted()
    with pytest.raises(InputError, match=r"no curve can be measured on this table: .*leave --curve out"):
        simulate(inputs, tmp_path / "out", "local", "iid", watcher, curve=True)
    assert not (tmp_path / "out").exists()
