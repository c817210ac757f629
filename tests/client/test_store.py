"""The organisation's durable records: what is kept, what is refused, and that a second process sees it."""

import sqlite3
from pathlib import Path

import pytest

from headwater.errors import BudgetExceeded, InputError, OutOfOrder, PeerError, StorageError
from headwater_client.store import Store
from support.consortium import ConsortiumInMemory
from support.live_sessions import live_sessions

RUN = "0f" * 16


@pytest.fixture
def consortium() -> ConsortiumInMemory:
    return ConsortiumInMemory()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def reopened(store: Store, file: Path) -> Store:
    store.close()
    return Store(file)


def test_the_last_decision_counts_and_survives(file: Path, consortium: ConsortiumInMemory) -> None:
    store = Store(file)
    proposal = consortium.proposal()
    store.record_decision(proposal, consortium.approval(proposal), by_rule=True)
    store.record_decision(proposal, consortium.approval(proposal, decision="refuse"), by_rule=False)
    kept = reopened(store, file).decision(RUN)
    assert kept is not None
    assert kept.signed.approval.decision == "refuse"
    assert not kept.by_rule
    assert kept.proposal == proposal


def test_an_unknown_run_has_no_decision(file: Path) -> None:
    assert Store(file).decision("ab" * 16) is None


def test_a_decision_on_another_plan_is_not_kept(file: Path, consortium: ConsortiumInMemory) -> None:
    store = Store(file)
    approval = consortium.approval(consortium.proposal())
    with pytest.raises(InputError, match="another run or plan"):
        store.record_decision(consortium.proposal(consortium.plan(seed=7)), approval, by_rule=False)
    assert store.decision(RUN) is None


def test_a_live_run_takes_no_new_decision(file: Path, consortium: ConsortiumInMemory) -> None:
    store = Store(file)
    proposal = consortium.proposal()
    with store.live_session(RUN), pytest.raises(OutOfOrder, match="under way"):
        store.record_decision(proposal, consortium.approval(proposal), by_rule=False)


def test_eight_attempts_and_no_ninth_even_after_restarts(file: Path) -> None:
    store = Store(file)
    for attempt in range(1, 9):
        assert store.next_attempt(RUN) == attempt
        store.record_attempt(RUN, attempt, store.records + 1)
        store = reopened(store, file)
    with pytest.raises(BudgetExceeded, match="8 setups"):
        store.next_attempt(RUN)
    with pytest.raises(BudgetExceeded, match="8 setups"):
        store.record_attempt(RUN, 9, store.records + 1)


@pytest.mark.parametrize("again", [1, 3])
def test_an_attempt_number_is_used_once(file: Path, again: int) -> None:
    store = Store(file)
    store.record_attempt(RUN, 3, store.records + 1)
    with pytest.raises(PeerError, match="used before"):
        store.record_attempt(RUN, again, store.records + 1)
    assert store.next_attempt(RUN) == 4


def test_attempts_of_runs_do_not_mix(file: Path) -> None:
    store = Store(file)
    store.record_attempt(RUN, 5, store.records + 1)
    assert store.next_attempt("ab" * 16) == 1


def test_one_session_of_a_run_may_live(file: Path) -> None:
    store = Store(file)
    other = Store(file)
    with store.live_session(RUN):
        assert live_sessions(other) == (RUN,)
        with pytest.raises(OutOfOrder, match="already"), other.live_session(RUN):
            pytest.fail("a second session began")
        with other.live_session("ab" * 16):
            assert len(live_sessions(store)) == 2
    assert live_sessions(store) == ()


def test_a_session_that_fails_is_given_up(file: Path) -> None:
    store = Store(file)
    with pytest.raises(RuntimeError), store.live_session(RUN):
        raise RuntimeError
    with store.live_session(RUN):
        assert live_sessions(store) == (RUN,)


def test_a_session_that_a_full_disk_ended_can_be_entered_again(file: Path) -> None:
    store = Store(file)
    with store.live_session(RUN):
        # As a full disk does: whatever is to be written is refused, a deletion too.
        store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be written"), store.live_session(RUN):
        pytest.fail("a session began that is not on record")
    store._connection.execute("PRAGMA query_only = OFF")
    with store.live_session(RUN), pytest.raises(OutOfOrder, match="already"), Store(file).live_session(RUN):
        pytest.fail("a second session began")
    assert live_sessions(store) == ()


def test_what_a_killed_process_left_can_be_forgotten(file: Path) -> None:
    killed = Store(file)
    killed.live_session(RUN).__enter__()
    store = Store(file)
    store.forget_live_sessions()
    with store.live_session(RUN):
        assert live_sessions(store) == (RUN,)


def test_receipts_chain_in_order_and_the_same_one_may_come_again(file: Path) -> None:
    store = Store(file)
    assert store.last_receipt(RUN) is None
    store.record_receipt(RUN, 1, b"first")
    store.record_receipt(RUN, 2, b"second")
    store.record_receipt(RUN, 1, b"first")
    store = reopened(store, file)
    assert store.last_receipt(RUN) == b"second"
    assert store.rounds_done(RUN) == 2


def test_a_coordinator_that_contradicts_itself_is_noticed(file: Path) -> None:
    store = Store(file)
    store.record_receipt(RUN, 1, b"first")
    with pytest.raises(PeerError, match="ended otherwise"):
        store.record_receipt(RUN, 1, b"another")
    assert store.last_receipt(RUN) == b"first"


def test_a_file_of_a_newer_version_is_left_alone(file: Path) -> None:
    Store(file).close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageError, match="format 99"):
        Store(file)


def test_a_file_that_is_no_database_is_one_clear_line(file: Path) -> None:
    file.write_bytes(b"not a database, certainly" * 100)
    with pytest.raises(StorageError, match="cannot be opened"):
        Store(file)
