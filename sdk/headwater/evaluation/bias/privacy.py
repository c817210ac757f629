"""Whether attacks find members of some groups more easily than of all rows."""

import math
from collections.abc import Sequence

from headwater.evaluation.figures import inapplicable, inconclusive, normal
from headwater.evidence.measure import Measure

__all__ = ["privacy_gap"]

_CHECK = "bias.privacy"
_MEMBERSHIP = "membership."


def privacy_gap(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """What a membership attack finds of a group beyond what it finds of all rows, of the worst attack for each group.

    Args:
        measures: of an audit; those of membership attacks are read, whose subject is "" for all rows and
            "column=category" for a group.

    Returns:
        One measure a group, in the order in which groups first appear: the largest gap over attacks, 0 where a group
        is found as easily as anybody. Inconclusive where attacks on the group were; one that is not applicable where no
        group was attacked.

    Source: Kulynych et al. 2022 (arXiv:1906.00389), disparate vulnerability.
    """
    attacks = [measure for measure in measures if measure.check.startswith(_MEMBERSHIP)]
    overall = {each.check: each for each in attacks if not each.subject and each.value is not None}
    groups: dict[str, list[Measure]] = {}
    for each in attacks:
        if "=" in each.subject:
            groups.setdefault(each.subject, []).append(each)
    if not groups:
        return (inapplicable(_CHECK, "", "no membership attack was made on a group", better="lower"),)
    return tuple(_gap(subject, found, overall) for subject, found in groups.items())


def _gap(subject: str, found: list[Measure], overall: dict[str, Measure]) -> Measure:
    compared = [
        (each.value - everybody.value, math.hypot(_error(each), _error(everybody)), each)
        for each in found
        if each.value is not None and (everybody := overall.get(each.check)) is not None and everybody.value is not None
    ]
    if not compared:
        reason = next((each.reason for each in found if each.reason), "the attack on all rows gave no value")
        needed = max((each.needed for each in found if each.needed), default=None)
        return inconclusive(_CHECK, subject, reason, better="lower", needed=needed)
    value, error, worst = max(compared, key=lambda each: each[0])
    details = {f"{each.check}": gap for gap, _, each in compared}
    return normal(_CHECK, subject, value, error, null=0.0, better="lower", trials=worst.trials, details=details)


def _error(measure: Measure) -> float:
    """Standard error of any measure: its own, else a quarter of its interval of 95 %."""
    if measure.error is not None:
        return measure.error
    return (measure.high - measure.low) / 3.92 if measure.high is not None and measure.low is not None else 0.0
