"""How much a model gains from more synthetic rows, tested where the real rows are."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.curve import SIZES, CurvePoint, as_details, enough
from headwater.evaluation.features import rows_for
from headwater.evaluation.figures import inapplicable, inconclusive, label, plain
from headwater.evaluation.learners import Learner, fit, synthetic_learner
from headwater.evaluation.paired import FIELDS, LEAST_OF_A_CLASS, count_pair, read_pairs
from headwater.evaluation.tasks import Task, tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["CurveCheck"]

I64 = NDArray[np.int64]


class CurveCheck:
    """The sample-size curve of each declared task: AUC of the judge's trees on ever more of the candidate's rows."""

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix the tasks and the sizes.

        Raises:
            InputError: a task is no column that can be predicted.
        """
        self._candidate = candidate
        self._tasks = tasks_of(candidate, settings)
        most = min(candidate.table.rows, rows_for(candidate.table.schema))
        self._sizes = (*(size for size in SIZES if size < most), most)

    @property
    def name(self) -> str:
        """Dotted name."""
        return "usefulness.curve"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Rows that are enough",
            question="From how many synthetic rows on does a model gain nothing more?",
            knowledge="Reads holdout rows of each party, at that party.",
            statistic="Smallest number of synthetic rows whose ROC AUC is within .002 of the best; it describes and "
            "has no null value.",
            misses="What rows beyond the candidate's, and beyond 100,000, would add.",
            source="Perlich, Provost and Simonoff 2003, learning curves by ROC AUC.",
        )

    @property
    def size(self) -> int:
        """Fields of each task and size."""
        return sum(len(self._sizes) * len(task.judged) * FIELDS for task in self._tasks)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Areas of each model, beside the largest one's; see `Check`."""
        counts = [np.zeros(0, np.int64)]
        for task in self._tasks:
            truth = task.labels(rows.holdout)
            asked, truth = rows.holdout.take(truth >= 0), truth[truth >= 0]
            best = synthetic_learner(self._candidate, task).scores(asked)
            counts += [
                count_pair(task, truth, self._learner(task, size).scores(asked), best) for size in self._sizes[:-1]
            ]
            counts.append(count_pair(task, truth, best, best))
        return np.concatenate(counts)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a task; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"a curve is {self.size} counts from 0 on; sum what `count` gave for this candidate")
        if not self._tasks:
            reason = "the schema marks no target and no task is declared; declare a column to predict"
            return (inapplicable(self.name, "", reason, better="lower"),)
        widths = [len(self._sizes) * len(task.judged) * FIELDS for task in self._tasks]
        parts = np.split(counts, np.cumsum(widths)[:-1])
        return tuple(self._read(task, part) for task, part in zip(self._tasks, parts, strict=True))

    def _read(self, task: Task, counts: I64) -> Measure:
        subject = label(task.column)
        pairs = [read_pairs(part) for part in np.split(counts, len(self._sizes))]
        rows = int(counts[0] + counts[1])
        points = [
            CurvePoint(size, pair.tested)
            for size, pair in zip(self._sizes, pairs, strict=True)
            if pair is not None and pair.scarcest >= LEAST_OF_A_CLASS
        ]
        if not points:
            reason = f"fewer than {LEAST_OF_A_CLASS} holdout rows of a class of {task.column!r}; more are needed"
            return inconclusive(self.name, subject, reason, better="lower", trials=rows, needed=2 * max(rows, 10))
        value, details = float(enough(points)), as_details(points)
        return plain(self.name, subject, value, better="lower", trials=rows, details=details)

    def _learner(self, task: Task, size: int) -> Learner:
        return self._candidate.shared(
            self._candidate, ("learner", task, size), lambda: fit(self._candidate.table, task, size)
        )
