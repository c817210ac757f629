"""What a summed vector says, and whether it can be a sum of contributions at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.grid import Histograms
from headwater.encoding.marginals import Marginal, Subset, cells_of
from headwater.errors import InputError
from headwater.images.pixels import PixelSums, pixel_cells, read_pixel_sums
from headwater.mixture.expectation import Statistics
from headwater.mixture.parameters import Mixture
from headwater.mixture.sharing import shared_otherwise
from headwater.mixture.vector import StatisticsCode, values_of
from headwater.recipe.evaluation import Evaluation, values_of_evaluation
from headwater.recipe.fixed_point import integer_norm_squared, largest_magnitude, to_real
from headwater.recipe.layout import Layout, Summed, layout_of_counts, layout_of_update
from headwater.recipe.plausibility import (
    OTHER_ROWS,
    ClimbTotals,
    EvaluationTotals,
    differing_margins,
    impossible_statistics,
)
from headwater.schema import ImageColumn
from headwater.secagg.crypto.ring import RingVector

__all__ = [
    "HeadRoom",
    "ImplausibleSum",
    "Known",
    "read_audit",
    "read_evaluation",
    "read_expectation",
    "read_histograms",
    "read_noisy",
    "read_pixels",
    "read_tables",
    "read_update",
]

F64 = NDArray[np.float64]

_NO_ROW = "the organisations have no training row together; check their tables and the plan's splits"


class ImplausibleSum(InputError):
    """A vector of the right form that honest contributions cannot add up to."""

    def __init__(self, what: str) -> None:
        """Say what is wrong with it."""
        super().__init__(
            f"the sum cannot be one of contributions to this task ({what}); do not use it, look for a faulty "
            "organisation"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Counts that an earlier round fixed.

    Attributes:
        counts: by columns, as `Marginal.counts`.
        rows: that the first round counted.
        one_cohort: whether every sum of the run is over the same rows.
    """

    counts: Mapping[Subset, F64]
    rows: int
    one_cohort: bool = False


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """What every value of a sum is bounded by (protocol 2.2).

    Attributes:
        contributors: organisations in the sum.
        value_bits: each contributed a value below 2^value_bits in magnitude.
    """

    contributors: int
    value_bits: int

    @property
    def unit(self) -> int:
        """Largest magnitude that one organisation contributes."""
        return largest_magnitude(self.value_bits)

    @property
    def largest(self) -> int:
        """Largest magnitude of the sum."""
        return self.contributors * self.unit


def read_histograms(vector: RingVector, histograms: Histograms, room: HeadRoom) -> Summed:
    """The columns' histograms; each must count the same rows.

    Raises:
        InputError: of another length, or no sum of counts, or of no row at all.
    """
    summed = _counts(layout_of_counts(histograms.length), vector, room)
    if summed.weight == 0:
        raise InputError(_NO_ROW)
    if any(int(part.sum()) != summed.weight for part in histograms.split(summed.payload)):
        raise ImplausibleSum("columns count different numbers of rows")
    return summed


def read_noisy(vector: RingVector, length: int, room: HeadRoom) -> NDArray[np.int64]:
    """Counts under noise; a count may be negative, and no two tables agree.

    Args:
        vector: the sum.
        length: values of the task.
        room: of the round.

    Returns:
        int64, shape (cells,).

    Raises:
        InputError: of another length.
        ImplausibleSum: larger than honest contributions are, or with a weight or metric, which are public under a
            budget and zero.
    """
    summed = _within(layout_of_counts(length - layout_of_counts(0).length), vector, room)
    if summed.weight or any(summed.metrics.values()):
        raise ImplausibleSum("a weight or metric stands beside noisy counts, where none may")
    return summed.payload


def read_tables(
    vector: RingVector, subsets: Sequence[Subset], sizes: Sequence[int], room: HeadRoom, known: Known
) -> tuple[list[Marginal], Summed]:
    """The marginal of each subset; all must count the same rows, and the same codes of the columns that they share.

    Args:
        vector: the sum.
        subsets: columns of each table.
        sizes: number of codes of each column.
        room: of the round.
        known: counts of earlier rounds, by columns. Those over as many rows as this sum has are compared with it: an
            organisation that came or went in between changes both, where the plan lets it.

    Raises:
        InputError: of another length, or no sum of counts, or of no row at all, or its tables contradict each other.
    """
    cells = [cells_of(sizes, subset) for subset in subsets]
    summed = _counts(layout_of_counts(sum(cells)), vector, room)
    parts = np.split(summed.payload, np.cumsum(cells)[:-1])
    if summed.weight == 0 or any(int(part.sum()) != summed.weight for part in parts):
        raise ImplausibleSum("tables count different numbers of rows, or none")
    if known.one_cohort and known.rows != summed.weight:
        raise ImplausibleSum(OTHER_ROWS)
    counted = [Marginal(subset, part.astype(np.float64)) for subset, part in zip(subsets, parts, strict=True)]
    before = {columns: counts for columns, counts in known.counts.items() if int(counts.sum()) == summed.weight}
    if columns := differing_margins(counted, sizes, before):
        named = ", ".join(str(column + 1) for column in columns)
        raise ImplausibleSum(f"tables disagree on how many rows have which codes of column {named}")
    return counted, summed


