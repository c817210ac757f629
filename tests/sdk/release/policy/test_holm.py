"""Holm's adjustment: worked examples, laws, and the family-wise error of a whole policy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.evidence.measure import Measure
from headwater.release.policy import decide, load_policy
from headwater.release.policy.holm import holm
from support.evidences import honest_measures, make_evidence

PROBABILITIES = st.lists(st.floats(0, 1), max_size=12)


def test_worked_example() -> None:
    # Holm 1979's procedure at 5 %: 4 · .01, 3 · .02, 2 · .03 after the larger before it, and so on.
    assert holm([0.03, 0.01, 0.04, 0.005]) == pytest.approx((0.06, 0.03, 0.06, 0.02))
    assert holm([]) == ()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="not between 0 and 1"):
        holm([0.5, wrong])


def step_down(p_values: list[float], error: float) -> set[int]:
    """The procedure as it is written: reject from the smallest until one is too large."""
    rejected: set[int] = set()
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[index] * (len(p_values) - rank) > error:
            break
        rejected.add(index)
    return rejected


@given(PROBABILITIES, st.floats(0.001, 0.4))
def test_adjusted_values_reject_what_the_procedure_rejects(p_values: list[float], error: float) -> None:
    assert {i for i, p in enumerate(holm(p_values)) if p <= error} == step_down(p_values, error)


@given(PROBABILITIES)
def test_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1.0, len(p_values) * p) or adjusted == pytest.approx(min(1.0, len(p_values) * p))


def test_honest_candidates_at_the_thresholds_are_failed_in_one_of_twenty_at_most() -> None:
    """Every test of a policy at its own null: 400 trials, at most 5 % alarms; .083 is the 99.9 % point of that."""
    policy = load_policy("standard")
    random = np.random.default_rng(20261122)
    names = {"membership.nearest", "membership.domias-1", "membership.domias-5", "membership.classifier"}
    tested = ("copies.near", "copies.rare", "copies.partial", "canaries.exposure")
    kept = [m for m in honest_measures() if m.check not in {*names, *tested}]
    alarms = 0
    trials = 400
    for _ in range(trials):
        measures = list(kept)
        for name in sorted(names):
            for subject in ("", "outliers", "sex=Female", "sex=Male"):
                # At ε = 3 the threshold is .03 itself.
                hits = int(random.binomial(2000, 0.03))
                measures.append(
                    Measure(
                        check=name, subject=subject, value=hits / 2000, law="binomial", tally=(hits, 2000), trials=2000
                    )
                )
        measures = [m for m in measures if m.check not in names or m.tally[1] == 2000]
        for name in tested:
            chance = float(random.random())
            measures.append(Measure(check=name, value=0.5, law="test", p_value=chance, trials=1000))
        evidence = make_evidence(measures, privacy=_epsilon_three())
        alarms += decide(evidence, policy, now="2026-11-21T12:00:00Z").verdict == "fail"
    assert alarms / trials <= 0.083
    assert alarms > 0


def _epsilon_three() -> dict[str, object]:
    return {"epsilon": 3.0, "delta": 1e-6, "unit": "record", "events": 3, "replay": "exact"}
