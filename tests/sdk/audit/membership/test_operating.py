"""Reading true positives at 1 % false ones: exact where it can be, and as often wrong as it says."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from headwater.audit.membership.operating import RATE, detectable, operating_point
from headwater.evidence.intervals import binomial_at_least, wilson

_EDGES = np.linspace(-5, 5, 511)


def _histogram(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(_EDGES, scores, side="right"), minlength=512)


def test_scores_that_part_the_sides_find_everybody_or_nobody() -> None:
    low, high = _histogram(np.full(300, -2.0)), _histogram(np.full(300, 2.0))
    assert operating_point(high, low).value == pytest.approx(1.0)
    assert operating_point(low, high).value == pytest.approx(0.0)


def test_ties_are_broken_as_chance_would() -> None:
    same = _histogram(np.zeros(500))
    assert operating_point(same, same).value == pytest.approx(RATE, abs=0.001)


def test_the_value_is_the_share_above_the_threshold_that_sorting_finds() -> None:
    random = np.random.default_rng(1)
    members, others = random.normal(size=4000) + 0.7, random.normal(size=1999)
    threshold = np.sort(others)[-20]
    found = operating_point(_histogram(members), _histogram(others))
    assert found.value == pytest.approx(np.mean(members > threshold), abs=0.006)
    assert (found.members, found.others) == (4000, 1999)


@pytest.mark.parametrize(("members", "others"), [(2000, 2000), (400, 100), (120, 30)])
def test_the_null_has_the_rate_as_its_mean_at_any_number_of_rows(members: int, others: int) -> None:
    random = np.random.default_rng(2)
    values = [
        operating_point(_histogram(random.normal(size=members)), _histogram(random.normal(size=others))).value
        for _ in range(600)
    ]
    # Four standard errors of a mean of 600.
    assert np.mean(values) == pytest.approx(RATE, abs=4 * np.std(values) / np.sqrt(600))


@pytest.mark.parametrize(("members", "others"), [(2000, 2000), (4000, 1000), (400, 120), (120, 30)])
def test_false_alarms_are_no_more_frequent_than_promised(members: int, others: int) -> None:
    random = np.random.default_rng(3)
    alarms, judged, sure, trials = 0, 0, 0, 600
    for _ in range(trials):
        point = operating_point(_histogram(random.normal(size=members)), _histogram(random.normal(size=others)))
        alarms += binomial_at_least(*point.tally, RATE) < 0.05
        judged += binomial_at_least(*point.tally, 0.03) < 0.05
        sure += binomial_at_least(*point.tally, 0.03) < 0.0005
    # 5 % and its chance over 600 trials: .05 + 3 * .009. The gate's own question has the room from .01 to .03.
    assert alarms / trials < 0.077
    assert judged / trials < 0.02
    assert sure == 0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    from scipy.stats import norm

    random = np.random.default_rng(4)
    truth = norm.sf(norm.isf(RATE) - 1.0)
    inside, trials = 0, 400
    for _ in range(trials):
        point = operating_point(_histogram(random.normal(size=2000) + 1), _histogram(random.normal(size=2000)))
        low, high = wilson(*point.tally)
        inside += low <= truth <= high
    # .95 less three standard errors of 400 trials.
    assert inside / trials > 0.917


def test_copies_among_few_rows_are_found_with_few_non_members() -> None:
    random = np.random.default_rng(5)
    members = np.where(random.random(120) < 0.6, 6.0, random.normal(size=120))
    point = operating_point(_histogram(members), _histogram(random.normal(size=30)))
    assert wilson(*point.tally)[0] > 0.03


def test_what_can_be_detected_is_detected_four_times_in_five() -> None:
    # A share of copies that lifts the value to what is called detectable.
    goal = detectable(2000, 2000)
    share = (goal - RATE) / (1 - RATE)
    random, found, trials = np.random.default_rng(6), 0, 300
    for _ in range(trials):
        members = np.where(random.random(2000) < share, 6.0, random.normal(size=2000))
        point = operating_point(_histogram(members), _histogram(random.normal(size=2000)))
        found += binomial_at_least(*point.tally, RATE) < 0.05
    assert 0.68 < found / trials < 0.92


def test_more_rows_detect_less() -> None:
    assert detectable(20_000, 5000) < detectable(2000, 2000) < detectable(100, 100) < 0.1


@pytest.mark.parametrize(("members", "others"), [(1300, 1300), (400, 120), (120, 30)])
def test_p_values_are_seldom_small_where_scores_tell_nothing(members: int, others: int) -> None:
    random = np.random.default_rng(4)
    p_values = np.array(
        [
            operating_point(_histogram(random.normal(size=members)), _histogram(random.normal(size=others))).p_value
            for _ in range(4000)
        ]
    )
    # Of 4,000, three standard errors above .01 and .001; by the law of the tally it would be .0025 to .0045 below .001.
    assert np.mean(p_values < 0.01) <= 0.0147
    assert np.mean(p_values < 0.001) <= 0.0025


def test_the_p_value_is_that_of_the_beta_binomial_law() -> None:
    low, high = np.zeros(512, np.int64), np.zeros(512, np.int64)
    # 1,399 non-members, of whom the 14th from the top ends the 1 %; 40 of 1,400 members are above.
    low[0], low[9], high[0], high[9] = 1385, 14, 1360, 40
    found = operating_point(high, low)
    hits = round(found.value * 1400)
    assert found.p_value == pytest.approx(stats.betabinom.sf(hits - 1, 1400, 14, 1386), rel=1e-6)
