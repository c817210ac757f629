"""What events cost together: ε at a δ by privacy loss distributions, with Rényi DP and zCDP as cross-checks."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from headwater.errors import HeadwaterError, InputError
from headwater.privacy.events import Event, NoisyCounts, NoisyGradients

__all__ = ["Spent", "beyond", "epsilon_of_zcdp", "spent"]

# Losses are put on a grid of this share of the whole loss's scale, so that what is between is never underrated.
_RESOLUTION = 2e-3
_COARSEST, _FINEST = 1e-2, 1e-5
# A step whose loss may be so large has an ε that nobody promises.
_STRONG = 50.0
_ORDERS = tuple(1 + 10 ** (exponent / 40) for exponent in range(-80, 161))
# Between whole orders a sampled mechanism has a series that does not always converge.
_SAMPLED_ORDERS = (*range(2, 65), *range(72, 257, 8), 384, 512, 1024)
# Several organisations' discrete Gaussians are one only nearly: by this log-ratio at most for a whole vector, where
# each has a variance of 4 at least (Kairouz, Liu, Steinke 2021, theorem 1).
_NEARLY = 3e-9
# Numbers of different accountants that agree may differ by their rounding: losses are put on their grid upwards, which
# over 100,000 tables comes to a percent.
_ROUNDING = 2e-2
# Above it ε says nothing any more, and loss distributions leave float64: the bound alone is reported.
_MEANINGLESS = 100.0
# A run that spends exactly its budget must not be refused for a digit of float64.
_LAST_DIGITS = 1e-9


@dataclass(frozen=True, slots=True)
class Spent:
    """What events cost together, for one protected unit, by adding or removing it.

    Attributes:
        epsilon: by privacy loss distributions: the number that is reported; the least bound where that is above 100.
        epsilon_renyi: by Rényi differential privacy: an upper bound by another way.
        epsilon_zcdp: by zero-concentrated differential privacy: an upper bound that needs nothing but arithmetic, and
            knows nothing of sampling.
        delta: at which all hold.
        rho: of zero-concentrated differential privacy.
    """

    epsilon: float
    epsilon_renyi: float
    epsilon_zcdp: float
    delta: float
    rho: float


def spent(events: Iterable[Event], delta: float) -> Spent:
    """Account for events that were all released.

    Args:
        events: in any order; the outcome does not depend on it.
        delta: above 0, below 1.

    Raises:
        InputError: delta is out of range.
        HeadwaterError: the accountants contradict each other: nothing may be released on such a number.
    """
    parts = _parts(events)
    rho = _rho(parts)
    nearly = _NEARLY * sum(times for _, times in parts)
    by_zcdp = epsilon_of_zcdp(rho, delta) + nearly
    if not parts:
        return Spent(0.0, 0.0, 0.0, delta, 0.0)
    by_renyi = _epsilon_of_renyi(parts, delta) + nearly
    if (least := min(by_renyi, by_zcdp)) > _MEANINGLESS:
        return Spent(least, by_renyi, by_zcdp, delta, rho)
    reported = _epsilon_of_losses(parts, delta) + nearly
    for name, bound in (("Rényi DP", by_renyi), ("zCDP", by_zcdp)):
        # The loss distribution is the tightest; were it above, one of the two would be wrong.
        if not reported <= bound * (1 + _ROUNDING) + _ROUNDING:
            raise HeadwaterError(
                f"the accountants contradict each other (ε {reported:.4f} by loss distributions, at most {bound:.4f} "
                f"by {name}); report this with the plan, and release nothing on it"
            )
    return Spent(min(reported, least), by_renyi, by_zcdp, delta, rho)


def beyond(events: Iterable[Event], epsilon: float, delta: float) -> float | None:
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
    parts = _parts(listed)
    # Arithmetic decides most cases; loss distributions, which take longer, are asked where its bound does not suffice.
    if epsilon_of_zcdp(_rho(parts), delta) + _NEARLY * sum(times for _, times in parts) <= epsilon:
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


def _parts(events: Iterable[Event]) -> list[tuple[Event, int]]:
    """One table or one step of each kind, and how many: one for all ways to write the same release down."""
    parts = Counter[Event]()
    for event in events:
        match event:
            case NoisyCounts():
                parts[replace(event, tables=1)] += event.tables
            case NoisyGradients():
                parts[replace(event, steps=1)] += event.steps
    return sorted(parts.items(), key=lambda part: repr(part[0]))


def _rho(parts: Sequence[tuple[Event, int]]) -> float:
    # Rounded once, and alike whatever order events came in.
    return math.fsum(times * event.zcdp for event, times in parts)


def _epsilon_of_renyi(parts: Sequence[tuple[Event, int]], delta: float) -> float:
    """An upper bound by Rényi differential privacy.

    Source: Mironov 2017 (arXiv:1702.07476); Mironov, Talwar, Zhang 2019 (arXiv:1908.10530) for Poisson samples.
    """
    from dp_accounting import dp_event, rdp

    sampled = any(isinstance(event, NoisyGradients) for event, _ in parts)
    accountant = rdp.RdpAccountant(_SAMPLED_ORDERS if sampled else _ORDERS)
    for event, times in parts:
        match event:
            case NoisyCounts():
                accountant.compose(dp_event.GaussianDpEvent(1 / math.sqrt(2 * event.zcdp)), times)
            case NoisyGradients():
                # Whoever has any record sampled counts as if all were: no more than that can be in a sum.
                noise = dp_event.GaussianDpEvent(event.noise_multiplier / event.records)
                chance = -math.expm1(event.records * math.log1p(-event.share)) if event.share < 1 else 1.0
                accountant.compose(dp_event.PoissonSampledDpEvent(chance, noise), times)
    return float(accountant.get_epsilon(delta))


def _epsilon_of_losses(parts: Sequence[tuple[Event, int]], delta: float) -> float:
    interval = min(max(_RESOLUTION * _scale_of_loss(parts), _FINEST), _COARSEST)
    composed = [_losses(event, interval).self_compose(times) for event, times in parts]
    whole = reduce(lambda first, second: first.compose(second), composed)
    return float(whole.get_epsilon_for_delta(delta))


def _scale_of_loss(parts: Sequence[tuple[Event, int]]) -> float:
    """About one standard deviation of the whole loss."""
    squares = 0.0
    for event, times in parts:
        most = 2 * event.zcdp
        if isinstance(event, NoisyGradients) and (one := 1 / event.noise_multiplier**2) < _STRONG:
            # χ² of a step with and without one record.
            most = min(most, (event.records * event.share) ** 2 * math.expm1(one))
        squares += times * most
    return math.sqrt(squares)


def _losses(event: Event, interval: float) -> Any:
    """Privacy loss distribution of one table or one step.

    That of a step is a mixture over how many of the unit's records are in it, each moving it the same way.

    Source: mixtures of Gaussians, Choquette-Choo et al. 2024 (arXiv:2310.15526).
    """
    from dp_accounting.pld import privacy_loss_distribution as losses

    if isinstance(event, NoisyCounts):
        return losses.from_discrete_gaussian_mechanism(
            math.sqrt(event.variance),
            sensitivity=event.records,
            value_discretization_interval=interval,
            use_connect_dots=True,
        )
    share, records = event.share, event.records
    if records == 1:
        return losses.from_gaussian_mechanism(
            event.noise_multiplier, value_discretization_interval=interval, sampling_prob=share
        )
    chances = [math.comb(records, n) * share**n * (1 - share) ** (records - n) for n in range(records + 1)]
    return losses.from_mixture_gaussian_mechanism(
        event.noise_multiplier,
        [float(n) for n in range(records + 1)],
        [chance / sum(chances) for chance in chances],
        value_discretization_interval=interval,
    )
