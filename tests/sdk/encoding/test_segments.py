"""Runs of cells that noisy counts cannot tell apart."""

import itertools

import numpy as np
import pytest

from headwater.encoding.segments import segments

RANDOM = np.random.default_rng(3)


def cost(counts: np.ndarray, runs: np.ndarray, variance: float, penalty: float) -> float:
    parts = [counts[runs == run] for run in np.unique(runs)]
    return float(sum(((part - part.mean(axis=0)) ** 2).sum() / variance + penalty for part in parts))


@pytest.mark.parametrize("seed", range(20))
def test_no_other_way_to_cut_is_cheaper(seed: int) -> None:
    counts = np.random.default_rng(seed).normal(0, 3, (9, 2)).cumsum(axis=0)
    found = cost(counts, segments(counts, 2.0, 1e9, penalty=4.0), 2.0, 4.0)
    ways = (np.cumsum([0, *cuts]) for cuts in itertools.product((0, 1), repeat=8))
    assert found == pytest.approx(min(cost(counts, way, 2.0, 4.0) for way in ways))


def test_steps_are_found_and_noise_is_not() -> None:
    level = np.repeat([[100.0], [400.0], [100.0]], [30, 20, 50], axis=0)
    runs = segments(level + RANDOM.normal(0, 10, level.shape), 100.0, 1e9, penalty=20.0)
    assert np.array_equal(np.flatnonzero(np.diff(runs)), [29, 49])


def test_a_step_in_one_class_alone_is_a_step() -> None:
    level = np.repeat([[100.0, 100.0], [160.0, 40.0]], [50, 50], axis=0)
    runs = segments(level + RANDOM.normal(0, 10, level.shape), 100.0, 1e9, penalty=20.0)
    assert np.array_equal(np.flatnonzero(np.diff(runs)), [49])


def test_runs_hold_no_more_rows_than_the_largest_but_for_noise() -> None:
    runs = segments(np.full((64, 1), 10.0), 1e-6, 50.0)
    assert np.bincount(runs).max() == 5
    alone = np.full((8, 1), 10.0)
    alone[3] = 500.0
    assert (segments(alone, 1e-6, 50.0) == segments(alone, 1e-6, 50.0)[3]).sum() == 1


def test_pure_noise_is_one_run_and_runs_are_numbered_in_order() -> None:
    assert segments(RANDOM.normal(0, 10, (200, 1)), 100.0, 1e9, penalty=16.0).max() == 0
    runs = segments(RANDOM.normal(0, 100, (50, 1)), 1.0, 1e9)
    assert np.array_equal(np.unique(runs), np.arange(runs.max() + 1))
    assert (np.diff(runs) >= 0).all()
