"""Where the cells of a numeric column's grid begin and end, by its public bounds alone."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["interval_cells", "whole_cells"]

F64 = NDArray[np.float64]

# Distances from the anchor start at this share of the range: finer detail is not resolved. Bounds are often wider than
# the values by many decades; twelve of them leave a default grid 170 cells a decade, each 1.4 % wide.
_FINEST = 1e-12


def whole_cells(lower: float, upper: float, cells: int, own: Sequence[float]) -> tuple[F64, F64]:
    """Cells of whole numbers; the bounds and zero are cells of their own, `own` numbers are in none."""
    if upper - lower < cells:
        lows = np.arange(lower, upper + 1, dtype=np.float64)
        return _without(lows, lows, own)
    few = np.asarray([number for number in (lower, 0.0, upper, *own) if lower <= number <= upper])
    round_ones = _round_numbers(lower, upper, cells // 2)
    alone = np.concatenate([few, round_ones])
    # A number alone takes two edges; the even and the crowded ones share what is left.
    starts = np.concatenate([np.rint(_edges(lower, upper, cells - len(round_ones), 1.0)), alone, alone + 1])
    lows = np.unique(np.clip(starts, lower, upper))
    return _without(lows, np.append(lows[1:] - 1, upper), own)


def interval_cells(lower: float, upper: float, cells: int, own: Sequence[float]) -> tuple[F64, F64]:
    """Half-open intervals; the bounds and zero are cells of one value, as values pile up there.

    An interval may begin at one of the `own` numbers, which is not in it; a cell of one value has another.
    """
    if lower == upper:
        return np.asarray([lower]), np.asarray([lower])
    ends = [number for number in (lower, 0.0, upper, *own) if lower <= number <= upper]
    edges = np.unique(np.concatenate([_edges(lower, upper, cells, 0.0), ends]))
    alone = np.asarray(sorted({number for number in (lower, 0.0, upper) if lower <= number <= upper} - set(own)))
    lows = np.concatenate([edges[:-1], alone])
    highs = np.concatenate([edges[1:], alone])
    order = np.lexsort((highs, lows))
    return lows[order], highs[order]


def _edges(lower: float, upper: float, cells: int, finest: float) -> F64:
    """Even edges, and edges ever finer towards zero (or the bound nearest to it): wide ranges crowd there."""
    anchor = min(max(0.0, lower), upper)
    even = np.linspace(lower, upper, cells // 2 + 1)
    reach = max(upper - anchor, anchor - lower)
    sides = (upper > anchor) + (lower < anchor)
    # Bounds may lie so near each other that the share of their distance is no number of float64 any more.
    distances = np.geomspace(max(finest, reach * _FINEST, np.finfo(np.float64).tiny), reach, cells // 2 // sides)
    crowded = np.concatenate([anchor - distances, anchor + distances])
    return np.concatenate([even, crowded[(crowded > lower) & (crowded < upper)], [anchor]])


def _round_numbers(lower: float, upper: float, most: int) -> F64:
    """Numbers of two significant digits, or of one, or none where even these are more than `most`: rows pile up there.

    Below 100 every whole number is one.
    """
    reach = max(abs(lower), abs(upper))
    for digits in (np.arange(10.0, 100.0), np.arange(10.0, 100.0, 10.0)):
        scales = 10.0 ** np.arange(0, max(1, math.ceil(math.log10(max(reach, 1.0)))))
        sizes = np.unique(np.multiply.outer(scales, digits).reshape(-1))
        numbers = np.concatenate([-sizes[::-1], sizes])
        numbers = numbers[(numbers >= lower) & (numbers <= upper)]
        if len(numbers) <= most:
            return numbers
    return np.zeros(0)


def _without(lows: F64, highs: F64, own: Sequence[float]) -> tuple[F64, F64]:
    # A special value's cell stands in front; an empty one of the same value would give it a second way to be drawn.
    kept = ~np.isin(lows, own)
    return (lows[kept], highs[kept]) if kept.any() else (lows, highs)
