"""Which cells of a column's grid share a code, decided by the summed histogram."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.grid import CategoryGrid, IntervalGrid

__all__ = ["category_codes", "date_codes", "interval_codes"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

# With 40 rows expected, half of them or fewer is more than three standard deviations away.
_LEAST_ROWS_A_WEEKDAY = 40
_LEAST_WEEKS = 4
_LEAST_PARTED = 6


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
        int32, shape (cells,); none is skipped. First cells of codes ascend; an atom may stand inside a bin.
    """
    special = len(grid.special)
    inner = masses[special : special + len(grid.lows)]
    codes = np.zeros(grid.cells, np.int32)
    codes[:special] = np.arange(special)
    codes[special : special + len(inner)] = special + _ordered_codes(inner, most)
    if grid.column.missing:
        codes[-1] = codes[special : special + len(inner)].max() + 1
    return codes


def date_codes(grid: IntervalGrid, masses: I64, most: int) -> I32:
    """Code of each cell of a date column: where some days of the week are quiet, these have codes of their own.

    A weekday is quiet when it has less than half of the rows that its days would have by chance. Codes that ran over
    whole weeks would keep how many rows fall on each day, which is in the fine histogram, and lose which rows do: that
    weekends are for emergencies. Where no day is quiet, or cells are longer than a day, this is `interval_codes`.

    Args:
        grid: the column's grid.
        masses: int64, shape (cells,), not negative.
        most: most codes, missing apart.

    Returns:
        int32, shape (cells,); none is skipped. Codes of quiet days come after all others.
    """
    inner = masses[: len(grid.lows)]
    quiet = _quiet_days(grid, inner)
    if not quiet.any() or most < _LEAST_PARTED:
        return interval_codes(grid, masses, most)
    share = most // 3
    codes = np.zeros(grid.cells, np.int32)
    ordered = codes[: len(inner)]
    ordered[~quiet] = _ordered_codes(inner[~quiet], most - share)
    ordered[quiet] = ordered.max() + 1 + _ordered_codes(inner[quiet], share)
    if grid.column.missing:
        codes[-1] = ordered.max() + 1
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


def _quiet_days(grid: IntervalGrid, masses: I64) -> NDArray[np.bool_]:
    """Which cells are days of a quiet weekday; none where cells are not days or rows are too few to tell."""
    nowhere = np.zeros(len(masses), np.bool_)
    held = np.flatnonzero(masses)
    if not grid.consecutive or not len(held):
        return nowhere
    weekday = grid.lows.astype(np.int64) % 7
    days = np.bincount(weekday[held[0] : held[-1] + 1], minlength=7)
    expected = masses.sum() * days / days.sum()
    if days.min() < _LEAST_WEEKS or expected.min() < _LEAST_ROWS_A_WEEKDAY:
        return nowhere
    quiet = np.bincount(weekday, weights=masses, minlength=7) < expected / 2
    # A day without any row needs no code: it is never drawn.
    cells: NDArray[np.bool_] = quiet[weekday]
    return cells if (masses[cells] > 0).any() else nowhere


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
