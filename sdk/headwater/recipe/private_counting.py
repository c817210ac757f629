"""The rounds of a run under a budget: noisy counts of columns, of features with the label, of pairs in coarse bins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.marginals import Subset, cells_of
from headwater.encoding.noisy import NoisyMarginal, coarse_encoding, grid_encoding, noisy_encoding, total_rows
from headwater.errors import InputError, OutOfOrder
from headwater.privacy.shares import carried_variance, honest_members
from headwater.recipe.actions import Aggregate, ModelReport
from headwater.recipe.private_steps import (
    PrivateStep,
    grid_subsets,
    private_bins,
    private_budget,
    private_steps,
    private_subsets,
)
from headwater.recipe.settings import RecipeTerms
from headwater.recipe.stage import Record, out_of_place
from headwater.recipe.sums import HeadRoom, read_noisy
from headwater.recipe.task import Task
from headwater.recipe.tasks import histograms_task, marginals_task
from headwater.secagg.crypto.ring import RingVector

__all__ = ["NoisyCounted", "PrivateCounting"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class NoisyCounted:
    """What the noisy counts of a run fix.

    Attributes:
        encoding: with masses that are not negative.
        rows: training rows of all organisations together, as the counts estimate them.
        marginals: everything that was counted.
    """

    encoding: Encoding
    rows: int
    marginals: tuple[NoisyMarginal, ...]


class PrivateCounting:
    """Asks for the rounds that `private_steps` fixes. A `Stage`.

    Guarantee: of the rows it sees noisy sums alone; codes, bins and the number of rows follow from these.
    """

    def __init__(self, terms: RecipeTerms) -> None:
        """Start before the first round."""
        self._terms = terms
        self._left = list(private_steps(terms))
        self._tables = grid_subsets(terms)
        self._grid = grid_encoding(terms.schema_, terms.recipe.encoding)
        self._encoding: Encoding | None = None
        self._coarse: Encoding | None = None
        self._maps: tuple[I32, ...] = ()
        self._marginals: list[NoisyMarginal] = []

    @property
    def over(self) -> bool:
        """Whether everything is counted."""
        return not self._left

    @property
    def counted(self) -> NoisyCounted:
        """What the counts fixed.

        Raises:
            OutOfOrder: the counts are not over.
        """
        if self._left:
            raise OutOfOrder("the counts are asked for before they are summed; go on with the run's rounds")
        return NoisyCounted(self._fitted(), self._rows, tuple(self._marginals))

    def ask(self, step: int) -> Aggregate:
        """The next round of counts."""
        now = self._left[0]
        if now.name == "columns" and self._tables:
            return Aggregate(marginals_task(self._terms, step, self._grid, self._tables, now.event))
        if now.name == "columns":
            return Aggregate(histograms_task(self._terms, step, now.event))
        if now.name == "label":
            return Aggregate(marginals_task(self._terms, step, self._fitted(), self._with_label(), now.event))
        if self._coarse is None:
            self._coarse, self._maps = coarse_encoding(self._fitted(), self._shares(), private_bins(self._terms))
        return Aggregate(marginals_task(self._terms, step, self._coarse, self._pairs(), now.event))

    def add_sum(self, task: Task, vector: RingVector, contributors: int, members: int | None = None) -> list[Record]:
        """As `Stage.add_sum`.

        Args:
            task: of the sum.
            vector: the ring sum.
            contributors: organisations in it.
            members: of its session, by whose number each sized its noise; None where all of them are in the sum.
        """
        now, room = self._left[0], HeadRoom(contributors, task.value_bits)
        noise = self._carried(now, contributors, members or contributors)
        counts = read_noisy(vector, task.length, room)
        if now.name == "columns":
            self._take_columns(counts, noise)
        elif now.name == "label":
            self._take_tables(counts, noise, self._with_label(), self._fitted(), None)
        elif self._coarse is not None:
            self._take_tables(counts, noise, self._pairs(), self._coarse, self._maps)
        most = private_budget(self._terms).most_rows
        if self._rows > most + _FAR * self._rows_deviation():
            raise InputError(
                f"about {self._rows:,} training rows were counted, the plan's budget says at most {most:,}; propose a "
                "plan with a larger privacy.most_rows, and a delta below 1 / most_rows"
            )
        self._left.pop(0)
        counted: Record = {"counted": now.name, "tables": now.event.tables, "cells": len(counts)}
        return [counted | {"deviation": noise**0.5, "rows": self._rows}]

    def add_model(self, model: bytes, report: ModelReport) -> list[Record]:
        """Refuse: counting asks for no model."""
        del model, report
        raise out_of_place("a model", self.ask(1))

    def _carried(self, step: PrivateStep, contributors: int, members: int) -> float:
        """Variance of a sum's noise: more than is charged for, as also those add theirs that need not be honest."""
        honest = honest_members(private_budget(self._terms), members, self._terms.colluders)
        return float(carried_variance(step.event.variance, honest, contributors))

    def _take_columns(self, counts: NDArray[np.int64], noise: float) -> None:
        parts = self._on_grids(counts.astype(np.float64))
        cells = np.array([part.size for part in parts.values()])
        totals = np.array([part.sum() for part in parts.values()])
        rows = max(1.0, float((totals / cells).sum() / (1 / cells).sum()))
        label = self._terms.schema_.target_index if self._tables else None
        # The label's own codes are its categories, whose counts the other columns' tables hold.
        by_column = [
            parts[place] if place != label else sum(part.sum(axis=0) for part in parts.values())[:, None] / len(parts)
            for place in range(len(self._grid.columns))
        ]
        settings, few = self._terms.recipe.encoding, self._terms.recipe.private.category_bins
        self._encoding = noisy_encoding(self._terms.schema_, by_column, noise, rows, settings, few)
        self._marginals = [_in_codes(place, label, part, self._encoding, noise) for place, part in parts.items()]

    def _on_grids(self, counts: F64) -> dict[int, F64]:
        """Of each column that was counted float64, shape (cells, classes)."""
        sizes, label = self._grid.sizes, self._terms.schema_.target_index
        if not self._tables or label is None:
            edges = np.cumsum(sizes)[:-1]
            return {place: part[:, None] for place, part in enumerate(np.split(counts, edges))}
        edges = np.cumsum([cells_of(sizes, table) for table in self._tables])[:-1]
        parts = {}
        for table, part in zip(self._tables, np.split(counts, edges), strict=True):
            feature = table[0] if table[1] == label else table[1]
            turned = part.reshape(sizes[table[0]], sizes[table[1]])
            parts[feature] = turned if table[1] == label else turned.T
        return parts

    def _take_tables(
        self,
        counts: NDArray[np.int64],
        noise: float,
        subsets: Sequence[Subset],
        encoding: Encoding,
        maps: Sequence[I32] | None,
    ) -> None:
        edges = np.cumsum([cells_of(encoding.sizes, subset) for subset in subsets])[:-1]
        for subset, part in zip(subsets, np.split(counts.astype(np.float64), edges), strict=True):
            places = tuple(_identity(encoding.sizes[c]) if maps is None else maps[c] for c in subset)
            self._marginals.append(_marginal(subset, places, part, noise))

    def _with_label(self) -> list[Subset]:
        label = self._terms.schema_.target_index
        columns = range(len(self._terms.schema_.columns))
        return [tuple(sorted((column, label))) for column in columns if label is not None and column != label]

    def _pairs(self) -> Sequence[Subset]:
        return private_subsets(self._terms)

    def _shares(self) -> list[F64]:
        """What each code of each column holds by all tables that count it in full, weighted by their noise."""
        sums = [np.zeros(size) for size in self._fitted().sizes]
        weights = [np.zeros(size) for size in self._fitted().sizes]
        for marginal in self._marginals:
            for axis, column in enumerate(marginal.columns):
                others = tuple(other for other in range(len(marginal.shape)) if other != axis)
                precision = 1.0 / marginal.variance.reshape(marginal.shape).sum(axis=others)
                sums[column] += precision * marginal.counts.reshape(marginal.shape).sum(axis=others)
                weights[column] += precision
        return [np.maximum(total / weight, 0.0) for total, weight in zip(sums, weights, strict=True)]

    @property
    def _rows(self) -> int:
        return round(total_rows(self._marginals))

    def _rows_deviation(self) -> float:
        return float(sum(1.0 / marginal.variance.sum() for marginal in self._marginals) ** -0.5)

    def _fitted(self) -> Encoding:
        if self._encoding is None:
            raise OutOfOrder("the encoding is asked for before the histograms are summed")
        return self._encoding


