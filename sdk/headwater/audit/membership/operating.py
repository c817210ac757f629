"""True positives at a fixed rate of false ones, read from two histograms, with how much chance is in them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE", "Operating", "detectable", "operating_point"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

RATE = 0.01
"""False positives at which attacks are read."""


@dataclass(frozen=True, slots=True)
class Operating:
    """Where an attack stands.

    Attributes:
        value: share of members found at the rate; its mean is the rate itself where scores tell nothing.
        members: that were scored.
        others: non-members that were scored.
        tally: (successes, trials) of a binomial law with this value and with the chance of members and non-members
            together in its spread.
        p_value: chance of as many members above the threshold where scores tell nothing, exactly but for rounding up.
    """

    value: float
    members: int
    others: int
    tally: tuple[int, int]
    p_value: float


def operating_point(members: I64, others: I64, rate: float = RATE) -> Operating:
    """Read the share of members that lie above the non-members' highest scores.

    The threshold is not known but estimated: of n exchangeable scores the j-th largest leaves j / (n + 1) above it on
    average. With t the share of members above it, the value is interpolated between j's to the rate, from 0 at j = 0,
    and so has the rate as its mean under the null at any n. The threshold's own chance counts: the variance is
    t (1 - t) / m + slope^2 (j + 1) / (n + 1)^2, where the slope of the ROC is taken from half to twice of j and never
    below the null's 1, and j + 1 stands for j because more false positives than thought mislead, and few are skewed.
    As in surveys, the tally has as many trials as a plain binomial of that variance would need. Its tails are too light
    for a p-value: given exchangeable scores, the members above the j-th non-member follow the beta-binomial law, from
    which the p-value is.

    Args:
        members: shape (bins,), by ascending score; at least one.
        others: the same of non-members; at least one.
        rate: of false positives, above 0 and below 1.

    Source: Carlini et al. 2022 (arXiv:2112.03570), section III, for the statistic; Korn and Graubard 1998 for the
    effective number of trials.
    """
    found, known = int(members.sum()), int(others.sum())
    position = rate * (known + 1)
    # Below the first of them no threshold lies: the value is its share of what the first one leaves.
    at, weight = max(position, 1.0), min(position, 1.0)
    share = _above(members, others, at)
    false = at / (known + 1)
    before, after = max(at / 2, 1.0), min(2 * at, known + 0.5)
    rise = _above(members, others, after) - _above(members, others, before)
    slope = max(rise * (known + 1) / max(after - before, 1.0), 1.0)
    likely = max(share, false)
    unsure = (at + 1) / (known + 1) ** 2
    variance = weight**2 * (likely * (1 - likely) / found + slope**2 * unsure)
    value = weight * share
    centre = min(max(value, rate), 1 - rate)
    trials = max(min(int(centre * (1 - centre) / variance), found), 1) if variance > 0 else found
    tally = (min(round(value * trials), trials), trials)
    return Operating(value, found, known, tally, _at_least(round(share * found), found, at, known))


def _at_least(hits: int, members: int, rank: float, others: int) -> float:
    """Chance of so many members above the non-member of this rank, all scores being exchangeable."""
    from scipy.special import betaln

    if hits <= 0:
        return 1.0
    counts = np.arange(hits, members + 1, dtype=np.float64)
    below = others + 1 - rank
    chances = betaln(counts + rank, members - counts + below) - betaln(rank, below)
    chances -= np.log(members + 1) + betaln(counts + 1, members - counts + 1)
    return min(float(np.exp(chances).sum()), 1.0)


def detectable(members: int, others: int, rate: float = RATE) -> float:
    """Smallest true-positive share that a one-sided test at 5 % finds with power .8, by the normal approximation."""
    noise = (max(rate * (others + 1), 1.0) + 1) / (others + 1) ** 2 * min(rate * (others + 1), 1.0) ** 2
    critical = rate + 1.645 * math.sqrt(rate * (1 - rate) / members + noise)
    value = critical
    for _ in range(30):
        value = min(critical + 0.842 * math.sqrt(value * (1 - value) / members + noise), 1.0)
    return value


def _above(members: I64, others: I64, position: float) -> float:
    """Share of members above the non-member of this rank, counted from the top; between ranks and inside of a bin,
    what chance would give."""
    # Half a rank before a whole one the staircase of the ROC is level, so that no rank falls on one of its rises.
    false: F64 = np.concatenate([[0.0], np.cumsum(others[::-1], dtype=np.float64)])
    true: F64 = np.concatenate([[0.0], np.cumsum(members[::-1], dtype=np.float64)]) / members.sum()
    lower = math.floor(position)
    ranks = np.array([lower, lower + 1]) - 0.5
    low, high = np.interp(np.clip(ranks, 0.5, max(others.sum() - 0.5, 0.5)), false, true)
    low = 0.0 if lower < 1 else low
    return float(low + (position - lower) * (high - low))
