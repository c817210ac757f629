"""Intervals and p-values of measures, by the law that each follows."""

import math

from headwater.errors import InputError
from headwater.evidence.guesses import epsilon_of_guesses, p_of_guesses
from headwater.evidence.measure import Measure

__all__ = [
    "binomial_at_least",
    "binomial_needed",
    "bounds",
    "controlled",
    "p_above",
    "p_below",
    "wilson",
]

_TINY = 1e-12


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a rate; (0, 1) for no trial.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1.1.
    """
    if trials < 1:
        return 0.0, 1.0
    z = _quantile((1 + confidence) / 2)
    rate, spread = successes / trials, z * z / trials
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    # Rounding must not leave a rate of 0 or 1 outside its own interval.
    return (0.0 if successes == 0 else max(centre - half, 0.0)), (1.0 if successes == trials else min(centre + half, 1))


def controlled(tally: tuple[int, ...], confidence: float = 0.95) -> tuple[float, float, float]:
    """Risk beyond a control, R = (t - c) / (1 - c), with its interval.

    The interval joins those of both rates (Newcombe's square-and-add), each by Wilson.

    Args:
        tally: successes and trials of the attack, successes and trials of the control.
        confidence: of the interval.

    Returns:
        (R, low, high); below 0 where the control did better. (0, -1, 1) without trials on either side.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 4; Newcombe 1998, method 10.
    """
    hits, trials, control_hits, control_trials = tally
    if not trials or not control_trials:
        return 0.0, -1.0, 1.0
    main, control = hits / trials, control_hits / control_trials
    (main_low, main_high), (control_low, control_high) = (
        wilson(hits, trials, confidence),
        wilson(control_hits, control_trials, confidence),
    )
    beyond = 1 - control
    if beyond < _TINY:
        return 0.0, -1.0, 1.0
    value = (main - control) / beyond
    # dR/dt = 1 / (1 - c) and dR/dc = -(1 - t) / (1 - c)^2.
    weight = (1 - main) / beyond
    below = math.hypot(main - main_low, weight * (control_high - control)) / beyond
    above = math.hypot(main_high - main, weight * (control - control_low)) / beyond
    return value, max(value - below, -1.0), min(value + above, 1.0)


def binomial_at_least(successes: int, trials: int, rate: float) -> float:
    """P(X >= successes) for X of so many trials at this rate: the exact one-sided p-value."""
    from scipy.special import betainc

    if successes <= 0:
        return 1.0
    return float(betainc(successes, trials - successes + 1, rate)) if successes <= trials else 0.0


def binomial_needed(null: float, threshold: float, confidence: float = 0.95, power: float = 0.8) -> int:
    """Trials by which a rate at the threshold is told from the null's rate, by the normal approximation.

    Raises:
        InputError: null and threshold are the same.
    """
    gap = abs(threshold - null)
    if gap < _TINY:
        raise InputError("a threshold at the null value can never be told from it; choose another")
    wide = _quantile(confidence) * math.sqrt(null * (1 - null)) + _quantile(power) * math.sqrt(
        threshold * (1 - threshold)
    )
    return math.ceil((wide / gap) ** 2)


def bounds(measure: Measure, confidence: float) -> tuple[float, float]:
    """Interval of a measured value at another confidence than it was reported with.

    Returns:
        (low, high); both the value itself where its law gives no interval.

    Raises:
        InputError: the measure has no value.
    """
    value = _value(measure)
    match measure.law:
        case "binomial":
            return wilson(measure.tally[0], measure.tally[1], confidence)
        case "controlled":
            return controlled(measure.tally, confidence)[1:]
        case "normal":
            half = _quantile((1 + confidence) / 2) * (measure.error or 0.0)
            return value - half, value + half
        case "guesses":
            # A lower bound; nothing bounds ε from above.
            coins, guesses, right = measure.tally
            return epsilon_of_guesses(coins, guesses, right, measure.details["delta"], confidence), math.inf
        case _:
            return value, value


def p_above(measure: Measure, threshold: float) -> float:
    """One-sided p-value of "the true value is at most the threshold": small where it surely is above.

    The law "test" gives its own p-value whatever the threshold; the law "none" 0 above the threshold and 1 elsewhere.
    """
    return _p(measure, threshold, above=True)


def p_below(measure: Measure, threshold: float) -> float:
    """One-sided p-value of "the true value is at least the threshold": small where it surely is below."""
    return _p(measure, threshold, above=False)


def _p(measure: Measure, threshold: float, *, above: bool) -> float:
    value = _value(measure)
    if measure.law == "test":
        return measure.p_value if measure.p_value is not None else 1.0
    if measure.law == "guesses":
        # Few right guesses are never evidence of a small ε.
        coins, guesses, right = measure.tally
        return p_of_guesses(coins, guesses, right, max(threshold, 0.0), measure.details["delta"]) if above else 1.0
    if measure.law == "binomial":
        successes, trials = measure.tally
        if not above:
            successes, threshold = trials - successes, 1 - threshold
        return binomial_at_least(successes, trials, min(max(threshold, 0.0), 1.0))
    beyond = value > threshold if above else value < threshold
    if measure.law == "none" or (measure.law == "normal" and not measure.error):
        return 0.0 if beyond else 1.0
    if measure.law == "normal":
        distance = (value - threshold) / (measure.error or 1.0)
        return _upper_tail(distance if above else -distance)
    # The confidence at which the interval just touches the threshold, found by halving.
    if not beyond:
        return _touching(measure, threshold, above=not above, beyond=False)
    return _touching(measure, threshold, above=above, beyond=True)


def _touching(measure: Measure, threshold: float, *, above: bool, beyond: bool) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        lower, upper = bounds(measure, middle)
        holds = lower > threshold if above else upper < threshold
        low, high = (middle, high) if holds else (low, middle)
    tail = (1 - low) / 2
    return tail if beyond else 1 - tail


def _value(measure: Measure) -> float:
    if measure.value is None:
        raise InputError(f"{measure.name} is {measure.status}: {measure.reason}; there is no value to test")
    return measure.value


def _quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(min(max(share, 1e-300), 1 - 1e-16)))


def _upper_tail(distance: float) -> float:
    return 0.5 * math.erfc(distance / math.sqrt(2))
