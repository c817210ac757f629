"""Real numbers as integers of bounded norm, so that sums are exact (protocol 2.1)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["fixed_point", "integer_norm_squared", "largest_magnitude", "scale_for", "to_real"]

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# A float64 adds whole numbers up to this without an error.
_EXACT = 2.0**52
_LARGEST = 2**31 - 1
# What is made of this many values at a time stays in the cache; fresh pages would cost more than the arithmetic.
_SLICE = 1 << 15


def largest_magnitude(value_bits: int) -> int:
    """Largest integer that a contribution may hold, 2^value_bits − 1."""
    return (1 << value_bits) - 1


def scale_for(clip: float, value_bits: int) -> float:
    """Units for 1.0 such that a vector of norm `clip` is one of `largest_magnitude` units."""
    return largest_magnitude(value_bits) / clip


def integer_norm_squared(values: NDArray[np.signedinteger[Any]]) -> int:
    """Exact sum of squares as an unbounded integer.

    Args:
        values: shape (n,), magnitudes below 2^53.
    """
    return sum(
        _sum_of_squares(values[begin : begin + _SLICE].astype(np.float64)) for begin in range(0, len(values), _SLICE)
    )


def fixed_point(values: NDArray[np.floating], clip: float, scale: float, weight: float = 1.0) -> I32:
    """Clip a vector to norm `clip`, weigh it, and round it to integers.

    Args:
        values: shape (n,), finite.
        clip: Euclidean norm, above 0.
        scale: units for 1.0.
        weight: 0 to 1.

    Returns:
        int32, shape (n,).

    Raises:
        InputError: a value, the clip, scale or weight is unusable, or clip × scale is not below 2^31.

    Guarantee: the norm of the returned integers is at most clip × scale, checked exactly on the integers: rounding
        never adds what clipping took.
    """
    if not (math.isfinite(clip) and clip > 0 and math.isfinite(scale) and scale > 0 and 0 <= weight <= 1):
        raise InputError("clip and scale must be above 0 and a weight within 0 to 1")
    if clip * scale > _LARGEST:
        raise InputError(f"a clip of {clip * scale:.0f} units is above {_LARGEST}; take a smaller scale")
    norm = _norm(values)
    bound = math.floor(clip * scale) ** 2
    factor = scale * weight * min(1.0, clip / norm if norm > 0 else 1.0)
    rounded = np.empty(values.shape, np.int32)
    if _round_into(rounded, values, factor, np.rint) <= bound:
        return rounded
    # Rounding to nearest may pass the bound by a little; towards zero it cannot, but for the last bit of a float.
    shrink = 1.0
    while _round_into(rounded, values, factor * shrink, np.trunc) > bound:
        shrink *= 1 - 2.0**-20
    return rounded


def _norm(values: NDArray[np.floating]) -> float:
    """Euclidean norm in float64, without a copy of the whole; refuses what is not finite."""
    squares = 0.0
    for begin in range(0, len(values), _SLICE):
        part = values[begin : begin + _SLICE].astype(np.float64, copy=False)
        if not np.isfinite(part).all():
            raise InputError("a vector to be rounded holds a value that is not finite; contribute zeros and count it")
        squares += float(np.dot(part, part))
    return math.sqrt(squares)


def _round_into(out: I32, values: NDArray[np.floating], factor: float, rounding: np.ufunc) -> int:
    """Write values × factor as integers, slice by slice inside the cache; the exact sum of their squares."""
    scaled, squares = np.empty(min(_SLICE, len(values))), 0
    for begin in range(0, len(values), _SLICE):
        part = out[begin : begin + _SLICE]
        real = scaled[: part.size]
        np.multiply(values[begin : begin + _SLICE], factor, out=real, dtype=np.float64)
        rounding(real, out=real)
        part[...] = real
        squares += _sum_of_squares(real)
    return squares


def _sum_of_squares(whole: F64) -> int:
    """Exact, of whole numbers below 2^53 in magnitude."""
    total = float(np.dot(whole, whole))
    # The sum of squares is at least each sum on the way to it: where it stayed small, nothing was rounded off.
    return int(total) if total < _EXACT else sum(int(value) ** 2 for value in whole)


def to_real(values: NDArray[np.signedinteger[Any]], scale: float) -> F64:
    """Integers back to real numbers."""
    return values.astype(np.float64) / scale
