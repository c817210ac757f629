"""What a budget promises and what it does not, in the words that every page, card and log uses."""

from headwater.privacy.budget import Budget

__all__ = ["NOT_PRIVATE", "budget_in_words", "guarantee_in_words", "unit_in_words"]

NOT_PRIVATE = "NOT DIFFERENTIALLY PRIVATE"
"""Said wherever there is no budget, or no noise."""


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
