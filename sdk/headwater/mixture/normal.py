"""The standard normal distribution and its quantiles, elementwise on arrays."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["REACH", "cumulative", "even_interpolation", "quantile"]

F64 = NDArray[np.float64]

REACH = 4.5
"""Quantiles are cut off here: one row in 147,000 lies further out on a side."""

# Linear interpolation errs by less than step² / 8 × max|φ'| = 1e-8.
_GRID: F64 = np.linspace(-6.0, 6.0, 24_001)
_SHARES: F64 = np.asarray([0.5 * math.erfc(-score / math.sqrt(2.0)) for score in _GRID.tolist()])
_STEP = 12.0 / 24_000
# Quantiles at even shares say, to a fraction of a step, where in the grid a share lies; in the tails they do not.
_GUIDE: F64 = np.interp(np.linspace(0.0, 1.0, (1 << 15) + 1), _SHARES, _GRID)
_TAIL = 2e-3


def cumulative(scores: F64) -> F64:
    """Share of the standard normal below each score, 0 to 1; absolute error below 1e-8."""
    return even_interpolation(scores, -6.0, 6.0, _SHARES)


def quantile(shares: F64) -> F64:
    """The score below which each share lies, within ±`REACH`; the inverse of `cumulative` there.

    Args:
        shares: 0 to 1.
    """
    shares = np.asarray(shares, dtype=np.float64)
    guess = even_interpolation(shares, 0.0, 1.0, _GUIDE)
    place = np.clip(((guess + 6.0) / _STEP).astype(np.int32), 0, len(_GRID) - 2)
    # The guess errs by less than one cell.
    place += _SHARES[place + 1] <= shares
    place -= _SHARES[place] > shares
    np.clip(place, 0, len(_GRID) - 2, out=place)
    below = _SHARES[place]
    scores = _GRID[place] + _STEP * ((shares - below) / (_SHARES[place + 1] - below))
    tails = np.abs(shares - 0.5) > 0.5 - _TAIL
    scores[tails] = np.interp(shares[tails], _SHARES, _GRID)
    return np.clip(scores, -REACH, REACH)


def even_interpolation(points: F64, low: float, high: float, values: F64) -> F64:
    """`numpy.interp` over an even grid, without its search.

    Args:
        points: any shape; finite.
        low: of the grid; points below take the first value.
        high: of the grid; points above take the last one.
        values: float64, shape (2 or more,): at even steps from `low` to `high`.
    """
    place = np.clip((np.asarray(points) - low) * ((len(values) - 1) / (high - low)), 0.0, len(values) - 1.0)
    before = np.minimum(place.astype(np.int32), len(values) - 2)
    start = values[before]
    interpolated: F64 = start + (place - before) * (values[before + 1] - start)
    return interpolated
