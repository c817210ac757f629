"""Which combinations of values that exist are reached, and which are invented."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.cells import Cells, Chosen, choose
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal, rate
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["Invented", "Reached"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_BINS = 10
_MOST_CATEGORIES = 40
_MOST_CELLS = 1 << 17
_LEAST_EXPECTED = 10.0
_LEAST_ROWS = 50
_MOST_ROWS = 100_000
# Were more of honest rows' combinations new, newness would say nothing.
_LARGEST_FLOOR = 0.05
_SHOWN = 5


class Reached:
    """2-way combinatorial coverage: which combinations that are common among real rows a synthetic row has.

    Presence does not add up over organisations, rows in public cells do: every joint cell of a public choice of pairs
    is counted, whether the candidate has rows in it or not, and presence is read from the sum. A number's cells are
    near deciles of the candidate, with one below its least value and one above its largest, all at public edges: a
    range that it never reaches is seen.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the cells and the pairs of columns by public things alone."""
        self._candidate = candidate
        self._cells = Cells.of(candidate.table, _BINS, _MOST_CATEGORIES, beyond=True)
        self._chosen = choose(self._cells.sizes, 2, _MOST_CELLS, settings.seed)

    @property
    def name(self) -> str:
        """Dotted name."""
        return "coverage.2-way"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Combinations reached",
            question="Are combinations of two values that are common in the real rows there?",
            knowledge="Reads counts of training rows in public cells.",
            statistic="Share of common real 2-way combinations that a synthetic row has, 1 where all are. Common is "
            "what a candidate of the same law would have ten times.",
            misses="Combinations of three columns and more, rare real ones, and in wide tables the pairs not chosen.",
            source="Kuhn, Kacker and Lei 2013, Introduction to Combinatorial Testing, chapter 8.",
        )

    @property
    def size(self) -> int:
        """Cells of all pairs."""
        return _width(self._cells, self._chosen)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Training rows in each cell; see `Check`."""
        return self._cells.counts(rows.train, self._chosen.groups)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"combinations are {self.size} counts from 0 on; sum what `count` gave for this candidate")
        return (self._read(counts),)

    def _read(self, counts: I64) -> Measure:
        groups = self._chosen.groups
        if not groups:
            return inapplicable(self.name, "", "the table has one column, no pair", better="higher")
        real = self._cells.split(counts, groups)
        mine = self._cells.split(self._cells.counts(self._candidate.table, groups), groups)
        rows, synthetic = int(real[0].sum()), self._candidate.table.rows
        # Common: so frequent that a candidate of the same law has ten such rows, and surely one.
        least = _LEAST_EXPECTED * max(1.0, rows / synthetic)
        common = [part >= least for part in real]
        combinations = sum(int(part.sum()) for part in common)
        if rows < _LEAST_ROWS or not combinations:
            needed = max(_LEAST_ROWS, rows + 1)
            reason = (
                f"{rows} training rows hold no combination that is common enough; {needed} rows at least are needed"
            )
            return inconclusive(self.name, "", reason, better="higher", trials=rows, needed=needed)
        missed = [int((part & (ours == 0)).sum()) for part, ours in zip(common, mine, strict=True)]
        details = {"share of groups": self._chosen.share, "rows of a common one": least}
        for place in np.argsort(-np.array(missed), kind="stable")[:_SHOWN]:
            if missed[place]:
                details[f"missed: {_named(self._cells, groups[place])}"] = float(missed[place])
        reached = combinations - sum(missed)
        return rate(self.name, "", (reached, combinations), null=None, better="higher", details=details)


class Invented:
    """3-way combinations of synthetic rows that no real row has, training or holdout.

    Cells are those of `Reached`, with fewer bins where the candidate is small: four rows a joint cell of three numbers,
    or honest rows would fall into empty ones all the time. The null value compares with fewer real rows than the value
    does, training rows alone, so its p-value is cautious.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the cells and the triples of columns by public things alone."""
        self._candidate = candidate
        bins = int(min(max((candidate.table.rows / 4) ** (1 / 3), 2), _BINS))
        self._cells = Cells.of(candidate.table, bins, _MOST_CATEGORIES, beyond=True)
        self._chosen = choose(self._cells.sizes, 3, _MOST_CELLS, settings.seed)

    @property
    def name(self) -> str:
        """Dotted name."""
        return "coverage.invented-3-way"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Combinations invented",
            question="Do synthetic rows join three values as no real row does?",
            knowledge="Reads counts of training and holdout rows in public cells.",
            statistic="Share of the synthetic rows' 3-way combinations that no training or holdout row has; the null "
            "value is the share of the holdout's that no training row has.",
            misses="Impossible combinations of more columns, or inside a bin; in wide tables the triples not chosen.",
            source="Kuhn, Kacker and Lei 2013, Introduction to Combinatorial Testing, chapter 8.",
        )

    @property
    def size(self) -> int:
        """Cells of all triples, for training and for holdout rows."""
        return 2 * _width(self._cells, self._chosen)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Training, then holdout rows in each cell; see `Check`."""
        return np.concatenate([self._cells.counts(part, self._chosen.groups) for part in (rows.train, rows.holdout)])

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"combinations are {self.size} counts from 0 on; sum what `count` gave for this candidate")
        train, holdout = np.split(counts, 2)
        return (self._read(train, holdout),)

    def _read(self, train: I64, holdout: I64) -> Measure:
        groups = self._chosen.groups
        if not groups:
            reason = f"the table has {len(self._cells.sizes)} columns, no triple"
            return inapplicable(self.name, "", reason, better="lower")
        rows, held_out = int(train.sum()) // len(groups), int(holdout.sum()) // len(groups)
        if min(rows, held_out) < _LEAST_ROWS:
            reason = f"{rows} training and {held_out} holdout rows; {_LEAST_ROWS} of each at least are needed"
            return inconclusive(self.name, "", reason, better="lower", trials=rows, needed=_LEAST_ROWS)
        seen = self._cells.split(((train > 0) | (holdout > 0)).astype(np.int64), groups)
        floor = float(holdout[train == 0].sum() / holdout.sum())
        table = self._candidate.table
        if table.rows > _MOST_ROWS:
            table = table.take(np.linspace(0, table.rows - 1, _MOST_ROWS).astype(np.int64))
        invented = np.zeros(table.rows)
        worst = []
        for known, flat in zip(seen, self._cells.places(table, groups), strict=True):
            new = known[flat] == 0
            invented += new
            worst.append(float(new.mean()))
        invented /= len(groups)
        details = {"floor": floor, "groups": float(len(groups)), "share of groups": self._chosen.share}
        for place in np.argsort(-np.array(worst), kind="stable")[:_SHOWN]:
            details[f"worst: {_named(self._cells, groups[place])}"] = worst[place]
        # A row's combinations are invented together; rows are independent of each other.
        error = float(invented.std()) / math.sqrt(table.rows)
        value = float(invented.mean())
        if floor > _LARGEST_FLOOR and value <= floor + 2 * error:
            needed = math.ceil(rows * floor / _LARGEST_FLOOR)
            reason = f"of a second real sample, {floor:.2f} would count as invented; {needed} training rows are needed"
            return inconclusive(self.name, "", reason, better="lower", trials=table.rows, needed=needed)
        return normal(self.name, "", value, error, null=floor, better="lower", trials=table.rows, details=details)


def _named(cells: Cells, group: tuple[int, ...]) -> str:
    return " × ".join(label(cells.columns[place].name) for place in group)


def _width(cells: Cells, chosen: Chosen) -> int:
    return sum(cells.width(group) for group in chosen.groups)