# An honest count hardly ever errs by so many of its standard deviations.
_FAR = 6.0


def _in_codes(column: int, label: int | None, measured: F64, encoding: Encoding, noise: float) -> NoisyMarginal:
    """Counts on a column's grid, summed by its codes."""
    codes = encoding.columns[column]
    summed = np.zeros((codes.size, measured.shape[1]))
    np.add.at(summed, codes.code_of_cell, measured)
    cells = np.bincount(codes.code_of_cell, minlength=codes.size).astype(np.float64)
    variance = np.repeat(noise * cells[:, None], measured.shape[1], axis=1)
    if label is None:
        return NoisyMarginal((column,), (_identity(codes.size),), summed.reshape(-1), variance.reshape(-1))
    maps = (_identity(codes.size), _identity(measured.shape[1]))
    if column < label:
        return NoisyMarginal((column, label), maps, summed.reshape(-1), variance.reshape(-1))
    return NoisyMarginal((label, column), maps[::-1], summed.T.reshape(-1), variance.T.reshape(-1))


def _identity(codes: int) -> I32:
    return np.arange(codes, dtype=np.int32)


def _marginal(columns: Subset, maps: tuple[I32, ...], counts: F64, noise: float) -> NoisyMarginal:
    return NoisyMarginal(columns, maps, counts, np.full(len(counts), noise))
