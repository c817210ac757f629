"""Noisy tables as dense matrices, so that one product compares a mixture with all of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.noisy import NoisyMarginal, total_rows
from headwater.errors import InputError
from headwater.generator.private_fit.coupling import couple
from headwater.mixture.form import Form

__all__ = ["Tables"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# A code of which nothing was seen is as likely as this part of what noise could hide.
_UNSEEN_DEVIATIONS = 0.3


class Tables:
    """What was counted, by class of the label.

    Attributes:
        form: of the mixture: its units are columns alone, and two columns as one where they are closely coupled.
        classes: number of classes; 1 without a label.
        places: where each unit's cells stand among all.
        rows: that were counted, at least nearly.
        cells: of all tables together.
        base: float64, shape (classes, cells of the units): each class's own share of each unit's cells.
        class_shares: float64, shape (classes,).
    """

    def __init__(
        self, marginals: Sequence[NoisyMarginal], sizes: Sequence[int], label: int | None, coupling: float
    ) -> None:
        """Arrange the tables.

        Args:
            marginals: each of one feature or of two, with the label or without.
            sizes: number of codes of each column.
            label: column whose codes are the classes, or None.
            coupling: least normalised mutual information of two columns that are one unit.

        Raises:
            InputError: a column stands in no table in full, or a table is of more than two features.
        """
        self.classes = 1 if label is None else sizes[label]
        self.rows = total_rows(marginals)
        singles: dict[int, list[_Counts]] = {column: [] for column in range(len(sizes)) if column != label}
        pairs: list[NoisyMarginal] = []
        for marginal in marginals:
            features = [column for column in marginal.columns if column != label]
            if len(features) > 2:
                raise InputError("a noisy table of more than two features is not fitted; count pairs")
            if len(features) == 2:
                pairs.append(marginal)
            elif features:
                singles[features[0]].append(_by_class(marginal, label))
        columns = {
            column: _averaged(tables, column, (self.classes, sizes[column])) for column, tables in singles.items()
        }
        shares = {column: _shares(counts) for column, counts in columns.items()}
        couplings = couple(pairs, shares, label, self.rows, coupling)
        self.form = Form(tuple(sizes), label, tuple(each.group for each in couplings), ())
        self.places = [slice(int(start), int(end)) for start, end in itertools.pairwise(self.form.offsets)]
        self.base = np.concatenate(
            [*(each.shares for each in couplings), *(shares[column] for column in self.form.alone)], axis=1
        )
        self.class_shares = _class_shares(list(columns.values()), self.classes)
        self._joins = self._code_joins()
        self._linear = [_Linear(self._joins[column], counts) for column, counts in columns.items()]
        inside = {each.group.columns for each in couplings}
        apart = []
        for marginal in pairs:
            first, second = (column for column in marginal.columns if column != label)
            if (first, second) in inside:
                self._linear.append(self._inside(marginal, first, second))
            else:
                apart.append(marginal)
        self._arrange_pairs(apart)
        self.cells = sum(linear.weights.numel() for linear in self._linear) + int((self._pair_weights > 0).sum())

    def misfit(self, weights: Tensor, shares: Tensor) -> Tensor:
        """Squared deviations of all cells in units of their noise, summed.

        Args:
            weights: shape (classes, components), sum 1.
            shares: shape (classes, components, cells of the units); each unit's part sums to 1.
        """
        held = self.rows * (weights[:, :, None] * shares).sum(1)
        total = sum((linear.misfit(held) for linear in self._linear), torch.zeros(()))
        if not self._pair_weights.numel():
            return total
        binned = shares @ self._bins
        pair = torch.bmm((weights[:, :, None] * binned).transpose(1, 2), binned)
        if self._pair_weights.shape[0] != self.classes:
            pair = pair.sum(0, keepdim=True)
        return total + (self._pair_weights * (self.rows * pair - self._pair_counts) ** 2).sum()

    def _code_joins(self) -> dict[int, F64]:
        """Of each feature which cells of the units are which of its codes: shape (cells of the units, codes)."""
        joins = {}
        for place, group in zip(self.places, self.form.groups, strict=False):
            for column, codes in zip(group.columns, group.combinations.T, strict=True):
                joins[column] = self._join(place, codes, self.form.sizes[column])
        for place, column in zip(self.places[len(self.form.groups) :], self.form.alone, strict=True):
            size = self.form.sizes[column]
            joins[column] = self._join(place, np.arange(size, dtype=np.int32), size)
        return joins

    def _join(self, place: slice, codes: I32, size: int) -> F64:
        join = np.zeros((self.form.cells, size))
        join[np.arange(place.start, place.stop), codes] = 1.0
        return join

    def _inside(self, marginal: NoisyMarginal, first: int, second: int) -> "_Linear":
        """The table of two columns that are one unit, whose cells are cells of that unit."""
        counts = _by_class(marginal, self.form.label)
        join = self._joins[first][:, :, None] * self._joins[second][:, None, :]
        flat = _Counts(*(part.reshape(len(part), -1) for part in (counts.counts, counts.precision)))
        return _Linear(join.reshape(len(join), -1), flat)

    def _arrange_pairs(self, pairs: Sequence[NoisyMarginal]) -> None:
        """Tables of two units in one matrix; a column has one set of bins in all of them."""
        label = self.form.label
        bins: dict[int, I32] = {}
        for marginal in pairs:
            for column, places in zip(marginal.columns, marginal.maps, strict=True):
                if column != label and not np.array_equal(bins.setdefault(column, places), places):
                    raise InputError("a column has two sets of bins in the tables of pairs; count it in one")
        sizes = {column: int(places.max()) + 1 for column, places in bins.items()}
        ends = dict(zip(bins, np.cumsum(list(sizes.values())), strict=True))
        width = sum(sizes.values())
        lift = np.zeros((self.form.cells, width))
        for column, places in bins.items():
            lift[:, ends[column] - sizes[column] : ends[column]] = self._joins[column] @ np.eye(sizes[column])[places]
        tables = [_by_class(marginal, label) for marginal in pairs]
        classes = len(tables[0].counts) if tables else 0
        counts, weights = np.zeros((classes, width, width)), np.zeros((classes, width, width))
        for marginal, table in zip(pairs, tables, strict=True):
            if len(table.counts) != classes:
                raise InputError("some tables of pairs have the label and some have none; count all alike")
            first, second = (column for column in marginal.columns if column != label)
            rows = slice(ends[first] - sizes[first], ends[first])
            columns = slice(ends[second] - sizes[second], ends[second])
            counts[:, rows, columns], weights[:, rows, columns] = table.counts, table.precision
        self._bins, self._pair_counts, self._pair_weights = _tensor(lift), _tensor(counts), _tensor(weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Noisy counts with the label's axis in front, of one class where they have none.

    Attributes:
        counts: float64.
        precision: float64, same shape: one over the noise's variance, 0 for what was not counted.
    """

    counts: F64
    precision: F64


