"""Whether a model of synthetic rows serves some groups worse than others."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.bias.groups import NO_GROUPS, GroupColumn, alone, groups_of
from headwater.evaluation.figures import inapplicable, inconclusive, label, normal
from headwater.evaluation.learners import answers
from headwater.evaluation.paired import FIELDS, LEAST_OF_A_CLASS, Pair, count_pair, read_pairs
from headwater.evaluation.tasks import Task, tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["GroupUsefulness"]

I64 = NDArray[np.int64]

_CHECK = "bias.usefulness"


class GroupUsefulness:
    """What a group loses in usefulness beyond what everybody loses: TRTR less TSTR, in the group and over all rows.

    The floor is the same for two models of one half of the training rows each, root mean square over groups.
    """

    federated: ClassVar[bool] = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix groups and tasks.

        Raises:
            InputError: a declared column has no groups, a task cannot be predicted.
        """
        self._candidate = candidate
        self._least = settings.least_group
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
            title="Usefulness for groups",
            question="Does a model of synthetic rows serve some groups worse, beyond what all lose?",
            knowledge="Reads training and holdout rows of each party, at that party.",
            statistic="ROC AUC lost in a group by learning from synthetic rows, less that lost over all holdout rows; "
            "the null value is what two models of half the training rows show.",
            misses="Groups too small to judge, other tasks and models.",
            source="Chouldechova and Roth 2018 (arXiv:1810.08810), section 2; errors by DeLong, DeLong and "
            "Clarke-Pearson 1988.",
        )

    @property
    def size(self) -> int:
        """By task and column: fields of all rows and of each group, for two pairs of models."""
        return sum(_width(task, column) for task, column in self._pairs)

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

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure a task and group; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"usefulness for groups is {self.size} counts from 0 on; sum what `count` gave")
        if not self._pairs:
            reason = NO_GROUPS if not self._columns else "no task is declared beside the groups; declare an outcome"
            return (inapplicable(_CHECK, "", reason, better="lower"),)
        measures: list[Measure] = []
        parts = np.split(counts, np.cumsum([_width(*pair) for pair in self._pairs])[:-1])
        for (task, column), part in zip(self._pairs, parts, strict=True):
            measures += self._read(task, column, part.reshape(2, len(column.categories) + 1, -1))
        return tuple(measures)

    def _read(self, task: Task, column: GroupColumn, counts: I64) -> list[Measure]:
        pair = f"{label(task.column)}: {label(column.name)}"
        sizes = counts[0, 1:, 0] + counts[0, 1:, 1]
        if why := alone(column, sizes):
            return [inapplicable(_CHECK, pair, why, better="lower")]
        everybody = read_pairs(counts[0, 0])
        rows = int(sizes.sum())
        positives = counts[0, 0].reshape(-1, FIELDS)[:, 0]
        if (positives == 0).all() or (positives == rows).any():
            reason = f"holdout rows hold one class of {task.column!r} only; nothing can be told apart"
            return [inapplicable(_CHECK, pair, reason, better="lower")]
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
            return [inconclusive(_CHECK, pair, reason, better="lower", trials=rows, needed=needed)]
        floor = _floor(counts[1], list(judged))
        measures = []
        for code, found in judged.items():
            share = float(sizes[code] / rows)
            measures.append(
                normal(
                    _CHECK,
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


def _width(task: Task, column: GroupColumn) -> int:
    return 2 * (len(column.categories) + 1) * len(task.judged) * FIELDS
