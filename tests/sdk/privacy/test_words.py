"""What is said of a budget, and of what it does not promise."""

from headwater.privacy.budget import Budget
from headwater.privacy.words import guarantee_in_words, uncovered_in_words


def test_epsilon_comes_with_delta_unit_and_neighbouring_relation() -> None:
    assert guarantee_in_words(1.0, Budget(epsilon=1.0)) == "ε = 1 at δ = 1e-06 for one record, added or removed"
    person = guarantee_in_words(0.5, Budget(epsilon=1.0, unit="entity", records=4))
    assert "one person with all of at most 4 records" in person


def test_what_is_not_covered_follows_unit_and_mode() -> None:
    record = " ".join(uncovered_in_words(Budget(epsilon=1.0)))
    assert "a person with several records" in record
    assert "know their own noise" in record
    person = " ".join(uncovered_in_words(Budget(epsilon=1.0, unit="entity", records=4, mode="local")))
    assert "a person with more than 4 records" in person
    assert "know their own noise" not in person
