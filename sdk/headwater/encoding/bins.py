"""Which cells of a column's grid share a code, decided by the summed histogram."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.grid import CategoryGrid, IntervalGrid

__all__ = ["category_codes", "interval_codes"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


def interval_codes(grid: IntervalGrid, masses: I64, most: int) -> I32:
    """Code of each cell of a numeric or date column.

    Special values and missing keep codes of their own. Of the other cells, those with 1/`most` of the mass are
    atoms, a code each; the rest share what is left in runs of equal mass. Where no more than `most` cells hold
    anything, each of these has a code.

    Args:
        grid: the column's grid.
        masses: int64, shape (cells,), not negative.
        most: most codes, special values and missing apart.

    Returns:
        int32, shape (cells,); codes ascend with the values and none is skipped.
    """
    special = len(grid.special)
    inner = masses[special : special + len(grid.lows)]
    codes = np.zeros(grid.cells, np.int32)
    codes[:special] = np.arange(special)
    codes[special : special + len(inner)] = special + _ordered_codes(inner, most)
    if grid.column.missing:
        codes[-1] = codes[special : special + len(inner)].max() + 1
    return codes


def category_codes(grid: CategoryGrid, masses: I64, most: int) -> I32:
    """Code of each category: its own, or where there are more than `most`, hashed buckets for the rarer ones.

    The `most` × 2/3 most frequent categories keep codes of their own; the others are hashed to the remaining
    codes, and decoding draws among a bucket's categories by the summed histogram.

    Args:
        grid: the column's grid.
        masses: int64, shape (cells,).
        most: most codes, missing apart.
    """
    categories = len(grid.column.categories)
    if categories <= most:
        return np.arange(grid.cells, dtype=np.int32)
    alone = most * 2 // 3
    by_mass = np.lexsort((np.arange(categories), -masses[:categories]))
    codes = np.empty(grid.cells, np.int32)
    codes[np.sort(by_mass[:alone])] = np.arange(alone)
    buckets = {int(place): _bucket(grid.column.categories[place], most - alone) for place in by_mass[alone:]}
    rank = {bucket: alone + number for number, bucket in enumerate(sorted(set(buckets.values())))}
    for place, bucket in buckets.items():
        codes[place] = rank[bucket]
    if grid.column.missing:
        codes[-1] = codes[:-1].max() + 1
    return codes


def _bucket(category: str, buckets: int) -> int:
    return int.from_bytes(hashlib.sha256(category.encode()).digest()[:8], "big") % buckets


def _ordered_codes(masses: I64, most: int) -> I32:
    total = int(masses.sum())
    holding = np.flatnonzero(masses)
    if total == 0:
        return np.zeros(len(masses), np.int32)
    # A key for each cell that holds something; equal neighbours share a code.
    keys = np.arange(len(holding), dtype=np.int64)
    if len(holding) > most:
        held = masses[holding]
        atoms = held * most >= total
        rest = np.where(atoms, 0, held)
        bins = max(1, most - int(atoms.sum()))
        middle = np.cumsum(rest) - rest / 2
        bin_of = np.minimum(np.floor(middle * bins / max(1, rest.sum())), bins - 1).astype(np.int64)
        keys = np.where(atoms, len(masses) + holding, bin_of)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    # An empty cell takes the code of the last cell before it that holds something.
    last = np.searchsorted(holding, np.arange(len(masses)), side="right") - 1
    codes: I32 = rank[inverse][np.maximum(last, 0)].astype(np.int32)
    return codes
