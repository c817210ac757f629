"""The numbers of private releases: each is read from its row, and a miss ends the command with status 1."""

import math
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import run_privacy
from generator.figures import Measured
from generator.rows import Row
from generator.running import Runner
from privacy.numbers import NUMBERS, scaled_error, verdicts
from privacy.rows import private_rows
from support.privacy_bench import full_run


def words(measured: Mapping[str, Any]) -> dict[str, str]:
    return {verdict.target.name: verdict.word for verdict in verdicts(measured)}


def test_every_number_is_read_from_the_rows_of_a_full_run() -> None:
    assert set(words(full_run()).values()) == {"ok"}
    assert len(words(full_run())) == len(NUMBERS)


@pytest.mark.parametrize(
    ("row", "figure", "value", "missed"),
    [
        ("adult-ours-0.3", "gbm", 0.86, "Adult, ε = 0.3: GBM AUC"),
        ("adult-ours-1", "lr", 0.893, "Adult, ε = 1: LR AUC"),
        ("adult-ours-1", "contingency", 0.96, "Adult, ε = 1: contingency similarity"),
        ("adult-ours-3", "tvd2", 0.031, "Adult, ε = 3: TVD-2"),
        ("adult-ours-8", "gbm", 0.911, "Adult, ε = 8: GBM AUC"),
        ("adult-ours-8", "fit_seconds", 61.0, "Adult, ε = 8: CPU seconds of all parties"),
        ("adult-ours-3", "spent", 3.01, "Adult, ε = 3: ε by the accountant"),
        (
            "noise-joint-50",
            "error",
            70.0,
            "error over √(n / (T − c)), from 3 to 50 organisations: largest over smallest, less 1",
        ),
        ("critic-step", "private_seconds", 0.0076, "a private critic step, times one without noise"),
        ("critic-step", "opacus_seconds", 0.0087, "a private critic step, times Opacus's ghost clipping"),
    ],
)
def test_each_number_alone_can_be_missed(row: str, figure: str, value: float, missed: str) -> None:
    measured = full_run()
    for seed in measured[row]:
        seed[figure] = value

    assert [name for name, word in words(measured).items() if word == "MISSED"] == [missed]


def test_one_seed_above_the_ceiling_is_a_miss() -> None:
    measured = full_run()
    measured["adult-ours-0.3"][4]["attack_tpr"] = 0.0136

    missed = [name for name, word in words(measured).items() if word == "MISSED"]
    assert missed == ["Adult, ε = 0.3: true positives of an attack at 1 % false ones, worst seed (DP's ceiling)"]


def test_a_generator_without_a_density_is_not_said_to_resist() -> None:
    measured = full_run()
    for seed in measured["adult-ours-1"]:
        seed["attack_tpr"] = None

    named = words(measured)["Adult, ε = 1: true positives of an attack at 1 % false ones, worst seed (DP's ceiling)"]
    assert named == "not measured"


def test_peers_alone_leave_our_numbers_unmeasured() -> None:
    measured = {name: seeds for name, seeds in full_run().items() if "-aim-" in name or "-mst-" in name}

    assert set(words(measured).values()) == {"not measured"}


def test_noise_of_survivors_alone_is_taken_out_of_an_error() -> None:
    measured = {"noise-joint-5": [{"error": 60.0, "honest": 3}]}

    assert scaled_error(measured, 5) == pytest.approx(60.0 / math.sqrt(5 / 3))
    assert scaled_error(measured, 10) is None


def run(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, *options: str) -> list[str]:
    """Run the command with rows that are measured by nobody; the names of those that were asked for."""
    asked: list[str] = []

    def measure(_: Runner, rows: Sequence[Row]) -> Measured:
        asked.extend(row.name for row in rows)
        return {row.name: full_run()[row.name] for row in rows}

    (folder / "data").mkdir(exist_ok=True)
    monkeypatch.setattr(Runner, "measure", measure)
    monkeypatch.setattr("harness.command.make_environment", lambda _: "there is no network")
    monkeypatch.setattr(sys, "argv", ["run", "--data", str(folder / "data"), "--out", str(folder), *options])
    run_privacy.main()
    return asked


def test_without_the_peers_packages_our_rows_are_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = run(monkeypatch, tmp_path)

    assert asked == [row.name for row in private_rows()]
    assert "dpmm: left out, there is no network" in capsys.readouterr().err
    assert "#### Numbers to reach" in (tmp_path / "privacy.md").read_text(encoding="utf-8")
    assert (tmp_path / "privacy-utility.svg").is_file()


def test_only_measures_rows_whose_names_begin_so(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    assert run(monkeypatch, tmp_path, "--only", "noise-local-3") == ["noise-local-3"]
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path, "--only", "nothing")


def test_a_quick_run_has_one_seed_of_each_row(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    asked = run(monkeypatch, tmp_path, "--quick")

    assert "adult-ours-1" in asked
    assert not [name for name in asked if "-aim-" in name or "-mst-" in name]


def test_peers_rows_outlive_a_change_of_our_code(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    before = run_privacy.peer_code(tmp_path)
    monkeypatch.setattr(run_privacy, "measured_code", lambda: "another")

    assert run_privacy.peer_code(tmp_path) == before
    monkeypatch.setattr(run_privacy, "PACKAGES", {"dpmm": ("dpmm==0",)})
    assert run_privacy.peer_code(tmp_path) != before
