"""The reading of an attack with a control: success on training rows beyond success on rows that nobody used."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evidence.intervals import controlled, p_above
from headwater.evidence.measure import Measure

__all__ = ["HIGHEST_RISK", "checked", "controlled_measure", "detectable_risk", "needed_trials"]

I64 = NDArray[np.int64]

HIGHEST_RISK = 0.10
"""A risk beyond the control that attacks must be able to exclude; where they are too few, they are inconclusive."""

_LEAST = 30
_CONFIDENT = 1.6449
_POWERFUL = 0.8416
# Half an interval of 95 %, and a fluctuation that one of five exceeds.
_EXCLUDING = 1.96 + 0.8416
# Wilson's intervals of rates near 0 are wider than the normal ones, by about so many attacks.
_WIDENED = 2.0


def controlled_measure(
    check: str, subject: str, tally: tuple[int, ...], details: Mapping[str, float] | None = None
) -> Measure:
    """The risk R = (t - c) / (1 - c) of an attack as a measure.

    | what is | becomes |
    | --- | --- |
    | every control attack succeeds | not applicable: nothing is left that training rows could reveal |
    | fewer than 30 attacks on either side | inconclusive: the interval's law does not hold for so few |
    | none shows, and `HIGHEST_RISK` is not excluded or would often not be | inconclusive, with what it needs |
    | else | measured |

    Args:
        check: its name.
        subject: what it is about.
        tally: successes and attacks on training rows, successes and attacks on holdout rows.
        details: further figures.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 4.
    """
    _, trials, control_hits, control_trials = tally
    detectable = detectable_risk(tally)
    unmeasured = Measure(
        check=check,
        subject=subject,
        status="inconclusive",
        reason="nothing was attacked",
        law="controlled",
        tally=tally,
        null=0.0,
        trials=trials,
        detectable=None if math.isinf(detectable) else detectable,
        details=dict(details or {}),
    )
    if control_trials and control_hits == control_trials:
        reason = "every guess about rows that nobody used is right; training rows can reveal nothing beyond that"
        return unmeasured.model_copy(update={"status": "not applicable", "reason": reason})
    value, low, high = controlled(tally)
    needed = needed_trials(control_hits, control_trials)
    few = min(trials, control_trials) < _LEAST
    if not few and _excludes(tally):
        # So many would do on average; these met the other case, and twice as many leave it seldom.
        needed = max(needed, 2 * min(trials, control_trials))
    if few or (low <= 0 and (high > HIGHEST_RISK or not _excludes(tally))):
        reason = (
            f"{trials} attacks on training and {control_trials} on holdout rows cannot exclude a risk of "
            f"{HIGHEST_RISK:g}; about {needed} of each are needed"
        )
        return unmeasured.model_copy(update={"reason": reason, "needed": needed})
    found = {"status": "measured", "reason": "", "value": value, "low": low, "high": high}
    measure = unmeasured.model_copy(update=found)
    return measure.model_copy(update={"p_value": p_above(measure, 0.0)})


def detectable_risk(tally: tuple[int, ...]) -> float:
    """The least risk that so many attacks find with power .8 at 5 %, one-sided; infinite without attacks on a side.

    By the normal approximation, from the control's rate, of which half a success more or less is left open.
    """
    _, trials, control_hits, control_trials = tally
    if not trials or not control_trials:
        return math.inf
    control = _open_rate(control_hits, control_trials)
    wide = _CONFIDENT * math.sqrt(control * (1 - control) * (1 / trials + 1 / control_trials))
    rate = control
    # The spread at the rate looked for depends on that rate; a few turns settle it.
    for _ in range(30):
        spread = math.sqrt(rate * (1 - rate) / trials + control * (1 - control) / control_trials)
        rate = min(control + wide + _POWERFUL * spread, 1.0)
    return (rate - control) / (1 - control)


def needed_trials(control_hits: int, control_trials: int) -> int:
    """Attacks on either side by which a table without risk has its interval below `HIGHEST_RISK`, with chance .8."""
    control = _open_rate(control_hits, control_trials)
    # The root of 2 w y^2 + s y = limit, where y is 1 / sqrt(attacks).
    spread = _EXCLUDING * math.sqrt(2 * control / (1 - control))
    root = (-spread + math.sqrt(spread**2 + 8 * _WIDENED * HIGHEST_RISK)) / (4 * _WIDENED)
    return math.ceil(root**-2)


def _excludes(tally: tuple[int, ...]) -> bool:
    """Whether that holds of these attacks, whatever they found."""
    _, trials, control_hits, control_trials = tally
    if not trials or not control_trials:
        return False
    control = _open_rate(control_hits, control_trials)
    weight = 1 / trials + 1 / control_trials
    error = math.sqrt(control / (1 - control) * weight)
    return _EXCLUDING * error + _WIDENED * weight <= HIGHEST_RISK


def checked(counts: I64, size: int, check: str, pairs: tuple[tuple[int, int], ...]) -> list[int]:
    """Counts as whole numbers of Python.

    Args:
        counts: shape (size,).
        size: how many the check has.
        check: its name, for the error.
        pairs: places of a part and of its whole, such as successes and attacks.

    Raises:
        InputError: another number of them, one below 0, or a part above its whole.
    """
    whole = [int(count) for count in counts.reshape(-1)]
    wrong = counts.shape != (size,) or any(count < 0 for count in whole)
    if wrong or any(whole[part] > whole[of] for part, of in pairs):
        raise InputError(f"these are no counts of {check}; read what its own count gave, or a sum of such")
    return whole


def _open_rate(successes: int, trials: int) -> float:
    return min(max((successes + 0.5) / (trials + 1), 1e-9), 1 - 1e-9)
