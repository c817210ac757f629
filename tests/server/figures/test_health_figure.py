"""The drawing of a run's training rounds."""

import math
import xml.etree.ElementTree as ElementTree
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from headwater_server.figures.climb import draw_attack
from headwater_server.figures.health import draw_health

WELL = {"entropy_ratio": 0.95, "duplicates": 0.01, "nearest_distance": 0.3, "tvd1": 0.02, "gradient_norm": 0.2}
HISTORY: list[dict[str, object]] = [
    {"kind": "histograms"},
    {"kind": "fit", "marginal_loss": 0.2, "health": WELL},
    {"kind": "update", "update_norm": 1.0},
    {"kind": "merge", "round": 1, "accepted": True, "flags": [], "marginal_loss": 0.19, "health": WELL},
    {"kind": "update", "update_norm": 9.0, "cosine": -0.8, "drift": 0.9},
    {
        "kind": "merge",
        "round": 2,
        "accepted": False,
        "flags": ["strong critic", "explosion"],
        "marginal_loss": 7.0,
        "health": WELL,
    },
    {"kind": "update"},
    {"kind": "merge", "round": 3, "accepted": False, "flags": ["not finite"], "reason": "no finite update"},
    {"kind": "ended", "on": "base", "refused": 2},
]
CLIMB: list[dict[str, object]] = [
    {"kind": "expectation", "log_density": -9.0, "validation_log_density": -9.5, "attack_auc": 0.51, "components": 4},
    {"kind": "expectation", "log_density": -8.0, "validation_log_density": -9.0, "attack_auc": 0.52, "components": 4}
    | {"passed": False},
]


def words(records: list[dict[str, object]], folder: Path) -> str:
    """The drawing's text; matplotlib keeps each piece beside its shapes as a comment."""
    path = folder / "health.svg"
    draw_health(records, path)
    ElementTree.parse(path)
    return path.read_text(encoding="utf-8")


def test_every_panel_says_what_it_shows_and_the_title_what_was_not_taken(tmp_path: Path) -> None:
    text = words(HISTORY, tmp_path)
    for title in (
        "Distance from the summed marginals",
        "Variety of 2,000 draws",
        "Repeats and distance of 2,000 draws",
        "The mean update",
        "The critic's gradient",
    ):
        assert title in text
    assert "3 training rounds, 1 taken; not taken (dotted red): 2, 3 (explosion, not finite); ended on its base" in text
    assert "cosine with the one before" in text


def test_a_climb_is_drawn_beside_training_and_alone(tmp_path: Path) -> None:
    assert "Climb of the mixture" in words([*CLIMB, *HISTORY], tmp_path)
    alone = words(CLIMB, tmp_path)
    assert "Climb of the mixture" in alone
    assert "Variety" not in alone
    assert "limit" not in alone


@pytest.mark.parametrize("length", [2, 3, 4])
def test_a_run_under_way_is_drawn_as_far_as_it_is(tmp_path: Path, length: int) -> None:
    assert "Distance from the summed marginals" in words(HISTORY[:length], tmp_path)


def test_a_loss_that_is_not_finite_leaves_a_gap(tmp_path: Path) -> None:
    broken = {"kind": "merge", "round": 1, "accepted": False, "flags": [], "marginal_loss": math.inf, "health": {}}
    assert "1 training rounds, 0 taken" in words([HISTORY[1], broken], tmp_path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, math.inf, math.nan])
def test_norms_and_losses_that_give_no_scale_are_drawn(tmp_path: Path, value: float) -> None:
    flat = [
        {"kind": "fit", "marginal_loss": value, "health": WELL},
        {"kind": "update", "update_norm": value},
        {"kind": "merge", "round": 1, "accepted": True, "flags": [], "marginal_loss": value, "health": WELL},
    ]
    assert "The mean update" in words(flat, tmp_path)


def test_a_sum_that_ended_the_climb_is_no_point_of_it_and_the_title_says_so(tmp_path: Path) -> None:
    refused: list[dict[str, object]] = [
        {"kind": "expectation", "accepted": False, "reason": "the sum cannot be one"},
        {"kind": "ended", "on": "rung", "refused": 1, "components": 4},
    ]
    text = words([*CLIMB, *refused, *HISTORY], tmp_path)
    assert "its climb ended on the rung that stood; ended on its base" in text


def test_the_title_says_what_the_last_judgement_released(tmp_path: Path) -> None:
    again = {"kind": "judge", "accepted": False, "again": True}
    taken = {"kind": "judge", "accepted": True, "round": 3}
    assert "round 3 is released" in words([*HISTORY[:4], again, taken], tmp_path)
    assert "the base is released" in words([*HISTORY[:4], {"kind": "judge", "accepted": False}], tmp_path)


def test_the_attack_is_drawn_beside_its_limit_and_each_tilt_by_its_tolerance(tmp_path: Path) -> None:
    end = {**CLIMB[1], "attack_error": 0.01, "attack_limit": 0.56, "passed": True, "components": 41}
    tilts = [
        {**end, "tolerance": tolerance, "components": components, "passed": passed}
        for tolerance, components, passed in ((3.0, 42, False), (3.0, 43, True), (1.5, 44, True))
    ]
    text = words([CLIMB[0], end, *tilts], tmp_path)
    for said in ("limit 0.56", "chance", "±3", "±1.5", "right of the line: tilts", *("41", "42", "43", "44")):
        assert f"<!-- {said}" in text or said in text


def test_marks_of_many_tilts_stand_apart() -> None:
    end = {**CLIMB[1], "attack_error": 0.01, "attack_limit": 0.56, "passed": True}
    records = [*CLIMB[:1] * 90, end, *[{**end, "tolerance": 3.0}] * 6]
    figure = Figure(figsize=(5.2, 3.7))
    axes = figure.subplots()
    draw_attack(axes, records)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() == "4"]
    assert len(boxes) == 7
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
    ticks = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text().startswith("±")]
    assert len(ticks) == 6
    assert not any(first.overlaps(second) for first, second in combinations(ticks, 2))
