"""Area under the ROC curve with its variance, from scores or from counts of scores on a grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Placements", "area", "area_variance", "covariance", "placements"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Placements:
    """Of each row, the share of rows of the other class that it is ordered rightly with; ties count one half.

    Attributes:
        positive: float64, shape (positive rows,).
        negative: float64, shape (negative rows,).
    """

    positive: F64
    negative: F64

    @property
    def area(self) -> float:
        """Area under the ROC curve, 0 to 1."""
        return float(self.positive.mean())


def placements(scores: F64, positive: Bools) -> Placements:
    """Placements of scored rows; at least one of either class.

    Args:
        scores: float64, shape (rows,); higher says positive.
        positive: truth, shape (rows,).
    """
    high, low = scores[positive], scores[~positive]
    return Placements(_below(high, np.sort(low)), 1 - _below(low, np.sort(high)))


def covariance(left: Placements, right: Placements) -> float:
    """Covariance of the areas of two models that scored the same rows; with itself, an area's variance.

    0 for fewer than two rows of a class, which have no variance to be told.

    Source: DeLong, DeLong and Clarke-Pearson 1988, equation 5.
    """
    total = 0.0
    for one, other in ((left.positive, right.positive), (left.negative, right.negative)):
        if len(one) > 1:
            total += float(((one - one.mean()) * (other - other.mean())).sum()) / (len(one) - 1) / len(one)
    return total


def area(positive: I64, negative: I64) -> float:
    """Area from counts of scores on one grid, ascending; ties in a cell count one half, at least one row each."""
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def area_variance(positive: I64, negative: I64) -> float:
    """DeLong's variance of `area`; at least two rows each."""
    total = 0.0
    for counts, others in ((positive, negative), (negative, positive)):
        rows = int(counts.sum())
        placed = (np.cumsum(others) - others / 2) / others.sum()
        mean = float((counts * placed).sum()) / rows
        total += float((counts * (placed - mean) ** 2).sum()) / (rows - 1) / rows
    return total


def _below(scores: F64, others: F64) -> F64:
    """Share of sorted others below each score, those at it by half."""
    left = np.searchsorted(others, scores, side="left")
    found: F64 = (left + np.searchsorted(others, scores, side="right")) / (2 * len(others))
    return found
