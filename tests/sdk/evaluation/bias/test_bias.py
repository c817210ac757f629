"""Bias, by fairlearn's metrics and by hand."""

import math

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from headwater.evaluation.bias.odds import Odds, odds_difference
from headwater.evaluation.bias.parity import Parity
from headwater.evaluation.bias.privacy import privacy_gap
from headwater.evaluation.bias.shares import GroupRatio, Intersections
from headwater.evaluation.learners import answers
from headwater.evaluation.tasks import tasks_of
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table
from support.evaluated import evaluated, read_alone, reference
from support.reference_generators import SETTINGS, law

TWO_COLUMNS = SETTINGS.model_copy(update={"groups": ("origin", "region")})


def test_the_odds_difference_is_fairlearns() -> None:
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 2, 600), random.integers(0, 2, 600)
    group = random.choice(3, 600, p=[0.6, 0.3, 0.1])
    counts = [
        np.array([[((group == g) & (truth == t) & mask).sum() for t in (0, 1)] for g in range(3)])
        for mask in (said == 1, said >= 0)
    ]
    expected = equalized_odds_difference(truth, said, sensitive_features=group)
    assert odds_difference(counts[0], counts[1], 1) == pytest.approx(expected)
    # A group with too few rows of an outcome is left out of it.
    kept = group < 2
    expected = equalized_odds_difference(truth[kept], said[kept], sensitive_features=group[kept])
    assert odds_difference(counts[0], counts[1], 60) == pytest.approx(expected)


@pytest.mark.parametrize("generator", ["biased", "modes"])
def test_the_excess_is_fairlearns_of_both_models(generator: str) -> None:
    candidate, rows = reference(generator)
    measure = read_alone(Odds(candidate, SETTINGS), rows)[0]
    task = tasks_of(candidate, SETTINGS)[0]
    said = answers(candidate, rows, task, np.random.default_rng(0))
    origin = said.table.columns["origin"]
    ours, theirs = (
        equalized_odds_difference(said.truth, scores.argmax(axis=1), sensitive_features=origin)
        for scores in (said.synthetic, said.real)
    )
    assert measure.value == pytest.approx(ours - theirs)
    assert measure.details["synthetic model"] == pytest.approx(ours)
    assert measure.null == measure.details["floor"]


def test_parity_is_fairlearns_where_there_are_two_groups() -> None:
    candidate, rows = reference("biased")
    settings = SETTINGS.model_copy(update={"groups": ("approved",), "tasks": ("origin",)})
    # Of two groups the difference to all others is that between them.
    found = read_alone(Parity(candidate, settings), rows)
    assert len(found) == 1
    differences = [
        demographic_parity_difference(
            table.columns["origin"] == place,
            table.columns["origin"] == place,
            sensitive_features=table.columns["approved"],
        )
        for table in (candidate.table, rows.train)
        for place in range(3)
    ]
    synthetic, real = np.array(differences).reshape(2, 3)
    assert found[0].value == pytest.approx(float((synthetic - real).max()), abs=0.02)


def test_a_difference_turned_round_counts_in_full() -> None:
    random = np.random.default_rng(0)
    table = law(4000, random)

    def with_gap(rows: Table, sign: int) -> Table:
        side = (rows.columns["origin"] == 0).astype(float) * sign
        approved = (random.random(rows.rows) < 0.5 + 0.2 * side).astype(np.int32)
        return Table(rows.schema, {**rows.columns, "approved": approved}, rows.rows)

    real = AuditRows(with_gap(law(4000, random), 1), with_gap(law(4000, random), 1))
    values = {
        sign: read_alone(Parity(Candidate(with_gap(table, sign)), SETTINGS), real)[0].value for sign in (1, 0, -1)
    }
    assert values[1] == pytest.approx(0, abs=0.05)
    assert (values[0] or 0.0) < 0.05
    assert values[-1] == pytest.approx(0.2, abs=0.05)


