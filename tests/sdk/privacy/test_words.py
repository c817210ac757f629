"""ε is never stated smaller than it is, and never without what it means nothing without and does not promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.privacy.budget import Budget
from headwater.privacy.words import (
    coordinator_in_words,
    covered_in_words,
    guarantee_in_short,
    guarantee_in_words,
    private_in_words,
    rounded_up,
    uncovered_in_words,
)

RECORD = Budget(epsilon=1.0)
PERSON = Budget(epsilon=1.0, unit="entity", records=4)


def test_epsilon_comes_with_delta_unit_and_neighbouring_relation() -> None:
    assert guarantee_in_words(1.0, RECORD) == "ε = 1 at δ = 1e-06 for one record, added or removed"
    assert "one person with all of at most 4 records" in guarantee_in_words(0.5, PERSON)
    assert private_in_words(0.99963, RECORD).startswith("Differentially private: ε = 0.9997 at")


@given(st.floats(1e-9, 20.0))
def test_what_is_stated_is_not_below_what_is_spent_and_nearly_the_same(epsilon: float) -> None:
    stated = rounded_up(epsilon)
    assert epsilon <= stated <= epsilon * 1.0011
    assert rounded_up(stated) == stated


@pytest.mark.parametrize(("spent", "stated"), [(1.00001, 1.001), (0.99963, 0.9997), (1, 1.0), (0.0, 0.0)])
def test_epsilon_is_rounded_up_to_four_digits(spent: float, stated: float) -> None:
    assert rounded_up(spent) == stated
    assert f"ε = {stated:g} at" in guarantee_in_words(spent, RECORD)


@given(st.floats(1e-4, 20.0), st.floats(1e-12, 9.9e-6))
def test_a_list_shows_epsilon_in_forty_letters_and_no_less_than_it_is(epsilon: float, delta: float) -> None:
    for budget in (RECORD, PERSON):
        short = guarantee_in_short(epsilon, budget.model_copy(update={"delta": delta}))
        assert len(short) <= 40
        stated, _, rest = short.removeprefix("ε = ").partition(" at δ = ")
        assert float(stated) >= epsilon
        assert float(rest.split()[0]) >= delta


def test_aborted_sums_are_among_what_is_covered() -> None:
    whole = covered_in_words(1.0, RECORD, 4, 1)
    assert "4 noisy sums of counts, 1 of them aborted, which counts all the same" in whole
    assert "e^ε = 2.72" in whole
    assert "aborted" not in covered_in_words(1.0, RECORD, 3, 0)


@pytest.mark.parametrize(
    "clause",
    [
        "people in general",
        "a person with several records",
        "groups of people",
        "where k of them do, ε is k times as large",
        "other runs and releases on the same rows: together they cost more than each, somewhat less than the plain sum",
        "know their own noise",
        "a schema whose bounds or categories were read from the rows",
        "side channels",
    ],
)
def test_what_is_not_covered_is_said_clause_by_clause(clause: str) -> None:
    assert clause in " ".join(uncovered_in_words(RECORD))


def test_what_is_not_covered_follows_unit_mode_and_charter() -> None:
    person = " ".join(uncovered_in_words(PERSON.model_copy(update={"mode": "local"}), disjoint_people=True))
    assert "a person with more than 4 records" in person
    assert "know their own noise" not in person
    assert "the charter declares that nobody's are" in person


def test_whose_noise_it_is_follows_the_mode() -> None:
    assert "its share of the noise" in coordinator_in_words(RECORD, 5)
    assert "all of the noise by itself" in coordinator_in_words(RECORD.model_copy(update={"mode": "local"}), 5)
