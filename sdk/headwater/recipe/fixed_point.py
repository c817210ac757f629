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
    real = np.asarray(values, dtype=np.float64)
    if not np.isfinite(real).all():
        raise InputError("a vector to be rounded holds a value that is not finite; contribute zeros and count it")
    norm = math.sqrt(float(np.dot(real, real)))
    bound = math.floor(clip * scale) ** 2
    factor = scale * weight * min(1.0, clip / norm if norm > 0 else 1.0)
    rounded = np.empty(real.shape, np.int64)
    for begin in range(0, len(real), _SLICE):
        part = slice(begin, begin + _SLICE)
        np.rint(real[part] * factor, out=rounded[part], casting="unsafe")
    if integer_norm_squared(rounded) <= bound:
        return rounded
    # Rounding to nearest may pass the bound by a little; towards zero it cannot, but for the last bit of a float.
    scaled, shrink = real * factor, 1.0
    while integer_norm_squared(cut := np.trunc(scaled * shrink).astype(np.int64)) > bound:
        shrink *= 1 - 2.0**-20
    return cut


def to_real(values: I64, scale: float) -> F64:
    """Integers back to real numbers."""
    return values.astype(np.float64) / scale
