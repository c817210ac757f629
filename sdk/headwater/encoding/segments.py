"""Runs of neighbouring cells that noisy counts cannot tell apart."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["segments"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_LARGE_DEVIATIONS = 2.0


def segments(counts: F64, variance: float, largest: float, *, penalty: float = 8.0) -> I64:
    """Cut ordered cells into runs over which counts are constant but for their noise.

    Args:
        counts: float64, shape (cells, classes): noisy rows of each class in each cell.
        variance: of each count's noise.
        largest: most rows of a run of several cells, so that a column keeps enough codes where rows are many.
        penalty: what a run costs, in squared deviations of noise: a cut must explain more than it.

    Returns:
        int64, shape (cells,): the run of each cell, from 0, ascending, none skipped.

    Guarantee: least sum over runs of squared deviations from the run's mean in units of noise, plus `penalty` a run,
        among all ways to cut; runs above `largest` only where it is by no more than noise.

    Source: optimal partitioning, Jackson et al. 2005.
    """
    cells, classes = counts.shape
    sums = np.concatenate([np.zeros((1, classes)), np.cumsum(counts, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((counts**2).sum(axis=1))])
    totals = sums.sum(axis=1)
    best = np.full(cells + 1, np.inf)
    best[0] = 0.0
    start_of = np.zeros(cells + 1, np.int64)
    for end in range(1, cells + 1):
        lengths = end - np.arange(end)
        misfit = squares[end] - squares[:end] - ((sums[end] - sums[:end]) ** 2).sum(axis=1) / lengths
        spread = _LARGE_DEVIATIONS * np.sqrt(variance * lengths * classes)
        too_large = (lengths > 1) & (totals[end] - totals[:end] > largest + spread)
        costs = np.where(too_large, np.inf, best[:end] + misfit / variance + penalty)
        start_of[end] = np.argmin(costs)
        best[end] = costs[start_of[end]]
    return _numbered(start_of, cells)


def _numbered(start_of: I64, cells: int) -> I64:
    begins = np.zeros(cells, np.int64)
    end = cells
    while end > 0:
        end = int(start_of[end])
        begins[end] = 1
    return np.cumsum(begins) - 1
