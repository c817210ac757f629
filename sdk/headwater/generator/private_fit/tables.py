"""Noisy tables as dense matrices, so that one product compares a mixture with all of them."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headwater.encoding.noisy import NoisyMarginal, total_rows
from headwater.errors import InputError

__all__ = ["Tables"]

F64 = NDArray[np.float64]

# A code of which nothing was seen is as likely as this part of what noise could hide.
_UNSEEN_DEVIATIONS = 0.3


class Tables:
    """What was counted, by class of the label.

    Attributes:
        sizes: number of codes of each column.
        label: column whose codes are the classes, or None.
        classes: number of classes; 1 without a label.
        places: where each column's codes stand among all.
        rows: that were counted, at least nearly.
        cells: of all tables together.
        base: float64, shape (classes, codes): each class's own share of each column's codes.
        class_shares: float64, shape (classes,).
    """

    def __init__(self, marginals: Sequence[NoisyMarginal], sizes: Sequence[int], label: int | None) -> None:
        """Arrange the tables.

        Raises:
            InputError: a column stands in no table in full, or a table is of more than two features.
        """
        self.sizes, self.label = tuple(sizes), label
        self.classes = 1 if label is None else sizes[label]
        edges = np.concatenate([[0], np.cumsum(sizes)])
        self.places = [slice(int(start), int(end)) for start, end in itertools.pairwise(edges)]
        self.codes = int(edges[-1])
        self.rows = total_rows(marginals)
        singles: list[tuple[int, F64, F64]] = []
        pairs: list[tuple[NoisyMarginal, F64, F64]] = []
        for marginal in marginals:
            features = [column for column in marginal.columns if column != label]
            counts, precision = _by_class(marginal, label)
            if len(features) > 2:
                raise InputError("a noisy table of more than two features is not fitted; count pairs")
            if len(features) == 2:
                pairs.append((marginal, counts, precision))
            elif features:
                singles.append((features[0], counts, precision))
        self._arrange_singles(singles)
        self._arrange_pairs(pairs)
        self.cells = int((self._single_weights > 0).sum() + (self._pair_weights > 0).sum())
        self.base, self.class_shares = self._base()

    def misfit(self, weights: Tensor, shares: Tensor) -> Tensor:
        """Squared deviations of all cells in units of their noise, summed.

        Args:
            weights: shape (classes, components), sum 1.
            shares: shape (classes, components, codes); each column's part sums to 1.
        """
        weighed = weights[:, :, None] * shares
        single = self.rows * weighed.sum(1)
        if self._single_weights.shape[0] != self.classes:
            single = single.sum(0, keepdim=True)
        total = (self._single_weights * (single - self._single_counts) ** 2).sum()
        if not self._pair_weights.numel():
            return total
        binned = shares @ self._bins
        pair = torch.bmm((weights[:, :, None] * binned).transpose(1, 2), binned)
        if self._pair_weights.shape[0] != self.classes:
            pair = pair.sum(0, keepdim=True)
        return total + (self._pair_weights * (self.rows * pair - self._pair_counts) ** 2).sum()

    def _arrange_singles(self, singles: Sequence[tuple[int, F64, F64]]) -> None:
        """Tables of one feature; several of one feature are averaged by what their noise leaves of them."""
        counts = np.zeros((self.classes, self.codes))
        weights = np.zeros((self.classes, self.codes))
        for feature, measured, precision in singles:
            if measured.shape != (self.classes, self.sizes[feature]):
                raise InputError("a table of one feature is not of its codes and the label's; count it in full")
            place = self.places[feature]
            counts[:, place] += precision * measured
            weights[:, place] += precision
        counts[weights > 0] /= weights[weights > 0]
        self._single = counts, weights
        self._single_counts, self._single_weights = _tensor(counts), _tensor(weights)

    def _arrange_pairs(self, pairs: Sequence[tuple[NoisyMarginal, F64, F64]]) -> None:
        """Tables of two features in one matrix; a column has one set of bins in all of them."""
        bins: dict[int, NDArray[np.int32]] = {}
        for marginal, _, _ in pairs:
            for column, places in zip(marginal.columns, marginal.maps, strict=True):
                if column != self.label and not np.array_equal(bins.setdefault(column, places), places):
                    raise InputError("a column has two sets of bins in the tables of pairs; count it in one")
        sizes = {column: int(places.max()) + 1 for column, places in bins.items()}
        ends = dict(zip(bins, np.cumsum(list(sizes.values())), strict=True))
        width = sum(sizes.values())
        join = np.zeros((self.codes, width))
        for column, places in bins.items():
            join[self.places[column].start + np.arange(len(places)), ends[column] - sizes[column] + places] = 1.0
        classes = pairs[0][1].shape[0] if pairs else 0
        counts, weights = np.zeros((classes, width, width)), np.zeros((classes, width, width))
        for marginal, measured, precision in pairs:
            if measured.shape[0] != classes:
                raise InputError("some tables of pairs have the label and some have none; count all alike")
            first, second = (column for column in marginal.columns if column != self.label)
            rows = slice(ends[first] - sizes[first], ends[first])
            columns = slice(ends[second] - sizes[second], ends[second])
            counts[:, rows, columns], weights[:, rows, columns] = measured, precision
        self._bins, self._pair_counts, self._pair_weights = _tensor(join), _tensor(counts), _tensor(weights)

    def _base(self) -> tuple[F64, F64]:
        counts, weights = self._single
        base = np.zeros((self.classes, self.codes))
        totals, certain = np.zeros(self.classes), 0.0
        for column, place in enumerate(self.places):
            if column == self.label:
                base[:, place] = np.eye(self.classes)
                continue
            if not (weights[:, place] > 0).all():
                raise InputError(f"column {column + 1} stands in no table in full; count it")
            held = np.maximum(counts[:, place], _UNSEEN_DEVIATIONS / np.sqrt(weights[:, place]))
            base[:, place] = held / held.sum(axis=1, keepdims=True)
            precision = 1.0 / (1.0 / weights[:, place]).sum()
            totals += precision * counts[:, place].sum(axis=1)
            certain += precision
        whole = np.maximum(totals / certain, 1.0) if certain else np.ones(self.classes)
        return base, whole / whole.sum()


def _by_class(marginal: NoisyMarginal, label: int | None) -> tuple[F64, F64]:
    """Counts and precisions with the label's axis in front; one class where the table has none."""
    counts = marginal.counts.reshape(marginal.shape)
    precision = 1.0 / marginal.variance.reshape(marginal.shape)
    if label is None or label not in marginal.columns:
        return counts[None], precision[None]
    axis = marginal.columns.index(label)
    return np.moveaxis(counts, axis, 0), np.moveaxis(precision, axis, 0)


def _tensor(values: F64) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
