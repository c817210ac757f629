"""Measures of the evaluation, each with the interval and the p-value that its law gives."""

import math
from collections.abc import Mapping

from headwater.evidence.intervals import wilson
from headwater.evidence.measure import Better, Measure

__all__ = ["inapplicable", "inconclusive", "label", "normal", "plain", "rate"]

_TWO_SIDED = 1.959964
_FOUND = 1.644854 + 0.841621
"""Standard errors by which a departure is found at 5 %, one-sided, with power .8."""
_LONGEST = 100


def normal(
    check: str,
    subject: str,
    value: float,
    error: float,
    *,
    null: float | None,
    better: Better,
    trials: int,
    null_error: float = 0.0,
    details: Mapping[str, float] | None = None,
) -> Measure:
    """A value with a standard error, at 95 %.

    Args:
        check: dotted name.
        subject: what it is about.
        value: the statistic.
        error: its standard error, at least 0.
        null: what a second real sample gives; no p-value without one.
        better: which way is better.
        trials: rows or cells behind it.
        null_error: standard error of a null value that was measured as well.
        details: further figures.
    """
    p_value = detectable = None
    if null is not None:
        worse = {"lower": value - null, "higher": null - value, "null": abs(value - null)}[better]
        both = math.hypot(error, null_error)
        p_value = _beyond(worse, both, sides=2 if better == "null" else 1)
        detectable = null + (-_FOUND if better == "higher" else _FOUND) * both
    return Measure(
        check=check,
        subject=subject,
        value=value,
        low=value - _TWO_SIDED * error,
        high=value + _TWO_SIDED * error,
        null=null,
        better=better,
        law="normal",
        error=error,
        p_value=p_value,
        trials=trials,
        detectable=detectable,
        details=dict(details or {}),
    )


def rate(
    check: str,
    subject: str,
    tally: tuple[int, int],
    *,
    null: tuple[int, int] | None,
    better: Better,
    details: Mapping[str, float] | None = None,
) -> Measure:
    """A share of trials, with Wilson's interval at 95 %.

    Args:
        check: dotted name.
        subject: what it is about.
        tally: successes and trials, at least one.
        null: successes and trials of a second real sample; None where all successes are the null value.
        better: "higher" or "lower".
        details: further figures.
    """
    (successes, trials), (null_successes, null_trials) = tally, null or (1, 1)
    low, high = wilson(successes, trials)
    expected = null_successes / null_trials
    # Of both samples where both are: what they share is the rate under the null hypothesis.
    shared = (successes + null_successes) / (trials + null_trials) if null else expected
    error = math.sqrt(shared * (1 - shared) * (1 / trials + (1 / null_trials if null else 0)))
    distance = successes / trials - expected
    detected = _FOUND * max(error, 1 / trials)
    return Measure(
        check=check,
        subject=subject,
        value=successes / trials,
        low=low,
        high=high,
        null=expected,
        better=better,
        law="binomial",
        tally=(successes, trials),
        p_value=_beyond(-distance if better == "higher" else distance, error, sides=1),
        trials=trials,
        detectable=min(max(expected + (-detected if better == "higher" else detected), 0.0), 1.0),
        details=dict(details or {}),
    )


def plain(
    check: str, subject: str, value: float, *, better: Better, trials: int, details: Mapping[str, float] | None = None
) -> Measure:
    """A value that describes; nothing is tested."""
    return Measure(check=check, subject=subject, value=value, better=better, trials=trials, details=dict(details or {}))


def inconclusive(
    check: str, subject: str, reason: str, *, better: Better, trials: int = 0, needed: int | None = None
) -> Measure:
    """Too few rows to say anything."""
    return Measure(
        check=check,
        subject=subject,
        status="inconclusive",
        reason=reason[:1000],
        better=better,
        trials=trials,
        needed=needed,
    )


def inapplicable(check: str, subject: str, reason: str, *, better: Better) -> Measure:
    """There is no such thing in these tables."""
    return Measure(check=check, subject=subject, status="not applicable", reason=reason[:1000], better=better)


def label(text: str) -> str:
    """A column's or category's name as a subject shows it: at most 100 characters."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _beyond(distance: float, error: float, *, sides: int) -> float:
    if error <= 0:
        return 0.0 if distance > 0 else 1.0
    return min(1.0, sides * 0.5 * math.erfc(distance / error / math.sqrt(2)))
