"""A Poisson sample of rows: each with the same public probability, on its own, from the operating system's entropy."""

import os

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.privacy.discrete_gaussian import Entropy

__all__ = ["WHOLE_RATE", "poisson_sample", "rate_of"]

I64 = NDArray[np.int64]

WHOLE_RATE = 2**32
"""A rate is a whole number of so many parts, so that a row's chance is exactly what is charged for."""

_BYTES = 4


def rate_of(share: float) -> int:
    """The rate that is nearest to a share of the rows.

    Args:
        share: above 0, at most 1.

    Returns:
        1 to `WHOLE_RATE`.

    Raises:
        InputError: the share is out of range.
    """
    if not 0 < share <= 1:
        raise InputError(f"a share of {share} of the rows is to be sampled, expected above 0 to 1; correct the plan")
    return max(1, round(share * WHOLE_RATE))


def poisson_sample(rows: int, rate: int, entropy: Entropy = os.urandom) -> I64:
    """Choose rows; how many there will be is chance too, and none is an outcome like any other.

    Args:
        rows: how many there are.
        rate: chance of each, in parts of `WHOLE_RATE`.
        entropy: uniform random bytes. Never seeded outside a test: who knows the sample has the whole of the noise
            against himself and nothing of the sampling.

    Returns:
        int64, ascending, shape (sampled,).

    Raises:
        InputError: the rate is out of range.

    Guarantee: each row is chosen with probability rate / 2^32 exactly, independently of all others.
    """
    if not 1 <= rate <= WHOLE_RATE:
        raise InputError(f"a sampling rate is {rate}, expected 1 to {WHOLE_RATE}; correct the plan")
    drawn = np.frombuffer(entropy(_BYTES * rows), "<u4").astype(np.uint64)
    return np.flatnonzero(drawn < rate).astype(np.int64)
