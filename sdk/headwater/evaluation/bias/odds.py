"""Whether a model of synthetic rows errs on groups more unequally than a model of real rows."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.bias.by_group import TaskByGroup
from headwater.evaluation.bias.groups import GroupColumn, alone
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.learners import Answers, answers
from headwater.evaluation.tasks import Task
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure

__all__ = ["Odds", "odds_difference"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_DRAWS = 200


class Odds(TaskByGroup):
    """Equalised-odds excess: the difference of a model of synthetic rows less that of a model of training rows.

    The difference is the larger of two: how far groups' true-positive rates, and their false-positive rates, lie apart,
    on holdout rows. The floor is how much two models of one half of the training rows each differ in it.
    """

    check: ClassVar[str] = "bias.odds"
    counted: ClassVar[str] = "errors on groups"

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

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Answers by group and truth: of synthetic and real model, then of the two halves; see `Check`."""
        parts = [np.zeros(0, np.int64)]
        for task, column in self._pairs:
            said = answers(self._candidate, rows, task, random)
            parts.append(_counts(task, column, said))
        return np.concatenate(parts)

    def _width(self, task: Task, column: GroupColumn) -> int:
        """By label, group and truth: answers of two models together, twice."""
        return len(task.judged) * 2 * len(column.categories) * 8

    def _read(self, task: Task, column: GroupColumn, counts: I64) -> list[Measure]:
        subject = f"{label(task.column)}: {label(column.name)}"
        # label, pair of models, group, truth, answer of the first, answer of the second.
        tables = counts.reshape(len(task.judged), 2, len(column.categories), 2, 2, 2)
        sizes = tables[0, 0].sum(axis=(1, 2, 3))
        if why := alone(column, sizes):
            return [inapplicable(self.check, subject, why, better="lower")]
        if all((tables[place, 0].sum(axis=(0, 2, 3)) == 0).any() for place in range(len(tables))):
            reason = f"holdout rows hold one class of {task.column!r} only; no model can err unequally"
            return [inapplicable(self.check, subject, reason, better="lower")]
        least = self._least
        trials = tables[:, 0].sum(axis=(3, 4))
        if not ((trials >= least).sum(axis=1) >= 2).any():
            second = int(np.sort(trials, axis=1)[:, -2].max())
            needed = math.ceil(least * int(sizes.sum()) / max(second, 1))
            reason = (
                f"no outcome of {task.column!r} has {least} holdout rows in two groups of {column.name!r}; about "
                f"{needed} holdout rows are needed"
            )
            return [inconclusive(self.check, subject, reason, better="lower", trials=int(sizes.sum()), needed=needed)]
        random = np.random.default_rng([self._settings.seed, len(task.judged), len(column.categories)])
        excess, error, ours, theirs = max(_excess(table[0], least, random) for table in tables)
        floor = max(abs(_excess(table[1], least, None)[0]) for table in tables)
        details = {"floor": floor, "synthetic model": ours, "real model": theirs}
        details["groups judged"] = float((trials >= least).all(axis=(0, 2)).sum())
        rows = int(sizes.sum())
        return [normal(self.check, subject, excess, error, null=floor, better="lower", trials=rows, details=details)]


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