def read_expectation(
    vector: RingVector,
    mixture: Mixture,
    code: StatisticsCode,
    room: HeadRoom,
    totals: ClimbTotals,
) -> tuple[Statistics, Summed]:
    """The statistics under a mixture.

    Args:
        vector: the sum.
        mixture: that was asked about.
        code: fixed point of the round.
        room: of the round; each organisation rounds on its own.
        totals: what the climb's rounds must add up to.

    Raises:
        InputError: of another length.
        ImplausibleSum: no sum of statistics: counts are negative, or do not count the same rows, or contradict the
            counts or the rounds before.
    """
    summed = _within(layout_of_counts(values_of(mixture.form, mixture.components)), vector, room)
    if summed.weight <= 0 or min(summed.metrics.values()) < 0:
        raise ImplausibleSum("there is no row, or fewer than none")
    try:
        statistics = code.statistics(summed.payload, mixture.form, mixture.components)
    except InputError as error:
        raise ImplausibleSum("a count is negative") from error
    if int(statistics.train.sum()) != summed.weight:
        raise ImplausibleSum("log-densities and rows are not as many")
    rounding = room.contributors * code.count_rounding
    problem = impossible_statistics(statistics, mixture, summed.weight, rounding)
    problem = problem or totals.problem(statistics, mixture, summed.weight, rounding * mixture.components)
    if not problem and shared_otherwise(statistics, mixture, summed.weight, rounding):
        problem = "rows are shared out among components that they do not belong to"
    if problem:
        raise ImplausibleSum(problem)
    return statistics, summed


def read_evaluation(vector: RingVector, totals: EvaluationTotals, room: HeadRoom) -> tuple[Evaluation, Summed]:
    """The histograms of a round of evaluation.

    Args:
        vector: the sum.
        totals: what counts and climb say that it must come to.
        room: of the round.

    Raises:
        InputError: of another length.
        ImplausibleSum: no sum of counts, or its parts do not count the same rows, or contradict the rounds before.
    """
    classes = len(totals.class_counts)
    summed = _counts(layout_of_counts(values_of_evaluation(classes)), vector, room)
    try:
        evaluation = Evaluation.of(summed.payload, classes)
    except InputError as error:
        raise ImplausibleSum("its histograms count different rows") from error
    if int(evaluation.logits[0].sum()) != summed.weight:
        raise ImplausibleSum("histograms and rows are not as many")
    if problem := totals.problem(evaluation, summed.weight):
        raise ImplausibleSum(problem)
    return evaluation, summed


def read_audit(vector: RingVector, size: int, room: HeadRoom, rows: int | None) -> Summed:
    """Counts of an audit.

    Args:
        vector: the sum.
        size: counts of all checks.
        room: of the round.
        rows: training rows that the first round counted, where no organisation may come or go; else None.

    Raises:
        InputError: of another length.
        ImplausibleSum: no sum of counts, or over other rows than were trained on.
    """
    summed = _counts(layout_of_counts(size), vector, room)
    if summed.weight == 0:
        raise ImplausibleSum("there is no training row")
    if rows is not None and summed.weight != rows:
        raise ImplausibleSum(OTHER_ROWS)
    return summed


def read_update(
    vector: RingVector, weights: int, room: HeadRoom, scale: float, most_weight: float = math.inf
) -> tuple[F64 | None, Summed]:
    """The weighted mean of the organisations' changes; None where nobody's weight is above 0.

    Args:
        vector: the sum.
        weights: values of an update.
        room: of the round.
        scale: units for 1.0.
        most_weight: that all organisations together can have, where their rows are known; 1.0 is one's largest.

    Raises:
        InputError: of another length.
        ImplausibleSum: larger than so many clipped contributions can be, or of more weight than the counted rows have.

    Guarantee: the norm of the mean is at most the clip norm, but for rounding.
    """
    summed = _within(layout_of_update(weights), vector, room)
    # Each weight is rounded by itself.
    if not 0 <= summed.weight <= most_weight * room.unit + room.contributors:
        raise ImplausibleSum("the weight is out of range")
    most = {name: room.largest if name in ("energy", "accuracy") else room.contributors for name in summed.metrics}
    if any(not 0 <= count <= most[name] for name, count in summed.metrics.items()):
        raise ImplausibleSum("a metric is out of range")
    # generator.md, plausibility of the aggregate: each weighted update is within its weight's share of the clip norm,
    # but for rounding, so the mean is within the clip norm however few send however much.
    rounding = room.contributors * (1 + math.isqrt(weights))
    if integer_norm_squared(summed.payload) > (summed.weight + rounding) ** 2:
        raise ImplausibleSum("its norm is above the clip norm")
    if summed.weight == 0:
        return None, summed
    return to_real(summed.payload, scale) / (summed.weight / room.unit), summed


def read_pixels(vector: RingVector, images: Sequence[ImageColumn], room: HeadRoom) -> tuple[list[PixelSums], Summed]:
    """The sums of each image's pixels and of the products of their pairs.

    Raises:
        InputError: of another length, or of no row at all, or the sums are of no levels.
    """
    summed = _counts(layout_of_counts(pixel_cells(images)), vector, room)
    if summed.weight == 0:
        raise InputError(_NO_ROW)
    return read_pixel_sums(summed.payload, images, room.value_bits, summed.weight), summed


def _within(layout: Layout, vector: RingVector, room: HeadRoom) -> Summed:
    """A vector taken apart, none of its values larger than so many contributions add up to.

    In a ring of 64 bits larger ones could wrap around where they are added up: four cells of 2^62 come to nothing.
    """
    summed = layout.split(vector)
    values = [summed.weight, *summed.metrics.values()]
    if summed.payload.size:
        values += [int(summed.payload.max()), int(summed.payload.min())]
    if max(map(abs, values)) > room.largest:
        raise ImplausibleSum("a value is larger than so many contributions add up to")
    return summed


def _counts(layout: Layout, vector: RingVector, room: HeadRoom) -> Summed:
    summed = _within(layout, vector, room)
    if summed.weight < 0 or min(summed.metrics.values()) < 0 or (summed.payload < 0).any():
        raise ImplausibleSum("a count is negative")
    return summed
