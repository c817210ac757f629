"""Exposure: its null law, its golden values, and that it finds who remembers and nobody else."""

import math

import numpy as np
import pytest
from scipy import stats

from headwater.audit.canaries.exposure import CanaryControl, CanaryExposure, critical_mean, null_mean
from headwater.audit.canaries.ranks import ranks_of
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.planted import Planted
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.canaries import planted_in, remembering
from support.recipes import small_table

SETTINGS = AuditSettings(canaries=400)
ROWS = small_table(800)
FRESH = small_table(1500, seed=7)


def exposures(synthetic: Table | Candidate, *planted: Planted, seed: int = 0) -> dict[str, Measure]:
    """Measures by name, of one organisation's canaries or of the sum over several."""
    candidate = synthetic if isinstance(synthetic, Candidate) else Candidate(synthetic)
    found: dict[str, Measure] = {}
    for check in (CanaryExposure(candidate, SETTINGS), CanaryControl(candidate, SETTINGS)):
        random = np.random.default_rng(seed)
        counts = [check.count(AuditRows(ROWS, ROWS, canaries), random) for canaries in planted]
        assert all(count.shape == (check.size,) and count.max() < 1 << 24 for count in counts)
        found |= {measure.name: measure for measure in check.read(np.sum(counts, axis=0))}
    return found


def p_of(measure: Measure) -> float:
    assert measure.p_value is not None, measure.reason
    return measure.p_value


def value_of(measure: Measure) -> float:
    assert measure.value is not None, measure.reason
    return measure.value


@pytest.mark.parametrize(("count", "mean"), [(8, 2.89), (16, 2.41), (32, 2.10), (64, 1.90)])
def test_the_critical_mean_is_the_published_one(count: int, mean: float) -> None:
    assert critical_mean(count) == pytest.approx(mean, abs=0.006)


def test_the_null_mean_is_that_of_uniform_ranks() -> None:
    assert null_mean(10**9) == pytest.approx(1.4427, abs=1e-4)
    for size in (1, 3, 1024):
        ranks = np.arange(1, size + 1)
        assert null_mean(size) == pytest.approx(float(np.mean(math.log2(size) - np.log2(ranks))), abs=1e-9)


@pytest.mark.parametrize("size", [32, 576, 1024])
def test_the_gamma_law_errs_upwards_for_a_set_of_any_size(size: int) -> None:
    # Exact law of the sum of 8 exposures on a grid of 1/64 bit, each rounded down on it as the check does on its own.
    units = np.floor((math.log2(size) - np.log2(np.arange(1, size + 1))) * 64).astype(int)
    one = np.bincount(units) / size
    law = one
    for _ in range(7):
        law = np.convolve(law, one)
    tail = np.cumsum(law[::-1])[::-1]
    gamma = stats.gamma.sf(math.log(2) * np.arange(len(tail)) / 64, 8)
    assert (tail <= gamma + 1e-12).all()


def test_ranks_are_those_of_a_search_through_every_secret() -> None:
    planted, synthetic = planted_in(ROWS, 24), remembering(FRESH, planted_in(ROWS, 24), 0.5, np.random.default_rng(1))
    candidate = Candidate(synthetic.take(np.arange(synthetic.rows - 50, synthetic.rows)))
    ranks = ranks_of(candidate, planted)
    assert ranks_of(candidate, planted) is ranks
    from headwater.audit.canaries.secret_space import SecretSpace

    space = SecretSpace.of(ROWS.schema)
    every = space.combination(np.arange(space.size))
    for place in range(24):
        one = planted.rows.take(np.full(space.size, place))
        completed = candidate.space.points(Table(one.schema, dict(one.columns) | every, one.rows)).astype(np.float64)
        squares = np.square(completed[:, None, :] - candidate.points[None, :, :].astype(np.float64)).sum(axis=2)
        distances = np.sqrt(squares.min(axis=1))
        mine = distances[space.member(planted.rows)[place]]
        # Float32 against float64: distances within the rounding of either may count as equal.
        assert (distances < mine - 2e-4).sum() <= ranks.nearer[place] <= (distances < mine + 2e-4).sum()
        assert ranks.nearer[place] + ranks.level[place] <= (distances < mine + 2e-4).sum()


