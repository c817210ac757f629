"""The first rounds of every run: counts of columns, of tables, of proposed super-columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.groups import Group
from headwater.encoding.marginals import Marginal, Subset, choose_subsets, with_pairs
from headwater.errors import OutOfOrder
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.climbing import groupable, pairs_to_count
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, Known, read_histograms, read_tables
from headwater.recipe.supercolumns import propose, settle, still_to_count
from headwater.recipe.task import Task
from headwater.recipe.tasks import histograms_task, marginals_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["Counted", "Counting"]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What the counts of a run fix.

    Attributes:
        encoding: with its counts.
        rows: training rows of all organisations together.
        marginals: 1-ways first; every column and every group stands in one.
        groups: super-columns.
    """

    encoding: Encoding
    rows: int
    marginals: tuple[Marginal, ...]
    groups: tuple[Group, ...]


class Counting:
    """Histograms of every column, then tables, then what proposed super-columns still miss. A `Stage`."""

    def __init__(self, terms: RecipeTerms, *, tables: bool = True) -> None:
        """Start before the first round.

        Args:
            terms: of the plan.
            tables: whether tables are counted after the histograms; a generator of pictures needs none.
        """
        self._terms = terms
        self._tables = tables
        self._histograms = Histograms.of(terms.schema_, terms.recipe.encoding)
        self._encoding: Encoding | None = None
        self._rows = 0
        self._marginals: list[Marginal] = []
        self._groups: list[Group] = []
        self._proposed: list[Subset] | None = None
        self._subsets: Sequence[Subset] = ()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether everything is counted."""
        return self._over

    @property
    def marginals(self) -> tuple[Marginal, ...]:
        """Counts so far, 1-ways first."""
        return tuple(self._marginals)

    @property
    def counted(self) -> Counted:
        """What the counts fixed.

        Raises:
            OutOfOrder: the counts are not over.
        """
        if not self._over:
            raise OutOfOrder("the counts are asked for before they are summed; go on with the run's rounds")
        return Counted(self._fitted(), self._rows, self.marginals, tuple(self._groups))

    def ask(self, step: int) -> Aggregate:
        """The next round of counts."""
        if self._encoding is None:
            return Aggregate(histograms_task(self._terms, step))
        return Aggregate(marginals_task(self._terms, step, self._encoding, self._subsets))

    def add_sum(self, task: Task, vector: RingVector, contributors: int) -> list[Record]:
        """As `Stage.add_sum`."""
        room = HeadRoom(contributors, task.value_bits)
        if self._encoding is None:
            return [self._take_histograms(vector, room)]
        return [self._take_marginals(vector, room) if self._proposed is None else self._take_groups(vector, room)]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: counting asks for no model."""
        del model, report
        raise out_of_place("a model", self.ask(1))

    def _take_histograms(self, vector: RingVector, room: HeadRoom) -> Record:
        summed = read_histograms(vector, self._histograms, room)
        settings = self._terms.recipe
        encoding = Encoding.fit(self._terms.schema_, summed.payload, settings.encoding)
        self._encoding, self._rows = encoding, summed.weight
        self._marginals = [
            Marginal((column,), counts.astype(np.float64)) for column, counts in enumerate(encoding.counts)
        ]
        if settings.climbs:
            self._subsets = pairs_to_count(self._terms, encoding)
        elif self._tables and len(encoding.sizes) > 1:
            label = self._terms.schema_.target_index
            self._subsets = choose_subsets(encoding.sizes, label, settings.marginals.cells)
        self._over = not self._subsets
        return {"rows": summed.weight, "codes": sum(encoding.sizes), **summed.metrics}

    def _take_marginals(self, vector: RingVector, room: HeadRoom) -> Record:
        sizes, settings = self._fitted().sizes, self._terms.recipe.grouping
        counted, summed = read_tables(vector, self._subsets, sizes, room, self._known())
        self._marginals += with_pairs(counted, sizes)
        climbs = self._terms.recipe.climbs
        tables = groupable(self._terms, self._fitted(), self._marginals) if climbs else self._marginals
        self._proposed = propose(tables, sizes, settings)
        known = [marginal.columns for marginal in self._marginals]
        self._subsets = still_to_count(self._proposed, known, sizes, settings)
        record: Record = {"tables": len(counted), "cells": len(summed.payload), **summed.metrics}
        return record if self._subsets else record | self._settle(self._proposed)

    def _take_groups(self, vector: RingVector, room: HeadRoom) -> Record:
        counted, summed = read_tables(vector, self._subsets, self._fitted().sizes, room, self._known())
        self._marginals += counted
        record: Record = {"tables": len(counted), "cells": len(summed.payload), **summed.metrics}
        return record | self._settle(self._proposed or [])

    def _settle(self, proposed: Sequence[Subset]) -> Record:
        groups, extra = settle(proposed, self._marginals, self._fitted().sizes, self._terms.recipe.grouping)
        self._groups = groups
        self._marginals += extra
        self._over = True
        names = self._terms.schema_.names
        return {"super_columns": [[names[column] for column in group.columns] for group in groups]}

    def _known(self) -> Known:
        counts = {marginal.columns: marginal.counts for marginal in self._marginals}
        return Known(counts, self._rows, self._terms.one_cohort)

    def _fitted(self) -> Encoding:
        if self._encoding is None:
            raise OutOfOrder("the encoding is asked for before the histograms are summed")
        return self._encoding