class _Linear:
    """A table whose cells are sums of cells of one unit."""

    def __init__(self, join: F64, table: _Counts) -> None:
        self._join, self._counts = _tensor(join), _tensor(table.counts)
        self.weights = _tensor(table.precision)

    def misfit(self, held: Tensor) -> Tensor:
        """Squared deviations in units of noise, of rows held in cells of the units: shape (classes, cells)."""
        made = held @ self._join
        if len(self.weights) != len(made):
            made = made.sum(0, keepdim=True)
        return (self.weights * (made - self._counts) ** 2).sum()


def _by_class(marginal: NoisyMarginal, label: int | None) -> _Counts:
    counts = marginal.counts.reshape(marginal.shape)
    precision = 1.0 / marginal.variance.reshape(marginal.shape)
    if label is None or label not in marginal.columns:
        return _Counts(counts[None], precision[None])
    axis = marginal.columns.index(label)
    return _Counts(np.moveaxis(counts, axis, 0), np.moveaxis(precision, axis, 0))


def _averaged(tables: Sequence[_Counts], column: int, shape: tuple[int, int]) -> _Counts:
    """Tables of one feature, averaged by what their noise leaves of them."""
    if not tables:
        raise InputError(f"column {column + 1} stands in no table in full; count it")
    if any(table.counts.shape != shape for table in tables):
        raise InputError("a table of one feature is not of its codes and the label's; count it in full")
    precision = np.sum([table.precision for table in tables], axis=0)
    return _Counts(np.sum([table.precision * table.counts for table in tables], axis=0) / precision, precision)


def _shares(table: _Counts) -> F64:
    """Each class's shares of a feature's codes, above 0."""
    held = np.maximum(table.counts, _UNSEEN_DEVIATIONS / np.sqrt(table.precision))
    shares: F64 = held / held.sum(axis=1, keepdims=True)
    return shares


def _class_shares(columns: Sequence[_Counts], classes: int) -> F64:
    totals, certain = np.zeros(classes), 0.0
    for table in columns:
        precision = 1.0 / (1.0 / table.precision).sum()
        totals += precision * table.counts.sum(axis=1)
        certain += precision
    whole = np.maximum(totals / certain, 1.0) if certain else np.ones(classes)
    shares: F64 = whole / whole.sum()
    return shares


def _tensor(values: F64) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
