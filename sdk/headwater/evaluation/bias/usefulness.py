"""Whether a model of synthetic rows serves some groups worse than others."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.evaluation.bias.by_group import TaskByGroup
from headwater.evaluation.bias.groups import GroupColumn, alone
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.learners import answers
from headwater.evaluation.paired import FIELDS, LEAST_OF_A_CLASS, Pair, count_pair, read_pairs
from headwater.evaluation.tasks import Task
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure

__all__ = ["GroupUsefulness"]

I64 = NDArray[np.int64]


class GroupUsefulness(TaskByGroup):
    """What a group loses in usefulness beyond what everybody loses: TRTR less TSTR, in the group and over all rows.

    The floor is the same for two models of one half of the training rows each, root mean square over groups.
    """

    check: ClassVar[str] = "bias.usefulness"
    counted: ClassVar[str] = "figures of usefulness for groups"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Usefulness for groups",
            question="Does a model of synthetic rows serve some groups worse, beyond what all lose?",
            knowledge="Reads training and holdout rows of each party, at that party.",
            statistic="ROC AUC lost in a group by learning from synthetic rows, less that lost over all holdout rows; "
            "the null value is what two models of half the training rows show.",
            misses="Groups too small to judge, other tasks and models.",
            source="Chouldechova and Roth 2018 (arXiv:1810.08810), section 2; errors by DeLong, DeLong and "
            "Clarke-Pearson 1988.",
        )

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Areas over all rows and in each group, for synthetic and real model, then for the halves; see `Check`."""
        parts = [np.zeros(0, np.int64)]
        for task, column in self._pairs:
            said = answers(self._candidate, rows, task, random)
            codes = column.codes(said.table)
            for tested, yardstick in ((said.synthetic, said.real), said.halves):
                parts += [
                    count_pair(task, said.truth, tested, yardstick, where)
                    for where in (codes >= 0, *(codes == code for code in range(len(column.categories))))
                ]
        return np.concatenate(parts)

    def _width(self, task: Task, column: GroupColumn) -> int:
        """Fields of all rows and of each group, for two pairs of models."""
        return 2 * (len(column.categories) + 1) * len(task.judged) * FIELDS

    def _read(self, task: Task, column: GroupColumn, counts: I64) -> list[Measure]:
        counts = counts.reshape(2, len(column.categories) + 1, -1)
        pair = f"{label(task.column)}: {label(column.name)}"
        sizes = counts[0, 1:, 0] + counts[0, 1:, 1]
        if why := alone(column, sizes):
            return [inapplicable(self.check, pair, why, better="lower")]
        everybody = read_pairs(counts[0, 0])
        rows = int(sizes.sum())
        positives = counts[0, 0].reshape(-1, FIELDS)[:, 0]
        if (positives == 0).all() or (positives == rows).any():
            reason = f"holdout rows hold one class of {task.column!r} only; nothing can be told apart"
            return [inapplicable(self.check, pair, reason, better="lower")]
        judged = {
            code: found
            for code in range(len(column.categories))
            if sizes[code] >= self._least
            and (found := read_pairs(counts[0, 1 + code])) is not None
            and found.scarcest >= LEAST_OF_A_CLASS
        }
        if everybody is None or len(judged) < 2:
            scarce = np.sort(counts[0, 1:].reshape(len(sizes), -1, FIELDS)[:, :, :2].min(axis=(1, 2)))[-2]
            needed = math.ceil(rows * LEAST_OF_A_CLASS / max(int(scarce), 1))
            reason = (
                f"{len(judged)} groups of {column.name!r} have {self._least} holdout rows and {LEAST_OF_A_CLASS} of "
                f"each class of {task.column!r}, two are compared; about {needed} holdout rows are needed"
            )
            return [inconclusive(self.check, pair, reason, better="lower", trials=rows, needed=needed)]
        floor = _floor(counts[1], list(judged))
        measures = []
        for code, found in judged.items():
            share = float(sizes[code] / rows)
            measures.append(
                normal(
                    self.check,
                    f"{label(task.column)}: {column.subject(code)}",
                    found.gap - everybody.gap,
                    _error(found, everybody, share),
                    null=floor,
                    better="lower",
                    trials=int(sizes[code]),
                    details={
                        "floor": floor,
                        "tstr": found.tested,
                        "trtr": found.yardstick,
                        "lost by all": everybody.gap,
                    },
                )
            )
        return measures


def _floor(counts: I64, judged: list[int]) -> float:
    everybody = read_pairs(counts[0])
    found = [pair for code in judged if (pair := read_pairs(counts[1 + code])) is not None]
    if everybody is None or not found:
        return 0.0
    return math.sqrt(sum((pair.gap - everybody.gap) ** 2 for pair in found) / len(found))


def _error(group: Pair, everybody: Pair, share: float) -> float:
    """Of the group's gap less everybody's, which the group is a part of."""
    others = max(everybody.gap_variance - share**2 * group.gap_variance, 0.0)
    return math.sqrt((1 - share) ** 2 * group.gap_variance + others)
