"""Empirical ε: large for who remembers, none for who never saw, and below ε for a mechanism that keeps it."""

import math

import numpy as np
import pytest

from headwater.audit.canaries.one_run import OneRun
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.planted import Planted
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.canaries import planted_in, remembering
from support.recipes import small_table

SETTINGS = AuditSettings(canaries=1000)
ROWS = small_table(800)
FRESH = small_table(1000, seed=7)


def epsilon(synthetic: Table | Candidate, *planted: Planted, seed: int = 0) -> Measure:
    check = OneRun(synthetic if isinstance(synthetic, Candidate) else Candidate(synthetic), SETTINGS)
    random = np.random.default_rng(seed)
    counts = [check.count(AuditRows(ROWS, ROWS, each), random) for each in planted]
    (measure,) = check.read(np.sum(counts, axis=0))
    return measure


def value_of(measure: Measure) -> float:
    assert measure.value is not None, measure.reason
    return measure.value


def test_a_memoriser_is_found_and_fresh_rows_are_not() -> None:
    planted = planted_in(ROWS, 1000)
    remembered = epsilon(remembering(FRESH, planted, 1.0, np.random.default_rng(0)), planted)
    assert remembered.tally[:2] == (875, 175)
    assert value_of(remembered) > 3.5
    assert remembered.details["largest"] >= value_of(remembered)
    fresh = epsilon(FRESH, planted)
    assert value_of(fresh) == 0
    assert fresh.detectable is not None
    assert 0.2 < fresh.detectable < 0.6


def told(planted: Planted, budget: float, random: np.random.Generator) -> Table:
    """Each canary that might have been planted is released by randomised response: exactly (ε, 0) for each."""
    truly = random.random(planted.rows.rows) < 1 / (1 + math.exp(-budget))
    return Table.concat([FRESH, planted.rows.take(planted.included == truly)])


@pytest.mark.parametrize("budget", [0.5, 1.0, 2.0])
def test_the_bound_stays_below_the_epsilon_of_a_mechanism_that_keeps_it(budget: float) -> None:
    # Three trials each of a bound that errs in 5 %: two errors or more have a chance of .007.
    random = np.random.default_rng(int(10 * budget))
    found = []
    for seed in range(3):
        planted = planted_in(ROWS, 600, seed=seed)
        found.append(value_of(epsilon(told(planted, budget, random), planted, seed=seed)))
    assert sorted(found)[-2] <= budget
    # And it is no bound that is always 0.
    assert budget < 1 or max(found) > budget / 4


def test_guesses_of_organisations_add_up() -> None:
    planted = [planted_in(ROWS, 200, seed=seed) for seed in (1, 2, 3)]
    synthetic = FRESH
    for each in planted:
        synthetic = remembering(synthetic, each, 1.0, np.random.default_rng(0))
    together = epsilon(synthetic, *planted)
    alone = epsilon(synthetic, planted[0])
    assert together.tally[0] == 3 * alone.tally[0] == 3 * 175
    assert together.tally[1] == 3 * alone.tally[1] == 3 * 35
    assert value_of(together) > value_of(alone) > 1


def test_guesses_follow_from_no_coin() -> None:
    planted = planted_in(ROWS, 300)
    turned = Planted(planted.rows, ~planted.included, planted.rungs, planted.copies)
    candidate = Candidate(FRESH)
    check = OneRun(candidate, SETTINGS)
    one, other = (check.count(AuditRows(ROWS, ROWS, each), np.random.default_rng(5)) for each in (planted, turned))
    # Every coin turned: every right guess is wrong and every wrong one right.
    assert one[2] == other[2] == one[3] + other[3]


def test_without_canaries_nothing_applies_and_few_are_inconclusive() -> None:
    check = OneRun(Candidate(FRESH), AuditSettings())
    nothing = check.count(AuditRows(ROWS, ROWS), np.random.default_rng(0))
    assert check.read(nothing)[0].status == "not applicable"
    few = epsilon(FRESH, planted_in(ROWS, 64))
    assert (few.status, few.needed) == ("inconclusive", 1000)


@pytest.mark.parametrize("wrong", [[1, 2, 0, 0], [200, 100, 40, 41], [200, 100, -2, 0], [200, 100, 40]])
def test_counts_that_cannot_be_are_refused(wrong: list[int]) -> None:
    with pytest.raises(InputError):
        OneRun(Candidate(FRESH), SETTINGS).read(np.array(wrong, np.int64))
