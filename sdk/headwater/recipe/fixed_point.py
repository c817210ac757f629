"""Real numbers as integers of bounded norm, so that sums are exact (protocol 2.1)."""

import math

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["fixed_point", "integer_norm_squared", "largest_magnitude", "scale_for", "to_real"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# Squares below 2^52 by 2^10 of them stay below 2^62.
_CHUNK = 1 << 10
_LARGEST_BITS = 26
# What is made of this many values at a time stays in the cache; fresh pages would cost more than the arithmetic.
_SLICE = 1 << 15


def largest_magnitude(value_bits: int) -> int:
    """Largest integer that a contribution may hold, 2^value_bits − 1."""
    return (1 << value_bits) - 1


def scale_for(clip: float, value_bits: int) -> float:
    """Units for 1.0 such that a vector of norm `clip` is one of `largest_magnitude` units."""
    return largest_magnitude(value_bits) / clip


def integer_norm_squared(values: I64) -> int:
    """Exact sum of squares as an unbounded integer.

    Args:
        values: int64, magnitudes below 2^31.
    """
    if values.size and max(int(values.max()), -int(values.min())) >> _LARGEST_BITS:
        return sum(int(value) ** 2 for value in values)
    whole = len(values) - len(values) % _CHUNK
    rows, rest = values[:whole].reshape(-1, _CHUNK), values[whole:]
    squares: list[int] = np.einsum("ij,ij->i", rows, rows).tolist()
    return sum(squares) + int(np.dot(rest, rest))


def fixed_point(values: NDArray[np.floating], clip: float, scale: float, weight: float = 1.0) -> I64:
    """Clip a vector to norm `clip`, weigh it, and round it to integers.

    Args:
        values: shape (n,), finite.
        clip: Euclidean norm, above 0.
        scale: units for 1.0.
        weight: 0 to 1.

    Returns:
        int64, shape (n,).

    Raises:
        InputError: a value, the clip, scale or weight is unusable.

    Guarantee: the norm of the returned integers is at most clip × scale, checked exactly on the integers: rounding
        never adds what clipping took.
    """
    if not (math.isfinite(clip) and clip > 0 and math.isfinite(scale) and scale > 0 and 0 <= weight <= 1):
        raise InputError("clip and scale must be above 0 and a weight within 0 to 1")
    norm = _norm(values)
    bound = math.floor(clip * scale) ** 2
    factor = scale * weight * min(1.0, clip / norm if norm > 0 else 1.0)
    rounded = np.empty(values.shape, np.int64)
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


def _round_into(out: I64, values: NDArray[np.floating], factor: float, rounding: np.ufunc) -> int:
    """Write values × factor as integers, slice by slice inside the cache; the exact sum of their squares."""
    scaled, squares = np.empty(min(_SLICE, len(values))), 0
    for begin in range(0, len(values), _SLICE):
        part = out[begin : begin + _SLICE]
        real = scaled[: part.size]
        np.multiply(values[begin : begin + _SLICE], factor, out=real, dtype=np.float64)
        rounding(real, out=real)
        part[...] = real
        squares += integer_norm_squared(part)
    return squares


def to_real(values: I64, scale: float) -> F64:
    """Integers back to real numbers."""
    return values.astype(np.float64) / scale
