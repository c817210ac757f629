"""Every measure lands on its right side on every reference generator, and counts of organisations add up."""

import numpy as np
import pytest

from headwater.evaluation.checks import evaluations
from headwater.evaluation.modes import Modes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.release.policy import decide, load_policy
from support.evaluated import evaluated, read_alone, reference
from support.evidences import honest_measures, make_evidence
from support.reference_generators import SETTINGS, fixture, law, modes_dropped

NORTH = "origin=north"
# The side of each threshold of the standard policy (release.md) that a generator must land on: True where it passes.
# Those that a generator has nothing to do with are left out.
SIDES = {
    "marginals.1-way": ("lower", 0.10, {"safe": True, "biased": True, "shifted": False, "collapsed": False}),
    "marginals.2-way": ("lower", 0.15, {"safe": True, "modes": True, "shifted": False, "collapsed": False}),
    "distinguishable": ("lower", 0.80, {"safe": True, "biased": True, "shifted": False, "collapsed": False}),
    "coverage.modes": ("higher", 0.80, {"safe": True, "memoriser": True, "biased": True, "collapsed": False}),
    "coverage.2-way": ("higher", 0.95, {"safe": True, "biased": True, "memoriser": True, "collapsed": False}),
    "coverage.invented-3-way": ("lower", 0.05, {"safe": True, "modes": True, "shifted": False}),
    "density.recall": ("higher", 0.90, {"safe": True, "memoriser": True, "collapsed": False}),
    "usefulness [approved]": ("higher", 0.95, {"safe": True, "memoriser": True, "modes": True, "collapsed": False}),
    f"bias.ratio [{NORTH}]": ("higher", 0.80, {"safe": True, "modes": True, "biased": False}),
    f"bias.parity [approved: {NORTH}]": ("lower", 0.05, {"safe": True, "modes": True, "biased": False}),
    "bias.odds [approved: origin]": ("lower", 0.05, {"safe": True, "modes": True, "biased": False}),
}
CASES = [(name, generator) for name, (_, _, sides) in SIDES.items() for generator in sides]


@pytest.mark.parametrize(("name", "generator"), CASES)
def test_a_measure_lands_on_its_right_side(name: str, generator: str) -> None:
    better, threshold, sides = SIDES[name]
    value = evaluated(generator)[name].value
    assert value is not None
    assert ((value <= threshold) if better == "lower" else (value >= threshold)) is sides[generator]


def test_coverage_has_the_golden_values_of_the_fixtures() -> None:
    # release.md: .970, .891, .092; the reference law's own collapse is told as .145 in its docstring.
    found = {name: evaluated(name)["coverage.modes"].value for name in ("safe", "modes", "collapsed")}
    assert found["safe"] == pytest.approx(0.970, abs=0.015)
    assert found["modes"] == pytest.approx(0.891, abs=0.02)
    assert found["collapsed"] == pytest.approx(0.12, abs=0.04)


def test_dropped_modes_are_told_from_a_second_sample() -> None:
    found = evaluated("modes")
    for name in ("coverage.modes", "coverage.2-way", "density.recall", "density.coverage"):
        assert (found[name].p_value or 0.0) < 1e-4, name
    # Usefulness is nearly blind to them, as release.md says.
    assert (found["usefulness [approved]"].value or 0.0) > 0.98


@pytest.mark.parametrize(
    ("generator", "coverage", "usefulness"),
    [
        ("safe", set(), set()),
        ("memoriser-5", set(), set()),
        ("modes", {"warn"}, set()),
        ("modes-20", {"warn", "fail"}, set()),
        ("collapsed", {"warn", "fail"}, {"warn"}),
    ],
)
def test_what_the_policy_makes_of_lost_modes(generator: str, coverage: set[str], usefulness: set[str]) -> None:
    if generator == "modes-20":
        train, holdout, random = fixture(0)
        check = Modes(Candidate(modes_dropped(0.2)(train, random)), SETTINGS)
        found = dict.fromkeys(["coverage.modes"], read_alone(check, AuditRows(train, holdout))[0])
    else:
        found = {name: evaluated(generator)[name] for name in ("coverage.modes", "usefulness [approved]")}
    kept = [each for each in honest_measures() if each.check not in ("coverage.modes", "usefulness")]
    files = make_evidence(
        [*kept, *found.values()], source="one holder of files", organisations=1, privacy="none", federation="none"
    )
    outcomes: dict[str, set[str]] = {"coverage.modes": set(), "usefulness": set()}
    for finding in decide(files, load_policy("standard"), now="2026-11-22T12:00:00Z").findings:
        outcomes.get(finding.check, set()).add(finding.outcome)
    assert outcomes["coverage.modes"] - {"pass"} == coverage
    if generator != "modes-20":
        assert outcomes["usefulness"] - {"pass"} == usefulness


