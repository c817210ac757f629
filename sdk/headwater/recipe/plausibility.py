"""What sums of honest contributions must agree on, whoever contributed what."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.marginals import Marginal, Subset, marginalise
from headwater.mixture.density import moment_places
from headwater.mixture.expectation import DENSITY_REACH, Statistics
from headwater.mixture.normal import REACH
from headwater.mixture.parameters import Mixture
from headwater.recipe.evaluation import Evaluation

__all__ = ["OTHER_ROWS", "ClimbTotals", "EvaluationTotals", "differing_margins", "impossible_statistics"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

OTHER_ROWS = "it counts more or fewer rows than the rounds before, and the plan lets no organisation come or go"
"""Who claims one row more would else be free of every comparison with the rounds before."""

# What sums of responsibilities of a few million rows may be off by, as a share.
_ROUNDING = 1e-5
# An organisation that goes on with another machine may round a density over the edge of its bin: few rows lie so near.
_STRAY_ROWS, _STRAY_SHARE = 2, 1e-3


def differing_margins(
    counted: Sequence[Marginal], sizes: Sequence[int], known: Mapping[Subset, NDArray[np.floating]] | None = None
) -> Subset | None:
    """Columns that two tables over the same rows count differently, None where all tables agree.

    Two tables that share columns, summed down to them, count the same rows. One organisation that adds to a cell of
    one table alone, or forgets a row in one, breaks this in the sum.

    Args:
        counted: tables of one round.
        sizes: number of codes of each column.
        known: counts from earlier rounds over the same rows, by columns.

    Returns:
        A subset of columns whose counts differ.
    """
    seen: dict[Subset, NDArray[np.floating]] = dict(known or {})
    times = Counter([*seen, *(columns for table in counted for columns in _parts(table))])
    for table in counted:
        for columns in _parts(table):
            if times[columns] < 2:
                continue
            counts = table.counts if columns == table.columns else marginalise(table, sizes, columns).counts
            if not np.array_equal(seen.setdefault(columns, counts), counts):
                return columns
    return None


def _parts(table: Marginal) -> Iterator[Subset]:
    """The subsets of a table's columns, small ones first."""
    return chain.from_iterable(combinations(table.columns, size) for size in range(1, len(table.columns) + 1))


def impossible_statistics(statistics: Statistics, mixture: Mixture, rows: int, rounding: float) -> str:
    """Why no rows can have these statistics, "" where some could.

    Args:
        statistics: a sum under `mixture`.
        mixture: that was asked about.
        rows: that the sum says it counts.
        rounding: most that one summed count is off by its fixed point, in rows.
    """
    form, sums = mixture.form, statistics.sums
    held, scores = sums[:, 0], len(form.scores)
    slack = rounding * len(held) + _ROUNDING * rows
    if held.sum() > rows + slack:
        return "the responsibilities are more than the rows"
    if len(form.unit_sizes):
        units = np.add.reduceat(sums[:, 1 : 1 + form.cells], form.offsets[:-1], axis=1)
        room = held[:, None] + rounding * (1 + np.asarray(form.unit_sizes)) + _ROUNDING * rows
        if (units > room).any():
            return "a component holds more codes than rows"
    if abs(statistics.density) > DENSITY_REACH * rows + slack:
        return "the log-densities are beyond their bound"
    least, most = _density_room(statistics.train, mixture.span)
    if not least - slack <= statistics.density <= most + slack:
        return "the log-densities come to another sum than their histogram has room for"
    return _impossible_moments(held, sums[:, 1 + form.cells :], scores, slack) if scores else ""


def _density_room(train: I64, span: tuple[float, float]) -> tuple[float, float]:
    """Least and largest sum of log-densities that fall into these bins; the outermost are open, as far as is summed."""
    inner = np.linspace(*span, len(train) + 1)[1:-1].clip(-DENSITY_REACH, DENSITY_REACH)
    return (
        float(train @ np.concatenate([[-DENSITY_REACH], inner])),
        float(train @ np.concatenate([inner, [DENSITY_REACH]])),
    )


def _impossible_moments(held: F64, moments: F64, scores: int, slack: float) -> str:
    first, products = moments[:, :scores], moments[:, scores:]
    left, right = moment_places(scores)
    if (np.abs(first) > REACH * (held[:, None] + slack)).any():
        return "scores add up to more than so many rows can have"
    squares = products[:, left == right]
    if (squares > REACH**2 * (held[:, None] + slack)).any():
        return "squares of scores add up to more than so many rows can have"
    # Cauchy and Schwarz: rows times the sum of squares is no less than the square of the sum.
    room = (held[:, None] + slack) * (squares + REACH**2 * slack)
    return "squares of scores are less than their sums allow" if (first**2 > room).any() else ""


