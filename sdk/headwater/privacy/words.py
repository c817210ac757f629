"""What a budget promises and what it does not, in the words that every page, card and log uses."""

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, Context, Decimal
from typing import Protocol

from headwater.privacy.budget import Budget, PrivacyMode, Unit

__all__ = [
    "DEVIATIONS",
    "NOT_PRIVATE",
    "OUTSIDE",
    "PUBLIC",
    "SCHEMA_FROM_ROWS",
    "WEAK",
    "Protected",
    "budget_in_words",
    "coordinator_in_words",
    "covered_in_words",
    "guarantee_in_short",
    "guarantee_in_words",
    "noise_in_words",
    "private_in_words",
    "repeats_in_words",
    "rounded_up",
    "uncovered_in_words",
    "unit_in_words",
    "weakness_in_words",
]

NOT_PRIVATE = "NOT DIFFERENTIALLY PRIVATE"
"""Said wherever there is no budget, or no noise."""

PUBLIC = (
    "the schema with its bounds and categories, the plan, which organisations took part and when, and the upper bound "
    "on the rows"
)
"""What ε says nothing of, since everybody may know it."""

OUTSIDE = "*"
"""In a list, behind an ε outside of which the schema was read from the rows."""

SCHEMA_FROM_ROWS = "schema read from the rows, outside ε"
"""Said of every result whose bounds and categories nobody confirmed to be public."""

WEAK = "WEAK: ε is above 10"
"""Said beside every ε so large, wherever one is chosen or shown."""

DEVIATIONS = 1.96
"""19 of 20 draws of a normal distribution are within so many standard deviations."""

_COUNTED = {
    "columns": "single columns",
    "label": "columns with the label",
    "pairs": "pairs of columns",
}
_WEAK_EPSILON = 10.0
_DIGITS = 4
_SHORT_DIGITS = 3


class Protected(Protocol):
    """What an ε means nothing without: a budget has it, and so has the claim of a release."""

    @property
    def delta(self) -> float:
        """At which ε holds."""

    @property
    def unit(self) -> Unit:
        """Whom it protects."""

    @property
    def records(self) -> int:
        """Most records of one unit."""

    @property
    def mode(self) -> PrivacyMode:
        """Whose noise suffices for it."""


def rounded_up(value: float, digits: int = _DIGITS) -> float:
    """The least number of so many significant digits that is not below a value: nothing stated is below what is spent.

    Args:
        value: from 0 on, finite.
        digits: at least 1.
    """
    return float(Context(prec=digits, rounding=ROUND_CEILING).create_decimal(Decimal(repr(float(value)))))


def unit_in_words(protected: Protected) -> str:
    """Whom a budget protects."""
    if protected.unit == "record":
        return "one record"
    return f"one person with all of at most {protected.records} records"


def guarantee_in_words(epsilon: float, protected: Protected) -> str:
    """ε with everything that it means nothing without.

    Args:
        epsilon: what was spent, or may be.
        protected: unit and δ.
    """
    stated = f"ε = {rounded_up(epsilon):g} at δ = {protected.delta:g}"
    return f"{stated} for {unit_in_words(protected)}, added or removed"


def guarantee_in_short(epsilon: float, protected: Protected) -> str:
    """ε in at most 40 letters, for a line of a list."""
    delta = rounded_up(protected.delta, _SHORT_DIGITS)
    return f"ε = {rounded_up(epsilon):g} at δ = {delta:g} per {'record' if protected.unit == 'record' else 'person'}"


def private_in_words(epsilon: float, protected: Protected) -> str:
    """What a private run or release is called, where one without privacy is called `NOT_PRIVATE`."""
    return f"Differentially private: {guarantee_in_words(epsilon, protected)}"


def budget_in_words(budget: Budget) -> str:
    """What a run under a budget promises, in one sentence."""
    noise = (
        "noise that all honest organisations add together before anything is masked"
        if budget.mode == "joint"
        else "noise that each organisation adds by itself"
    )
    return f"differentially private: at most {guarantee_in_words(budget.epsilon, budget)}; {noise}"


def repeats_in_words(paid: int) -> str:
    """How many aborted sums a budget pays for, and what the next one does.

    Args:
        paid: as many as budget and terms of aggregation both allow.
    """
    return f"{paid} paid for; {'one aborted sum more' if paid else 'the first aborted sum'} ends the run"


