"""What a summed vector says, and whether it can be a sum of contributions at all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import Marginal, Subset, cells_of
from headwater.errors import InputError
from headwater.mixture.expectation import Statistics
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode, values_of
from headwater.recipe.fixed_point import integer_norm_squared, largest_magnitude, to_real
from headwater.recipe.layout import Layout, Summed, layout_of_counts, layout_of_update
from headwater.secagg.crypto.ring import RingVector

__all__ = ["read_expectation", "read_histograms", "read_tables", "read_update"]

F64 = NDArray[np.float64]

_ROUNDING = 1e-6
_WRONG = "the sum cannot be one of contributions to this task ({}); do not use it, look for a faulty organisation"


def read_histograms(vector: RingVector, histograms: Histograms) -> Summed:
    """The columns' histograms; each must count the same rows.

    Raises:
        InputError: of another length, or no sum of counts, or of no row at all.
    """
    summed = _counts(layout_of_counts(histograms.length), vector)
    if summed.weight == 0:
        raise InputError("the organisations have no training row together; check their tables and the plan's splits")
    if any(int(part.sum()) != summed.weight for part in histograms.split(summed.payload)):
        raise InputError(_WRONG.format("columns count different numbers of rows"))
    return summed


def read_tables(vector: RingVector, subsets: Sequence[Subset], sizes: Sequence[int]) -> tuple[list[Marginal], Summed]:
    """The marginal of each subset; each must count the same rows.

    Raises:
        InputError: of another length, or no sum of counts, or of no row at all.
    """
    cells = [cells_of(sizes, subset) for subset in subsets]
    summed = _counts(layout_of_counts(sum(cells)), vector)
    parts = np.split(summed.payload, np.cumsum(cells)[:-1])
    if summed.weight == 0 or any(int(part.sum()) != summed.weight for part in parts):
        raise InputError(_WRONG.format("tables count different numbers of rows, or none"))
    return [Marginal(subset, part.astype(np.float64)) for subset, part in zip(subsets, parts, strict=True)], summed


def read_expectation(vector: RingVector, mixture: Mixture, code: StatisticsCode) -> tuple[Statistics, Summed]:
    """The statistics under a mixture.

    Raises:
        InputError: of another length, or no sum of statistics: counts are negative, or do not count the same rows.
    """
    summed = layout_of_counts(values_of(mixture.form, mixture.components)).split(vector)
    if summed.weight <= 0 or min(summed.metrics.values()) < 0:
        raise InputError(_WRONG.format("there is no row, or fewer than none"))
    statistics = code.statistics(summed.payload, mixture.form, mixture.components)
    if int(statistics.train.sum()) != summed.weight:
        raise InputError(_WRONG.format("log-densities and rows are not as many"))
    # Responsibilities of a row sum to 1, or to 0 where nobody had its class when the mixture was made.
    if statistics.sums[:, 0].sum() > summed.weight * (1 + _ROUNDING) + mixture.components:
        raise InputError(_WRONG.format("the responsibilities are more than the rows"))
    return statistics, summed


def read_update(
    vector: RingVector, weights: int, contributors: int, scale: float, value_bits: int
) -> tuple[F64 | None, Summed]:
    """The weighted mean of the organisations' changes; None where nobody's weight is above 0.

    Raises:
        InputError: of another length, or larger than so many clipped contributions can be.
    """
    summed = layout_of_update(weights).split(vector)
    unit = largest_magnitude(value_bits)
    if not 0 <= summed.weight <= contributors * unit:
        raise InputError(_WRONG.format("the weight is out of range"))
    if any(not 0 <= count <= contributors for count in summed.metrics.values()):
        raise InputError(_WRONG.format("a metric is out of range"))
    # generator.md, plausibility of the aggregate: norms of clipped contributions add up to no more than this.
    if integer_norm_squared(summed.payload) > (contributors * unit) ** 2:
        raise InputError(_WRONG.format("its norm is above the sum of the clip norms"))
    if summed.weight == 0:
        return None, summed
    return to_real(summed.payload, scale) / (summed.weight / unit), summed


def _counts(layout: Layout, vector: RingVector) -> Summed:
    summed = layout.split(vector)
    if summed.weight < 0 or min(summed.metrics.values()) < 0 or (summed.payload < 0).any():
        raise InputError(_WRONG.format("a count is negative"))
    return summed
