"""Rows of the benchmark of generators: measured in processes of their own, once, by the one judge."""

import argparse
import json
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

import pytest

import quality
from generator.attacks import nearest_auc
from generator.datasets import find_folder
from generator.judging import ceilings, judge
from generator.members import measure as measure_one
from generator.rows import Row, simulation
from generator.running import Failed, Runner, measure_rows
from generator.simulated import last_judgement
from run_ablation import cut_training_rows
from support.magic_table import MAGIC, write_magic


@pytest.fixture
def data(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_magic(folder)
    return folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Rows whose measurement was asked for; each gives its arguments as its figures."""
    asked: list[tuple[str, int]] = []

    def measure(_: Runner, row: Row, seed: int, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append((row.name, seed))
        if row.kind == "broken":
            raise Failed("it broke")
        return dict(arguments)

    monkeypatch.setattr(Runner, "_process", measure)
    return asked


@pytest.mark.slow
def test_the_judges_parts_say_what_the_judge_says(data: pathlib.Path) -> None:
    real = quality.read(data / MAGIC)
    train, test = quality.split(real)
    made = train.sample(frac=1.0, replace=True, random_state=1)
    whole = quality.judge(real, made, "class")
    ours, real_rows = judge(train, test, made, "class"), ceilings(train, test, "class")

    names = {"gbm": "tstr_gbm_auc", "lr": "tstr_lr_auc", "tvd1": "tvd1", "tvd2": "tvd2", "c2st": "c2st_auc"}
    assert ours == {name: whole[figure] for name, figure in names.items()}
    names = {"gbm": "trtr_gbm_auc", "lr": "trtr_lr_auc", "tvd1": "floor_tvd1", "tvd2": "floor_tvd2"}
    assert real_rows == {name: whole[figure] for name, figure in names.items()}


def test_a_generator_that_hands_out_its_rows_is_told_by_the_nearest(data: pathlib.Path) -> None:
    train, test = quality.split(quality.read(data / MAGIC))
    table = quality.Table(train, "class")
    train, test = table.align(train), table.align(test)

    assert nearest_auc(table, train, test, train) > 0.95
    assert nearest_auc(table, train, test, test) < 0.05


def test_each_seed_is_measured_once_and_found_the_second_time(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    rows = [simulation("magic", "mixture", seeds=(1, 2))]
    first = Runner(data, tmp_path, "code").measure(rows)
    second = Runner(data, tmp_path, "code").measure(rows)

    assert first == second
    assert sorted(counted) == [("magic-mixture-iid", 1), ("magic-mixture-iid", 2)]


def test_finished_rows_are_found_in_the_folder_that_is_named(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    rows = [simulation("magic", "mixture", seeds=(1,))]
    for out in ("first", "second"):
        Runner(data, tmp_path / out, "code", name="other", cache=tmp_path / "cache").measure(rows)
    Runner(data, tmp_path / "second", "code", name="other").measure(rows)

    assert len(counted) == 2
    assert [path.name for path in tmp_path.glob("second/*")] == ["other-rows"]


def test_other_data_other_code_and_other_settings_are_measured(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    row = simulation("magic", "mixture", seeds=(1,))
    Runner(data, tmp_path, "code").measure([row])
    Runner(data, tmp_path, "other").measure([row])
    Runner(data, tmp_path, "code").measure([simulation("magic", "mixture", seeds=(1,), changes=["recipe.rounds=1"])])
    write_magic(data, seed=5)
    Runner(data, tmp_path, "code").measure([row])

    assert len(counted) == 4


def test_the_folder_that_a_table_lies_in_is_no_reason_to_measure_it_again(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_magic(elsewhere)
    for folder in (data, elsewhere):
        Runner(folder, tmp_path, "code").measure([simulation("magic", "mixture", seeds=(1,))])

    assert len(counted) == 1


def test_a_table_that_is_not_there_is_named_and_left_out(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    measured = Runner(data, tmp_path, "code").measure([simulation("adult", "mixture"), simulation("magic", "mixture")])

    assert set(measured) == {"magic-mixture-iid"}
    assert "adult-mixture-iid: adult.csv is not in" in capsys.readouterr().err


def test_a_row_that_fails_is_told_and_kept_by_nobody_and_the_others_go_on(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    rows = [Row("broken", "broken", "magic"), simulation("magic", "mixture", seeds=(1,))]
    Runner(data, tmp_path, "code").measure(rows)
    measured = Runner(data, tmp_path, "code").measure(rows)

    assert measured["broken"] == [{"failed": "it broke"}]
    assert measured["magic-mixture-iid"][0]["seed"] == 1
    assert counted.count(("broken", 1)) == 2


def test_rows_that_want_the_cores_alone_have_nothing_beside_them(
    data: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    met = threading.Barrier(2)

    def measure(_: Runner, row: Row, seed: int, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        told.append((row.name, "begins"))
        if not row.alone:
            # The two that share the cores wait for each other.
            met.wait(timeout=20)
        told.append((row.name, "ends"))
        return {}

    monkeypatch.setattr(Runner, "_process", measure)
    shared = simulation("magic", "mixture", seeds=(1, 2))
    costs = Row("costs", "encoder", "magic", seeds=(1, 2), alone=True)
    Runner(data, tmp_path, "code").measure([shared, costs, simulation("magic", "hybrid", seeds=(1, 2))])

    assert [what for name, what in told if name == "costs"] == ["begins", "ends", "begins", "ends"]
    assert [name for name, _ in told[4:8]] == ["costs"] * 4


def test_a_generator_that_another_row_needs_is_made_again_when_it_is_gone(
    data: pathlib.Path, tmp_path: pathlib.Path, counted: list[tuple[str, int]]
) -> None:
    kept = simulation("magic", "mixture", seeds=(1,), keeps=True)
    user = Row("sampling", "sampling", "magic", alone=True, after=kept.name)
    runner = Runner(data, tmp_path, "code")
    # The stand-in keeps nothing, so the second run finds figures and no generator.
    runner.measure([kept, user])
    measured = runner.measure([kept, user])

    assert counted.count((kept.name, 1)) == 2
    assert measured["sampling"][0]["model"] == str(runner.kept(kept.name, 1)) == measured[kept.name][0]["keep"]


def test_a_process_that_breaks_is_told_by_its_last_line(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    ((figures,),) = Runner(data, tmp_path, "code").measure([Row("none", "no such kind", "magic")]).values()

    assert "KeyError: 'no such kind' (status 1" in figures["failed"]


@pytest.mark.slow
def test_rows_of_a_small_table_are_measured_to_the_end(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    mixture = simulation("magic", "mixture", seeds=(1,), keeps=True)
    small = [
        "recipe.adversarial.rounds=1",
        "recipe.adversarial.calibration=10",
        "recipe.adversarial.local_steps=2",
    ]
    rows = [
        Row("magic-real", "ceilings", "magic"),
        mixture,
        simulation("magic", "adversarial", seeds=(1,), changes=small),
        Row("sampling", "sampling", "magic", {"rows": 500}, alone=True, after=mixture.name),
        Row("encoder", "encoder", "magic", alone=True),
        Row("memory", "memory", "magic", alone=True),
    ]
    measured = Runner(data, tmp_path, "code").measure(rows)

    assert not [name for name, (figures,) in measured.items() if "failed" in figures], json.dumps(measured)
    (figures,) = measured["magic-mixture-iid"]
    assert 0.5 < figures["gbm"] <= measured["magic-real"][0]["gbm"] + 0.1
    assert 0.3 < figures["attack"] < 0.8
    assert figures["fit_seconds"] == pytest.approx(sum(figures["seconds"].values()), rel=0.3, abs=0.3)
    assert measured["magic-adversarial-iid"][0]["attack"] is None
    assert measured["magic-adversarial-iid"][0]["step_seconds"] > 0
    assert [measured["magic-adversarial-iid"][0][name] for name in ("rounds", "taken")] == [1, 1]
    assert measured["sampling"][0]["rows_per_second"] > 100
    assert measured["memory"][0]["peak_bytes"] > measured["memory"][0]["before_bytes"] > 2**20


@pytest.mark.slow
def test_a_private_row_says_what_it_spent(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    settings = {"recipe": None, "partition": "iid", "organisations": 5, "changes": ["recipe.private.steps=50"]}
    row = Row("private", "simulated", "magic", settings | {"budget": {"epsilon": 3.0, "delta": 1e-6}})
    ((figures,),) = Runner(data, tmp_path, "code").measure([row]).values()

    assert 2.9 < figures["spent"] <= 3.0
    assert 0 <= figures["attack_tpr"] < 0.5


def test_one_organisation_alone_is_judged_beside_its_own_rows(data: pathlib.Path) -> None:
    figures = measure_one(file=str(data / MAGIC), table="magic", organisations=4, recipe="mixture", seed=1)

    assert figures["rows"] == 80
    assert figures["real"]["gbm"] > 0.6
    assert figures["own"]["tvd2"] > 0


def test_the_ablation_never_sees_a_row_that_judges(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    cut_training_rows(data, tmp_path / "cut")
    train, test = quality.split(quality.read(data / MAGIC))
    cut = quality.read(tmp_path / "cut" / MAGIC)

    assert len(cut) == len(train)
    assert not cut.merge(test).size


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        find_folder(tmp_path / "nowhere")


def test_a_base_that_nothing_was_tried_upon_is_released_with_the_reason() -> None:
    base = {"kind": "judge", "accepted": False, "reason": "it is tilted"}
    weighed = {
        "kind": "judge",
        "accepted": True,
        "refined": True,
        "strength": 0.5,
        "round": 4,
        "candidates": [{"auc": 0.52, "base_auc": 0.54}, {"auc": 0.47, "base_auc": 0.54}],
    }

    assert last_judgement([]) == {}
    assert last_judgement([base]) == {"released": "base: it is tilted"}
    assert last_judgement([base, weighed]) == {
        "released": "draws refined and weighed by 0.5 of the critic's opinion, networks of training round 4",
        "critic_of_base": 0.54,
        "critic_of_best": 0.52,
    }
    assert last_judgement([{**weighed, "accepted": False}])["released"] == "base"


def test_rows_are_measured_and_kept_under_the_code_that_they_follow_from(
    counted: list[tuple[str, int]], data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    given = argparse.Namespace(data=data, out=tmp_path, cache=tmp_path / "kept", again=False, at_once=1)
    rows = [Row("ours-1", "one", None), Row("peer-1", "other", None), Row("ours-2", "one", None)]
    codes = {"one": "a", "other": "b"}
    by_kind = {kind: lambda kind=kind: codes[kind] for kind in codes}

    assert list(measure_rows("tests", given, rows, lambda row: by_kind[row.kind])) == ["ours-1", "ours-2", "peer-1"]
    codes["one"] = "another"
    counted.clear()
    measure_rows("tests", given, rows, lambda row: by_kind[row.kind])
    assert [name for name, _ in counted] == ["ours-1", "ours-2"]