def covered_in_words(epsilon: float, protected: Protected, sums: int, aborted: int, gradients: int = 0) -> str:
    """What an ε that was spent says.

    Args:
        epsilon: what was spent.
        protected: unit and δ.
        sums: that were asked for.
        aborted: among them, which came to no sum.
        gradients: among them, of a critic's clipped gradients.
    """
    tried = f"{sums} noisy {'sum' if sums == 1 else 'sums'} of counts"
    if gradients:
        counts = sums - gradients
        tried = f"{sums} noisy sums, {counts} of counts and {gradients} of clipped gradients over samples of the rows"
    if aborted:
        tried += f", {aborted} of them aborted, which counts all the same"
    return (
        f"all that left the organisations as numbers: {tried}. Whether {unit_in_words(protected)} was among the rows "
        "counted or not changes the probability of whatever came of it by a factor of at most e^ε = "
        f"{rounded_up(math.exp(epsilon), 3):g}, up to δ. Generator and synthetic rows are made from these sums alone "
        "and cost nothing more"
    )


def weakness_in_words(epsilon: float) -> str:
    """What an ε is hardly good for, after the word `WEAK`; "" where it is not above 10.

    Args:
        epsilon: what was spent, or may be.
    """
    if epsilon <= _WEAK_EPSILON:
        return ""
    factor = rounded_up(math.exp(epsilon), _SHORT_DIGITS)
    return (
        "whether a unit's records were among the rows may change the probability of whatever came of it by a factor of "
        f"up to e^ε = {factor:,.0f}: hardly a protection"
    )


def noise_in_words(deviations: Mapping[str, float]) -> str:
    """How much noise the counts carry that a result is made from.

    Args:
        deviations: by what was counted, in a recipe's words: standard deviation of the noise that is certain in each
            count, in rows.
    """
    off = [f"{DEVIATIONS * deviation:,.0f} in {_COUNTED.get(what, what)}" for what, deviation in deviations.items()]
    listed = f"{', '.join(off[:-1])} and {off[-1]}" if len(off) > 1 else off[0]
    return (
        "the generator was made from counts that are off by more than this many rows in 1 of 20 cases or more: "
        f"{listed}. It is the same for large counts and small ones, so a group of fewer rows than that is lost in it, "
        "and what the rows seem to say of one may be noise"
    )


def uncovered_in_words(
    protected: Protected, *, disjoint_people: bool = False, colluders: int | None = None
) -> tuple[str, ...]:
    """What an ε does not promise, one clause for each.

    Args:
        protected: whom it protects, by whose noise.
        disjoint_people: the members declared that nobody's records are at more than one of them.
        colluders: members whose noise the plan does not count on; None where the plan is not at hand.
    """
    counted = "the plan allows for (aggregation.colluders)" if colluders is None else f"the {colluders} of the plan"
    unit = (
        "a person with several records: each record is protected alone, all of them together less"
        if protected.unit == "record"
        else f"a person with more than {protected.records} records"
    )
    several = (
        "a person whose records several organisations hold, which the charter declares that nobody's are"
        if disjoint_people
        else "a person whose records several organisations hold: where k of them do, ε is k times as large or more"
    )
    noise = (
        (f"a coordinator that works with more organisations than {counted}: these know their own noise",)
        if protected.mode == "joint"
        else ()
    )
    return (
        "what holds for people in general: rows may tell it of somebody whether or not theirs are among them",
        unit,
        "groups of people: for k of them together ε is k times as large or more",
        several,
        "other runs and releases on the same rows: together they cost more than each, somewhat less than the plain "
        "sum; each organisation's ledger says how much",
        *noise,
        "a schema whose bounds or categories were read from the rows",
        "side channels: how long an organisation computed, and that its rows made it refuse a round",
    )


def coordinator_in_words(protected: Protected, organisations: int) -> str:
    """What a coordinator sees under a budget."""
    whose = (
        "its share of the noise before that, so that the shares of the honest ones suffice for ε"
        if protected.mode == "joint"
        else "all of the noise by itself before that, so that ε holds whoever else is dishonest"
    )
    return (
        f"only sums over the {organisations} organisations came to the coordinator: contributions were masked, and "
        f"each organisation added {whose}"
    )
