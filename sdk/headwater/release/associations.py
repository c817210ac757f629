"""How strongly two columns of synthetic rows hang together, on one scale for numbers and categories."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeIs

__all__ = ["association", "correlation_ratio", "cramers_v", "matrix_of", "pearson"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_DENSE_CELLS = 1 << 18


def association(first: F64 | I64, second: F64 | I64) -> float | None:
    """The measure that fits two columns.

    | columns | measure | range |
    | --- | --- | --- |
    | number, number | `pearson` | -1 to 1 |
    | number, category | `correlation_ratio` | 0 to 1 |
    | category, category | `cramers_v` | 0 to 1 |

    Args:
        first: shape (rows,): float64 for numbers, NaN where missing; int64 for codes of categories, below 0 where
            missing.
        second: the same of the other column. Rows that miss either are left out.

    Returns:
        None where fewer than three rows have both, or either is the same in all of them.
    """
    present = _present(first) & _present(second)
    one, other = first[present], second[present]
    if len(one) < 3:
        return None
    if _is_number(one):
        return pearson(one, other) if _is_number(other) else correlation_ratio(one, other)
    return correlation_ratio(other, one) if _is_number(other) else cramers_v(one, other)


def pearson(first: F64, second: F64) -> float | None:
    """Pearson's correlation; None where either is constant."""
    one, other = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(one @ one)) * math.sqrt(float(other @ other))
    if not scale or not math.isfinite(scale):
        return None
    return max(-1.0, min(1.0, float(one @ other) / scale))


def correlation_ratio(values: F64, codes: I64) -> float | None:
    """The share of a number's spread that lies between categories, as a root; what chance alone gives is taken off.

    Source: Kelley 1935, "An unbiased correlation ratio measure", PNAS 21(9).
    """
    levels, inverse, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    rows, groups = len(values), len(levels)
    centred = values - values.mean()
    total = float(centred @ centred)
    if groups < 2 or groups >= rows or not total or not math.isfinite(total):
        return None
    sums = np.bincount(inverse, weights=centred, minlength=groups)
    between = float((sums**2 / sizes).sum())
    unbiased = 1 - (1 - between / total) * (rows - 1) / (rows - groups)
    return math.sqrt(min(max(unbiased, 0.0), 1.0))


def cramers_v(first: I64, second: I64) -> float | None:
    """Cramér's V of two categories; what chance alone gives is taken off.

    Source: Bergsma 2013, "A bias-correction for Cramér's V and Tschuprow's T", J. Korean Stat. Soc. 42(3).
    """
    one, other = (np.unique(codes, return_inverse=True)[1] for codes in (first, second))
    rows, height, width = len(one), int(one.max()) + 1, int(other.max()) + 1
    if height < 2 or width < 2:
        return None
    cells, counts = _cells(one * width + other, height * width)
    expected = np.bincount(one)[cells // width] * (np.bincount(other)[cells % width] / rows)
    squared = max(float((counts**2 / expected).sum()) / rows - 1, 0.0)
    unbiased = max(squared - (height - 1) * (width - 1) / (rows - 1), 0.0)
    least = min(each - (each - 1) ** 2 / (rows - 1) for each in (height, width)) - 1
    return math.sqrt(min(unbiased / least, 1.0)) if least > 0 else None


def _is_number(values: F64 | I64) -> TypeIs[F64]:
    return values.dtype.kind == "f"


def _present(values: F64 | I64) -> NDArray[np.bool_]:
    present: NDArray[np.bool_] = ~np.isnan(values) if _is_number(values) else values >= 0
    return present


def _cells(codes: I64, size: int) -> tuple[I64, F64]:
    """(places, counts) of the cells that hold a row; the table itself may be far larger than the rows."""
    if size <= _DENSE_CELLS:
        counts = np.bincount(codes, minlength=size)
        places = np.flatnonzero(counts)
        return places, counts[places].astype(np.float64)
    found, counts = np.unique(codes, return_counts=True)
    return found, counts.astype(np.float64)


def matrix_of(columns: Sequence[F64 | I64]) -> tuple[tuple[float | None, ...], ...]:
    """The association of every pair, symmetric, 1 on the diagonal; rounded to six digits after the point."""
    size = len(columns)
    found: list[list[float | None]] = [[1.0] * size for _ in range(size)]
    for one in range(size):
        for other in range(one):
            value = association(columns[one], columns[other])
            found[one][other] = found[other][one] = None if value is None else round(value, 6)
    return tuple(tuple(row) for row in found)
