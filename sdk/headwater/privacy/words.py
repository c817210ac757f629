"""What a budget promises and what it does not, in the words that every page, card and log uses."""

from headwater.privacy.budget import Budget

__all__ = [
    "NOT_PRIVATE",
    "PUBLIC",
    "SCHEMA_FROM_ROWS",
    "budget_in_words",
    "guarantee_in_words",
    "uncovered_in_words",
    "unit_in_words",
]

NOT_PRIVATE = "NOT DIFFERENTIALLY PRIVATE"
"""Said wherever there is no budget, or no noise."""

PUBLIC = (
    "the schema with its bounds and categories, the plan, which organisations took part and when, and the upper bound "
    "on the rows"
)
"""What ε says nothing of, since everybody may know it."""

SCHEMA_FROM_ROWS = "schema read from the rows, outside ε"
"""Said of every result whose bounds and categories nobody confirmed to be public."""


def unit_in_words(budget: Budget) -> str:
    """Whom a budget protects."""
    if budget.unit == "record":
        return "one record"
    return f"one person with all of at most {budget.records} records"


def guarantee_in_words(epsilon: float, budget: Budget) -> str:
    """ε with everything that it means nothing without.

    Args:
        epsilon: what was spent, or may be.
        budget: unit and δ.
    """
    return f"ε = {epsilon:.4g} at δ = {budget.delta:g} for {unit_in_words(budget)}, added or removed"


def budget_in_words(budget: Budget) -> str:
    """What a run under a budget promises, in one sentence."""
    noise = (
        "noise that all honest organisations add together before anything is masked"
        if budget.mode == "joint"
        else "noise that each organisation adds by itself"
    )
    return f"differentially private: at most {guarantee_in_words(budget.epsilon, budget)}; {noise}"


def uncovered_in_words(budget: Budget) -> tuple[str, ...]:
    """What a budget does not promise, one clause for each."""
    unit = (
        "a person with several records: each record is protected alone, all of them together less"
        if budget.unit == "record"
        else f"a person with more than {budget.records} records"
    )
    noise = (
        ("a coordinator that works with more organisations than the plan allows for: these know their own noise",)
        if budget.mode == "joint"
        else ()
    )
    return (
        "what holds for people in general: rows may tell it of somebody whether or not theirs are among them",
        unit,
        "a person whose records several organisations hold: what each of them spends adds up",
        "other runs and releases on the same rows: they add up, in each organisation's ledger",
        *noise,
        "a schema whose bounds or categories were read from the rows",
    )
