"""Canaries under a plan: in every sum over training rows by exactly their copies, and in no other part."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.audit.canaries.checks import canary_checks
from headwater.audit.canaries.commitment import CanarySecret
from headwater.contribution.auditing import audit_rows
from headwater.contribution.canaries import (
    CanarySeed,
    canaries_of,
    opened_canaries,
    plant_canaries,
    with_canaries,
)
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import sample_table
from headwater.contribution.splits import row_positions, split_rows
from headwater.encoding.grid import Histograms
from headwater.errors import InputError, PeerError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.planted import Planted
from headwater.evidence.settings import AuditSettings
from headwater.recipe.actions import Aggregate
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import build_recipe
from headwater.schema import CategoricalColumn, Schema
from headwater.schema.table import Table
from support.consortium import ConsortiumInMemory
from support.private import followed, private_plan
from support.recipes import small_plan, small_table

SECRET, RUN = b"\x07" * 32, "0f" * 16
ROWS = small_table(600)
SIZES = {"work": 12, "region": 12, "floor": 5, "outcome": 2}


def audited(plan: Plan, canaries: int = 96) -> Plan:
    document = plan.model_dump(mode="json", by_alias=True)
    document["audit"] = {"policy": "standard", "settings": {"canaries": canaries}}
    return Plan.model_validate(document)


def planted(plan: Plan, rows: Table = ROWS, secret: bytes = SECRET, members: int = 1) -> Planted:
    found = plant_canaries(rows, plan, CanarySeed(secret, RUN, members))
    assert found is not None
    return found


PLAN = audited(small_plan())


def test_a_plan_without_canaries_plants_none() -> None:
    for plan in (small_plan(), audited(small_plan(), canaries=0)):
        assert canaries_of(plan, 3) == 0
        assert plant_canaries(ROWS, plan, CanarySeed(SECRET, RUN, 3)) is None
    assert with_canaries(ROWS, None) is ROWS
    assert planted(PLAN, members=5).rows.rows == canaries_of(PLAN, 5) == 20


def test_histograms_rise_by_the_planted_copies_and_by_nothing_else() -> None:
    found = planted(PLAN)
    action = build_recipe(PLAN).next()
    assert isinstance(action, Aggregate)
    task = action.task
    layout = layout_of_counts(task.length - layout_of_counts(0).length)
    without, along = (contribute(task, b"", rows, PLAN).astype(np.int64) for rows in (ROWS, with_canaries(ROWS, found)))
    copies = found.rows.take(np.repeat(np.arange(96), np.where(found.included, found.rungs, 0)))
    assert copies.rows == int(found.rungs[found.included].sum()) > 96 / 2
    histograms = Histograms.of(PLAN.schema_, PLAN.recipe.encoding)
    risen = (along - without)[: layout.payload]
    np.testing.assert_array_equal(risen, histograms.count(copies))
    # The weight is the number of training rows: the copies are among them.
    assert (along - without)[layout.payload] == copies.rows


@pytest.mark.parametrize("plan", [PLAN, audited(private_plan(1.0))])
def test_validation_and_audit_rows_stay_untouched(plan: Plan) -> None:
    both = with_canaries(ROWS, planted(plan))
    for part in ("validation", "audit"):
        one, other = split_rows(ROWS, plan.splits, part), split_rows(both, plan.splits, part)
        np.testing.assert_array_equal(row_positions(one), row_positions(other))
    added = split_rows(both, plan.splits, "train").rows - split_rows(ROWS, plan.splits, "train").rows
    assert added == planted(plan).training_rows.rows


def test_canaries_say_nothing_of_validation_and_audit_rows() -> None:
    train = split_rows(ROWS, PLAN.splits, "train")
    one, other = planted(PLAN), planted(PLAN, train)
    np.testing.assert_array_equal(row_positions(one.rows), row_positions(other.rows))


def test_under_a_budget_a_person_who_comes_or_goes_changes_no_canary() -> None:
    plan = audited(private_plan(1.0))
    one, other = planted(plan), planted(plan, ROWS.take(np.arange(1, ROWS.rows)))
    np.testing.assert_array_equal(row_positions(one.rows), row_positions(other.rows))
    np.testing.assert_array_equal(one.included, other.included)


def test_a_canary_has_no_more_records_than_a_budget_counts_of_a_person() -> None:
    persons = planted(audited(private_plan(1.0, unit="entity", records=2)))
    assert (persons.copies.max(), persons.rungs.max()) == (2, 16)
    assert planted(audited(private_plan(1.0))).copies.max() == 16


def test_two_organisations_with_equal_rows_plant_different_canaries() -> None:
    one, other = planted(PLAN), planted(PLAN, secret=b"\x08" * 32)
    assert not np.intersect1d(row_positions(one.rows), row_positions(other.rows)).size


def test_an_audit_takes_no_canary_for_a_person() -> None:
    found = planted(PLAN)
    rows, skipped = audit_rows(with_canaries(ROWS, found), PLAN.splits)
    plain, _ = audit_rows(ROWS, PLAN.splits)
    assert (rows.canaries, plain.canaries, skipped) == (found, None, 0)
    np.testing.assert_array_equal(row_positions(rows.train), row_positions(plain.train))
    np.testing.assert_array_equal(row_positions(rows.holdout), row_positions(plain.holdout))


def test_under_a_budget_whoever_has_no_row_derives_the_canaries_of_an_opened_secret() -> None:
    plan, opened = audited(private_plan(1.0)), CanarySecret(SECRET, bytes(32))
    commitment = opened.commitment(RUN, "org-1")
    found = opened_canaries(plan, opened, run_id=RUN, member="org-1", members=1, commitment=commitment)
    own = planted(plan)
    np.testing.assert_array_equal(row_positions(found.rows), row_positions(own.rows))
    np.testing.assert_array_equal(found.included, own.included)
    # Another secret, one of another organisation, and canaries that are made of rows.
    other = CanarySecret(bytes(32), bytes(32))
    with pytest.raises(PeerError, match="another secret"):
        opened_canaries(plan, other, run_id=RUN, member="org-1", members=1, commitment=commitment)
    with pytest.raises(PeerError, match="another secret"):
        opened_canaries(plan, opened, run_id=RUN, member="org-2", members=1, commitment=commitment)
    for wrong, said in ((PLAN, "mixed from rows"), (private_plan(1.0), "nothing to open")):
        with pytest.raises(InputError, match=said):
            opened_canaries(wrong, opened, run_id=RUN, member="org-1", members=1, commitment=commitment)


def test_the_measured_epsilon_of_a_private_run_stays_below_its_budget() -> None:
    # A bound that errs in 5 %, of a run that is private by its noise: an ε of 1 would be refuted by chance in less
    # than one seed of twenty, and in fact the release is far from remembering one row.
    columns = [CategoricalColumn(name=name, categories=tuple("abcdefghijkl")[:size]) for name, size in SIZES.items()]
    plan = audited(private_plan(1.0, schema=Schema(name="small", columns=tuple(columns)).to_document()), 480)
    random = np.random.default_rng(1)
    parts, canaries = [], []
    for place in range(3):
        codes = {name: random.integers(0, size, 300).astype(np.int32) for name, size in SIZES.items()}
        parts.append(Table(plan.schema_, codes, 300))
        canaries.append(planted(plan, parts[-1], bytes([place]) * 32, members=3))
    _, done = followed(plan, [with_canaries(*each) for each in zip(parts, canaries, strict=True)], seed=4)
    synthetic = Candidate(sample_table(done.model, done.encoding, 900, 0, device="cpu"))
    found: dict[str, Measure] = {}
    for check in canary_checks(synthetic, AuditSettings(canaries=480), delta=1e-6):
        counts = [check.count(AuditRows(rows, rows, each), random) for rows, each in zip(parts, canaries, strict=True)]
        found |= {measure.name: measure for measure in check.read(np.sum(counts, axis=0))}
    epsilon, control = found["canaries.one-run"], found["canaries.control"]
    assert epsilon.trials == 3 * 140
    assert epsilon.value is not None
    assert epsilon.value < 1.0
    assert control.p_value is not None
    assert control.p_value >= 0.01


def test_canaries_of_another_schema_are_refused() -> None:
    other = ConsortiumInMemory().plan()
    columns = {"age": np.full(30, 40.0), "ward": np.zeros(30, np.int32), "returned": np.zeros(30, np.int32)}
    found = planted(audited(other, 4), Table(other.schema_, columns, 30))
    with pytest.raises(InputError, match="another schema"):
        with_canaries(ROWS, found)