def test_an_honest_sample_is_at_its_null_value() -> None:
    for name, measure in evaluated("safe").items():
        if measure.p_value is not None:
            assert measure.p_value > 0.005, name


def test_a_biased_model_serves_the_minority_worse() -> None:
    found = evaluated("biased")
    north, south = (found[f"bias.usefulness [approved: origin={group}]"].value or 0.0 for group in ("north", "south"))
    assert north > 0.01 > 0 > south


def _pooled_and_summed(generator: str) -> list[tuple[Measure, Measure]]:
    candidate, rows = reference(generator)
    halves = [
        AuditRows(
            rows.train.take(np.arange(part, rows.train.rows, 2)),
            rows.holdout.take(np.arange(part, rows.holdout.rows, 2)),
        )
        for part in (0, 1)
    ]
    pairs = []
    for check in evaluations(candidate, SETTINGS):
        if getattr(check, "federated", True):
            summed = check.read(np.sum([check.count(half, np.random.default_rng(3)) for half in halves], axis=0))
            pairs += list(zip(evaluated(generator).of(check.name).values(), summed, strict=True))
    return pairs


@pytest.mark.parametrize("generator", ["biased", "collapsed"])
def test_a_sum_of_two_organisations_reads_like_their_pooled_rows(generator: str) -> None:
    pairs = _pooled_and_summed(generator)
    assert len(pairs) > 12
    for pooled, summed in pairs:
        assert (pooled.name, pooled.status) == (summed.name, summed.status)
        if pooled.check.startswith(("marginals", "coverage.2", "coverage.i", "bias.r", "bias.i", "bias.p")):
            # Counts in public cells: the very same.
            assert summed == pooled
        elif pooled.value is not None and summed.value is not None and pooled.check != "usefulness.curve":
            # Balls and models are each organisation's own, of half the rows.
            assert summed.value == pytest.approx(pooled.value, abs=0.06), pooled.name


def test_organisations_of_one_kind_of_row_each_do_not_miss_what_the_others_have() -> None:
    candidate, rows = reference("safe")
    approved = rows.train.columns["approved"] == 1, rows.holdout.columns["approved"] == 1
    parts = [
        AuditRows(rows.train.take(approved[0] == side), rows.holdout.take(approved[1] == side))
        for side in (True, False)
    ]
    found = {
        measure.name: measure
        for check in evaluations(candidate, SETTINGS)
        if getattr(check, "federated", True)
        for measure in check.read(np.sum([check.count(part, np.random.default_rng(3)) for part in parts], axis=0))
    }
    # Their balls reach to the third neighbour: 1 - 2^-3 = .875.
    assert found["coverage.modes"].value == pytest.approx(0.875, abs=0.02)
    # Nobody there has rows of both classes to tell apart.
    assert found["usefulness [approved]"].status == "inconclusive"


@pytest.mark.parametrize("generator", ["collapsed"])
def test_counts_are_whole_nonnegative_of_fixed_size_and_below_the_limit(generator: str) -> None:
    candidate, rows = reference(generator)
    few = AuditRows(rows.train.take(np.arange(3)), rows.holdout.take(np.arange(3)))
    none = AuditRows(rows.train.take(np.arange(0)), rows.holdout.take(np.arange(0)))
    for check in evaluations(candidate, SETTINGS):
        assert check.about.question.endswith("?")
        for part in (rows, few, none):
            counts = check.count(part, np.random.default_rng(0))
            assert counts.shape == (check.size,), check.name
            assert counts.dtype == np.int64
            assert counts.min(initial=0) >= 0
            assert counts.max(initial=0) < 2**24
            for measure in check.read(counts):
                assert measure.check.startswith(check.name)


def test_too_few_rows_are_inconclusive_with_the_number_needed() -> None:
    random = np.random.default_rng(5)
    few = AuditRows(law(8, random), law(8, random))
    for check in evaluations(Candidate(law(2000, random)), SETTINGS):
        for measure in read_alone(check, few):
            assert measure.status != "measured", measure.name
            if measure.status == "inconclusive":
                assert measure.needed is not None, measure.name
                assert measure.needed > 8, measure.name


def test_measures_do_not_depend_on_the_order_of_rows() -> None:
    candidate, rows = reference("biased")
    order = np.random.default_rng(0).permutation(rows.train.rows)
    turned = AuditRows(rows.train.take(order), rows.holdout.take(order))
    shuffled = Candidate(candidate.table.take(order))
    for one, other in zip(evaluations(candidate, SETTINGS), evaluations(shuffled, SETTINGS), strict=True):
        if one.name.startswith(("marginals", "coverage.2", "bias.r", "bias.p")):
            assert read_alone(one, rows) == read_alone(other, turned)
