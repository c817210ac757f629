"""How far organisations pull in different directions, from two sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.recipe.fixed_point import integer_norm_squared

__all__ = ["drift_ratio", "energy_of"]


def energy_of(payload: NDArray[np.signedinteger[Any]], largest: int) -> int:
    """What one organisation adds to the sum of squared norms: 0 to `largest`, whole.

    Args:
        payload: a clipped, weighted update in fixed point; its norm is at most `largest`.
        largest: most that a contributed value may be.
    """
    # Rounded up: the ratio errs towards drift by less than a unit an organisation, and never below zero.
    return min(largest, -(-integer_norm_squared(payload.astype(np.int64)) // largest))


def drift_ratio(total: NDArray[np.int64], energy: int, contributors: int, largest: int) -> float:
    """1 − ‖Σ‖² / (K Σ‖·‖²): 0 where all updates are equal, 1 where they cancel, 1 − 1/K where they are orthogonal.

    Args:
        total: the summed payloads.
        energy: sum of `energy_of`.
        contributors: K, organisations whose update was finite.
        largest: as for `energy_of`.

    Returns:
        0 to 1; 0 where there is no update at all.
    """
    if energy <= 0 or contributors <= 0:
        return 0.0
    return float(np.clip(1 - integer_norm_squared(total) / (contributors * energy * largest), 0.0, 1.0))