def test_ratios_of_groups_and_intersections_are_those_of_counting() -> None:
    candidate, rows = reference("biased")
    found = {m.name: m for kind in (GroupRatio, Intersections) for m in read_alone(kind(candidate, TWO_COLUMNS), rows)}
    for origin, region in ((2, 0), (0, 3)):
        shares = [
            float(((table.columns["origin"] == origin) & (table.columns["region"] == region)).mean())
            for table in (candidate.table, rows.train)
        ]
        names = ("south", "east", "north")[origin], ("hill", "coast", "plain", "town")[region]
        measure = found[f"bias.intersections [origin={names[0]} & region={names[1]}]"]
        assert measure.value == pytest.approx(shares[0] / shares[1])
    assert len([name for name in found if name.startswith("bias.intersections")]) == 12
    assert (found["bias.intersections [origin=north & region=hill]"].value or 1.0) < 0.8


def test_groups_too_small_to_judge_are_left_out_and_counted() -> None:
    candidate, rows = reference("safe")
    settings = AuditSettings(groups=("work",), least_group=30)
    found = read_alone(GroupRatio(candidate, settings), rows)
    assert len(found) == 8
    counts = np.bincount(rows.train.columns["work"])
    assert found[0].details["groups too small to judge"] == ((counts > 0) & (counts < 30)).sum() > 0
    none = read_alone(GroupRatio(candidate, AuditSettings(groups=("work",), least_group=5000)), rows)[0]
    assert none.status == "inconclusive"
    assert (none.needed or 0) > 2000


def test_honest_groups_are_outside_their_interval_as_often_as_promised() -> None:
    outside = trials = 0
    for seed in range(60):
        random = np.random.default_rng(1000 + seed)
        rows = AuditRows(law(600, random), law(200, random))
        candidate = Candidate(law(600, random))
        for check in (GroupRatio(candidate, SETTINGS), Parity(candidate, SETTINGS)):
            for measure in read_alone(check, rows):
                outside += (measure.p_value or 1.0) < 0.05
                trials += 1
    # Six figures of one table hang together: twice the binomial's deviation, three times over.
    assert trials == 360
    assert outside / trials < 0.05 + 6 * math.sqrt(0.05 * 0.95 / trials)


def _membership(check: str, subject: str, hits: int, trials: int = 1000) -> Measure:
    value = hits / trials
    half = 1.96 * math.sqrt(value * (1 - value) / trials)
    return Measure(
        check=check,
        subject=subject,
        value=value,
        low=value - half,
        high=value + half,
        null=0.01,
        law="binomial",
        tally=(hits, trials),
        trials=trials,
    )


def test_the_privacy_gap_is_the_worst_attacks() -> None:
    measures = [
        _membership("membership.nearest", "", 12),
        _membership("membership.nearest", "sex=f", 14),
        _membership("membership.domias-5", "", 15),
        _membership("membership.domias-5", "sex=f", 65),
        _membership("membership.domias-5", "sex=m", 15),
        _membership("membership.domias-5", "outliers", 500),
        *evaluated("safe").of("bias.ratio").values(),
    ]
    found = {measure.subject: measure for measure in privacy_gap(measures)}
    assert set(found) == {"sex=f", "sex=m"}
    assert found["sex=f"].value == pytest.approx(0.05)
    assert (found["sex=f"].p_value or 0.0) < 1e-6
    assert found["sex=m"].value == 0
    assert found["sex=m"].p_value == 0.5


def test_the_privacy_gap_says_where_there_is_none() -> None:
    assert privacy_gap([_membership("membership.nearest", "", 10)])[0].status == "not applicable"
    small = Measure(
        check="membership.nearest", subject="sex=f", status="inconclusive", reason="12 rows of it", needed=300
    )
    found = privacy_gap([_membership("membership.nearest", "", 10), small])[0]
    assert (found.status, found.reason, found.needed) == ("inconclusive", "12 rows of it", 300)
