"""Intervals and p-values of measures, by the law that each follows."""

import math
from collections.abc import Callable

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

    1 - R is the ratio of two rates of failure, and the interval holds the ratios that a score test does not refuse.

    Args:
        tally: successes and trials of the attack, successes and trials of the control.
        confidence: of the interval.

    Returns:
        (R, low, high); below 0 where the control did better, and never below -1. (0, -1, 1) without trials on either
        side, or where every control succeeds.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 4; Miettinen and Nurminen 1985, the ratio of two rates.
    """
    hits, trials, control_hits, control_trials = tally
    if not trials or not control_trials or control_hits == control_trials:
        return 0.0, -1.0, 1.0
    value = 1 - ((trials - hits) / trials) / ((control_trials - control_hits) / control_trials)
    z = _quantile((1 + confidence) / 2)
    # From R down the score grows, from R up it falls: each end is where it passes z.
    low = _where(lambda risk: _score(tally, risk) < z, -1.0, max(value, -1.0))
    high = 1.0 if hits == trials else _where(lambda risk: _score(tally, risk) < -z, max(value, -1.0), 1.0)
    return value, low, high


def _score(tally: tuple[int, ...], risk: float) -> float:
    """How many standard errors the attack's failures are fewer than this risk would leave of the control's."""
    hits, trials, control_hits, control_trials = tally
    failures, control_failures, ratio = trials - hits, control_trials - control_hits, max(1 - risk, _TINY)
    # The likeliest rate of failure of the control under this ratio: the lesser root.
    square = (trials + control_trials) * ratio
    linear = trials * ratio + failures + control_trials + control_failures * ratio
    inner = max(linear * linear - 4 * square * (failures + control_failures), 0.0)
    rate = min((linear - math.sqrt(inner)) / (2 * square), 1.0, 1 / ratio)
    variance = ratio * rate * (1 - ratio * rate) / trials + ratio * ratio * rate * (1 - rate) / control_trials
    variance *= (trials + control_trials) / max(trials + control_trials - 1, 1)
    apart = ratio * control_failures / control_trials - failures / trials
    if variance <= 0:
        return 0.0 if abs(apart) < _TINY else math.copysign(math.inf, apart)
    return apart / math.sqrt(variance)


def _where(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The first place between the two from which on it holds; the end where it does nowhere."""
    if holds(low):
        return low
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


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
    score = _score(measure.tally, threshold)
    return _upper_tail(score if above else -score)


def _value(measure: Measure) -> float:
    if measure.value is None:
        raise InputError(f"{measure.name} is {measure.status}: {measure.reason}; there is no value to test")
    return measure.value


def _quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(min(max(share, 1e-300), 1 - 1e-16)))


def _upper_tail(distance: float) -> float:
    return 0.5 * math.erfc(distance / math.sqrt(2))
