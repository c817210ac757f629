"""An organisation's canaries: committed to when it approves, kept, and planted when it takes part."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from headwater.agreement.approval import SignedApproval
from headwater.agreement.plan import Plan
from headwater.audit.canaries.commitment import CanarySecret, verify_commitment
from headwater.contribution.canaries import CanarySeed, PlantedTable
from headwater.contribution.contribute import contribute
from headwater.errors import InputError, StorageError
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.schema import CategoricalColumn, Schema
from headwater.secagg.protocol.events import RoundSummed
from headwater_client.canaries import canary_seed, commitment_of
from headwater_client.connectors import ArrowSource, open_source
from headwater_client.membership import Membership
from headwater_client.plan_rows import read_rows
from headwater_client.store import Store, StoredDecision
from support.consortium import ConsortiumInMemory
from support.offices import Office, approve_everywhere, close_all, rows_of
from support.organisations import RUN, EnrolledConsortium
from support.private import private_plan
from support.recipes import small_table
from support.sessions import Desk

AUDIT = {"policy": "standard", "settings": {"canaries": 12}}
WORLD = ConsortiumInMemory()
ONE, OTHER = (CanarySecret(bytes([fill]) * 32, bytes(32)) for fill in (1, 2))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.db")


def test_a_run_has_one_secret_for_good(store: Store, tmp_path: Path) -> None:
    assert store.canary_secret(RUN) is None
    assert store.keep_canary_secret(RUN, ONE) == ONE
    assert store.keep_canary_secret(RUN, OTHER) == ONE
    store.close()
    assert Store(tmp_path / "state.db").canary_secret(RUN) == ONE


def test_a_file_from_before_canaries_keeps_them_from_now_on(store: Store, tmp_path: Path) -> None:
    proposal = WORLD.proposal()
    store.record_decision(proposal, WORLD.approval(proposal), by_rule=False)
    store.close()
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as database:
        database.executescript("DROP TABLE attacked; DROP TABLE attempt_seen; DROP TABLE canary_opening")
        database.executescript("DROP TABLE canary_secret; PRAGMA user_version = 5")
    later = Store(tmp_path / "state.db")
    assert later.decision(RUN) is not None
    assert later.keep_canary_secret(RUN, ONE) == ONE


def test_a_plan_without_canaries_is_committed_to_by_nothing(store: Store) -> None:
    assert commitment_of(store, WORLD.proposal(), "org-1") is None
    assert store.canary_secret(RUN) is None


def test_the_commitment_binds_the_secret_that_is_kept(store: Store) -> None:
    proposal = WORLD.proposal(WORLD.plan(audit=AUDIT))
    commitment = commitment_of(store, proposal, "org-1")
    kept = store.canary_secret(RUN)
    assert kept is not None
    assert commitment is not None
    assert verify_commitment(kept, RUN, "org-1", commitment)
    assert not verify_commitment(kept, RUN, "org-2", commitment)
    # Decided on again, the run has the same canaries.
    assert commitment_of(store, proposal, "org-1") == commitment


def test_a_schema_without_room_for_canaries_is_refused_before_anything_is_signed(store: Store) -> None:
    schema = Schema(name="lone", columns=(CategoricalColumn(name="only", categories=("x", "y")),))
    proposal = WORLD.proposal(WORLD.plan(audit=AUDIT, schema=schema.to_document()))
    with pytest.raises(InputError, match="canaries = 0"):
        commitment_of(store, proposal, "org-1")
    assert store.canary_secret(RUN) is None


def decided(store: Store, secret: CanarySecret = ONE) -> StoredDecision:
    proposal = WORLD.proposal(WORLD.plan(audit=AUDIT))
    store.keep_canary_secret(RUN, secret)
    signed = WORLD.approval(proposal)
    approval = signed.approval.model_copy(update={"canary_commitment": ONE.commitment(RUN, "org-1")})
    return StoredDecision(proposal, SignedApproval.sign(approval, WORLD.keys["org-1"]), by_rule=False)


def test_another_secret_than_the_one_committed_to_plants_nothing(store: Store) -> None:
    assert canary_seed(store, decided(store), WORLD.charter(), "org-1") == CanarySeed(ONE.secret, RUN, 3)
    other = Store(store._file.with_name("other.db"))
    with pytest.raises(StorageError, match="committed to"):
        canary_seed(other, decided(other, OTHER), WORLD.charter(), "org-1")
    gone = Store(store._file.with_name("gone.db"))
    with pytest.raises(StorageError, match="committed to"):
        canary_seed(gone, decided(store), WORLD.charter(), "org-1")


def test_every_organisation_commits_to_a_secret_of_its_own_before_the_run(consortium: EnrolledConsortium) -> None:
    approve_everywhere(consortium, audit=AUDIT)
    commitments = set()
    for member, home in consortium.homes.items():
        membership = Membership.open(home)
        kept, decision = membership.store.canary_secret(RUN), membership.store.decision(RUN)
        membership.store.close()
        assert kept is not None
        assert decision is not None
        commitment = decision.signed.approval.canary_commitment
        assert commitment is not None
        assert verify_commitment(kept, RUN, member, commitment)
        commitments.add(commitment)
    assert len(commitments) == 3


def test_a_refusal_commits_to_nothing(consortium: EnrolledConsortium) -> None:
    consortium.accept()
    consortium.organisations["org-2"].charter_in_force()
    consortium.propose(audit=AUDIT)
    signed = consortium.organisations["org-2"].refuse(RUN, "not now")
    assert signed.approval.canary_commitment is None


def test_the_sum_holds_the_canaries_of_every_organisation(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium, audit=AUDIT)
    offices, desk = [Office(home) for home in consortium.homes.values()], Desk(consortium, plan)
    try:
        summed = desk.sum(1)
        desk.end()
    finally:
        close_all(offices)
    assert isinstance(summed, RoundSummed)
    action = build_recipe(plan).next()
    assert isinstance(action, Aggregate)
    expected, without = (np.zeros(action.task.length, np.uint32) for _ in range(2))
    planted = 0
    for member, home in consortium.homes.items():
        membership = Membership.open(home)
        kept = membership.store.canary_secret(RUN)
        membership.store.close()
        assert kept is not None
        rows = read_rows(ArrowSource(rows_of(member)), plan)
        table = rows.table(CanarySeed(kept.secret, RUN, 3))
        assert isinstance(table, PlantedTable)
        assert table.own.rows == rows.table().rows
        planted += table.planted.training_rows.rows
        expected += contribute(action.task, b"", table, plan)
        without += contribute(action.task, b"", rows.table(), plan)
    np.testing.assert_array_equal(summed.vector, expected)
    # Each coin is fair: now and then, none of twelve canaries is planted.
    assert planted == int((expected.astype(np.int64) - without)[action.task.length - 2])


def private(**budget: object) -> Plan:
    document = private_plan(1.0, **budget).model_dump(mode="json", by_alias=True)
    document["audit"] = {"policy": "standard", "settings": {"canaries": 64}}
    return Plan.model_validate(document)


def test_a_canary_is_a_person_of_its_own_with_no_more_records_than_the_budget_counts() -> None:
    table = small_table(60)
    arrow = table.to_arrow().append_column("person", [np.arange(60) % 20])
    plan = private(unit="entity", records=2)
    seed = CanarySeed(ONE.secret, RUN, 1)
    rows = read_rows(open_source(arrow, "person"), plan).table(seed)
    assert isinstance(rows, PlantedTable)
    assert rows.own.rows == 2 * 20
    assert rows.planted.copies.max() == 2
    assert rows.rows == 40 + int(rows.planted.copies[rows.planted.included].sum())


def test_canaries_count_towards_the_public_bound_on_rows() -> None:
    source, seed = open_source(small_table(60).to_arrow()), CanarySeed(ONE.secret, RUN, 1)
    planted = read_rows(source, private(most_rows=10_000)).table(seed).rows
    assert planted > 60
    assert read_rows(source, private(most_rows=planted)).table(seed).rows == planted
    with pytest.raises(InputError, match="more rows here"):
        read_rows(source, private(most_rows=planted - 1)).table(seed)


def test_a_run_that_starts_again_plants_the_same() -> None:
    source, seed = open_source(small_table(200).to_arrow()), CanarySeed(ONE.secret, RUN, 1)
    plan = WORLD.plan(audit=AUDIT, schema=small_table(1).schema.to_document())
    one, again = (read_rows(source, plan).table(seed) for _ in range(2))
    for name in one.schema.names:
        np.testing.assert_array_equal(one.columns[name], again.columns[name])
