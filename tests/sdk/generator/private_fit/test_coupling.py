"""Columns that determine each other, found in noisy counts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.encoding.noisy import NoisyMarginal
from headwater.generator.private_fit.coupling import Coupling, couple

F64 = NDArray[np.float64]
ROWS = 20_000.0
# The last three codes are rarer than noise of 100 can show.
SHARES = np.array([0.35, 0.25, 0.2, 0.1, 0.085, 0.006, 0.005, 0.004])
# Which code of the second column each code of the first goes with.
PARTNER = np.array([3, 0, 1, 2, 6, 4, 5, 7])
TRUE = {(code, int(partner)) for code, partner in enumerate(PARTNER)}


def table(joint: F64, sigma: float, seed: int, columns: tuple[int, int] = (0, 1), bins: bool = False) -> NoisyMarginal:
    """Counts of two columns with noise; with bins the first column's last two codes are one."""
    first = np.arange(len(joint), dtype=np.int32)
    if bins:
        first[-1] = first[-2]
        joint = np.concatenate([joint[:-2], joint[-2:].sum(axis=0, keepdims=True)])
    counts = ROWS * joint + np.random.default_rng(seed).normal(0, sigma, joint.shape)
    maps = (first, np.arange(joint.shape[1], dtype=np.int32))
    return NoisyMarginal(columns, maps, counts.reshape(-1), np.full(counts.size, sigma**2))


def determined() -> F64:
    joint = np.zeros((8, 8))
    joint[np.arange(8), PARTNER] = SHARES
    return joint


def coupled(marginals: list[NoisyMarginal], threshold: float = 0.6) -> list[Coupling]:
    second = np.zeros(8)
    second[PARTNER] = SHARES
    shares = {0: SHARES[None], 1: second[None], 2: SHARES[None]}
    return couple(marginals, shares, None, ROWS, threshold)


def combinations(coupling: Coupling) -> set[tuple[int, int]]:
    return {(int(first), int(second)) for first, second in coupling.group.combinations}


@pytest.mark.parametrize("seed", range(5))
def test_columns_that_determine_each_other_are_one_unit_under_noise(seed: int) -> None:
    (coupling,) = coupled([table(determined(), 40.0, seed)])
    assert coupling.group.columns == (0, 1)
    # Five codes are plain; three are of two or three deviations, and any of them may be missed.
    assert {pair for pair in TRUE if SHARES[pair[0]] > 0.05} <= combinations(coupling)
    assert len(combinations(coupling)) <= 5 + 9


def test_without_noise_the_combinations_are_those_that_occur() -> None:
    (coupling,) = coupled([table(determined(), 1.0, 0)])
    assert combinations(coupling) == TRUE
    assert coupling.shares[0] == pytest.approx(SHARES, abs=1e-3)


@pytest.mark.parametrize("sigma", [40.0, 150.0])
@pytest.mark.parametrize("seed", range(5))
def test_every_code_stands_in_a_combination_whatever_the_noise(sigma: float, seed: int) -> None:
    (coupling,) = coupled([table(determined(), sigma, seed)], threshold=1e-9)
    for axis in (0, 1):
        assert set(coupling.group.combinations[:, axis].tolist()) == set(range(8))
    assert (coupling.shares > 0).all()
    assert coupling.shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("sigma", [1.0, 100.0, 1000.0])
def test_noise_on_independent_columns_couples_none(sigma: float) -> None:
    apart = np.outer(SHARES, SHARES)
    assert not any(coupled([table(apart, sigma, seed, (0, 2))]) for seed in range(20))


def test_columns_are_coupled_once_and_the_closest_first() -> None:
    loose = 0.8 * np.diag(SHARES) + 0.2 * np.outer(SHARES, SHARES)
    marginals = [table(determined(), 1.0, 0, (0, 1)), table(loose, 1.0, 0, (0, 2))]
    (coupling,) = coupled(marginals, threshold=0.3)
    assert coupling.group.columns == (0, 1)
    (other,) = coupled(marginals[1:], threshold=0.3)
    assert other.group.columns == (0, 2)


def test_columns_stay_apart_where_noise_hides_the_partners_of_many_rows() -> None:
    # One code is plain, each of the forty others has two deviations of the noise.
    many = np.array([0.2, *[0.02] * 40])
    shares = {0: many[None], 1: many[None]}
    drowned, plain = (table(np.diag(many), sigma, 0) for sigma in (200.0, 20.0))
    assert couple([drowned], shares, None, ROWS, 1e-9) == []
    assert len(couple([plain], shares, None, ROWS, 1e-9)) == 1


def test_a_column_in_bins_is_left_alone() -> None:
    assert coupled([table(determined(), 1.0, 0, bins=True)]) == []


def test_each_class_keeps_its_own_shares_of_both_columns() -> None:
    second = np.zeros(8)
    second[PARTNER] = SHARES
    turned, turned_second = SHARES[::-1], np.zeros(8)
    turned_second[PARTNER] = turned
    classes = np.stack([SHARES, turned])
    shares = {0: classes, 1: np.stack([second, turned_second])}
    joint = 0.5 * determined()
    joint[np.arange(8), PARTNER] += 0.5 * turned
    (coupling,) = couple([table(joint, 1.0, 0)], shares, None, ROWS, 0.6)
    assert coupling.shares == pytest.approx(classes, abs=1e-3)
