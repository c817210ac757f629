"""Right guesses bound ε from below: golden values, an oracle that sums probabilities, and the promised chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headwater.errors import InputError
from headwater.evidence.guesses import epsilon_of_guesses, p_of_guesses
from headwater.evidence.intervals import bounds, p_above, p_below
from headwater.evidence.measure import Measure

counts = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60)).map(
    lambda three: (max(three), sorted(three)[1], min(three))
)


@pytest.mark.parametrize(("count", "epsilon"), [(64, 3.04), (100, 3.49), (200, 4.19), (500, 5.10), (1000, 5.78)])
def test_all_coins_guessed_right_bound_epsilon_as_published(count: int, epsilon: float) -> None:
    assert epsilon_of_guesses(count, count, count, 1e-5) == pytest.approx(epsilon, abs=0.006)


@pytest.mark.parametrize(("right", "epsilon"), [(190, 2.39), (150, 0.82), (120, 0.16), (113, 0.02), (100, 0.0)])
def test_two_hundred_guesses_on_a_thousand_coins_bound_epsilon_as_published(right: int, epsilon: float) -> None:
    assert epsilon_of_guesses(1000, 200, right, 1e-5) == pytest.approx(epsilon, abs=0.006)


def slow(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """Theorem 5.2, term by term, over every i up to the number of coins."""
    law = stats.binom.pmf(np.arange(guesses + 1), guesses, 1 / (1 + math.exp(-epsilon)))

    def at_least(count: int) -> float:
        return float(law[max(count, 0) :].sum())

    most = max((at_least(right - i) - at_least(right)) / i for i in range(1, canaries + 1))
    return min(1.0, at_least(right) + 2 * canaries * delta * most)


@settings(max_examples=40, deadline=None)
@given(counts, st.floats(0, 6), st.sampled_from([0.0, 1e-6, 1e-3]))
def test_the_p_value_is_the_theorems(three: tuple[int, int, int], epsilon: float, delta: float) -> None:
    assert p_of_guesses(*three, epsilon, delta) == pytest.approx(slow(*three, epsilon, delta), rel=1e-6, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(counts, st.sampled_from([0.0, 1e-6, 1e-3]))
def test_the_bound_is_where_the_p_value_crosses(three: tuple[int, int, int], delta: float) -> None:
    bound = epsilon_of_guesses(*three, delta)
    if bound:
        assert p_of_guesses(*three, bound - 1e-6, delta) < 0.05
    assert p_of_guesses(*three, bound + 1e-6, delta) >= 0.05 - 1e-12


def test_the_bound_is_wrong_for_randomised_response_no_more_often_than_it_may() -> None:
    # Coins told truly with probability e^ε / (1 + e^ε): the mechanism that the theorem is tight for. 2,000 trials of a
    # bound that errs in 5 %: more than 133 errors have a chance of .0006.
    random, epsilon = np.random.default_rng(11), 1.0
    right = random.binomial(300, 1 / (1 + math.exp(-epsilon)), 2000)
    found = {value: epsilon_of_guesses(300, 300, value, 0.0) for value in np.unique(right).tolist()}
    too_high = sum(found[value] > epsilon for value in right.tolist())
    assert 20 < too_high <= 133


@pytest.mark.parametrize("wrong", [(10, 11, 5), (10, 5, 6), (10, 5, -1)])
def test_counts_that_cannot_be_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="cannot be"):
        p_of_guesses(*wrong, 1.0, 1e-5)
    with pytest.raises(InputError, match="cannot be"):
        p_of_guesses(10, 5, 5, -1.0, 1e-5)
    with pytest.raises(InputError, match="cannot be"):
        p_of_guesses(10, 5, 5, 1.0, 2.0)


def test_a_measure_of_guesses_is_tested_against_any_epsilon() -> None:
    measure = Measure(
        check="canaries.one-run", value=epsilon_of_guesses(1000, 200, 150, 1e-5), law="guesses", tally=(1000, 200, 150),
        details={"delta": 1e-5}, trials=1000,
    )  # fmt: skip
    low, high = bounds(measure, 0.95)
    assert (low, high) == (measure.value, math.inf)
    assert p_above(measure, 0.82) == pytest.approx(0.05, abs=0.002)
    assert p_above(measure, 3.0) > 0.9
    assert p_above(measure, 0.1) < 1e-3
    assert p_below(measure, 3.0) == 1.0
    with pytest.raises(ValueError, match="delta"):
        Measure(check="canaries.one-run", value=0.0, law="guesses", tally=(10, 2, 1))
