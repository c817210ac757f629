"""Whether the synthetic table sets groups further apart in an outcome than the real rows do."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.bias.by_group import TaskByGroup
from headwater.evaluation.bias.groups import GroupColumn, alone
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.tasks import Task
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.schema.table import Table

__all__ = ["Parity"]

I64 = NDArray[np.int64]


class Parity(TaskByGroup):
    """Statistical-parity amplification: by how much a group's rate of an outcome is further from the others' rate.

    Of a group and a label, the difference is the group's rate less that of all other rows. Amplification is what the
    synthetic difference has beyond the real one in its own direction, so a difference turned round counts in full. Of
    several labels the worst is reported, of a column of two groups only the first, as the second says the same.
    """

    check: ClassVar[str] = "bias.parity"
    counted: ClassVar[str] = "outcomes of groups"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Outcomes of groups",
            question="Are groups set further apart in an outcome than they are in the real rows?",
            knowledge="Reads counts of training and holdout rows by group and outcome.",
            statistic="A group's rate of the outcome less that of all others, in the synthetic table beyond the "
            "training rows; 0 where nothing is amplified. The floor in the details is the holdout's.",
            misses="Whether the real difference is just; outcomes that are not declared.",
            source="Dwork et al. 2012 (arXiv:1104.3913) for statistical parity; Zhao et al. 2017 (arXiv:1707.09457) "
            "for amplification.",
        )

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Rows by group and label, of training, then of holdout rows, pair by pair; see `Check`."""
        parts = [np.zeros(0, np.int64)]
        for task, column in self._pairs:
            parts += [_counts(task, column, rows.train), _counts(task, column, rows.holdout)]
        return np.concatenate(parts)

    def _width(self, task: Task, column: GroupColumn) -> int:
        """Groups by labels, for training and for holdout rows."""
        return 2 * len(column.categories) * len(task.classes)

    def _read(self, task: Task, column: GroupColumn, counts: I64) -> list[Measure]:
        train, holdout = counts.reshape(2, len(column.categories), len(task.classes))
        pair = f"{label(task.column)}: {label(column.name)}"
        sizes = train.sum(axis=1)
        if why := alone(column, sizes):
            return [inapplicable(self.check, pair, why, better="lower")]
        if (train.sum(axis=0) > 0).sum() < 2:
            reason = f"training rows hold one class of {task.column!r} only; no rate can differ"
            return [inapplicable(self.check, pair, reason, better="lower")]
        judged = [code for code in np.flatnonzero(sizes >= self._least) if sizes.sum() - sizes[code] >= self._least]
        if not judged:
            needed = math.ceil(self._least * int(sizes.sum()) / max(int(np.sort(sizes)[-2]), 1))
            reason = (
                f"no two groups of {column.name!r} have {self._least} training rows each; about {needed} are needed"
            )
            return [inconclusive(self.check, pair, reason, better="lower", trials=int(sizes.sum()), needed=needed)]
        mine = _counts(task, column, self._candidate.table).reshape(train.shape)
        return [
            self._amplification(task, column, int(code), train, holdout, mine)
            for code in (judged[:1] if len(column.categories) == 2 else judged)
        ]

    def _amplification(
        self, task: Task, column: GroupColumn, code: int, train: I64, holdout: I64, mine: I64
    ) -> Measure:
        subject = f"{label(task.column)}: {column.subject(code)}"
        inside = int(mine[code].sum())
        if not inside or inside == mine.sum():
            reason = f"{'no' if not inside else 'every'} synthetic row is of {column.subject(code)}; no rate to compare"
            return inconclusive(self.check, subject, reason, better="lower", trials=int(train[code].sum()))
        worst = (-1.0, 0.0, 0.0, 0)
        for each in task.judged:
            (ours, our_variance), (theirs, their_variance) = (_difference(part, code, each) for part in (mine, train))
            worst = max(worst, (_beyond(ours, theirs), math.sqrt(our_variance + their_variance), theirs, each))
        value, error, real, positive = worst
        details = {"real difference": real}
        outside = int(holdout.sum() - holdout[code].sum())
        if holdout[code].sum() and outside:
            details["floor"] = _beyond(_difference(holdout, code, positive)[0], real)
        if len(task.classes) > 2:
            details[f"label {label(task.classes[positive])}"] = float(positive)
        trials = int(train[code].sum())
        return normal(self.check, subject, value, error, null=0.0, better="lower", trials=trials, details=details)


def _counts(task: Task, column: GroupColumn, table: Table) -> I64:
    labels, codes = task.labels(table), column.codes(table)
    known = (labels >= 0) & (codes >= 0)
    width = len(column.categories) * len(task.classes)
    return np.bincount(codes[known] * len(task.classes) + labels[known], minlength=width).astype(np.int64)


def _difference(counts: I64, code: int, positive: int) -> tuple[float, float]:
    """A group's rate less that of all others, with its variance."""
    inside, others = counts[code], counts.sum(axis=0) - counts[code]
    found, variance = [], 0.0
    for part in (inside, others):
        rows = int(part.sum())
        found.append(int(part[positive]) / rows)
        # A rate of 0 or 1 in few rows has an error too: half a row more of either kind.
        smoothed = (int(part[positive]) + 0.5) / (rows + 1)
        variance += smoothed * (1 - smoothed) / rows
    return found[0] - found[1], variance


def _beyond(synthetic: float, real: float) -> float:
    """What a difference has beyond the real one in its own direction; less than 0 where it shrank."""
    return synthetic - max(real, 0.0) if synthetic >= 0 else -synthetic - max(-real, 0.0)
