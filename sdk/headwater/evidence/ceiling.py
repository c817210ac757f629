"""What differential privacy allows an attack on membership."""

import math

from headwater.errors import InputError

__all__ = ["membership_ceiling"]


def membership_ceiling(epsilon: float, delta: float, false_positive_rate: float) -> float:
    """The largest true-positive rate that any attack on membership can have against an (ε, δ) release.

    Args:
        epsilon: at least 0.
        delta: 0 to 1.
        false_positive_rate: 0 to 1, of the attack.

    Returns:
        min(e^ε · FPR + δ, 1 − e^−ε (1 − δ − FPR)), within 0 and 1.

    Raises:
        InputError: an argument is out of its range.

    Source: Kairouz, Oh and Viswanath 2015 (arXiv:1311.0776), theorem 2.1.
    """
    if not (epsilon >= 0 and 0 <= delta <= 1 and 0 <= false_positive_rate <= 1):
        raise InputError("epsilon must be at least 0, delta and the false-positive rate between 0 and 1")
    # Above ε = 50 the first bound is out of play for every rate that float64 tells from 0.
    rising = math.exp(min(epsilon, 50.0)) * false_positive_rate + delta
    falling = 1 - math.exp(-epsilon) * (1 - delta - false_positive_rate)
    return min(max(min(rising, falling), 0.0), 1.0)
