"""Areas of two models on the same rows, in whole numbers that add up over organisations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.areas import covariance, placements
from headwater.evaluation.tasks import Task

__all__ = ["FIELDS", "LEAST_OF_A_CLASS", "Pair", "count_pair", "read_pairs"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIELDS = 8
"""Whole numbers of one class: rows of either class, weight, weighted areas, weighted squares of their errors."""

LEAST_OF_A_CLASS = 10
"""Rows of either class that an area needs to say anything."""

# Areas are averaged over organisations by rows, an organisation's counting 8,000 at most, so that a count stays below
# 2^24: areas in thousandths of a row, variances in eighths of a squared row.
_HEAVIEST = 8000
_AREA_UNITS = 1000
_VARIANCE_UNITS = 8
_MOST = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Pair:
    """Areas of a model under test and of its yardstick.

    Attributes:
        tested: area of the one under test, 0 to 1.
        yardstick: area of the other.
        tested_variance, yardstick_variance: of the areas.
        gap_variance: of their difference.
        scarcest: rows of the rarer class, of the judged label that has fewest.
    """

    tested: float
    yardstick: float
    tested_variance: float
    yardstick_variance: float
    gap_variance: float
    scarcest: int

    @property
    def gap(self) -> float:
        """How much the tested one falls behind."""
        return self.yardstick - self.tested

    @property
    def ratio(self) -> float:
        """Tested over yardstick."""
        return self.tested / self.yardstick if self.yardstick > 0 else 0.0

    @property
    def ratio_error(self) -> float:
        """Standard error of the ratio, by the delta method."""
        if self.yardstick <= 0:
            return 0.0
        shared = (self.tested_variance + self.yardstick_variance - self.gap_variance) / 2
        variance = self.tested_variance + self.ratio**2 * self.yardstick_variance - 2 * self.ratio * shared
        return math.sqrt(max(variance, 0.0)) / self.yardstick


def count_pair(task: Task, truth: I64, tested: F64, yardstick: F64, where: Bools | None = None) -> I64:
    """Areas of two models on some rows, one block of fields for each judged label.

    An area is of one organisation's own rows: were scores of several models pooled, knowing an organisation's usual
    label would pass for knowing its rows'. Rows of one class have no area and add their number only.

    Args:
        task: whose labels are judged.
        truth: labels, int64, shape (rows,).
        tested: scores, shape (rows, labels).
        yardstick: likewise.
        where: only these rows; None for all.

    Returns:
        int64, shape (judged labels × FIELDS,).
    """
    if where is not None:
        truth, tested, yardstick = truth[where], tested[where], yardstick[where]
    found = []
    for label in task.judged:
        positive = truth == label
        rows, positives = len(truth), int(positive.sum())
        block = [positives, rows - positives, 0, 0, 0, 0, 0, 0]
        if min(positives, rows - positives) >= 2:
            left, right = placements(tested[:, label], positive), placements(yardstick[:, label], positive)
            own, other, both = covariance(left, left), covariance(right, right), covariance(left, right)
            weight = min(rows, _HEAVIEST)
            block[2] = weight
            block[3:5] = [round(weight * each.area * _AREA_UNITS) for each in (left, right)]
            block[5:8] = [
                round(weight * weight * max(variance, 0.0) * _VARIANCE_UNITS)
                for variance in (own, other, own + other - 2 * both)
            ]
        found.append(block)
    return np.minimum(np.array(found, np.int64).reshape(-1), _MOST)


def read_pairs(counts: I64) -> Pair | None:
    """Mean areas over judged labels; None where no organisation had two rows of either class of any.

    Args:
        counts: int64, shape (judged labels × FIELDS,), of one organisation or summed.
    """
    labels = [block for block in counts.reshape(-1, FIELDS) if block[2] > 0]
    if not labels:
        return None
    tested, yardstick = (_mean([block[place] / block[2] / _AREA_UNITS for block in labels]) for place in (3, 4))
    # Labels share their rows: the mean of the errors bounds the error of the mean.
    variances = [
        _mean([math.sqrt(block[place] / _VARIANCE_UNITS) / block[2] for block in labels]) ** 2 for place in (5, 6, 7)
    ]
    scarcest = min(int(min(block[0], block[1])) for block in labels)
    return Pair(tested, yardstick, variances[0], variances[1], variances[2], scarcest)


def _mean(values: Sequence[float]) -> float:
    return float(sum(values) / len(values))
