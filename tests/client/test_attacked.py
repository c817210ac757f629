"""A release at an organisation that knows what it attacked: another table, or another run, is refused."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.agreement.receipt_check import CheckedReceipts, check_receipts
from headwater.canonical import sha256_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.evidence.candidate_file import pack_candidate
from headwater.recipe.tasks import audit_task
from headwater.release.attacked import attacked_digest
from headwater.release.attempts import unfinished_after
from headwater.release.evidence import Attacked
from headwater_client import attacked_table
from headwater_client.attacked_table import check_attacked_here
from headwater_client.attempts_seen import witness_attempts
from headwater_client.store import Store
from support.consortium import ConsortiumInMemory
from support.evidences import FEDERATION
from support.fuzzing.agreed import receipt_file
from support.recipes import small_table

CHECKED = check_receipts(receipt_file())
RUN = CHECKED.run_id
TABLE, OTHER = small_table(50, seed=1), small_table(50, seed=2)
DIGEST, OTHERS = attacked_digest(TABLE), attacked_digest(OTHER)
CHECKS = (("copies", 7),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.db")


def test_one_run_has_one_candidate(store: Store, tmp_path: Path) -> None:
    assert store.attacked(RUN) is None
    store.keep_attacked(RUN, DIGEST)
    store.keep_attacked(RUN, DIGEST)
    store.keep_attacked("0b" * 16, OTHERS)
    with pytest.raises(PeerError, match="one run has one candidate"):
        store.keep_attacked(RUN, OTHERS)
    store.close()
    assert Store(tmp_path / "state.db").attacked(RUN) == DIGEST


def test_records_of_the_version_before_are_gone_on_with(store: Store, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.executescript("DROP TABLE attacked; DROP TABLE attempt_seen; PRAGMA user_version = 7")
    database.close()
    again = Store(tmp_path / "state.db")
    again.keep_attacked(RUN, DIGEST)
    assert again.attacked(RUN) == DIGEST


def test_what_was_shown_of_a_plan_s_attempts_stays(store: Store) -> None:
    assert store.witness_attempts("visits", ["a1", "a2"]) == 0
    # An older release of the same log, and one that goes on with it.
    assert store.witness_attempts("visits", ["a1"]) == 0
    assert store.witness_attempts("visits", ["a1", "a2", "a3"]) == 0
    assert store.witness_attempts("visits", ["a1", "b2", "b3", "b4"]) == 2
    assert store.witness_attempts("visits", ["a2", "a3"]) == 1
    assert store.witness_attempts("visits", ["a1", "a2", "a3", "a4"]) == 0
    assert store.witness_attempts("stays", ["b1"]) == 0


def test_runs_that_were_attacked_and_are_in_no_attempt_are_named(store: Store) -> None:
    agreed = ConsortiumInMemory(3)
    runs = ["0b" * 16, "0c" * 16, "0d" * 16]
    proposals = [agreed.proposal(run_id=run) for run in runs]
    for proposal in proposals[:2]:
        store.record_decision(proposal, agreed.approval(proposal), by_rule=False)
    for run in runs:
        store.keep_attacked(run, DIGEST)
    plan = proposals[0].proposal.plan
    attempt = unfinished_after([], "2026-11-21T10:00:00Z", "ab" * 32, runs[0], plan.digest)
    release: Any = SimpleNamespace(audit=SimpleNamespace(attempts=(attempt,)), plan=plan)
    said = witness_attempts(SimpleNamespace(store=store), release)  # type: ignore[arg-type]
    assert said.endswith(
        "in none of them: 0c0c0c0c, in which this organisation took part, so ask the operator what came of it"
    )


class Desk:
    """An organisation with a release of TABLE before it, whose audit is said to have attacked it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.membership: Any = SimpleNamespace(store=store)
        self.patch = monkeypatch
        self.head = CHECKED.head

    def receive(self, candidate: bytes, *, own: bool = True, head: str = CHECKED.head) -> CheckedReceipts:
        """Hold receipts whose last sum attacked this candidate."""
        task = audit_task(CHECKED.plan, 3, candidate, CHECKS)
        last = replace(CHECKED.rounds[-1], summed=True, own=own, task=sha256_hex(task.to_bytes()), digest=head)
        held = replace(CHECKED, rounds=(*CHECKED.rounds[:-1], last), head=head)
        self.membership.store.record_receipt(RUN, 1, b"a receipt")
        verify = SimpleNamespace(verify=lambda run: held)
        self.patch.setattr(attacked_table, "Receipts", lambda membership: verify)
        return held

    def review(self, candidate: str = DIGEST, checks: tuple[tuple[str, int], ...] = CHECKS) -> str:
        federation = FEDERATION.model_copy(
            update={"attacked": Attacked(candidate=candidate, step=3, checks=checks), "receipts": CHECKED.head}
        )
        release: Any = SimpleNamespace(
            audit=SimpleNamespace(federation=federation),
            manifest=SimpleNamespace(provenance=SimpleNamespace(run_id=RUN)),
            table=TABLE,
        )
        return check_attacked_here(self.membership, release)


@pytest.fixture
def desk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(store, monkeypatch)


def test_what_was_attacked_here_is_recognised(desk: Desk) -> None:
    desk.membership.store.keep_attacked(RUN, DIGEST)
    desk.receive(pack_candidate(TABLE))
    assert desk.review() == (
        "these very rows were attacked in the run, with this organisation's counts; its receipts say so"
    )


def test_a_swapped_table_is_refused_by_whoever_attacked_another(desk: Desk) -> None:
    desk.membership.store.keep_attacked(RUN, OTHERS)
    with pytest.raises(ReleaseRefused, match="another table was put in its place; refuse the release"):
        desk.review()


def test_a_table_beside_its_own_statement_is_refused(desk: Desk) -> None:
    desk.membership.store.keep_attacked(RUN, OTHERS)
    with pytest.raises(ReleaseRefused, match="another table was put in the place"):
        desk.review(candidate=OTHERS)


def test_receipts_without_that_sum_are_refused_though_the_record_is_lost(desk: Desk) -> None:
    desk.receive(pack_candidate(OTHER))
    with pytest.raises(ReleaseRefused, match="no sum in the receipts of org-1 attacked the rows"):
        desk.review()


def test_figures_of_other_checks_than_were_counted_are_refused(desk: Desk) -> None:
    desk.membership.store.keep_attacked(RUN, DIGEST)
    desk.receive(pack_candidate(TABLE))
    with pytest.raises(ReleaseRefused, match="no sum in the receipts of org-1 attacked the rows"):
        desk.review(checks=(("copies", 7), ("linkability", 12)))


def test_another_end_of_the_run_is_refused_by_whoever_was_in_its_audit(desk: Desk) -> None:
    desk.membership.store.keep_attacked(RUN, DIGEST)
    desk.receive(pack_candidate(TABLE), head="a1" * 32)
    with pytest.raises(ReleaseRefused, match="a round is missing on one side"):
        desk.review()


@pytest.mark.parametrize(
    ("attacked", "receipts", "said"),
    [
        (False, False, "had no part in the run's audit, so it cannot tell by itself"),
        (True, False, "were attacked here; no receipt of that sum came"),
        (False, True, "without this organisation's own counts"),
    ],
)
def test_an_organisation_that_dropped_out_is_told_so_and_not_refused(
    desk: Desk, attacked: bool, receipts: bool, said: str
) -> None:
    if attacked:
        desk.membership.store.keep_attacked(RUN, DIGEST)
    if receipts:
        desk.receive(pack_candidate(TABLE), own=False)
    assert said in desk.review()
