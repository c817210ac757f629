"""How much noise a budget asks for: from (ε, δ) and shares of it to whole variances."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE
from headwater.privacy.events import LARGEST_SENSITIVITY, Event, NoisyCounts, NoisyGradients
from headwater.privacy.poisson_sample import WHOLE_RATE

__all__ = ["Part", "calibrate", "calibrate_gradients", "gaussian_delta", "rho_of_budget"]

_BISECTIONS = 200
_TRIES = 60
_STEP = 0.999
# Noise of gradients is found to this share; brackets grow by that one.
_CLOSE, _WIDEN = 1.002, 1.1
# Fewer units for a whole gradient say too little of it.
_LEAST_UNITS = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One release of counts that a budget is to pay for.

    Attributes:
        share: of the budget, above 0; shares of all parts are taken relative to their sum.
        tables: counted together; one record adds 1 to a cell of each.
    """

    share: float
    tables: int


def gaussian_delta(rho: float, epsilon: float) -> float:
    """δ of a Gaussian mechanism with this ρ at an ε, exactly.

    Args:
        rho: above 0.
        epsilon: from 0 on.

    Source: Balle, Wang 2018, Theorem 8; μ = √(2ρ) is sensitivity over σ.
    """
    mu = math.sqrt(2 * rho)
    # In logarithms, or the factor e^ε leaves float64 for a large budget.
    upper = _normal_below(mu / 2 - epsilon / mu)
    lower = _log_normal_below(-mu / 2 - epsilon / mu)
    return upper - math.exp(min(epsilon + lower, 0.0))


def rho_of_budget(epsilon: float, delta: float) -> float:
    """Largest ρ that a composition of Gaussian mechanisms may have within (ε, δ).

    Args:
        epsilon: above 0.
        delta: above 0, below 1.

    Raises:
        InputError: out of range.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise InputError(f"ε is {epsilon}, expected a number above 0; correct the plan's budget")
    if not 0 < delta < 1:
        raise InputError(f"δ is {delta}, expected a number between 0 and 1; correct the plan")
    low, high = 0.0, 1.0
    while gaussian_delta(high, epsilon) < delta:
        high *= 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, epsilon) <= delta else (low, middle)
    return low


def calibrate(parts: Sequence[Part], epsilon: float, delta: float, records: int = 1) -> tuple[NoisyCounts, ...]:
    """The events that spend a budget as its shares say, with the least noise in whole numbers.

    Args:
        parts: at least one.
        epsilon: of all parts together.
        delta: of all parts together.
        records: most records of one protected unit.

    Returns:
        One event for each part, in order.

    Raises:
        InputError: a share or number of tables is no such, or the budget asks for more noise than can be drawn.

    Guarantee: `spent` of the events is at most ε, asked of the accountant itself and not of a formula.
    """
    if not parts or any(not (math.isfinite(part.share) and part.share > 0 and part.tables >= 1) for part in parts):
        raise InputError("a budget is shared among parts with a share above 0 and at least one table each")
    whole, rho = sum(part.share for part in parts), rho_of_budget(epsilon, delta)
    for _ in range(_TRIES):
        events = tuple(_event(part, rho * part.share / whole, records, epsilon) for part in parts)
        if spent(events, delta).epsilon <= epsilon:
            return events
        rho *= _STEP
    raise InputError(f"no noise was found that keeps ε = {epsilon:g} at δ = {delta:g}; report this with the plan")


def calibrate_gradients(
    epsilon: float,
    delta: float,
    *,
    rate: int,
    steps: int,
    records: int = 1,
    honest: int = 1,
    beside: Sequence[Event] = (),
) -> NoisyGradients:
    """The event of so many noisy sums of gradients that brings a run to its budget.

    Args:
        epsilon: of everything together.
        delta: of everything together.
        rate: chance of each record to be in a sum, in parts of `WHOLE_RATE`.
        steps: how many sums.
        records: most records of one protected unit.
        honest: organisations that share the noise: the more, the finer are the units.
        beside: what else the run releases.

    Raises:
        InputError: out of range, or nothing is left for gradients, or too little.

    Guarantee: `spent` of the event and what stands beside it is at most ε.
    """
    goal = 2 * rho_of_budget(epsilon, delta) - 2 * sum(event.zcdp for event in beside)
    if beside and not spent(beside, delta).epsilon < epsilon * (1 - 1e-3):
        raise InputError(f"what is counted already costs all of ε = {epsilon:g}; leave a share for gradients")

    def event(multiplier: float) -> NoisyGradients:
        sensitivity = min(int(math.sqrt(honest * LARGEST_VARIANCE) / multiplier), LARGEST_SENSITIVITY)
        if sensitivity < _LEAST_UNITS:
            raise InputError(
                f"ε = {epsilon:g} asks for noise of {multiplier:,.0f} times a record's gradient in {steps} sums, more "
                "than can be drawn; give a larger budget, or sample less and in fewer sums"
            )
        return NoisyGradients(_variance_of(multiplier, sensitivity), sensitivity, rate, steps, records)

    def within(multiplier: float) -> bool:
        return spent([*beside, event(multiplier)], delta).epsilon <= epsilon

    # Source of the start: central limit of sampled Gaussians, Bu et al. 2020 (arXiv:1911.11607), section 3.
    sampled = (rate / WHOLE_RATE * records) ** 2 * steps
    high = low = 1 / math.sqrt(math.log1p(max(goal, 1e-9) / sampled))
    while not within(high):
        low, high = high, high * _WIDEN
    while low == high or within(low):
        low, high = low / _WIDEN, min(low, high)
    while high / low > _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if within(middle) else (middle, high)
    return event(high)


def _variance_of(multiplier: float, sensitivity: int) -> int:
    """Least whole variance whose event has this noise multiplier."""
    variance = max(math.ceil((multiplier * sensitivity) ** 2), 8)
    while NoisyGradients(variance, sensitivity, 1, 1).noise_multiplier < multiplier:
        variance += 1
    return variance


def _event(part: Part, rho: float, records: int, epsilon: float) -> NoisyCounts:
    variance = math.ceil(part.tables * records**2 / (2 * rho))
    if variance > LARGEST_VARIANCE:
        raise InputError(
            f"ε = {epsilon:g} asks for noise of σ = {math.sqrt(variance):,.0f} rows on {part.tables} tables, at most "
            f"{math.isqrt(LARGEST_VARIANCE):,} can be drawn; give a larger budget or count less"
        )
    return NoisyCounts(variance, part.tables, records)


def _normal_below(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2))


def _log_normal_below(value: float) -> float:
    below = _normal_below(value)
    if below > 0:
        return math.log(below)
    # So far out float64 has no number for it. φ(x) |x| / (1 + x²) is a lower bound: δ comes out too large by a trifle.
    return -value * value / 2 + math.log(-value / (1 + value * value)) - math.log(2 * math.pi) / 2
