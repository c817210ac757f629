"""How far columns, pairs and triples of columns lie from the real ones: total variation."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.cells import Cells, Chosen, choose
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["Marginals", "expected_distance"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_MOST_BINS = 20
_MOST_CATEGORIES = {1: 256, 2: 64, 3: 20}
_MOST_CELLS = {1: 1 << 16, 2: 1 << 17, 3: 1 << 18}
# A second real sample must not look further away than this, or distances say more of chance than of the candidate.
_LARGEST_FLOOR = {1: 0.1, 2: 0.15, 3: 0.3}
_LEAST_ROWS = 50
_SHOWN = 5


class Marginals:
    """Total variation distance of 1-, 2- and 3-way marginals, the candidate's against the training rows'.

    Numbers lie in 20 bins near the candidate's quantiles, at public edges, in fewer where the candidate is small: with
    many more cells than rows two real samples are far apart as well. Training rows are counted in public cells, so
    counts of several organisations add up exactly.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the cells and the groups of columns by public things alone."""
        self._candidate = candidate
        self._cells: dict[int, Cells] = {}
        self._chosen: dict[int, Chosen] = {}
        for ways in (1, 2, 3):
            bins = _bins(candidate.table.rows, ways)
            categories = min(_MOST_CATEGORIES[ways], max(8, 3 * bins))
            cells = Cells.of(candidate.table, bins, categories)
            self._cells[ways] = cells
            self._chosen[ways] = choose(cells.sizes, ways, _MOST_CELLS[ways], settings.seed)

    @property
    def name(self) -> str:
        """Dotted name."""
        return "marginals"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Columns, pairs and triples",
            question="Do columns, pairs and triples of columns have the shares that they have in the real rows?",
            knowledge="Reads counts of training rows in public cells; no row is looked at on its own.",
            statistic="Mean total variation distance, 0 for equal shares and 1 for no overlap; the null value is what "
            "a second real sample of the same size would have.",
            misses="What shows in no three columns together, differences inside a bin, and in wide tables the groups "
            "that were not chosen.",
            source="Levin, Peres and Wilmer 2017, section 4.1; interval by the delta method.",
        )

    @property
    def size(self) -> int:
        """Cells of all groups."""
        return sum(self._cells[w].width(group) for w in (1, 2, 3) for group in self._chosen[w].groups)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Training rows in each cell; see `Check`."""
        return np.concatenate([self._cells[w].counts(rows.train, self._chosen[w].groups) for w in (1, 2, 3)])

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """Three measures, or fewer where there are fewer columns; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"marginals are {self.size} counts from 0 on; sum what `count` gave for this candidate")
        widths = [sum(self._cells[w].width(group) for group in self._chosen[w].groups) for w in (1, 2, 3)]
        parts = np.split(counts, np.cumsum(widths)[:-1])
        return tuple(self._read(ways, part) for ways, part in zip((1, 2, 3), parts, strict=True))

    def _read(self, ways: int, counts: I64) -> Measure:
        check = f"marginals.{ways}-way"
        cells, chosen = self._cells[ways], self._chosen[ways]
        if not chosen.groups:
            columns = len(cells.sizes)
            return inapplicable(check, "", f"the table has {columns} columns, no group of {ways}", better="lower")
        real = cells.split(counts, chosen.groups)
        rows = int(real[0].sum())
        if rows < _LEAST_ROWS:
            reason = f"{rows} training rows; distances of shares need {_LEAST_ROWS} at least"
            return inconclusive(check, "", reason, better="lower", trials=rows, needed=_LEAST_ROWS)
        mine = cells.split(cells.counts(self._candidate.table, chosen.groups), chosen.groups)
        synthetic = self._candidate.table.rows
        values, floors, errors = [], [], []
        for theirs, ours in zip(real, mine, strict=True):
            gaps = ours / synthetic - theirs / rows
            values.append(0.5 * float(np.abs(gaps).sum()))
            floors.append(expected_distance(theirs, synthetic))
            # Delta method: a real row moves the distance by half the sign of its cell's gap.
            lean = float((np.sign(gaps) * theirs).sum()) / rows
            errors.append(0.5 * math.sqrt(max(1 - lean * lean, 0.0) / rows))
        value, floor = float(np.mean(values)), float(np.mean(floors))
        # The mean of the errors bounds that of the mean, however the groups hang together.
        error = float(np.mean(errors))
        if floor > _LARGEST_FLOOR[ways] and value < 2 * floor + 2 * error:
            needed = math.ceil(rows * (floor / _LARGEST_FLOOR[ways]) ** 2)
            reason = f"a second real sample of this size would be {floor:.2f} away; {needed} rows are needed"
            return inconclusive(check, "", reason, better="lower", trials=rows, needed=needed)
        details = {"floor": floor, "groups": float(len(chosen.groups)), "share of groups": chosen.share}
        for place in np.argsort(-np.array(values), kind="stable")[:_SHOWN]:
            group = chosen.groups[place]
            details["worst: " + " × ".join(label(cells.columns[each].name) for each in group)] = values[place]
        return normal(check, "", value, error, null=floor, better="lower", trials=rows, details=details)


def expected_distance(counts: I64, other: int) -> float:
    """Total variation that another sample of the same law would have, from one sample's counts.

    Halves of the sample tell it without bias for half the size (a cell of x rows parts by Bin(x, 1/2)); each cell is
    then carried to the sizes asked for by what two Poisson counts of its own mean differ by.

    Args:
        counts: int64, shape (cells,), of the sample.
        other: rows of the other sample, at least 1.

    Returns:
        0 to 1; 0 for no row. Where there are as many cells as rows it is up to a tenth too low.

    Source: Poisson approximation of multinomial counts; mean difference of two Poisson counts by Bessel functions,
    Skellam 1946.
    """
    from scipy.special import gammaln

    rows = int(counts.sum())
    if not rows:
        return 0.0
    x = counts[counts > 0].astype(np.float64)
    upper = np.ceil(x / 2)
    halves = 2 * upper * np.exp(gammaln(x + 1) - gammaln(upper + 1) - gammaln(x - upper + 1) - x * math.log(2))
    share = 2 * other / (rows + other)
    carried = (_difference(share * x) / share) / (_difference(x / 2) / 0.5)
    return float(min(0.5 * (2 * halves / rows * carried).sum(), 1.0))


def _difference(mean: F64) -> F64:
    """Mean of |A - B| for independent Poisson counts."""
    from scipy.special import ive

    found: F64 = 2 * mean * (ive(0, 2 * mean) + ive(1, 2 * mean))
    return found


def _bins(rows: int, ways: int) -> int:
    """Bins of a number, so many that a second sample of so many rows is near: 20 for large candidates."""
    most = {1: 0.0115 * rows, 2: 0.14 * math.sqrt(rows), 3: (0.07 * rows) ** (1 / 3)}[ways]
    return int(min(max(most, 3), _MOST_BINS))
