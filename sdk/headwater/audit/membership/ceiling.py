"""What differential privacy leaves to any attack on membership."""

import math

from headwater.errors import InputError

__all__ = ["membership_ceiling"]


def membership_ceiling(epsilon: float, delta: float, rate: float) -> float:
    """Most true positives that (ε, δ) leaves any attack on one record at a rate of false positives.

    Args:
        epsilon: at least 0; infinite leaves everything.
        delta: 0 to 1.
        rate: false positives, 0 to 1.

    Returns:
        min(e^ε·rate + δ, 1 − e^−ε·(1 − δ − rate)), at most 1.

    Raises:
        InputError: an argument outside of its range.

    Source: Kairouz, Oh and Viswanath 2015 (arXiv:1311.0776), theorem 2.1.
    """
    if not epsilon >= 0:
        raise InputError(f"epsilon is {epsilon}; it must be at least 0")
    for name, value in (("delta", delta), ("the rate", rate)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value}; it must be between 0 and 1")
    # Past this, e^ε has no float64, and no rate that could be counted is left below it.
    growth = math.exp(epsilon) if epsilon < 700 else math.inf
    first = growth * rate + delta if rate else delta
    second = 1 - (1 - delta - rate) / growth
    return max(0.0, min(first, second, 1.0))
