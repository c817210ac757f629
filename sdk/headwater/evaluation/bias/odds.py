"""Whether a model of synthetic rows errs on groups more unequally than a model of real rows."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.bias.groups import NO_GROUPS, GroupColumn, alone, groups_of
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.learners import Answers, answers
from headwater.evaluation.tasks import Task, tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["Odds", "odds_difference"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_CHECK = "bias.odds"
_DRAWS = 200


class Odds:
    """Equalised-odds excess: the difference of a model of synthetic rows less that of a model of training rows.

    The difference is the larger of two: how far groups' true-positive rates, and their false-positive rates, lie apart,
    on holdout rows. The floor is how much two models of one half of the training rows each differ in it.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix groups and tasks.

        Raises:
            InputError: a declared column has no groups, a task cannot be predicted.
        """
        self._candidate = candidate
        self._settings = settings
        columns, tasks = groups_of(candidate, settings), tasks_of(candidate, settings)
        self._columns = columns
        self._pairs = tuple((task, column) for task in tasks for column in columns if task.column != column.name)

    @property
    def name(self) -> str:
        """Dotted name."""
        return _CHECK

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Errors on groups",
            question="Does a model of synthetic rows err more unequally on groups than a model of real rows?",
            knowledge="Reads training and holdout rows of each party, at that party.",
            statistic="Equalised-odds difference of the model of synthetic rows less that of the model of training "
            "rows, on holdout rows; the null value is the difference of two models of half the training rows.",
            misses="Other tasks and models, and rates of groups with too few rows of an outcome.",
            source="Hardt, Price and Srebro 2016 (arXiv:1610.02413); as fairlearn.metrics.equalized_odds_difference.",
        )

    @property
    def size(self) -> int:
        """By task, column, label, group and truth: answers of two models together, twice."""
        return sum(_width(task, column) for task, column in self._pairs)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Answers by group and truth: of synthetic and real model, then of the two halves; see `Check`."""
        parts = [np.zeros(0, np.int64)]
        for task, column in self._pairs:
            said = answers(self._candidate, rows, task, random)
            parts.append(_counts(task, column, said))
        return np.concatenate(parts)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a task and column of groups; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"errors on groups are {self.size} counts from 0 on; sum what `count` gave")
        if not self._pairs:
            reason = NO_GROUPS if not self._columns else "no task is declared beside the groups; declare an outcome"
            return (inapplicable(_CHECK, "", reason, better="lower"),)
        parts = np.split(counts, np.cumsum([_width(*pair) for pair in self._pairs])[:-1])
        return tuple(self._read(task, column, part) for (task, column), part in zip(self._pairs, parts, strict=True))

    def _read(self, task: Task, column: GroupColumn, counts: I64) -> Measure:
        subject = f"{label(task.column)}: {label(column.name)}"
        # label, pair of models, group, truth, answer of the first, answer of the second.
        tables = counts.reshape(len(task.judged), 2, len(column.categories), 2, 2, 2)
        sizes = tables[0, 0].sum(axis=(1, 2, 3))
        if why := alone(column, sizes):
            return inapplicable(_CHECK, subject, why, better="lower")
        if all((tables[place, 0].sum(axis=(0, 2, 3)) == 0).any() for place in range(len(tables))):
            reason = f"holdout rows hold one class of {task.column!r} only; no model can err unequally"
            return inapplicable(_CHECK, subject, reason, better="lower")
        least = self._settings.least_group
        trials = tables[:, 0].sum(axis=(3, 4))
        if not ((trials >= least).sum(axis=1) >= 2).any():
            second = int(np.sort(trials, axis=1)[:, -2].max())
            needed = math.ceil(least * int(sizes.sum()) / max(second, 1))
            reason = (
                f"no outcome of {task.column!r} has {least} holdout rows in two groups of {column.name!r}; about "
                f"{needed} holdout rows are needed"
            )
            return inconclusive(_CHECK, subject, reason, better="lower", trials=int(sizes.sum()), needed=needed)
        random = np.random.default_rng([self._settings.seed, len(task.judged), len(column.categories)])
        excess, error, ours, theirs = max(_excess(table[0], least, random) for table in tables)
        floor = max(abs(_excess(table[1], least, None)[0]) for table in tables)
        details = {"floor": floor, "synthetic model": ours, "real model": theirs}
        details["groups judged"] = float((trials >= least).all(axis=(0, 2)).sum())
        rows = int(sizes.sum())
        return normal(_CHECK, subject, excess, error, null=floor, better="lower", trials=rows, details=details)


def odds_difference(positives: I64, rows: I64, least: int) -> float:
    """Equalised-odds difference, 0 to 1.

    Args:
        positives: rows that the model answered with yes, shape (groups, 2): by truth no, yes.
        rows: of each group and truth, likewise.
        least: rows that a rate needs; others are left out.

    Returns:
        The larger range of rates over groups, of the two truths; 0 where no two groups have a rate.
    """
    widest = 0.0
    for truth in (0, 1):
        judged = rows[:, truth] >= least
        if judged.sum() >= 2:
            rates = positives[judged, truth] / rows[judged, truth]
            widest = max(widest, float(rates.max() - rates.min()))
    return widest


def _excess(table: I64, least: int, random: np.random.Generator | None) -> tuple[float, float, float, float]:
    """Excess of the first model over the second, its error by a bootstrap of holdout rows, both differences.

    Args:
        table: shape (groups, 2, 2, 2): truth, answer of the first, answer of the second.
        least: rows that a rate needs.
        random: of the bootstrap; None for none.
    """
    rows = table.sum(axis=(2, 3))
    judged = np.where(rows >= least, rows, 0)
    ours, theirs = (odds_difference(table[:, :, 1, :].sum(axis=2), judged, least), _second(table, judged, least))
    if random is None:
        return ours - theirs, 0.0, ours, theirs
    drawn = np.zeros((_DRAWS, *table.shape), np.int64)
    for group, truth in np.ndindex(table.shape[:2]):
        if judged[group, truth]:
            cells = table[group, truth].reshape(-1)
            drawn[:, group, truth] = random.multinomial(cells.sum(), cells / cells.sum(), size=_DRAWS).reshape(-1, 2, 2)
    found = [
        odds_difference(each[:, :, 1, :].sum(axis=2), judged, least) - _second(each, judged, least) for each in drawn
    ]
    return ours - theirs, float(np.std(found)), ours, theirs


def _second(table: I64, judged: I64, least: int) -> float:
    return odds_difference(table[:, :, :, 1].sum(axis=2), judged, least)


def _counts(task: Task, column: GroupColumn, said: Answers) -> I64:
    codes = column.codes(said.table)
    known = codes >= 0
    parts = []
    for each in task.judged:
        truth = (said.truth == each).astype(np.int64)
        for first, second in ((said.synthetic, said.real), said.halves):
            flat = ((codes * 2 + truth) * 2 + _yes(first, each)) * 2 + _yes(second, each)
            parts.append(np.bincount(flat[known], minlength=8 * len(column.categories)))
    return np.concatenate(parts).astype(np.int64)


def _yes(scores: F64, each: int) -> I64:
    """Whether a model answers with this label: the likeliest."""
    return np.asarray(scores.argmax(axis=1) == each, np.int64)


def _width(task: Task, column: GroupColumn) -> int:
    return len(task.judged) * 2 * len(column.categories) * 8
