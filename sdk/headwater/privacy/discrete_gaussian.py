"""Exact samples of the discrete Gaussian, many at once, from the operating system's entropy."""

import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["LARGEST_VARIANCE", "Entropy", "discrete_gaussian"]

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

Entropy = Callable[[int], bytes]
"""So many fresh random bytes; `os.urandom` everywhere but in a test with published vectors."""

LARGEST_VARIANCE = 2**24
"""In units squared: every product of the sampler stays within 64 bits."""

# What is drawn at a time stays in the cache.
_TOGETHER = 1 << 16
# An acceptance whose numerator would leave 63 bits is decided by unbounded integers; chance hardly ever asks for it.
_LARGEST_DISTANCE = 2**31


def discrete_gaussian(count: int, variance: int, entropy: Entropy = os.urandom) -> I64:
    """Draw integers x with probability proportional to exp(−x² / 2σ²).

    Args:
        count: how many.
        variance: σ² in units squared, 1 to `LARGEST_VARIANCE`.
        entropy: uniform random bytes. Never seeded outside a test: who knows the noise knows the sum.

    Returns:
        int64, shape (count,).

    Raises:
        InputError: the variance is outside its range.

    Guarantee: exact. Only integers are compared, every probability is a quotient of integers, and no number is
        rounded, so that the distribution is the one that the accountant charges for.

    Source: Canonne, Kamath, Steinke 2020, Algorithms 1 to 3.
    """
    if not 1 <= variance <= LARGEST_VARIANCE:
        raise InputError(
            f"a noise of variance {variance} is asked for, 1 to {LARGEST_VARIANCE} units squared are drawn; "
            "take another scale in the plan"
        )
    drawn = np.empty(count, np.int64)
    for begin in range(0, count, _TOGETHER):
        part = drawn[begin : begin + _TOGETHER]
        _fill(part, lambda missing: _gaussian_candidates(missing, variance, _Bits(entropy)))
    return drawn


class _Bits:
    """Uniform integers from bytes."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def below(self, bound: int, count: int) -> I64:
        """Uniform in 0 to bound − 1; bound is at most 2^62."""
        bits = (bound - 1).bit_length()
        width = 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8
        drawn = np.empty(count, np.int64)

        def candidates(missing: int) -> tuple[I64, Bools]:
            raw = np.frombuffer(self._entropy(width * missing), f"<u{width}").astype(np.uint64)
            values = (raw & np.uint64((1 << bits) - 1)).astype(np.int64)
            return values, values < bound

        _fill(drawn, candidates)
        return drawn


def _fill(out: I64, candidates: Callable[[int], tuple[I64, Bools]]) -> None:
    """Fill by rejection: `candidates` gives so many values and which of them are accepted."""
    done = 0
    while done < len(out):
        values, accepted = candidates(len(out) - done)
        kept = values[accepted]
        out[done : done + len(kept)] = kept
        done += len(kept)


def _gaussian_candidates(count: int, variance: int, bits: _Bits) -> tuple[I64, Bools]:
    # t is the scale of the discrete Laplace that candidates come from: ⌊σ⌋ + 1.
    t = math.isqrt(variance) + 1
    values = np.empty(count, np.int64)
    _fill(values, lambda missing: _laplace_candidates(missing, t, bits))
    # Accept with exp(−(|y| − σ²/t)² / 2σ²), the exponent as a quotient: (|y| t − σ²)² / (2 σ² t²).
    distance = np.abs(np.abs(values) * t - variance)
    denominator = 2 * variance * t * t
    far = distance >= _LARGEST_DISTANCE
    near = np.where(far, 0, distance)
    accepted = _exponential(near * near, denominator, bits)
    for place in np.flatnonzero(far):
        accepted[place] = _exponential_of_one(int(distance[place]) ** 2, denominator, bits)
    return values, accepted


def _laplace_candidates(count: int, scale: int, bits: _Bits) -> tuple[I64, Bools]:
    """Integers y with probability proportional to exp(−|y| / scale), where accepted."""
    fraction = bits.below(scale, count)
    accepted = _fractional(fraction, scale, bits)
    places = np.flatnonzero(accepted)
    whole = np.zeros(count, np.int64)
    alive = places
    while len(alive):
        alive = alive[_fractional(np.ones(len(alive), np.int64), 1, bits)]
        whole[alive] += 1
    magnitude = fraction + scale * whole
    negative = bits.below(2, count).astype(np.bool_)
    # Zero has one sign.
    return np.where(negative, -magnitude, magnitude), accepted & ~(negative & (magnitude == 0))


def _exponential(numerators: I64, denominator: int, bits: _Bits) -> Bools:
    """True with probability exp(−numerator / denominator), for numerators from 0 on."""
    whole = numerators // denominator
    accepted = _fractional(numerators - whole * denominator, denominator, bits)
    alive = np.flatnonzero(accepted & (whole > 0))
    left = whole[alive]
    while len(alive):
        survived = _fractional(np.ones(len(alive), np.int64), 1, bits)
        accepted[alive[~survived]] = False
        going_on = survived & (left > 1)
        alive, left = alive[going_on], left[going_on] - 1
    return accepted


def _fractional(numerators: I64, denominator: int, bits: _Bits) -> Bools:
    """True with probability exp(−numerator / denominator), for numerators from 0 to the denominator.

    The number of steps k until the first failure of Bernoulli(γ / k) is odd with probability exp(−γ).
    """
    odd = np.zeros(len(numerators), np.bool_)
    alive, k = np.arange(len(numerators)), 1
    while len(alive):
        survived = bits.below(denominator * k, len(alive)) < numerators[alive]
        odd[alive[~survived]] = k % 2 == 1
        alive, k = alive[survived], k + 1
    return odd


def _exponential_of_one(numerator: int, denominator: int, bits: _Bits) -> bool:
    whole, rest = divmod(numerator, denominator)
    one = np.ones(1, np.int64)
    if not _fractional(one * rest, denominator, bits)[0]:
        return False
    return all(bool(_fractional(one, 1, bits)[0]) for _ in range(whole))