def test_a_memoriser_is_found_and_the_doses_stand_in_order() -> None:
    # One row in ten is copied: 10 %, 34 % and 81 % of canaries that were planted once, four and sixteen times.
    several = [planted_in(ROWS, 400, seed=seed) for seed in (1, 2, 3)]
    synthetic = FRESH
    for planted in several:
        synthetic = remembering(synthetic, planted, 0.1, np.random.default_rng(2))
    found = exposures(synthetic, *several)
    assert p_of(found["canaries.exposure"]) < 0.01
    doses = [value_of(found[f"canaries.exposure [dose={rung}]"]) for rung in (1, 4, 16)]
    assert doses[0] < doses[1] < doses[2]
    assert p_of(found["canaries.exposure [dose=16]"]) < 1e-4
    assert p_of(found["canaries.control"]) >= 0.01
    (one, *_) = several
    whole = exposures(remembering(FRESH, one, 1.0, np.random.default_rng(2)), one)["canaries.exposure"]
    assert value_of(whole) > 9
    assert whole.detectable is not None
    assert 1.44 < whole.detectable < 2


def test_a_generator_that_never_saw_them_is_not_found_more_often_than_it_may() -> None:
    # 60 secrets of 32 canaries against one honest table, at 1 %: more than 4 alarms of a check have a chance of .0004.
    candidate = Candidate(FRESH.take(np.arange(300)))
    alarms = {"canaries.exposure": 0, "canaries.control": 0}
    values = []
    for seed in range(60):
        found = exposures(candidate, planted_in(ROWS, 32, seed=100 + seed), seed=seed)
        values.append(value_of(found["canaries.exposure"]))
        for name in alarms:
            alarms[name] += p_of(found[name]) < 0.01
    assert max(alarms.values()) <= 4
    # Standard deviation of one exposure is 1.44; here of the mean over about 60 x 16.
    assert np.mean(values) == pytest.approx(null_mean(1024), abs=4 * 1.44 / math.sqrt(60 * 16))


def test_organisations_counts_add_up() -> None:
    planted = [planted_in(ROWS, 60, seed=seed) for seed in (1, 2, 3)]
    synthetic = Candidate(remembering(FRESH, planted[0], 1.0, np.random.default_rng(0)))
    apart = [exposures(synthetic, each) for each in planted]
    together = exposures(synthetic, *planted)
    for name in ("canaries.exposure", "canaries.control"):
        trials = [each[name].trials for each in apart]
        mean = sum(value_of(each[name]) * count for each, count in zip(apart, trials, strict=True)) / sum(trials)
        assert together[name].trials == sum(trials)
        assert value_of(together[name]) == pytest.approx(mean, abs=0.15)


def test_canaries_that_were_planted_after_all_make_the_control_fail() -> None:
    planted = planted_in(ROWS, 64)
    wrong = Planted(planted.rows, ~planted.included, planted.rungs, planted.copies)
    found = exposures(remembering(FRESH, planted, 1.0, np.random.default_rng(0)), wrong)
    assert p_of(found["canaries.control"]) < 1e-6


def test_without_canaries_nothing_applies_and_few_are_inconclusive() -> None:
    check = CanaryExposure(Candidate(FRESH), AuditSettings())
    nothing = check.count(AuditRows(ROWS, ROWS), np.random.default_rng(0))
    assert [measure.status for measure in check.read(nothing)] == ["not applicable"] * 4
    found = exposures(FRESH, planted_in(ROWS, 10))
    assert found["canaries.exposure"].status == "inconclusive"
    assert found["canaries.exposure"].needed == 8


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full(9, -1), np.array([1, 0, 9, 0, 0, 0, 0, 0, 0])])
def test_counts_that_cannot_be_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="count anew"):
        CanaryExposure(Candidate(FRESH), SETTINGS).read(wrong.astype(np.int64))
