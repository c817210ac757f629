"""The generator's numbers: each is read from its row, and a miss ends the command with status 1."""

import json
import math
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import pytest

import run_generator
from generator.figures import Measured, compare, mean_of, ratio_of, spread_of
from generator.numbers import NUMBERS, verdicts
from generator.rows import full_rows, quick_rows
from generator.running import Runner
from support.bench_rows import GOOD, full


def words(measured: Mapping[str, Any]) -> dict[str, str]:
    return {verdict.target.name: verdict.word for verdict in verdicts(measured)}


def test_every_number_is_read_from_the_rows_of_a_full_run() -> None:
    assert set(words(full()).values()) == {"ok"}


def test_names_of_numbers_are_different() -> None:
    assert len({number.target.name for number in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize(
    ("row", "figure", "value", "missed"),
    [
        ("adult-mixture-iid", "gbm", 0.9, "Adult, mixture, IID: GBM AUC"),
        ("adult-mixture-iid", "fit_seconds", 50.0, "Adult, mixture, IID: CPU seconds of all parties"),
        ("adult-mixture-iid", "attack", 0.6, "Adult, mixture, IID: likelihood attack AUC"),
        ("adult-hybrid-natural", "tvd2", 0.04, "Adult, hybrid, natural: TVD-2"),
        ("adult-hybrid-label", "lr", 0.93, "Adult, hybrid, label Dirichlet(.5): LR AUC, of the IID row's"),
        ("adult-adversarial-iid", "gbm", 0.8, "Adult, adversarial, IID: GBM AUC"),
        ("credit-hybrid-natural", "c2st", 0.8, "credit, hybrid, natural: C2ST AUC"),
        ("diabetes130-hybrid-iid", "gbm", 0.9, "diabetes130, hybrid, IID: GBM AUC, of real rows'"),
        ("magic-hybrid-iid", "tvd2", 0.2, "magic, hybrid, IID: TVD-2"),
        (
            "adult-hybrid-fifty",
            "gbm",
            0.93,
            "Adult, hybrid, 50 organisations of 520 rows: GBM AUC, of five organisations'",
        ),
        ("digits", "accuracy", 0.9, "digits, label-skewed: TSTR accuracy"),
        ("sampling-hybrid", "rows_per_second", 1.9e5, "rows sampled a second, hybrid, of CTGAN's"),
        ("encoder", "fit_wall_seconds", 1.0, "encoder's fit and transform, times faster than CTGAN's"),
        ("diabetes130-memory", "peak_bytes", 1.6e9, "peak memory of a fit on 71,518 × 32, GB"),
    ],
)
def test_each_number_alone_can_be_missed(row: str, figure: str, value: float, missed: str) -> None:
    measured = full()
    for seed in measured[row]:
        seed[figure] = value

    assert [name for name, word in words(measured).items() if word == "MISSED"] == [missed]


def test_the_mean_over_seeds_is_what_counts() -> None:
    measured = full()
    measured["magic-hybrid-iid"][0]["gbm"] = 0.92

    assert set(words(measured).values()) == {"ok"}


def test_a_seed_that_failed_misses_every_number_of_its_row() -> None:
    measured = full()
    measured["magic-hybrid-iid"][1] = {"failed": "killed"}

    missed = [name for name, word in words(measured).items() if word == "MISSED"]
    assert len(missed) == 4
    assert all(name.startswith("magic, hybrid") for name in missed)


def test_a_generator_without_a_density_does_not_pass_for_one_that_withstood_the_attack() -> None:
    measured = full()
    for seed in measured["adult-hybrid-iid"]:
        seed["attack"] = None

    assert words(measured)["Adult, hybrid, IID: likelihood attack AUC"] == "MISSED"


def test_rows_that_were_left_out_are_not_measured_and_not_missed() -> None:
    assert set(words({}).values()) == {"not measured"}
    assert "MISSED" not in words({"adult-mixture-iid": [dict(GOOD)]}).values()


def test_figures_are_means_with_the_distance_between_seeds() -> None:
    measured: Measured = {"row": [{"a": 1.0, "in": {"b": 2.0}}, {"a": 4.0, "in": {"b": 2.0}}], "one": [{"a": 5.0}]}

    assert mean_of(measured, "row", "a") == 2.5
    assert spread_of(measured, "row", "a") == 3.0
    assert mean_of(measured, "row", "in.b") == 2.0
    assert ratio_of(measured, "row", "a", "one") == 0.5
    assert spread_of(measured, "one", "a") is None
    assert mean_of(measured, "none", "a") is None
    assert math.isnan(mean_of(measured, "one", "b") or 0.0)


@pytest.mark.parametrize(
    ("figure", "ours", "said"),
    [
        ("tvd2", (0.070, 0.072), "better beyond"),
        ("tvd2", (0.090, 0.092), "WORSE beyond"),
        ("tvd2", (0.079, 0.081), "no different"),
        ("gbm", (0.090, 0.091), "better beyond"),
    ],
)
def test_a_comparison_is_a_verdict_only_beyond_the_spread(figure: str, ours: tuple[float, ...], said: str) -> None:
    measured = {"base": [{figure: 0.080}, {figure: 0.082}], "row": [{figure: value} for value in ours]}
    found = compare(measured, "row", "base", figure)

    assert found is not None
    assert found.words.startswith(said)


def test_one_seed_makes_no_verdict() -> None:
    found = compare({"base": [{"gbm": 0.8}], "row": [{"gbm": 0.9}]}, "row", "base", "gbm")

    assert found is not None
    assert found.words.startswith("one seed")


def command(monkeypatch: pytest.MonkeyPatch, out: pathlib.Path, measured: Mapping[str, Any], *more: str) -> int:
    """The command with its measurements replaced; its exit status."""
    monkeypatch.setattr(Runner, "measure", lambda _, rows: {row.name: measured[row.name] for row in rows})
    monkeypatch.setattr("harness.command.make_environment", lambda _: None)
    monkeypatch.setattr(run_generator, "draw", lambda *_: [])
    monkeypatch.setattr(sys, "argv", ["run_generator.py", "--data", str(out), "--out", str(out), *more])
    try:
        run_generator.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_ends_well_when_every_number_is_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, tmp_path, full()) == 0
    document = json.loads((tmp_path / "generator.json").read_text(encoding="utf-8"))
    assert {verdict["verdict"] for verdict in document["verdicts"]} <= {"ok", "not measured"}
    assert (tmp_path / "generator.md").read_text(encoding="utf-8").strip() in capsys.readouterr().out


def test_a_planted_miss_ends_the_command_with_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    measured = full()
    measured["magic-hybrid-iid"] = [{**GOOD, "c2st": 0.7} for _ in range(3)]

    assert command(monkeypatch, tmp_path, measured) == 1


def test_a_row_that_failed_ends_the_command_with_status_1_even_without_a_number_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = full()
    measured["adult-fedavg-label"] = [{"failed": "killed"}] * 3

    assert command(monkeypatch, tmp_path, measured) == 1
    assert "rows failed: adult-fedavg-label" in capsys.readouterr().err


def test_quick_measures_only_rows_of_the_full_run_without_the_peer() -> None:
    quick, every = quick_rows(), {row.name for row in full_rows()}

    assert {row.name for row in quick} <= every
    assert all(row.seeds == (1,) and row.kind != "ctgan" for row in quick)


def test_a_kept_row_is_of_the_code_that_decides_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    roots: list[pathlib.Path] = []
    monkeypatch.setattr(run_generator, "code_digest", roots.extend)
    run_generator.measured_code()

    for deciding in (
        "server/headwater_server/shared_table.py",
        "server/headwater_server/simulation/driving.py",
        "sdk/headwater/agreement/plan.py",
        "sdk/headwater/evaluation/split.py",
        "sdk/headwater/mixture/climb.py",
        "sdk/headwater/secagg/crypto/ring.py",
        "tools/bench/generator/simulated.py",
        "tools/bench/quality.py",
    ):
        path = run_generator.ROOT / deciding
        assert path.is_file()
        assert any(path.is_relative_to(root) for root in roots), deciding
