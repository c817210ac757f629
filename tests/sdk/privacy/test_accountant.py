"""The accountant agrees with published numbers and with itself, and calibration asks it and no formula."""

import math

import pytest
from scipy import stats

from headwater.errors import HeadwaterError, InputError
from headwater.privacy import accountant
from headwater.privacy.accountant import beyond, epsilon_of_zcdp, spent
from headwater.privacy.calibration import Part, calibrate, gaussian_delta, rho_of_budget
from headwater.privacy.events import NoisyCounts

DELTA = 1e-6


def test_one_count_costs_what_the_gaussian_mechanism_costs() -> None:
    # By Balle and Wang's formula, solved here by bisection; the discrete Gaussian costs no more.
    event = NoisyCounts(variance=400, tables=1)
    low, high = 0.0, 5.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(event.zcdp, middle) > DELTA else (low, middle)
    found = spent([event], DELTA)
    assert found.epsilon == pytest.approx(high, rel=2e-3)
    assert found.epsilon <= found.epsilon_zcdp
    assert found.rho == pytest.approx(1 / 800)


def test_delta_of_a_gaussian_is_the_integral_that_it_is() -> None:
    mu, epsilon = 0.5, 0.8
    # ∫ max(0, p(x) − e^ε q(x)) dx for N(μ, 1) and N(0, 1); the integrand is positive from one point on.
    start = epsilon / mu + mu / 2
    exact = stats.norm.sf(start - mu) - math.exp(epsilon) * stats.norm.sf(start)
    assert gaussian_delta(mu**2 / 2, epsilon) == pytest.approx(exact, rel=1e-9)
    assert gaussian_delta(200.0, 600.0) < 1e-12


def test_tables_together_cost_as_much_as_one_after_the_other() -> None:
    together = spent([NoisyCounts(900, 12)], DELTA)
    apart = spent([NoisyCounts(900, 1)] * 12, DELTA)
    assert together == apart
    assert spent([NoisyCounts(900, 5), NoisyCounts(100, 2)], DELTA) == spent(
        [NoisyCounts(100, 2), NoisyCounts(900, 5)], DELTA
    )


def test_an_entity_of_three_records_costs_as_noise_of_a_third() -> None:
    entity = spent([NoisyCounts(900, 4, records=3)], DELTA)
    record = spent([NoisyCounts(100, 4)], DELTA)
    assert entity.rho == pytest.approx(record.rho)
    assert entity.epsilon == pytest.approx(record.epsilon, rel=5e-3)


def test_halved_noise_and_a_forgotten_event_are_seen() -> None:
    events = [NoisyCounts(2916, 14), NoisyCounts(1936, 13)]
    whole = spent(events, DELTA).epsilon
    assert spent([NoisyCounts(729, 14), events[1]], DELTA).epsilon > 1.3 * whole
    assert spent(events[:1], DELTA).epsilon < 0.9 * whole


def test_nothing_costs_nothing() -> None:
    assert spent([], DELTA).epsilon == 0.0


def test_zcdp_is_the_bound_that_is_published() -> None:
    # Bun and Steinke's ρ + 2√(ρ log 1/δ) is looser at every ρ; the privacy profile of a Gaussian is tighter.
    for rho in (1e-4, 0.0244, 0.5, 20.0):
        found = epsilon_of_zcdp(rho, DELTA)
        assert found <= rho + 2 * math.sqrt(rho * math.log(1 / DELTA))
        assert gaussian_delta(rho, found) <= DELTA
    assert epsilon_of_zcdp(0.0, DELTA) == 0.0


@pytest.mark.parametrize(("epsilon", "rho"), [(1.0, 0.0244), (3.0, 0.185)])
def test_the_exact_curve_of_a_gaussian_buys_a_sixth_more_than_zcdp(epsilon: float, rho: float) -> None:
    assert epsilon_of_zcdp(rho, DELTA) == pytest.approx(epsilon, rel=0.02)
    assert 1.08 * rho < rho_of_budget(epsilon, DELTA) < 1.2 * rho


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
@pytest.mark.parametrize("records", [1, 4])
def test_a_budget_is_spent_and_not_exceeded(epsilon: float, records: int) -> None:
    parts = (Part(0.10, 15), Part(0.15, 14), Part(0.65, 91), Part(0.10, 3))
    events = calibrate(parts, epsilon, DELTA, records)
    cost = spent(events, DELTA).epsilon
    assert 0.97 * epsilon < cost <= epsilon
    for part, event in zip(parts, events, strict=True):
        assert event.tables == part.tables
        assert event.zcdp / sum(other.zcdp for other in events) == pytest.approx(part.share, rel=0.1)


def test_a_budget_that_no_noise_keeps_is_refused() -> None:
    with pytest.raises(InputError, match="larger budget or count less"):
        calibrate([Part(1.0, 10_000)], 0.01, DELTA)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_what_is_no_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(InputError, match="ε is"):
        calibrate([Part(1.0, 1)], epsilon, DELTA)


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, math.nan])
def test_what_is_no_delta_is_refused(delta: float) -> None:
    with pytest.raises(InputError, match="δ is"):
        calibrate([Part(1.0, 1)], 1.0, delta)
    with pytest.raises(InputError, match="δ is"):
        spent([NoisyCounts(100, 1)], delta)


@pytest.mark.parametrize("parts", [[], [Part(0.0, 1)], [Part(math.nan, 1)], [Part(1.0, 0)]])
def test_what_is_no_share_is_refused(parts: list[Part]) -> None:
    with pytest.raises(InputError, match="shared among parts"):
        calibrate(parts, 1.0, DELTA)


def test_accountants_that_contradict_each_other_release_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accountant, "epsilon_of_zcdp", lambda rho, delta: 0.01)
    with pytest.raises(HeadwaterError, match="release nothing"):
        spent([NoisyCounts(100, 3)], DELTA)


def test_an_event_is_written_and_read_and_nothing_else_is_one() -> None:
    event = NoisyCounts(2916, 14, 2)
    document = event.to_document()
    assert NoisyCounts.from_document(document) == event
    for spoilt in (
        {**document, "kind": "laplace"},
        {**document, "more": 1},
        {**document, "variance": 0},
        {**document, "variance": 5.0},
        {**document, "tables": True},
        {**document, "records": -1},
    ):
        with pytest.raises(InputError):
            NoisyCounts.from_document(spoilt)


def test_what_is_beyond_a_limit_is_what_the_accountant_says_and_no_more() -> None:
    events = [NoisyCounts(900, 12), NoisyCounts(400, 3)]
    cost = spent(events, DELTA)
    assert beyond(events, cost.epsilon_zcdp, DELTA) is None
    # Below the bound of zCDP the loss distribution decides.
    assert cost.epsilon < cost.epsilon_zcdp
    assert beyond(events, cost.epsilon, DELTA) is None
    assert beyond(reversed(events), cost.epsilon, DELTA) is None
    assert beyond(events, cost.epsilon * 0.9999, DELTA) == cost.epsilon
    assert beyond([], 0.0, DELTA) is None


@pytest.mark.parametrize("event", [NoisyCounts(1, 1, 100), NoisyCounts(100, 100, 100), NoisyCounts(1, 250_000, 10**6)])
def test_what_protects_nobody_is_bounded_by_arithmetic_alone(event: NoisyCounts) -> None:
    cost = spent([event], DELTA)
    assert 100 < cost.epsilon == cost.epsilon_zcdp


def test_the_widest_event_is_accounted_for() -> None:
    found = spent([NoisyCounts(2**24, 250_000)], 1e-6)
    assert 0.4 < found.epsilon <= found.epsilon_renyi
