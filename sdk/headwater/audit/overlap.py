"""Whether a holdout was held out: rows that it shares with the training rows, beside what chance shares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.audit.row_hashes import value_hashes
from headwater.errors import InputError
from headwater.schema.table import Table

__all__ = ["REFUSED_BELOW", "Overlap", "measure_overlap", "refuse_overlap"]

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

REFUSED_BELOW = 0.001
"""A holdout that shares more with the training rows than chance would in one of a thousand splits is none."""

_FEW_NEIGHBOURS = 1
_WIDE = 1e4
_REACH = 12.0


@dataclass(frozen=True, slots=True)
class Overlap:
    """Rows that stand on both sides.

    Attributes:
        shared: holdout rows that equal a training row in every column.
        expected: how many would, were the same rows split by chance.
        p_value: of so many distinct rows on both sides, one-sided.
    """

    shared: int
    expected: float
    p_value: float

    def in_words(self) -> str:
        """One sentence for people."""
        rows = "1 holdout row equals" if self.shared == 1 else f"{self.shared:,} holdout rows equal"
        return (
            f"{rows} a training row in every column; "
            f"a split of the same rows by chance has about {self.expected:,.0f} (p = {self.p_value:.2g})"
        )


def measure_overlap(train: Table, holdout: Table) -> Overlap:
    """Compare the rows that both sides share with a split by chance.

    Real tables repeat themselves, so rows on both sides prove nothing. Were the holdout drawn by chance from all rows,
    a row that stands m times among them would be on both sides with probability 1 - a^m - b^m, where a and b are the
    shares of the sides. The number of distinct rows on both sides is compared with its exact law: once for all rows,
    and once for those that hardly another row comes near (at most one other differs in a single column only). Rows in
    crowded places repeat by themselves; those that stand alone do not, and their repeats are the first to tell. The
    smaller p-value is doubled.

    Both laws hold given the rows themselves, so that any duplication inside the table, however uneven, is allowed for.

    Args:
        train: rows that the generator was fitted to.
        holdout: rows that should have been kept from it.

    Raises:
        InputError: the tables have different schemas, or one has no rows.
    """
    if train.schema != holdout.schema:
        raise InputError("training and holdout rows have different schemas; conform both to one")
    if not train.rows or not holdout.rows:
        raise InputError("training rows or holdout rows are none; give at least one of each")
    parts = value_hashes(Table.concat([train, holdout]))
    whole = parts.sum(axis=1, dtype=np.uint64)
    _, first, place, times = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    held = np.bincount(place[train.rows :], minlength=len(times))
    both = (held > 0) & (held < times)
    share = holdout.rows / (train.rows + holdout.rows)
    lonely = _neighbours(parts[first]) <= _FEW_NEIGHBOURS
    p_value = min(_p_value(both, times, share), _p_value(both[lonely], times[lonely], share))
    repeated = times[times > 1].astype(np.float64)
    return Overlap(
        int(held[both].sum()),
        float((repeated * (share - share**repeated)).sum()),
        min(1.0, 2 * p_value),
    )


def refuse_overlap(train: Table, holdout: Table) -> Overlap:
    """Measure, and refuse a holdout that shares more than chance would.

    Raises:
        InputError: p < .001; or what `measure_overlap` raises.
    """
    overlap = measure_overlap(train, holdout)
    if overlap.p_value < REFUSED_BELOW:
        raise InputError(
            f"the holdout was not held out: {overlap.in_words()}; split the real rows again so that no row is on both "
            "sides, and fit the generator to the training part alone"
        )
    return overlap


def _neighbours(distinct: U64) -> I64:
    """How many other distinct rows differ from each in exactly one column."""
    whole = distinct.sum(axis=1, dtype=np.uint64)
    near = np.zeros(len(whole), np.int64)
    for column in distinct.T:
        _, place, times = np.unique(whole - column, return_inverse=True, return_counts=True)
        near += times[place] - 1
    return near


def _p_value(both: NDArray[np.bool_], times: I64, share: float) -> float:
    """P(as many distinct rows on both sides, or more) for rows that stand so many times, one side having a share."""
    sizes, counts = np.unique(times[times > 1], return_counts=True)
    if not len(sizes):
        return 1.0
    chances = 1 - share**sizes - (1 - share) ** sizes
    found = int(both.sum())
    mean, variance = float(counts @ chances), float(counts @ (chances * (1 - chances)))
    if variance > _WIDE:
        from scipy.special import ndtr

        return float(ndtr(-(found - 0.5 - mean) / np.sqrt(variance)))
    law, begin = np.ones(1), 0
    for count, chance in zip(counts.tolist(), chances.tolist(), strict=True):
        part, least = _binomial(count, chance)
        law, begin = np.convolve(law, part), begin + least
    return float(min(law[max(found - begin, 0) :].sum(), 1.0)) if found - begin < len(law) else 0.0


def _binomial(trials: int, chance: float) -> tuple[F64, int]:
    """Probabilities of a binomial law as far as they matter, and the least number they begin at."""
    from scipy.special import gammaln, xlog1py, xlogy

    reach = _REACH * np.sqrt(trials * chance * (1 - chance)) + 40
    least = max(int(trials * chance - reach), 0)
    numbers = np.arange(least, min(int(trials * chance + reach) + 1, trials) + 1, dtype=np.float64)
    choose = gammaln(trials + 1) - gammaln(numbers + 1) - gammaln(trials - numbers + 1)
    law: F64 = np.exp(choose + xlogy(numbers, chance) + xlog1py(trials - numbers, -chance))
    return law, least
