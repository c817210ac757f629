"""Statistics as the integers of one secure round, and back from their sum."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.density import moment_places
from headwater.mixture.expectation import DENSITY_BINS, DENSITY_REACH, Statistics
from headwater.mixture.form import Form
from headwater.mixture.normal import REACH

__all__ = ["StatisticsCode", "components_within", "values_of", "values_with"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Two limbs hold integers that a float64 holds exactly.
_MOST_BITS = 50


def values_of(form: Form, components: int) -> int:
    """Integers of the statistics of a mixture with so many components."""
    return values_with(form.cells, len(form.scores), components)


def values_with(cells: int, scores: int, components: int) -> int:
    """Integers of the statistics of so many components, of units with so many cells and of so many scores."""
    return components * (1 + cells + 2 * (scores + scores * (scores + 1) // 2)) + 2 + 2 * DENSITY_BINS


def components_within(form: Form, budget: int) -> int:
    """Most components whose statistics take no more than `budget` integers, 1 at least."""
    apart = values_of(form, 0)
    return max(1, (budget - apart) // (values_of(form, 1) - apart))


@dataclass(frozen=True)
class StatisticsCode:
    """The fixed point of a round's statistics.

    Counts by responsibility are at most the rows, one integer each. Sums of scores, of their products and of
    log-densities need more bits than one value has: each is cut into two limbs, and sums of limbs put together again.

    Attributes:
        rows: no organisation may have more training rows; a power of two.
        value_bits: every integer is below 2^value_bits in magnitude (protocol 2.2).
    """

    rows: int
    value_bits: int

    @classmethod
    def for_rows(cls, rows: int, value_bits: int) -> "StatisticsCode":
        """For a table of `rows` rows in all; rounded up, so that tasks do not tell the number.

        Raises:
            InputError: a count of so many rows does not fit.
        """
        bound = 1 << max(rows, 2).bit_length()
        if bound >> value_bits:
            raise InputError(
                f"{rows} rows may reach 2^{bound.bit_length() - 1} and recipe.value_bits is {value_bits}; raise it, or "
                "set aggregation.ring_bits = 64"
            )
        return cls(bound, value_bits)

    def integers(self, statistics: Statistics, form: Form) -> I64:
        """The statistics as integers of magnitude below 2^value_bits.

        Args:
            statistics: of at most `rows` rows.
            form: of the mixture.
        """
        cells = 1 + form.cells
        counts = statistics.sums[:, :cells] * self._count_scale
        moments = np.append(statistics.sums[:, cells:].reshape(-1), statistics.density)
        scaled = np.rint(moments * self._moment_scales(form, len(statistics.sums))).astype(np.int64)
        high = scaled >> self.value_bits
        parts = (
            np.rint(counts).astype(np.int64).reshape(-1),
            high,
            scaled - (high << self.value_bits),
            statistics.train,
            statistics.validation,
        )
        return np.concatenate(parts)

    def statistics(self, integers: I64, form: Form, components: int) -> Statistics:
        """Statistics from summed integers.

        Raises:
            InputError: of another length, or no sum of statistics: a count is negative.
        """
        if integers.shape != (values_of(form, components),):
            raise InputError("a sum of statistics has not the length of its mixture; they do not belong together")
        cells, scores = 1 + form.cells, len(form.scores)
        moments = components * (scores + scores * (scores + 1) // 2) + 1
        ends = np.cumsum([components * cells, moments, moments, DENSITY_BINS])
        counts, high, low, train, validation = np.split(integers, ends)
        if min(counts.min(), train.min(), validation.min()) < 0:
            raise InputError(
                "a sum of statistics holds a negative count; do not use it, look for a faulty organisation"
            )
        whole = high.astype(np.float64) * 2.0**self.value_bits + low.astype(np.float64)
        real = whole / self._moment_scales(form, components)
        sums = np.concatenate(
            [counts.reshape(components, cells) / self._count_scale, real[:-1].reshape(components, -1)], axis=1
        )
        return Statistics(sums, float(real[-1]), train, validation)

    @property
    def count_rounding(self) -> float:
        """Most that one organisation's count is off by its fixed point, in rows."""
        return 0.5 / self._count_scale

    @property
    def _count_scale(self) -> float:
        # A power of two; the largest count comes to no more than the largest magnitude 2^value_bits − 1.
        return float(1 << (self.value_bits - self.rows.bit_length()))

    def _moment_scales(self, form: Form, components: int) -> F64:
        """Units for 1.0 of each sum of scores and of products, and last of the log-densities."""
        scores = len(form.scores)
        products = len(moment_places(scores)[0])
        one = np.concatenate([np.full(scores, self._scale(REACH)), np.full(products, self._scale(REACH**2))])
        return np.append(np.tile(one, components), self._scale(DENSITY_REACH))

    def _scale(self, bound: float) -> float:
        bits = min(2 * self.value_bits - 1, _MOST_BITS)
        return 2.0 ** (bits - (self.rows.bit_length() - 1) - int(np.ceil(np.log2(bound))))
