"""Noisy gradients cost what is published, entities included, and calibration asks the accountant."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from headwater.errors import HeadwaterError, InputError
from headwater.privacy import accountant
from headwater.privacy.accountant import beyond, spent
from headwater.privacy.calibration import Part, calibrate, calibrate_gradients, rho_of_budget
from headwater.privacy.discrete_gaussian import LARGEST_VARIANCE
from headwater.privacy.events import LARGEST_SENSITIVITY, Event, NoisyCounts, NoisyGradients, event_of
from headwater.privacy.poisson_sample import WHOLE_RATE, rate_of

DELTA = 1e-6


def gradients(multiplier: float, share: float, steps: int, records: int = 1, sensitivity: int = 2000) -> NoisyGradients:
    variance = math.ceil((multiplier * sensitivity) ** 2) + 4
    return NoisyGradients(variance, sensitivity, rate_of(share), steps, records)


def test_the_reference_of_the_design_is_met() -> None:
    found = spent([gradients(1.0, 0.05, 1000)], 1e-5)
    assert found.epsilon == pytest.approx(10.99, abs=0.01)
    assert found.epsilon_renyi == pytest.approx(12.0, abs=0.1)
    # Without amplification it is 634; what protects nobody is bounded by arithmetic.
    assert spent([gradients(1.0, 1.0, 1000)], 1e-5).epsilon == pytest.approx(649, abs=1)
    assert spent([gradients(10.0, 1.0, 1000)], 1e-5).epsilon == pytest.approx(17.7, abs=0.3)
    event = calibrate_gradients(3.0, 1e-5, rate=rate_of(0.05), steps=1000)
    assert event.noise_multiplier == pytest.approx(2.352, rel=3e-3)


@pytest.mark.parametrize("records", [1, 3])
def test_one_sum_s_epsilon_is_the_integral_that_it_is(records: int) -> None:
    # δ(ε) = ∫ max(0, p − e^ε q), in both directions, of N(0, σ²) and the mixture over sampled records.
    sigma, share, epsilon = 1.5, 0.3, 0.7
    chances = stats.binom.pmf(np.arange(records + 1), records, share)

    def mixed(x: float) -> float:
        return float(chances @ stats.norm.pdf(x, np.arange(records + 1), sigma))

    def without(x: float) -> float:
        return float(stats.norm.pdf(x, 0, sigma))

    deltas = [
        integrate.quad(lambda x, p=p, q=q: max(0.0, p(x) - math.exp(epsilon) * q(x)), -20, 25, limit=500)[0]
        for p, q in ((mixed, without), (without, mixed))
    ]
    found = spent([gradients(sigma, share, 1, records)], max(deltas))
    assert found.epsilon == pytest.approx(epsilon, rel=5e-3)


def test_a_sum_after_the_other_costs_as_all_together_beside_counts() -> None:
    counts = NoisyCounts(4000, 100)
    together = spent([gradients(3.0, 0.02, 300), counts], DELTA)
    apart = spent([*[gradients(3.0, 0.02, 100)] * 2, counts, gradients(3.0, 0.02, 100)], DELTA)
    assert together.epsilon == pytest.approx(apart.epsilon, rel=1e-6)
    assert together.epsilon > spent([counts], DELTA).epsilon
    assert together.epsilon <= together.epsilon_renyi <= together.epsilon_zcdp


def test_an_entity_s_records_are_sampled_one_by_one() -> None:
    one, three = (spent([gradients(4.0, 0.02, 300, records)], DELTA).epsilon for records in (1, 3))
    # Below it: all three in one sum, whenever one is. Above: three times the steps of one record.
    whole = spent([gradients(4.0 / 3, 1 - 0.98**3, 300)], DELTA).epsilon
    assert spent([gradients(4.0, 0.02, 900)], DELTA).epsilon < three < whole
    assert three > 2 * one


@pytest.mark.parametrize(
    "changed",
    [
        {"variance": 9_000_004},
        {"rate": rate_of(0.04)},
        {"steps": 1200},
        {"sensitivity": 4000},
        {"records": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_protects_less_costs_more(changed: dict[str, int]) -> None:
    event = NoisyGradients(36_000_004, 2000, rate_of(0.02), 300)
    other = NoisyGradients(**{name: changed.get(name, getattr(event, name)) for name in event.__dataclass_fields__})
    more, less = spent([other], DELTA), spent([event], DELTA)
    assert more.epsilon > 1.05 * less.epsilon
    assert more.epsilon_renyi > 1.05 * less.epsilon_renyi


def test_a_limit_is_passed_where_the_whole_is_above_it() -> None:
    events: list[Event] = [gradients(3.0, 0.02, 300), NoisyCounts(4000, 100)]
    cost = spent(events, DELTA).epsilon
    assert beyond(events, 0.999 * cost, DELTA) == cost
    assert beyond(events, cost, DELTA) is None


@pytest.mark.parametrize(("epsilon", "records", "honest"), [(0.3, 1, 3), (1.0, 1, 1), (8.0, 1, 3), (1.0, 3, 3)])
def test_a_budget_is_spent_and_not_exceeded(epsilon: float, records: int, honest: int) -> None:
    event = calibrate_gradients(epsilon, DELTA, rate=rate_of(0.02), steps=200, records=records, honest=honest)
    assert 0.985 * epsilon < spent([event], DELTA).epsilon <= epsilon
    # Each organisation can draw its share, and the units are as fine as that allows.
    assert -(-event.variance // honest) <= LARGEST_VARIANCE
    assert event.variance > 0.9 * honest * LARGEST_VARIANCE or event.sensitivity == LARGEST_SENSITIVITY


def test_gradients_get_what_the_counts_leave() -> None:
    counts = calibrate([Part(0.1, 15), Part(0.9, 91)], 0.8, DELTA)
    event = calibrate_gradients(1.0, DELTA, rate=rate_of(0.02), steps=200, beside=counts)
    assert 0.985 < spent([*counts, event], DELTA).epsilon <= 1.0
    alone = calibrate_gradients(1.0, DELTA, rate=rate_of(0.02), steps=200)
    assert event.noise_multiplier > alone.noise_multiplier
    with pytest.raises(InputError, match="leave a share for gradients"):
        calibrate_gradients(0.7, DELTA, rate=rate_of(0.02), steps=200, beside=counts)


def test_noise_beyond_what_can_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="sample less and in fewer sums"):
        calibrate_gradients(0.05, DELTA, rate=WHOLE_RATE, steps=10_000)


@pytest.mark.parametrize("name", ["_epsilon_of_renyi", "epsilon_of_zcdp"])
def test_accountants_that_contradict_each_other_release_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accountant, name, lambda what, delta: 0.01)
    with pytest.raises(HeadwaterError, match="release nothing"):
        spent([gradients(1.0, 0.05, 100)], DELTA)


def test_an_event_is_written_and_read_and_nothing_else_is_one() -> None:
    event = gradients(2.0, 0.02, 300, 2)
    document = event.to_document()
    assert event_of(document) == event
    assert event_of(NoisyCounts(9, 2).to_document()) == NoisyCounts(9, 2)
    for spoilt in (
        {**document, "kind": "laplace"},
        {**document, "more": 1},
        {**document, "variance": 7},
        {**document, "rate": 0.02},
        {**document, "rate": WHOLE_RATE + 1},
        {**document, "records": 33},
        {**document, "steps": True},
        {**document, "sensitivity": LARGEST_SENSITIVITY + 1},
        {name: value for name, value in document.items() if name != "rate"},
    ):
        with pytest.raises(InputError):
            event_of(spoilt)


@pytest.mark.parametrize(
    ("multiplier", "share", "steps", "records"),
    [(3.0, 0.1, 100, 1), (0.8, 0.01, 300, 1), (6.0, 0.2, 50, 5), (4.0, 1.0, 10, 1)],
)
def test_arithmetic_never_finds_more_than_the_accountant(
    multiplier: float, share: float, steps: int, records: int
) -> None:
    # What is told without an accountant refutes a claim that is too small, and must never refute an honest one.
    event = gradients(multiplier, share, steps, records)
    found = spent([event], DELTA).epsilon
    assert event.least_rho <= 1.01 * rho_of_budget(found, DELTA)
    assert event.least_rho <= event.zcdp


def test_without_a_sample_arithmetic_is_exact() -> None:
    assert gradients(4.0, 1.0, 10).least_rho == gradients(4.0, 1.0, 10).zcdp
