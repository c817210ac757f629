"""Who adds how much of a sum's noise."""

from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.secagg.protocol.terms import threshold

__all__ = ["LEAST_HONEST", "LEAST_SHARE", "carried_variance", "honest_members", "share_of_noise"]

LEAST_SHARE = 4
"""Least variance of one organisation's noise: σ of 2 units, above which sums of discrete Gaussians are as good as one.

Source: Kairouz, Liu, Steinke 2021, Theorem 1: the largest log-ratio of the two is at most 10 Σ exp(−2π²σ² k/(k+1)).
"""

LEAST_HONEST = 2
"""Contributions of a joint sum that are honest for certain: fewer are no sum (protocol 1.2)."""


def honest_members(budget: Budget, members: int, colluders: int) -> int:
    """How many organisations' noise a sum carries for certain, whoever else drops out or subtracts their own.

    Args:
        budget: of the plan.
        members: of the session, n.
        colluders: members that may collude with the coordinator, c.

    Returns:
        T(n) − c under secure aggregation (protocol 2.4), 1 where each organisation trusts itself alone.

    Raises:
        InputError: so few members bear no such colluders.
    """
    if budget.mode == "local":
        return 1
    honest = threshold(members) - colluders
    if honest < LEAST_HONEST:
        raise InputError(
            f"{members} members with {colluders} colluding ones leave {honest} honest contributions for certain, at "
            'least 2 must share the noise; wait for more members, or say mode = "local" in the plan\'s budget'
        )
    return honest


def share_of_noise(variance: int, honest: int) -> int:
    """Variance of the noise that each organisation adds, so that `honest` of them add up to `variance` at least."""
    return max(LEAST_SHARE, -(-variance // honest))


def carried_variance(variance: int, honest: int, contributors: int) -> int:
    """Variance of the noise in a sum over so many contributors."""
    return contributors * share_of_noise(variance, honest)