class ClimbTotals:
    """What every round of a climb over the same rows must add up to.

    Responsibilities of a row sum to 1 under every mixture. So over all components of a class the rows come to the
    class's counted rows, the codes to the counted 1-ways, scores and products to the same totals in each round: who
    lies in a round of expectation must lie by nothing in total.
    """

    def __init__(
        self, class_counts: Sequence[float], unit_counts: Sequence[F64], rows: int, *, one_cohort: bool = False
    ) -> None:
        """Take what the rounds of counts fixed.

        Args:
            class_counts: rows of each class.
            unit_counts: counts of each unit's codes, in the form's order; NaN where they are not known.
            rows: that were counted.
            one_cohort: whether every sum of the run is over the same rows.
        """
        self._classes = np.asarray(class_counts, np.float64)
        self._cells = np.concatenate([np.zeros(0), *unit_counts])
        self._rows = rows
        self._one_cohort = one_cohort
        self._validation: int | None = None
        self._moments: tuple[tuple[int, ...], F64] | None = None

    def problem(self, statistics: Statistics, mixture: Mixture, rows: int, slack: float) -> str:
        """Which total is another than it must be, "" where none is.

        Where organisations may come and go, a sum over more or fewer rows is compared with nothing.

        Args:
            statistics: a sum under `mixture`.
            mixture: that was asked about.
            rows: that the sum says it counts.
            slack: most that a total over all components is off by its fixed point, in rows.
        """
        if rows != self._rows:
            return OTHER_ROWS if self._one_cohort else ""
        validation = int(statistics.validation.sum())
        if self._validation not in (None, validation):
            return "the validation rows are not as many as in the round before"
        problem = self._training_problem(statistics, mixture, slack + _ROUNDING * rows)
        if not problem:
            self._validation = validation
        return problem

    def _training_problem(self, statistics: Statistics, mixture: Mixture, slack: float) -> str:
        totals = np.zeros((len(self._classes), statistics.sums.shape[1]))
        np.add.at(totals, mixture.classes, statistics.sums)
        present = np.unique(mixture.classes)
        if (np.abs(totals[present, 0] - self._classes[present]) > slack).any():
            return "the responsibilities of a class are not as many as its rows"
        cells = totals[:, 1 : 1 + mixture.form.cells].sum(axis=0)
        # Rows of a class that has no component are in no total.
        missing = self._classes.sum() - self._classes[present].sum()
        if (cells > self._cells + slack).any() or (cells < self._cells - missing - slack).any():
            return "the codes of a column are not as many as were counted"
        return self._moment_problem(tuple(present.tolist()), totals[:, 1 + mixture.form.cells :].sum(axis=0), slack)

    def _moment_problem(self, present: tuple[int, ...], moments: F64, slack: float) -> str:
        if self._moments is None or self._moments[0] != present:
            self._moments = (present, moments)
            return ""
        away = np.abs(moments - self._moments[1]) > REACH**2 * slack
        return "the scores add up to another total than in the round before" if away.any() else ""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationTotals:
    """What a round of evaluation must come to: the rows of each class, and what the climb saw of the base already.

    Attributes:
        class_counts: training rows of each class, as they were counted.
        train: int64: training rows by log-density under the base, from the round that it stood in.
        validation: the same of validation rows.
        one_cohort: whether every sum of the run is over the same rows.
    """

    class_counts: I64
    train: I64
    validation: I64
    one_cohort: bool

    def problem(self, evaluation: Evaluation, rows: int) -> str:
        """What another round contradicts, "" where nothing is, or where other rows may have been summed.

        Args:
            evaluation: the sum.
            rows: that it says it counts.
        """
        if rows != int(self.class_counts.sum()):
            return OTHER_ROWS if self.one_cohort else ""
        if (evaluation.logits[0].sum(axis=1) != self.class_counts).any():
            return "the rows of a class are not as many as were counted"
        # The first strength leaves the critic out: these are the base's own densities, as the climb saw them.
        away = evaluation.densities[0] - np.stack([self.train, self.validation])
        other = away[1].sum() != 0 or np.abs(np.cumsum(away, axis=1)).max() > _STRAY_ROWS + _STRAY_SHARE * rows
        known = int(self.train.sum()) == rows
        return "the base's log-densities lie elsewhere than in the climb" if known and other else ""
