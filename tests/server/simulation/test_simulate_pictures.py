"""Simulating a run over pictures: the file, the scores, the contact sheet, the default recipe."""

import json
from pathlib import Path

import pyarrow as pa
from typer.testing import CliRunner

from headwater.schema.conform import load_table
from headwater.schema.reading import read_arrow
from headwater.schema.writing import write_csv
from headwater_server.cli import app
from headwater_server.simulation.inputs import read_inputs
from support.pictures import PICTURES, picture_table


def test_a_file_of_pictures_becomes_one_of_synthetic_pictures(tmp_path: Path) -> None:
    write_csv(picture_table(300), tmp_path / "scans.csv")
    (tmp_path / "schema.toml").write_text(PICTURES.to_toml(), encoding="utf-8")
    command = ["simulate", "--data", str(tmp_path / "scans.csv"), "--target", "shape", "--out", str(tmp_path / "out")]
    command += ["--schema", str(tmp_path / "schema.toml"), "--partition", "label:0.5"]
    shown = CliRunner().invoke(app, [*command, "--set", "recipe.mixture.rounds=3"])
    assert shown.exit_code == 0, shown.output
    assert "right answers" in " ".join(shown.output.split())
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert result["together"]["svc"] > 0.8
    assert result["nearest"]["synthetic"] > 0
    assert result["history"][0]["kind"] == "pixels"
    assert "update" not in {record["kind"] for record in result["history"]}
    assert load_table(read_arrow(tmp_path / "out" / "synthetic.csv"), PICTURES).rows == 240
    assert "pictures-1.svg (synthetic pictures)" in " ".join(shown.output.split())
    assert result["pictures"] == ["pictures-1.svg"]
    assert b"crispEdges" in (tmp_path / "out" / "pictures-1.svg").read_bytes()


def test_pictures_take_a_mixture_and_tables_the_default(tmp_path: Path) -> None:
    write_csv(picture_table(300), tmp_path / "scans.csv")
    assert read_inputs(tmp_path / "scans.csv", "shape", 3, "iid").plan.recipe.kind == "mixture"
    write_csv(pa.table({"x": [0.5 * row for row in range(60)], "y": ["a", "b"] * 30}), tmp_path / "numbers.csv")
    assert read_inputs(tmp_path / "numbers.csv", "y", 3, "iid").plan.recipe.kind == "hybrid"
