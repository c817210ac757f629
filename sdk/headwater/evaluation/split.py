"""The one split into training and test rows that every figure uses."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPLIT_SEED", "judge_split"]

SPLIT_SEED = 20240


def judge_split(rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of the 80 % to train on and of the 20 % that judge, as tools/bench/quality.py draws them."""
    order = np.random.RandomState(SPLIT_SEED).permutation(rows)
    cut = int(0.8 * rows)
    return order[:cut], order[cut:]
