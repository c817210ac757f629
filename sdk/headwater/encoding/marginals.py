"""Contingency tables over the codes of a table's columns, counted exactly."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from headwater.errors import InputError

__all__ = ["Marginal", "cells_of", "choose_subsets", "count", "marginalise", "pairs_within", "with_pairs"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]

Subset = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """Counts of every combination of codes of a few columns.

    Attributes:
        columns: indices into the schema's columns, ascending, no repeats.
        counts: float64, shape (product of the columns' sizes,), C order in the order of `columns`; not negative.
    """

    columns: Subset
    counts: F64


def cells_of(sizes: Sequence[int], columns: Sequence[int]) -> int:
    """Number of combinations of codes that `columns` can take."""
    cells = 1
    for column in columns:
        cells *= int(sizes[column])
    return cells


def count(codes: I32, sizes: Sequence[int], subsets: Sequence[Subset]) -> list[I64]:
    """Count the combinations of codes of each subset.

    Args:
        codes: int32, shape (rows, columns); `codes[:, j]` in 0..sizes[j] − 1.
        sizes: number of codes of each column.
        subsets: column indices, one tuple a table.

    Returns:
        One int64 array for each subset, shape (product of sizes,), C order; each sums to the number of rows.

    Raises:
        InputError: a code lies outside its column's range, or there are not as many columns as sizes.
    """
    if codes.ndim != 2 or codes.shape[1] != len(sizes):
        raise InputError(f"codes have shape {codes.shape}, expected (rows, {len(sizes)})")
    if codes.size and (codes.min() < 0 or bool((codes.max(axis=0) >= np.asarray(sizes)).any())):
        raise InputError("a code lies outside its column's range; encode the table with the encoding in use")
    columns = np.ascontiguousarray(codes.T)
    return [
        np.bincount(_places(columns, sizes, subset), minlength=cells_of(sizes, subset)).astype(np.int64, copy=False)
        for subset in subsets
    ]


def marginalise(marginal: Marginal, sizes: Sequence[int], columns: Subset) -> Marginal:
    """Sum a marginal down to some of its columns, given in ascending order.

    Raises:
        InputError: a column is not among the marginal's.
    """
    if not set(columns) <= set(marginal.columns):
        raise InputError(f"columns {columns} are not all among {marginal.columns}; give a part of them")
    table = marginal.counts.reshape([int(sizes[column]) for column in marginal.columns])
    gone = tuple(axis for axis, column in enumerate(marginal.columns) if column not in columns)
    return Marginal(columns, np.ascontiguousarray(table.sum(axis=gone)).reshape(-1))


def choose_subsets(sizes: Sequence[int], label: int | None, budget: int) -> list[Subset]:
    """Which tables one round of counts asks for, so that memory stays bounded however wide the table is.

    With a label: every (feature, feature, label), which holds every pair as well; where that is more than
    `budget`, every (feature, label) and as many (feature, feature) as fit. Without: every pair. Pairs are taken
    in order of the distance between their columns, counted in a circle, so that each column gets its share.

    Args:
        sizes: number of codes of each column.
        label: index of the target column, or None.
        budget: most cells, summed over all tables. The (feature, label) tables are always among them.

    Returns:
        Subsets with ascending columns, no repeats.
    """
    features = [column for column in range(len(sizes)) if column != label]
    if label is None:
        return _within(_pairs_by_distance(features), sizes, budget) or [(column,) for column in features]
    with_label = [_ascending(feature, label) for feature in features] or [(label,)]
    if len(features) < 2:
        return with_label
    codes = [int(sizes[feature]) for feature in features]
    # The sum of the products of all pairs, without a list of them.
    in_pairs = (sum(codes) ** 2 - sum(size**2 for size in codes)) // 2
    if in_pairs * int(sizes[label]) <= budget:
        return [_ascending(*pair, label) for pair in _pairs_by_distance(features)]
    left = budget - sum(cells_of(sizes, pair) for pair in with_label)
    return with_label + _within(_pairs_by_distance(features), sizes, left)


def pairs_within(
    columns: Sequence[int], sizes: Sequence[int], budget: int, *, label: int | None = None, first: Sequence[int] = ()
) -> list[Subset]:
    """As many pairs of columns as a budget of cells holds, in the order of what they are worth.

    Args:
        columns: to be paired.
        sizes: number of codes of each column of the table.
        budget: most cells, summed over all pairs.
        label: a column whose pairs come before all others.
        first: columns whose pairs among each other come next.

    Returns:
        Ascending pairs, no repeats; inside each part in the order of the distance between their columns.
    """
    with_label = [_ascending(column, label) for column in columns if column != label] if label is not None else []
    return _within(chain(with_label, _pairs_by_distance(first), _pairs_by_distance(columns)), sizes, budget)


def with_pairs(marginals: Sequence[Marginal], sizes: Sequence[int]) -> list[Marginal]:
    """The given marginals, and before them every pair that one of them holds, each once."""
    pairs: dict[Subset, Marginal] = {}
    for marginal in marginals:
        columns = marginal.columns
        for first in range(len(columns)):
            for second in range(first + 1, len(columns)):
                pair = (columns[first], columns[second])
                if pair not in pairs:
                    pairs[pair] = marginalise(marginal, sizes, pair)
    return [pairs[pair] for pair in sorted(pairs)] + [m for m in marginals if len(m.columns) > 2]


def _places(columns: I32, sizes: Sequence[int], subset: Subset) -> I64:
    """The cell of each row in the subset's table; one column at a time is widened, not the whole table."""
    flat: I64 = columns[subset[0]].astype(np.int64)
    for column in subset[1:]:
        flat *= int(sizes[column])
        flat += columns[column]
    return flat


def _ascending(*columns: int) -> Subset:
    return tuple(sorted(columns))


def _pairs_by_distance(columns: Sequence[int]) -> Iterator[Subset]:
    n = len(columns)
    for distance in range(1, n // 2 + 1):
        starts = n // 2 if 2 * distance == n else n
        for start in range(starts):
            yield _ascending(columns[start], columns[(start + distance) % n])


def _within(pairs: Iterable[Subset], sizes: Sequence[int], budget: int) -> list[Subset]:
    """Each pair once, in order, as long as it fits; of a wide table's many pairs no more are looked at than can fit."""
    least = math.prod(sorted(int(size) for size in sizes)[:2])
    chosen: dict[Subset, None] = {}
    left = budget
    for pair in pairs:
        if left < least:
            break
        cells = cells_of(sizes, pair)
        if cells <= left and pair not in chosen:
            chosen[pair] = None
            left -= cells
    return list(chosen)
