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
"""A risk beyond the control that an attack must be able to show; with less power it is inconclusive."""

_CONFIDENT = 1.6449
_POWERFUL = 0.8416


def controlled_measure(
    check: str, subject: str, tally: tuple[int, ...], details: Mapping[str, float] | None = None
) -> Measure:
    """The risk R = (t - c) / (1 - c) of an attack as a measure.

    | what is | becomes |
    | --- | --- |
    | every control attack succeeds | not applicable: nothing is left that training rows could reveal |
    | a risk of `HIGHEST_RISK` would be missed, and no risk shows | inconclusive, with the attacks a side it needs |
    | else | measured |

    Args:
        check: its name.
        subject: what it is about.
        tally: successes and attacks on training rows, successes and attacks on holdout rows.
        details: further figures.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 4.
    """
    hits, trials, control_hits, control_trials = tally
    common = {"check": check, "subject": subject, "law": "controlled", "tally": tally, "null": 0.0}
    common |= {"trials": trials, "details": dict(details or {})}
    if control_trials and control_hits == control_trials:
        reason = "every guess about rows that nobody used is right; training rows can reveal nothing beyond that"
        return Measure(**common, status="not applicable", reason=reason)
    detectable = detectable_risk(tally)
    value, low, high = controlled(tally)
    common |= {"detectable": None if math.isinf(detectable) else detectable}
    if detectable > HIGHEST_RISK and low <= 0:
        needed = needed_trials(control_hits, control_trials)
        reason = (
            f"{trials} attacks on training and {control_trials} on holdout rows could miss a risk of {HIGHEST_RISK:g}; "
            f"about {needed} of each are needed"
        )
        return Measure(**common, status="inconclusive", reason=reason, needed=needed)
    measure = Measure(**common, value=value, low=low, high=high)
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


def needed_trials(control_hits: int, control_trials: int, risk: float = HIGHEST_RISK) -> int:
    """Attacks on either side by which such a risk is found with power .8 at 5 %."""
    control = _open_rate(control_hits, control_trials)
    main = control + risk * (1 - control)
    wide = _CONFIDENT * math.sqrt(2 * control * (1 - control))
    wide += _POWERFUL * math.sqrt(main * (1 - main) + control * (1 - control))
    return math.ceil((wide / (main - control)) ** 2)


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
