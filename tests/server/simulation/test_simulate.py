"""`simulate` from file to folder: what it writes, and what it refuses without writing anything."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

import headwater_server.cli.simulate as command
from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.errors import InputError
from headwater.evaluation.split import judge_split
from headwater.evaluation.usefulness import Usefulness
from headwater.recipe.actions import Done
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.settings import MixtureSettings
from headwater.schema.draft import draft
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from headwater_server.output_folder import marker
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, Watcher, drive
from headwater_server.simulation.inputs import read_inputs
from headwater_server.simulation.simulate import simulate
from support.recipes import SCHEMA, small_plan, small_table
from support.watching import Recorder


@pytest.fixture
def unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the judge's two models out where scores are not the point."""
    monkeypatch.setattr(Usefulness, "score", lambda *_: {"gbm": 0.5, "lr": 0.5})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "visits.csv"
    write_csv(small_table(300), file)
    return file


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.toml"
    file.write_text(small_plan().to_toml(), encoding="utf-8")
    return file


def run(data: Path, plan: Path | None, out: Path, *more: str) -> str:
    """The command as a person gives it."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    given = ["simulate", "--data", str(data), "--target", "outcome", "--out", str(out)]
    result = CliRunner().invoke(app, [*given, *(["--plan", str(plan)] if plan else []), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_folder_holds_as_many_rows_as_the_training_part_and_the_figures(
    data: Path, plan: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sim"
    run(data, plan, out, "--partition", "label:0.5")
    rows = list(csv.reader((out / "synthetic.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == list(SCHEMA.names)
    assert len(rows) - 1 == len(judge_split(300)[0]) == 240
    result = json.loads((out / "result.json").read_text())
    assert result["organisations"] == 3
    assert result["rounds"] == 2
    assert result["privacy"] == "none"
    assert result["protection"].startswith("one cohort")
    assert result["digest"] == sha256_hex((out / "synthetic.csv").read_bytes())
    assert set(result["seconds"]) >= {"histograms", "marginals", "fit", "update", "merge", "sample", "score"}
    assert result["bytes_up"] > 0
    assert result["bytes_down"] > 0
    assert result["cpu_seconds"] > 0
    assert result["attack"] is None
    for who in ("together", "real"):
        assert set(result[who]) == {"gbm", "lr"}
    assert result["real"]["gbm"] > 0.8
    assert "<svg" in (out / "health.svg").read_text()
    assert marker(out, "simulate").is_file()


@pytest.mark.usefixtures("unscored", "in_outline")
def test_the_same_seed_gives_the_same_dataset_and_another_seed_another(data: Path, plan: Path, tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"sim{number}"
        run(data, plan, out, "--seed", str(seed))
        digests.append(json.loads((out / "result.json").read_text())["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_held_out_rows_reach_no_organisation(data: Path, plan: Path) -> None:
    inputs = read_inputs(data, "outcome", 4, "iid", plan_file=plan)
    shared = np.concatenate([part.columns["seen"] + 1e-3 * part.columns["age"] for part in inputs.parts])
    whole = small_table(300)
    train, _ = judge_split(300)
    expected = whole.take(train)
    assert sorted(shared) == sorted(expected.columns["seen"] + 1e-3 * expected.columns["age"])


@pytest.mark.usefixtures("unscored", "in_outline")
def test_a_simulation_s_own_folder_is_replaced_and_others_are_not(data: Path, plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "sim"
    run(data, plan, out)
    (out / "left over").touch()
    run(data, plan, out)
    assert not (out / "left over").exists()
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter1.tex").write_text("years of work")
    with pytest.raises(InputError, match="not made by simulate"):
        run(data, plan, mine)
    assert (mine / "chapter1.tex").read_text() == "years of work"
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="no folder"):
        run(data, plan, file)
    link = tmp_path / "link"
    link.symlink_to(mine)
    with pytest.raises(InputError, match="no folder"):
        run(data, plan, link)


@pytest.mark.usefixtures("unscored", "in_outline")
def test_a_failure_leaves_the_old_folder_and_nothing_half_written(
    data: Path, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sim"
    run(data, plan, out)
    before = (out / "result.json").read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headwater_server.simulation.simulate.draw_health", full_disk)
    with pytest.raises(OSError, match="No space"):
        run(data, plan, out)
    assert (out / "result.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.toml", "sim", "visits.csv"]


@pytest.mark.usefixtures("unscored", "in_outline")
def test_a_watcher_hears_every_step_begin_and_end(data: Path, plan: Path, tmp_path: Path) -> None:
    watcher = Recorder()
    inputs = read_inputs(data, "outcome", 3, "iid", plan_file=plan)
    simulate(inputs, tmp_path / "sim", "local", "iid", watcher)
    assert watcher.began == watcher.ended
    assert watcher.began[0] == "histograms"
    assert watcher.began[-4:] == ["update", "merge", "sample", "score"]


@pytest.mark.usefixtures("in_outline")
def test_a_target_of_numbers_is_simulated_without_scores(tmp_path: Path) -> None:
    columns = tuple(
        column.model_copy(update={"role": "target" if column.name == "age" else "feature"}) for column in SCHEMA.columns
    )
    plan = small_plan().model_copy(update={"schema_": SCHEMA.model_copy(update={"columns": columns})})
    file, data = tmp_path / "plan.toml", tmp_path / "visits.csv"
    file.write_text(plan.to_toml(), encoding="utf-8")
    write_csv(small_table(300), data)
    inputs = read_inputs(data, "age", 3, "iid", plan_file=file)
    result = simulate(inputs, tmp_path / "sim", "local", "iid", Silent())
    assert result["together"] is None
    assert result["real"] is None


@pytest.mark.usefixtures("in_outline")
def test_a_target_of_one_class_is_simulated_without_scores_and_the_result_says_why(tmp_path: Path) -> None:
    table = small_table(300)
    one = tmp_path / "one.csv"
    write_csv(table.take(table.columns["outcome"] == table.columns["outcome"][0]), one)
    result = simulate(
        read_inputs(one, "outcome", 3, "iid", recipe="mixture"), tmp_path / "sim", "local", "iid", Silent()
    )
    assert result["together"] is None
    assert "the classes of 'outcome' in the test rows are not the two or more" in str(result["not_scored"])
    assert (tmp_path / "sim" / "synthetic.csv").is_file()


@pytest.mark.usefixtures("in_outline")
def test_a_plan_may_name_its_schema_file(data: Path, plan: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(SCHEMA.to_toml(), encoding="utf-8")
    named = tmp_path / "named.toml"
    named.write_text(
        f'name = "small"\nschema = "schema.toml"\nprivacy = "none"\nstub_sha256 = "{"0" * 64}"\n'
        'aggregation = { on_membership_change = "strict" }\n',
        encoding="utf-8",
    )
    assert read_inputs(data, "outcome", 3, "iid", plan_file=named).plan.schema_ == SCHEMA
    assert not read_inputs(data, "outcome", 3, "iid", plan_file=named).schema_was_drafted


def test_without_plan_and_schema_both_are_made_up_and_that_is_said(data: Path) -> None:
    inputs = read_inputs(data, "outcome", 3, "iid", seed=7)
    assert inputs.schema_was_drafted
    assert inputs.plan.seed == 7
    assert inputs.plan.schema_ == draft(read_arrow(data), "outcome", "visits")
    given = data.parent / "schema.toml"
    given.write_text(SCHEMA.to_toml(), encoding="utf-8")
    assert read_inputs(data, "outcome", 3, "iid", schema_file=given).plan.schema_ == SCHEMA


def test_a_cell_that_is_no_number_stops_a_drafted_simulation_with_its_line(data: Path) -> None:
    lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    rest = lines[16].split(",", 1)[1]
    lines[16] = f"n/a?,{rest}"
    data.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"1 of 300 values of column 'age' is no number \(\"n/a\?\", line 17\): .* mend"
    ):
        read_inputs(data, "outcome", 3, "iid")
    lines[16] = f",{rest}"
    data.write_text("".join(lines), encoding="utf-8")
    assert read_inputs(data, "outcome", 3, "iid").parts[0].rows > 0
    # So many are not taken for mistakes: the column is as its text, which is said.
    lines[17:37] = [f"NA,{line.split(',', 1)[1]}" for line in lines[17:37]]
    data.write_text("".join(lines), encoding="utf-8")
    inputs = read_inputs(data, "outcome", 3, "iid")
    (warning,) = inputs.warnings
    assert (
        "20 of 299 values of column 'age' are no numbers (\"NA\", line 18; …); it is drafted as categories" in warning
    )


def test_many_organisations_leave_room_in_the_ring_for_their_sum(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    write_csv(small_table(2000), file)
    assert read_inputs(file, "outcome", 129, "iid").plan.recipe.value_bits == 23
    given = tmp_path / "plan.toml"
    given.write_text(small_plan().to_toml(), encoding="utf-8")
    with pytest.raises(InputError, match="ring"):
        read_inputs(file, "outcome", 129, "iid", plan_file=given)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"organisations": 2}, "3 at least"),
        ({"target": "nothing"}, "no column"),
        ({"target": "smoker"}, "marks 'outcome'"),
        ({"how": "by size"}, "no way"),
        ({"how": "column:nothing"}, "no column"),
        ({"organisations": 200}, "ring|rows"),
        ({"data": Path("nowhere.csv")}, "no file"),
        ({"plan_file": Path("nowhere.toml")}, "no file"),
        ({"schema_file": Path("schema.toml")}, "not both"),
    ],
)
def test_what_cannot_be_simulated_is_refused(data: Path, plan: Path, change: dict[str, object], says: str) -> None:
    given: dict[str, object] = {"data": data, "target": "outcome", "organisations": 3, "how": "iid", "plan_file": plan}
    with pytest.raises(InputError, match=says):
        read_inputs(**(given | change))  # type: ignore[arg-type]


def test_a_table_that_breaks_the_schema_is_refused(plan: Path, tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    arrow = small_table(100).to_arrow()
    write_csv(arrow.set_column(0, "age", pa.array(["old"] * 100)), file)
    with pytest.raises(InputError, match="age"):
        read_inputs(file, "outcome", 3, "iid", plan_file=plan)


@pytest.mark.parametrize("text", ["[", "name = 1", "\x00"])
def test_a_damaged_plan_is_refused(data: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="plan"):
        read_inputs(data, "outcome", 3, "iid", plan_file=file)


def test_a_mixture_is_simulated_by_name_and_its_climb_is_drawn(data: Path, tmp_path: Path, unscored: None) -> None:
    said = run(data, None, tmp_path / "out", "--recipe", "mixture")
    assert "CPU seconds of all parties together" in said
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    last = said.splitlines()[-1]
    assert last.startswith("Released: recipe mixture: a mixture of ")
    assert "told from validation rows with AUC" in last
    assert f"limit {MixtureSettings().attack_limit:.3f}" in last
    assert last.endswith("NOT DIFFERENTIALLY PRIVATE: for simulations only.")
    assert result["released"] in last
    rungs = sum("passed" in record for record in result["history"])
    assert sum("log-density" in line for line in said.splitlines()) == rungs
    assert result["rounds"] == 0
    assert result["attack"] in [record.get("attack_auc") for record in result["history"]]
    assert any(record["kind"] == "expectation" for record in result["history"])
    assert "<svg" in (tmp_path / "out" / "health.svg").read_text()


def test_a_tilt_is_told_by_its_name_and_its_time_is_the_climb_s() -> None:
    tilt = {"tilt_tolerances": (0.03,), "tilt_excess": 0.0, "tilt_draws": 2000, "attack_limit": 1.0}
    plan = small_plan("mixture", mixture={"rows_per_component": (100,), "rounds": 2, **tilt})
    watcher, cost = Recorder(), Cost()
    drive(build_recipe(plan), LocalEngine([small_table(300, seed) for seed in range(3)], plan), watcher, cost)
    assert watcher.began == watcher.ended
    assert watcher.began[-3:] == ["expectation", "expectation", "tilt"]
    assert "tilt" not in cost.seconds


@pytest.mark.usefixtures("in_outline")
def test_settings_given_beside_the_plan_are_those_that_run(
    data: Path, plan: Path, tmp_path: Path, unscored: None
) -> None:
    out = tmp_path / "sim"
    run(data, plan, out, "--set", "recipe.rounds=1", "--set", "seed=5")
    result = json.loads((out / "result.json").read_text())
    assert result["rounds"] == 1
    assert result["seed"] == 5


def test_processes_of_another_engine_have_cpu_seconds_that_nobody_counted(
    data: Path, plan: Path, tmp_path: Path, unscored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_process(recipe: Recipe, parts: Sequence[Table], plan: Plan, watcher: Watcher, cost: Cost) -> Done:
        return drive(recipe, LocalEngine(parts, plan), watcher, cost)

    monkeypatch.setattr("headwater_server.simulation.flower_engine.drive_on_flower", in_process)
    said = run(data, plan, tmp_path / "sim", "--engine", "flower")
    assert json.loads((tmp_path / "sim" / "result.json").read_text())["cpu_seconds"] is None
    assert "CPU seconds" not in said
