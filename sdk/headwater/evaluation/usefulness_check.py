"""What a model of synthetic rows is worth on real ones, beside a model of real rows."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.learners import answers
from headwater.evaluation.paired import FIELDS, LEAST_OF_A_CLASS, count_pair, read_pairs
from headwater.evaluation.tasks import Task, tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["UsefulnessCheck"]

I64 = NDArray[np.int64]

LARGEST_LOSS = 0.15
"""A loss that holdout rows must be able to exclude; where they are too few, and none shows, they are inconclusive."""

_POWERFUL = 0.8416


class UsefulnessCheck:
    """Train on synthetic, test on real (TSTR), over train on real, test on real (TRTR), for each declared task.

    Both models are the judge's LightGBM, fitted on at most 100,000 rows, tested on the same holdout rows. The real one
    is each organisation's own, from its own training rows, and areas are averaged over organisations.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the tasks.

        Raises:
            InputError: a task is no column that can be predicted.
        """
        self._candidate = candidate
        self._tasks = tasks_of(candidate, settings)

    @property
    def name(self) -> str:
        """Dotted name."""
        return "usefulness"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Usefulness",
            question="Does a model that learned from synthetic rows do as well on real rows as one that learned from "
            "real rows?",
            knowledge="Reads training and holdout rows of each party, at that party.",
            statistic="ROC AUC of LightGBM fitted on synthetic rows over that of one fitted on training rows, both on "
            "holdout rows; 1 where nothing is lost. Several classes: mean of one against the rest; a number: above "
            "the candidate's median or not.",
            misses="Other tasks and other models; it is nearly blind to a generator that repeats few rows.",
            source="Esteban, Hyland and Rätsch 2017 (arXiv:1706.02633), section 4; errors by DeLong, DeLong and "
            "Clarke-Pearson 1988.",
        )

    @property
    def size(self) -> int:
        """Fields of each task."""
        return sum(_width(task) for task in self._tasks)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Areas of both models, task by task; see `Check`."""
        counts = [np.zeros(0, np.int64)]
        for task in self._tasks:
            said = answers(self._candidate, rows, task, random)
            counts.append(count_pair(task, said.truth, said.synthetic, said.real))
        return np.concatenate(counts)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a task; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"usefulness is {self.size} counts from 0 on; sum what `count` gave for this candidate")
        if not self._tasks:
            reason = "the schema marks no target and no task is declared; declare a column to predict"
            return (inapplicable(self.name, "", reason, better="higher"),)
        parts = np.split(counts, np.cumsum([_width(task) for task in self._tasks])[:-1])
        return tuple(self._read(task, part) for task, part in zip(self._tasks, parts, strict=True))

    def _read(self, task: Task, counts: I64) -> Measure:
        subject = label(task.column)
        first = counts[:FIELDS]
        rows = int(first[0] + first[1])
        pair = read_pairs(counts)
        present = counts.reshape(-1, FIELDS)[:, 0]
        if rows and (present == 0).all() | (present == rows).any():
            reason = f"holdout rows hold one class of {task.column!r} only; nothing can be told apart"
            return inapplicable(self.name, subject, reason, better="higher")
        if pair is None or pair.scarcest < LEAST_OF_A_CLASS:
            scarcest = pair.scarcest if pair else 0
            needed = math.ceil(max(rows, 2) * LEAST_OF_A_CLASS / max(scarcest, 1))
            reason = (
                f"the rarest class of {task.column!r} has {scarcest} of {rows} holdout rows that could be compared; "
                f"about {needed} holdout rows are needed"
            )
            return inconclusive(self.name, subject, reason, better="higher", trials=rows, needed=needed)
        details = {"tstr": pair.tested, "trtr": pair.yardstick, "rows of the rarest class": float(pair.scarcest)}
        measure = normal(
            self.name, subject, pair.ratio, pair.ratio_error, null=1.0, better="higher", trials=rows, details=details
        )
        low, high = measure.low or 0.0, measure.high or 0.0
        if low >= 1 - LARGEST_LOSS or high < 1:
            return measure
        # Errors fall as the root of the rows; a table that loses nothing is then cleared in four cases of five.
        wide = pair.ratio - low + _POWERFUL * pair.ratio_error
        needed = math.ceil(rows * max((wide / LARGEST_LOSS) ** 2, 1.5))
        reason = (
            f"the interval from {low:.2f} to {high:.2f} neither shows a loss nor excludes one of {LARGEST_LOSS:g}; "
            f"about {needed} holdout rows are needed"
        )
        return inconclusive(self.name, subject, reason, better="higher", trials=rows, needed=needed)


def _width(task: Task) -> int:
    return len(task.judged) * FIELDS
