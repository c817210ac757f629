"""One organisation's part of a private critic step: sample, clip, add up, add noise."""

import os

import numpy as np
import torch
from numpy.typing import NDArray

from headwater.generator.private_step.clipped_sum import Clip, clipped_sum
from headwater.generator.private_step.coded_rows import CodedRows
from headwater.generator.private_step.integer_critic import IntegerCritic
from headwater.privacy.discrete_gaussian import Entropy, discrete_gaussian
from headwater.privacy.poisson_sample import poisson_sample

__all__ = ["noisy_sum"]

I64 = NDArray[np.int64]


def noisy_sum(
    critic: IntegerCritic,
    rows: CodedRows,
    clip: Clip,
    *,
    rate: int,
    variance: int,
    largest: int,
    seed: int,
    entropy: Entropy = os.urandom,
) -> I64:
    """Clipped gradients of a fresh Poisson sample, with fresh noise on every value.

    Args:
        critic: public.
        rows: all training rows of this organisation; none is fine.
        clip: norm, and its units.
        rate: chance of each row, in parts of `headwater.privacy.poisson_sample.WHOLE_RATE`.
        variance: σ² of the noise that is added here, in units squared.
        largest: magnitude that a sum is cut to before noise; cutting brings no two sums further apart.
        seed: public, of rounding.
        entropy: of sample and noise; never another than the operating system's outside a test.

    Returns:
        int64, shape (parameters,). An empty sample gives noise alone.

    Guarantee: the sum without noise moves by at most `clip.bound` where one row is added or removed; with noise of
        σ² on sums of all organisations together this is an event `NoisyGradients(σ², clip.bound, rate, 1)`.
    """
    chosen = poisson_sample(len(rows), rate, entropy)
    total = clipped_sum(critic, rows[torch.from_numpy(chosen)], clip, seed)
    return np.clip(total, -largest, largest) + discrete_gaussian(len(total), variance, entropy)
