"""The judge's trees fitted to a task on synthetic and on real rows, asked about the holdout."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.features import matrix, rows_for
from headwater.evaluation.judged import trees
from headwater.evaluation.tasks import Task
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.schema.table import Table

__all__ = ["Answers", "Learner", "answers", "fit", "synthetic_learner"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_BLOCK = 100_000


@dataclass(frozen=True, eq=False)
class Learner:
    """A fitted model, or the one answer that rows of one class teach.

    Attributes:
        task: what it predicts.
        model: a booster; None where the rows held fewer than two classes.
        classes: labels that it knows, ascending.
    """

    task: Task
    model: Any
    classes: I64

    def scores(self, table: Table) -> F64:
        """Probability of each label: float64, shape (rows, labels)."""
        scores = np.zeros((table.rows, len(self.task.classes)))
        if self.model is None:
            scores[:, self.classes] = 1.0
            return scores
        features, _ = matrix(table, self.task.column)
        for start in range(0, table.rows, _BLOCK):
            part = np.asarray(self.model.predict(features[start : start + _BLOCK]), np.float64)
            if part.ndim == 1:
                part = np.stack([1 - part, part], axis=1)
            scores[start : start + _BLOCK, self.classes] = part
        return scores


@dataclass(frozen=True, eq=False)
class Answers:
    """What models say of the holdout rows that have a label.

    Attributes:
        table: those rows.
        truth: int64, shape (rows,), labels.
        synthetic: scores of the model fitted on synthetic rows, float64, shape (rows, labels).
        real: of the one fitted on training rows.
        halves: of two fitted on a random half of the training rows each: how far apart two real models are.
    """

    table: Table
    truth: I64
    synthetic: F64
    real: F64
    halves: tuple[F64, F64]


def fit(table: Table, task: Task, most: int | None = None) -> Learner:
    """The judge's LightGBM on rows that have a label, `most` of them at most and 100,000 in any case.

    Rows are taken by a fixed order of chance, as a table may be sorted; fewer of one table are among more of it.
    """
    labels = task.labels(table)
    known = np.flatnonzero(labels >= 0)
    limit = min(most or rows_for(table.schema), rows_for(table.schema))
    if len(known) > limit:
        known = known[np.random.default_rng(0).permutation(len(known))[:limit]]
    classes = np.unique(labels[known])
    if len(classes) < 2:
        return Learner(task, None, classes)
    features, categorical = matrix(table.take(known), task.column)
    model = trees().set_params(n_jobs=1)
    model.fit(features, labels[known], categorical_feature=categorical)
    return Learner(task, model.booster_, classes)


def synthetic_learner(candidate: Candidate, task: Task) -> Learner:
    """The model of the candidate's rows, fitted once; the same for everybody who holds the candidate."""
    return candidate.shared(candidate, ("learner", task), lambda: fit(candidate.table, task))


def answers(candidate: Candidate, rows: AuditRows, task: Task, random: np.random.Generator) -> Answers:
    """Scores of the holdout by every model, found once for all checks that ask.

    Args:
        candidate: what the synthetic model learns from.
        rows: what the real ones learn from, and who is asked about.
        task: to predict.
        random: halves the training rows.
    """

    def find() -> Answers:
        labels = task.labels(rows.holdout)
        asked = rows.holdout.take(labels >= 0)
        order = random.permutation(rows.train.rows)
        cut = rows.train.rows // 2
        score: Callable[[Table], F64] = lambda table: fit(table, task).scores(asked)  # noqa: E731
        return Answers(
            asked,
            labels[labels >= 0],
            synthetic_learner(candidate, task).scores(asked),
            score(rows.train),
            (score(rows.train.take(order[:cut])), score(rows.train.take(order[cut:]))),
        )

    return candidate.shared(rows, ("answers", task), find)
