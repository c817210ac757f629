"""What events cost together: ε at a δ, reported by privacy loss distributions, with zCDP as a cross-check."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

from headwater.errors import HeadwaterError, InputError
from headwater.privacy.events import NoisyCounts

__all__ = ["Spent", "beyond", "epsilon_of_zcdp", "spent"]

# Losses are rounded up to multiples of this share of the whole loss's scale; every composed event rounds once.
_RESOLUTION = 2e-4
_ORDERS = tuple(1 + 10 ** (exponent / 40) for exponent in range(-80, 161))
# Numbers of different accountants that agree may differ by their rounding.
_ROUNDING = 1e-3
# Above it ε says nothing any more, and loss distributions leave float64: the bound alone is reported.
_MEANINGLESS = 100.0
# A run that spends exactly its budget must not be refused for a digit of float64.
_LAST_DIGITS = 1e-9


@dataclass(frozen=True, slots=True)
class Spent:
    """What events cost together, for one protected unit, by adding or removing it.

    Attributes:
        epsilon: by privacy loss distributions: the number that is reported; the bound itself where that is above 100.
        epsilon_zcdp: by zero-concentrated differential privacy: an upper bound that needs nothing but arithmetic.
        delta: at which both hold.
        rho: of zero-concentrated differential privacy.
    """

    epsilon: float
    epsilon_zcdp: float
    delta: float
    rho: float


def spent(events: Iterable[NoisyCounts], delta: float) -> Spent:
    """Account for events that were all released.

    Args:
        events: in any order; the outcome does not depend on it.
        delta: above 0, below 1.

    Raises:
        InputError: delta is out of range.
        HeadwaterError: the two accountants contradict each other: nothing may be released on such a number.
    """
    parts = _parts(events)
    rho = _rho(parts)
    bound = epsilon_of_zcdp(rho, delta)
    if not parts:
        return Spent(0.0, 0.0, delta, 0.0)
    if bound > _MEANINGLESS:
        return Spent(bound, bound, delta, rho)
    reported = _epsilon_of_losses(parts, delta, rho)
    # The loss distribution is the tighter one; were it above, one of the two would be wrong.
    if not reported <= bound * (1 + _ROUNDING) + _ROUNDING:
        raise HeadwaterError(
            f"the accountants contradict each other (ε {reported:.4f} by loss distributions, at most {bound:.4f} by "
            "zCDP); report this with the plan, and release nothing on it"
        )
    return Spent(min(reported, bound), bound, delta, rho)


def beyond(events: Iterable[NoisyCounts], epsilon: float, delta: float) -> float | None:
    """What events cost together if that is more than a limit; None if it is not.

    Args:
        events: in any order.
        epsilon: the limit, from 0 on.
        delta: above 0, below 1.

    Raises:
        InputError, HeadwaterError: as `spent`.

    Guarantee: None only where `spent` of the events is at most the limit, but for the last digits of float64.
    """
    listed = list(events)
    # Arithmetic decides most cases; loss distributions, which take longer, are asked where its bound does not suffice.
    if epsilon_of_zcdp(_rho(_parts(listed)), delta) <= epsilon:
        return None
    found = spent(listed, delta).epsilon
    return found if found > epsilon * (1 + _LAST_DIGITS) else None


def epsilon_of_zcdp(rho: float, delta: float) -> float:
    """Least ε for which every ρ-zCDP mechanism is (ε, δ)-differentially private by the best Rényi order.

    Args:
        rho: from 0 on.
        delta: above 0, below 1.

    Raises:
        InputError: out of range.

    Source: Canonne, Kamath, Steinke 2020, Proposition 12.
    """
    if not (math.isfinite(rho) and rho >= 0):
        raise InputError(f"ρ is {rho}, expected a finite number from 0 on; correct the events")
    if not 0 < delta < 1:
        raise InputError(f"δ is {delta}, expected a number between 0 and 1; correct the plan")
    if rho == 0:
        return 0.0
    orders = [*_ORDERS, 1 + math.sqrt(math.log(1 / delta) / rho)]
    return max(0.0, min(_epsilon_at(order, rho, delta) for order in orders))


def _epsilon_at(order: float, rho: float, delta: float) -> float:
    return order * rho + (math.log(1 / delta) - math.log(order)) / (order - 1) + math.log1p(-1 / order)


def _parts(events: Iterable[NoisyCounts]) -> dict[tuple[int, int], int]:
    """(variance, records) → tables, in order: one for all ways to write the same release down."""
    parts = Counter[tuple[int, int]]()
    for event in events:
        parts[event.variance, event.records] += event.tables
    return dict(sorted(parts.items()))


def _rho(parts: Mapping[tuple[int, int], int]) -> float:
    # Rounded once, and alike whatever order events came in: the grid of losses follows from it, so a digit would show.
    return math.fsum(tables * records**2 / (2 * variance) for (variance, records), tables in parts.items())


def _epsilon_of_losses(parts: Mapping[tuple[int, int], int], delta: float, rho: float) -> float:
    from dp_accounting.pld import privacy_loss_distribution

    # The whole loss has a standard deviation of √(2ρ); rounding stays far below it however many parts are composed.
    interval = _RESOLUTION * math.sqrt(2 * rho) / math.sqrt(sum(parts.values()))
    composed = [
        privacy_loss_distribution.from_discrete_gaussian_mechanism(
            math.sqrt(variance), sensitivity=records, value_discretization_interval=interval
        ).self_compose(tables)
        for (variance, records), tables in parts.items()
    ]
    whole = reduce(lambda first, second: first.compose(second), composed)
    return float(whole.get_epsilon_for_delta(delta))
