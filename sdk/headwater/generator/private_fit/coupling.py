"""Which two columns all but determine each other, by noisy counts, so that components hold them as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.groups import Group, dependence
from headwater.encoding.noisy import NoisyMarginal

__all__ = ["Coupling", "couple"]

B = NDArray[np.bool_]
F64 = NDArray[np.float64]

# A cell stands out of the noise above so many of its standard deviations.
_CLEAR = 3.0
# Columns are coupled only where clear cells hold such a part of the rows: of the others the partner is a guess.
_PLAIN = 0.9
# The best cell of codes of which none is clear: a wrong one of few rows harms less than all of them would.
_LIKELY = 1.0
_RAKINGS = 10
_LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Coupling:
    """Two columns held as one.

    Attributes:
        group: the columns and the combinations that they take.
        shares: float64, shape (classes, combinations), above 0, each class's sum to 1: how its rows lie.
    """

    group: Group
    shares: F64


def couple(
    pairs: Sequence[NoisyMarginal], shares: Mapping[int, F64], label: int | None, rows: float, threshold: float
) -> list[Coupling]:
    """Choose disjoint pairs of columns, the closest first.

    Args:
        pairs: tables of two features each, with the label or without; where a column stands in bins, pairs of it are
            left apart, for nothing is known of the codes in one bin.
        shares: by feature float64, shape (classes, codes), above 0, each class's sum to 1.
        label: column of the classes, or None.
        rows: that were counted, at least nearly.
        threshold: least normalised mutual information of what stands out of the noise, 0 to 1.

    Guarantee: what is coupled follows from noisy counts alone.
    """
    found: dict[tuple[int, int], tuple[float, Coupling]] = {}
    for marginal in pairs:
        first, second = (column for column in marginal.columns if column != label)
        sizes = {column: len(places) for column, places in zip(marginal.columns, marginal.maps, strict=True)}
        counts, deviation = _of_features(marginal, label)
        if counts.shape != (sizes[first], sizes[second]):
            continue
        scores = counts / deviation
        clear = scores > _CLEAR
        if float(counts[clear].sum()) < _PLAIN * rows:
            continue
        apart = np.outer(shares[first].mean(0), shares[second].mean(0))
        joint = _shares(counts, clear, apart, rows)
        if (strength := dependence(rows * joint)) >= threshold:
            found[first, second] = strength, _settled((first, second), joint, _kept(scores, clear), shares)
    taken: set[int] = set()
    couplings = []
    for columns in sorted(found, key=lambda columns: (-found[columns][0], columns)):
        if not taken & set(columns):
            taken |= set(columns)
            couplings.append(found[columns][1])
    return sorted(couplings, key=lambda coupling: coupling.group.columns)


def _of_features(marginal: NoisyMarginal, label: int | None) -> tuple[F64, F64]:
    """Counts of the two features, summed over the label, and the standard deviations of their noise."""
    others = tuple(axis for axis, column in enumerate(marginal.columns) if column == label)
    counts = marginal.counts.reshape(marginal.shape).sum(axis=others)
    return counts, np.sqrt(marginal.variance.reshape(marginal.shape).sum(axis=others))


def _shares(counts: F64, clear: B, apart: F64, rows: float) -> F64:
    """Share of each combination: clear cells as counted, the rest as if the columns were independent."""
    held = np.where(clear, counts / rows, 0.0)
    left = max(1.0 - float(held.sum()), 0.0)
    joint = np.where(clear, held, left * apart / max(float(apart[~clear].sum()), _LEAST_SHARE))
    whole: F64 = joint / joint.sum()
    return whole


def _kept(scores: F64, clear: B) -> B:
    """Combinations that a coupling holds: every code stands in one at least.

    Clear cells; of codes that have none the likeliest with each other, one by one; and where nothing is likely any
    more, each with each, or with all where only one side has codes left.
    """
    kept = clear.copy()
    while True:
        rows, columns = np.flatnonzero(~kept.any(axis=1)), np.flatnonzero(~kept.any(axis=0))
        rest = scores[np.ix_(rows, columns)]
        if not rest.size or rest.max() <= _LIKELY:
            break
        row, column = np.unravel_index(rest.argmax(), rest.shape)
        kept[rows[row], columns[column]] = True
    kept[np.ix_(rows, columns)] = True
    kept[~kept.any(axis=1)] = True
    kept[:, ~kept.any(axis=0)] = True
    return kept


def _settled(columns: tuple[int, int], joint: F64, kept: B, shares: Mapping[int, F64]) -> Coupling:
    """A coupling with the shares of each class raked to those of both columns."""
    by_class = []
    for first, second in zip(shares[columns[0]], shares[columns[1]], strict=True):
        table = np.where(kept, np.maximum(joint, _LEAST_SHARE), 0.0)
        for _ in range(_RAKINGS):
            # Both at once: noisy margins contradict each other, and one after the other would fill rare combinations.
            table *= np.sqrt(np.outer(first / table.sum(axis=1), second / table.sum(axis=0)))
            table /= table.sum()
        share = np.maximum(table[kept], _LEAST_SHARE)
        by_class.append(share / share.sum())
    return Coupling(Group(columns, np.argwhere(kept).astype(np.int32)), np.array(by_class))
