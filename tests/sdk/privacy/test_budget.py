"""Budgets that a plan may state, and those that it may not."""

import pytest
from pydantic import ValidationError

from headwater.privacy.budget import Budget
from headwater.privacy.words import budget_in_words


def test_an_epsilon_is_enough() -> None:
    budget = Budget(epsilon=1.0)
    assert (budget.delta, budget.unit, budget.records, budget.mode, budget.retries) == (1e-6, "record", 1, "joint", 0)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 20.5, 1e9, float("nan"), float("inf")])
def test_an_epsilon_that_protects_nobody_is_refused(epsilon: float) -> None:
    with pytest.raises(ValidationError, match="epsilon"):
        Budget(epsilon=epsilon)


@pytest.mark.parametrize("delta", [1e-13, 2e-3, 0.5])
def test_delta_is_neither_a_promise_to_nobody_nor_below_what_can_be_computed(delta: float) -> None:
    with pytest.raises(ValidationError, match="delta"):
        Budget(epsilon=1.0, delta=delta, most_rows=1)


@pytest.mark.parametrize("delta", [0.0, 1.0, 1e-5, 2e-5])
def test_delta_stays_below_one_in_the_public_number_of_rows(delta: float) -> None:
    with pytest.raises(ValidationError):
        Budget(epsilon=1.0, delta=delta, most_rows=100_000)
    Budget(epsilon=1.0, delta=0.99e-5, most_rows=100_000)


@pytest.mark.parametrize(
    "given",
    [
        {"epsilon": True},
        {"epsilon": "1"},
        {"delta": "1e-6"},
        {"records": True},
        {"records": 1.0},
        {"most_rows": "5000"},
        {"retries": True},
    ],
    ids=str,
)
def test_what_is_no_number_is_no_budget(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="should be a valid"):
        Budget.model_validate({"epsilon": 1.0, **given})


def test_a_whole_epsilon_is_a_number() -> None:
    assert Budget.model_validate({"epsilon": 1}) == Budget(epsilon=1.0)


def test_a_record_is_one_record() -> None:
    with pytest.raises(ValidationError, match="entity"):
        Budget(epsilon=1.0, records=4)
    assert "4 records" in budget_in_words(Budget(epsilon=1.0, unit="entity", records=4))


def test_words_say_epsilon_with_everything_that_it_means_nothing_without() -> None:
    words = budget_in_words(Budget(epsilon=1.5, delta=1e-7))
    for part in ("1.5", "1e-07", "one record", "added or removed"):
        assert part in words
