"""What checks of a task within columns of groups have in common: the pairs, the sizes, the reading of a sum."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.bias.groups import NO_GROUPS, GroupColumn, groups_of
from headwater.evaluation.figures import inapplicable
from headwater.evaluation.tasks import Task, tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["TaskByGroup"]

I64 = NDArray[np.int64]


class TaskByGroup(ABC):
    """A check of each declared task within each column of groups but its own; see `Check`.

    Attributes:
        check: its dotted name.
        counted: what its counts are of, as an error begins.
    """

    federated: ClassVar[bool] = True
    check: ClassVar[str]
    counted: ClassVar[str]

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Fix groups and tasks.

        Raises:
            InputError: a declared column has no groups, a task cannot be predicted.
        """
        self._candidate = candidate
        self._settings = settings
        self._least = settings.least_group
        self._columns, tasks = groups_of(candidate, settings), tasks_of(candidate, settings)
        self._pairs = tuple((task, column) for task in tasks for column in self._columns if task.column != column.name)

    @property
    def name(self) -> str:
        """Dotted name."""
        return self.check

    @property
    def size(self) -> int:
        """Whole numbers of all pairs."""
        return sum(self._width(task, column) for task, column in self._pairs)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """The measures of each task and column, in order; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"{self.counted} are {self.size} counts from 0 on; sum what `count` gave")
        if not self._pairs:
            reason = NO_GROUPS if not self._columns else "no task is declared beside the groups; declare an outcome"
            return (inapplicable(self.check, "", reason, better="lower"),)
        parts = np.split(counts, np.cumsum([self._width(*pair) for pair in self._pairs])[:-1])
        return tuple(
            measure
            for (task, column), part in zip(self._pairs, parts, strict=True)
            for measure in self._read(task, column, part)
        )

    @abstractmethod
    def _width(self, task: Task, column: GroupColumn) -> int:
        """Whole numbers of one pair."""

    @abstractmethod
    def _read(self, task: Task, column: GroupColumn, counts: I64) -> Sequence[Measure]:
        """What the counts of one pair say."""
