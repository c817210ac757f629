"""What summed marginals ask of a generator, as dense matrices, and how far its batch means are from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headwater.encoding.marginals import Marginal, marginalise
from headwater.errors import InputError
from headwater.generator.network import Generator
from headwater.generator.spec import GeneratorSpec

__all__ = ["Targets"]

_SMOOTHING = 1e-3
# Matrices of all pairs for this many classes of the label at most: memory is (1 + classes) × codes² × 8 bytes.
_MOST_CLASSES = 8


@dataclass(frozen=True, eq=False)
class _Block:
    """Targets of one kind, all pairs of codes at once; weight 0 where nothing is asked."""

    target: Tensor
    weight: Tensor

    def loss(self, moments: Tensor) -> Tensor:
        return (self.weight * (moments - self.target).abs()).sum()


@dataclass(frozen=True, eq=False)
class Targets:
    """Marginals of the rows as shares, weighted by cell and block.

    Attributes:
        ones: every column's codes side by side, shape (codes,).
        pairs: (codes, codes), upper triangle: pairs of columns of different heads.
        triples: by class of the label: (codes, codes) shares of rows with that class.
        groups: by head that is a super-column: target and weight of its units.
        label_codes: where the label's codes stand among all codes.
        blocks: how many marginals are in the loss, with their weights: its normaliser.
    """

    ones: _Block
    pairs: _Block
    triples: tuple[_Block, ...]
    groups: tuple[tuple[int, _Block], ...]
    label_codes: tuple[int, int]
    blocks: float

    @classmethod
    def of(cls, spec: GeneratorSpec, marginals: Sequence[Marginal], device: torch.device) -> "Targets":
        """Arrange marginals for a generator of this shape.

        Args:
            spec: columns, super-columns and label.
            marginals: counts of any subsets; every column must stand in one, every super-column in one of its own.
            device: where the matrices live.

        Raises:
            InputError: a column or super-column is in no marginal, or a marginal is empty.
        """
        return _Arrangement(spec, marginals).build(device)

    def loss(self, generator: Generator, probabilities: Tensor) -> Tensor:
        """Weighted L1 distance between the targets and a batch's mean products, averaged over marginals.

        Args:
            generator: whose heads these are.
            probabilities: shape (batch, units), from `Generator.unit_probabilities`.
        """
        codes = generator.codes(probabilities)
        batch = len(codes)
        total = self.ones.loss(codes.mean(dim=0)) + self.pairs.loss(codes.T @ codes / batch)
        start = self.label_codes[0]
        for number, block in enumerate(self.triples):
            total = total + block.loss((codes * codes[:, start + number, None]).T @ codes / batch)
        if self.groups:
            means = torch.split(probabilities.mean(dim=0), generator.units)
            for head, block in self.groups:
                total = total + block.loss(means[head])
        return total / self.blocks


class _Arrangement:
    """Fills the matrices, marginal by marginal."""

    def __init__(self, spec: GeneratorSpec, marginals: Sequence[Marginal]) -> None:
        self.spec = spec
        self.offsets = spec.offsets
        self.codes = int(self.offsets[-1])
        self.heads = spec.heads
        self.head_of = {column: number for number, head in enumerate(self.heads) for column in head.columns}
        self.shares: dict[tuple[int, ...], np.ndarray] = {}
        for marginal in marginals:
            total = marginal.counts.sum()
            if not total > 0:
                raise InputError("a marginal counts no rows; a generator cannot be fitted to it")
            self.shares.setdefault(marginal.columns, marginal.counts / total)

    def build(self, device: torch.device) -> Targets:
        ones, ones_count = self._ones()
        pairs, pairs_count = self._pairs()
        triples, triples_count = self._triples()
        groups, groups_count = self._groups()
        label = self.spec.label

        def place(target: np.ndarray, weight: np.ndarray) -> _Block:
            return _Block(
                torch.from_numpy(target.astype(np.float32)).to(device),
                torch.from_numpy(weight.astype(np.float32)).to(device),
            )

        return Targets(
            ones=place(*ones),
            pairs=place(*pairs),
            triples=tuple(place(*block) for block in triples),
            groups=tuple((head, place(*block)) for head, block in groups),
            label_codes=(0, 0) if label is None else (int(self.offsets[label]), int(self.offsets[label + 1])),
            blocks=ones_count + pairs_count + triples_count + groups_count,
        )

    def one(self, column: int) -> np.ndarray:
        """Shares of one column's codes, from any marginal that holds it."""
        for columns, shares in self.shares.items():
            if column in columns:
                return self._down(columns, shares, (column,))
        raise InputError(f"column number {column} is in no marginal; count every column")

    def _down(self, columns: tuple[int, ...], shares: np.ndarray, to: tuple[int, ...]) -> np.ndarray:
        return shares if columns == to else marginalise(Marginal(columns, shares), self.spec.sizes, to).counts

    def _span(self, column: int) -> slice:
        return slice(int(self.offsets[column]), int(self.offsets[column + 1]))

    def _ones(self) -> tuple[tuple[np.ndarray, np.ndarray], float]:
        target, weight = np.zeros(self.codes), np.zeros(self.codes)
        columns = len(self.spec.sizes)
        for column in range(columns):
            shares = self.one(column)
            target[self._span(column)] = shares
            # A column's own shares count as often as it has partners.
            weight[self._span(column)] = columns * _weights(shares)
        return (target, weight), float(columns * columns)

    def _pairs(self) -> tuple[tuple[np.ndarray, np.ndarray], float]:
        target, weight = np.zeros((self.codes, self.codes)), np.zeros((self.codes, self.codes))
        seen: set[tuple[int, int]] = set()
        for columns, shares in self.shares.items():
            for first, second in _inner_pairs(columns):
                # Inside a head the product of probabilities is no joint probability; `groups` asks for these.
                if (first, second) in seen or self.head_of[first] == self.head_of[second]:
                    continue
                seen.add((first, second))
                joint = self._down(columns, shares, (first, second))
                shape = (self.spec.sizes[first], self.spec.sizes[second])
                target[self._span(first), self._span(second)] = joint.reshape(shape)
                weight[self._span(first), self._span(second)] = _weights(joint).reshape(shape)
        return (target, weight), float(len(seen))

    def _triples(self) -> tuple[list[tuple[np.ndarray, np.ndarray]], float]:
        label = self.spec.label
        if label is None or self.spec.sizes[label] > _MOST_CLASSES:
            return [], 0.0
        classes = self.spec.sizes[label]
        empty = (self.codes, self.codes)
        blocks = [(np.zeros(empty), np.zeros(empty)) for _ in range(classes)]
        count = 0
        for columns, shares in self.shares.items():
            if len(columns) != 3 or label not in columns:
                continue
            if len({self.head_of[column] for column in columns}) < 3:
                continue
            first, second = (column for column in columns if column != label)
            table = shares.reshape([self.spec.sizes[column] for column in columns])
            by_class = np.moveaxis(table, columns.index(label), 0)
            weights = np.moveaxis(_weights(shares).reshape(table.shape), columns.index(label), 0)
            for number, (target, weight) in enumerate(blocks):
                target[self._span(first), self._span(second)] = by_class[number]
                weight[self._span(first), self._span(second)] = weights[number]
            count += 1
        return (blocks, float(count)) if count else ([], 0.0)

    def _groups(self) -> tuple[list[tuple[int, tuple[np.ndarray, np.ndarray]]], float]:
        found = []
        count = 0.0
        for number, head in enumerate(self.heads):
            if len(head.columns) < 2:
                continue
            if head.columns not in self.shares:
                raise InputError(f"the super-column of columns {head.columns} is in no marginal; count it")
            shares = self.shares[head.columns]
            shape = [self.spec.sizes[column] for column in head.columns]
            units = shares[np.ravel_multi_index(tuple(head.combinations.T), shape)]
            pairs = 2.0 * len(head.columns) * (len(head.columns) - 1) / 2
            found.append((number, (units, pairs * _weights(units))))
            count += pairs
        return found, count


def _inner_pairs(columns: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(first, second) for place, first in enumerate(columns) for second in columns[place + 1 :]]


def _weights(shares: np.ndarray) -> np.ndarray:
    """Rare cells weigh more, (share + .001)^-1/2, scaled so that a block's weighted shares sum to 1."""
    weights = (shares + _SMOOTHING) ** -0.5
    scaled: np.ndarray = weights / max(float((weights * shares).sum()), 1e-12)
    return scaled
