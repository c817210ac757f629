"""Intervals and p-values: against known values, exact oracles, and their promised chances."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headwater.errors import InputError
from headwater.evidence.intervals import (
    binomial_at_least,
    binomial_needed,
    bounds,
    controlled,
    p_above,
    p_below,
    wilson,
)
from headwater.evidence.measure import Measure

rates = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda pair: (min(pair), max(pair)))


def _rate(successes: int, trials: int) -> Measure:
    value = successes / trials if trials else 0.0
    return Measure(check="rate", value=value, law="binomial", tally=(successes, trials), trials=trials)


def _controlled(*tally: int) -> Measure:
    return Measure(check="risk", value=controlled(tally)[0], law="controlled", tally=tally)


def test_wilson_gives_the_values_of_the_textbook() -> None:
    # Brown, Cai and DasGupta 2001 discuss this case: no success in 10 trials.
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(57, 1000) == pytest.approx((0.0443, 0.0731), abs=1e-4)


@given(rates, st.floats(0.5, 0.999))
def test_wilson_is_scipys(rate: tuple[int, int], confidence: float) -> None:
    successes, trials = rate
    if not trials:
        assert wilson(0, 0, confidence) == (0.0, 1.0)
        return
    oracle = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson(successes, trials, confidence) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@given(rates)
def test_an_interval_holds_its_own_rate(rate: tuple[int, int]) -> None:
    successes, trials = rate
    low, high = wilson(successes, trials)
    assert 0 <= low <= (successes / trials if trials else 0.5) <= high <= 1


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.2])
def test_wilson_covers_as_often_as_it_says(rate: float) -> None:
    # Exact coverage over all outcomes; Wilson's is near the nominal one on average and falls a little below at places.
    outcomes = np.arange(1001)
    chances = stats.binom.pmf(outcomes, 1000, rate)
    covered = [low <= rate <= high for low, high in (wilson(int(k), 1000) for k in outcomes)]
    assert float(chances[covered].sum()) == pytest.approx(0.95, abs=0.025)


def test_a_risk_beyond_its_control_is_what_the_control_leaves_open() -> None:
    value, low, high = controlled((43, 1000, 0, 1000))
    assert value == pytest.approx(0.043)
    assert 0.02 < low < value < high < 0.06
    assert controlled((500, 1000, 400, 1000))[0] == pytest.approx(0.1 / 0.6)
    assert controlled((10, 1000, 30, 1000))[0] < 0


@pytest.mark.parametrize("tally", [(0, 0, 0, 100), (5, 100, 0, 0), (100, 100, 100, 100)])
def test_a_risk_without_trials_or_beyond_a_perfect_control_is_unknown(tally: tuple[int, ...]) -> None:
    assert controlled(tally) == (0.0, -1.0, 1.0)


def test_the_interval_of_a_risk_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    truth = (0.12 - 0.05) / 0.95
    hits, control = random.binomial(1000, 0.12, 2000), random.binomial(1000, 0.05, 2000)
    inside = [
        low <= truth <= high
        for _, low, high in (controlled((int(h), 1000, int(c), 1000)) for h, c in zip(hits, control, strict=True))
    ]
    # 2,000 trials at 95 %: three standard errors are 1.5 points.
    assert np.mean(inside) == pytest.approx(0.95, abs=0.016)


@pytest.mark.parametrize(
    ("trials", "controls", "rate"), [(110, 50, 0.4), (60, 60, 0.8), (700, 200, 0.7), (60, 40, 0.1)]
)
def test_a_table_without_risk_is_seldom_taken_for_one_with(trials: int, controls: int, rate: float) -> None:
    # All outcomes that happen at all, with their chances.
    hits, control = (
        [k for k in range(n + 1) if stats.binom.pmf(k, n, rate) > 1e-6 and k < n] for n in (trials, controls)
    )
    chances = np.outer(stats.binom.pmf(hits, trials, rate), stats.binom.pmf(control, controls, rate))
    p_values = np.array([[p_above(_controlled(h, trials, c, controls), 0.0) for c in control] for h in hits])
    for level, most in ((0.05, 0.06), (0.01, 0.015), (0.001, 0.0025)):
        assert float(chances[p_values < level].sum()) <= most


@given(rates, st.floats(0.001, 0.999))
def test_the_binomial_tail_is_scipys(rate: tuple[int, int], chance: float) -> None:
    successes, trials = rate
    assert binomial_at_least(successes, trials, chance) == pytest.approx(stats.binom.sf(successes - 1, trials, chance))


def test_more_successes_than_trials_never_happen() -> None:
    assert binomial_at_least(11, 10, 0.5) == 0.0


def test_a_rate_at_the_threshold_is_told_from_the_null_with_the_trials_that_are_needed() -> None:
    needed = binomial_needed(0.01, 0.03)
    critical = next(k for k in range(needed) if binomial_at_least(k, needed, 0.01) <= 0.05)
    power = float(stats.binom.sf(critical - 1, needed, 0.03))
    # The normal approximation is a little off where a hundredth of few hundred trials is a handful.
    assert power == pytest.approx(0.8, abs=0.1)
    with pytest.raises(InputError, match="can never be told"):
        binomial_needed(0.03, 0.03)


@given(rates.filter(lambda rate: rate[1] > 0), st.floats(0.01, 0.99))
def test_above_and_below_are_two_sides_of_one_threshold(rate: tuple[int, int], threshold: float) -> None:
    measure = _rate(*rate)
    above, below = p_above(measure, threshold), p_below(measure, threshold)
    assert 0 <= above <= 1
    # Both tails hold the outcome itself.
    assert above + below >= 1 - 1e-9


@pytest.mark.parametrize("threshold", [-0.05, 0.0, 0.02, 0.043, 0.08])
def test_the_p_value_of_a_risk_is_where_its_interval_touches(threshold: float) -> None:
    measure = _controlled(60, 1000, 17, 1000)
    p = p_above(measure, threshold)
    assert p_below(measure, threshold) == pytest.approx(1 - p, abs=1e-6)
    if 1e-6 < p < 0.5:
        low, _ = bounds(measure, 1 - 2 * p)
        assert low == pytest.approx(threshold, abs=1e-6)


def test_the_p_value_of_a_risk_falls_as_the_threshold_does() -> None:
    measure = _controlled(60, 1000, 17, 1000)
    values = [p_above(measure, threshold) for threshold in (-0.05, 0.0, 0.02, 0.044, 0.08)]
    assert values == sorted(values)
    assert values[0] < 1e-6
    assert values[-1] > 0.99


def test_a_normal_measure_is_tested_by_its_error() -> None:
    measure = Measure(check="auc", value=0.6, law="normal", error=0.02, null=0.5)
    assert p_above(measure, 0.5) == pytest.approx(stats.norm.sf(5))
    assert p_below(measure, 0.5) == pytest.approx(stats.norm.cdf(5))
    assert bounds(measure, 0.95) == pytest.approx((0.6 - 1.96 * 0.02, 0.6 + 1.96 * 0.02), abs=1e-4)


def test_a_measure_without_chance_is_above_or_not() -> None:
    measure = Measure(check="validity", value=0.99)
    assert (p_below(measure, 1.0), p_above(measure, 1.0)) == (0.0, 1.0)
    assert (p_below(measure, 0.99), p_above(measure, 0.5)) == (1.0, 0.0)
    assert bounds(measure, 0.95) == (0.99, 0.99)


def test_a_test_gives_its_own_p_value() -> None:
    measure = Measure(check="copies", value=12, law="test", p_value=0.003)
    assert p_above(measure, 5) == p_above(measure, 500) == 0.003


def test_what_has_no_value_is_not_tested() -> None:
    measure = Measure(check="copies", status="inconclusive", reason="3 rows are too few; 400 are needed")
    with pytest.raises(InputError, match="400 are needed"):
        p_above(measure, 0.5)


def test_tails_stay_exact_far_out() -> None:
    measure = Measure(check="auc", value=0.9, law="normal", error=0.01)
    assert 0 < p_above(measure, 0.6) < 1e-190
    assert math.isclose(p_above(_rate(1000, 1000), 0.5), 0.5**1000, rel_tol=1e-6)
