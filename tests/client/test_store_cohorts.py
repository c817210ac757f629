"""The records of protocol 4.10: what `strict` rests on, over runs, restarts and a person's allowances."""

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import InputError, OutOfOrder, PeerError, StorageError
from headwater.secagg.protocol.families import Family, cohort_conflict
from headwater_client.store import Allowance, Store

RUN, OTHER = "0f" * 16, "1e" * 16
COUNTS = Family("counts/main/train", None)
UPDATES = Family("updates/main/run", 3)
FIVE = ("a", "b", "c", "d", "e")
FOUR = ("a", "b", "c", "d")
NOON = "2026-11-21T12:00:00Z"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def reopened(store: Store, file: Path) -> Store:
    store.close()
    return Store(file)


def test_a_cohort_is_there_after_a_restart_and_holds_later_runs(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    store.record_cohort(RUN, 2, COUNTS, FIVE)
    store = reopened(store, file)
    assert store.cohorts_of([COUNTS, UPDATES]) == {COUNTS: (FIVE,)}
    with pytest.raises(PeerError, match="differencing") as refusal:
        store.record_cohort(OTHER, 1, COUNTS, FOUR)
    assert "would show e" in str(refusal.value)
    assert store.cohorts_of([COUNTS]) == {COUNTS: (FIVE,)}


def test_an_update_family_may_change_by_enough_members_at_once(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 4, UPDATES, ("a", "b", "c", "d", "e", "f"))
    store.record_cohort(RUN, 5, UPDATES, ("a", "b", "c"))
    with pytest.raises(PeerError, match="differencing"):
        # Against the first record it would do; against the second it shows one member.
        store.record_cohort(RUN, 6, UPDATES, ("a", "b", "c", "d"))
    assert len(store.cohorts_of([UPDATES])[UPDATES]) == 2


COHORTS = st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=3).map(lambda ids: tuple(sorted(ids))), max_size=8)


@settings(max_examples=25, deadline=None)
@given(COHORTS, st.sampled_from([None, 3, 4]))
def test_no_two_cohorts_in_force_tell_a_few_members_apart(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, ...]], tolerance: int | None
) -> None:
    family = Family("some", tolerance)
    store = Store(tmp_path_factory.mktemp("store") / "state.db")
    try:
        for number, members in enumerate(asked, start=1):
            try:
                store.record_cohort(RUN, number, family, members)
            except PeerError:
                continue
        kept = store.cohorts_of([family]).get(family, ())
        assert all(cohort_conflict(family, kept, cohort) is None for cohort in kept)
        if asked:
            assert kept[0] == asked[0]
    finally:
        store.close()


def test_a_person_opens_a_new_line_and_the_old_records_stay_shown(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    store.allow_cohort(COUNTS.name, "e left the consortium", NOON)
    store = reopened(store, file)
    assert store.cohorts_of([COUNTS]) == {}
    store.record_cohort(OTHER, 1, COUNTS, FOUR)
    assert [(cohort.members, cohort.in_force) for cohort in store.cohort_history()] == [(FIVE, False), (FOUR, True)]
    assert store.allowances() == (Allowance(COUNTS.name, "e left the consortium", NOON),)
    with pytest.raises(PeerError, match="differencing"):
        store.record_cohort(OTHER, 2, COUNTS, FIVE)


def test_an_allowance_is_for_one_family_and_for_one_change(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    with pytest.raises(InputError, match=f"'counts/other/train' is in force here; .*: {COUNTS.name}"):
        store.allow_cohort("counts/other/train", "a typing error", NOON)
    store.allow_cohort(COUNTS.name, "once", NOON)
    with pytest.raises(InputError, match="no family is bound to one"):
        store.allow_cohort(COUNTS.name, "twice", NOON)


def test_a_family_is_named_by_its_beginning_where_no_other_begins_so(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    store.record_cohort(RUN, 2, UPDATES, FIVE)
    store.record_cohort(RUN, 2, Family(f"{UPDATES.name}/more", None), FIVE)
    assert store.find_family(COUNTS.name[:4]) == COUNTS.name
    # A whole name is meant as it stands, though another one goes on from it.
    assert store.find_family(UPDATES.name) == UPDATES.name
    with pytest.raises(InputError, match="2 families begin with 'u'"):
        store.find_family("u")
    with pytest.raises(InputError, match="no cohort of family ''"):
        store.find_family("")
    store.allow_cohort(COUNTS.name, "once", NOON)
    with pytest.raises(InputError, match="is in force here"):
        store.find_family(COUNTS.name)


def test_nobody_else_can_read_the_records(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    found = sorted(file.parent.glob(f"{file.name}*"))
    assert len(found) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in found} == {0o600}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_nothing_is_allowed_without_a_reason(file: Path, reason: str) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    store.record_peers({"b": 7})
    with pytest.raises(InputError, match="reason"):
        store.allow_cohort(COUNTS.name, reason, NOON)
    with pytest.raises(InputError, match="reason"):
        store.trust_peer("b", reason, NOON)
    assert store.cohorts_of([COUNTS])
    assert store.peers() == {"b": 7}


def test_the_highest_number_of_records_of_a_peer_is_kept_over_all_runs(file: Path) -> None:
    store = Store(file)
    store.record_peers({"b": 7, "c": 2})
    store.record_peers({"b": 3, "c": 9})
    assert reopened(store, file).peers() == {"b": 7, "c": 9}


def test_a_peer_that_restored_an_old_copy_comes_back_by_a_persons_word(file: Path) -> None:
    store = Store(file)
    store.record_peers({"b": 7})
    trust = store.trust_peer("b", "their disk broke", NOON)
    assert trust.records == 7
    assert store.peers() == {}
    store.record_peers({"b": 2})
    store = reopened(store, file)
    assert store.peers() == {"b": 2}
    assert store.trusts() == (trust,)
    with pytest.raises(InputError, match="never seen"):
        store.trust_peer("z", "who", NOON)


def test_a_member_that_was_set_back_is_refused_after_restarts_until_a_person_trusts_it(file: Path) -> None:
    store = Store(file)
    store.record_peers({"b": 7, "c": 7})
    store.record_rolled_back({"b": 3})
    store.record_peers({"b": 8})
    store = reopened(store, file)
    assert store.rolled_back() == {"b": 3}
    store.trust_peer("b", "their disk broke", NOON)
    # A session that began before goes by what it knew then.
    store.record_rolled_back({"b": 4})
    assert store.rolled_back() == {}


def test_no_two_hellos_show_one_count(file: Path) -> None:
    store = Store(file)
    count = store.records + 1
    store.record_attempt(RUN, 1, count)
    with pytest.raises(OutOfOrder, match="no longer so"):
        store.record_attempt(OTHER, 1, count)
    assert (store.records, store.next_attempt(OTHER)) == (count, 1)
    store.record_attempt(OTHER, 1, count + 1)


def test_the_hello_of_another_live_run_is_outstanding_until_its_session_opens(file: Path) -> None:
    store = Store(file)
    with store.live_session(RUN):
        store.record_attempt(RUN, 1, 1)
        assert (store.outstanding(RUN), store.outstanding(OTHER)) == (None, 1)
        store.record_opening(RUN, b"opening")
        assert store.outstanding(OTHER) is None
        store.record_attempt(RUN, 2, 2)
        assert store.outstanding(OTHER) == 2
    assert store.outstanding(OTHER) is None


def test_the_number_of_records_grows_with_each_and_never_falls(file: Path) -> None:
    store = Store(file)
    assert store.records == 0
    store.record_attempt(RUN, 1, store.records + 1)
    store.record_receipt(RUN, 1, b"receipt")
    store.record_receipt(RUN, 1, b"receipt")
    store.record_cohort(RUN, 2, COUNTS, FIVE)
    store.record_cohort(RUN, 3, COUNTS, FIVE)
    assert store.records == 3
    store.close()
    connection = sqlite3.connect(file)
    connection.executescript("DELETE FROM attempt; DELETE FROM receipt; DELETE FROM cohort;")
    connection.close()
    store = Store(file)
    assert store.records == 3
    store.record_attempt(RUN, 1, store.records + 1)
    assert store.records == 4


def test_a_refused_record_does_not_count(file: Path) -> None:
    store = Store(file)
    store.record_cohort(RUN, 1, COUNTS, FIVE)
    with pytest.raises(PeerError):
        store.record_cohort(RUN, 2, COUNTS, FOUR)
    assert store.records == 1


def test_a_file_of_an_older_version_is_refused_in_one_line(file: Path) -> None:
    Store(file).close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(StorageError, match=r"format 1 of an older version.*enrol anew") as refusal:
        Store(file)
    assert "\n" not in str(refusal.value)


def test_the_opening_of_a_session_is_kept_by_its_attempt(file: Path) -> None:
    store = Store(file)
    with pytest.raises(PeerError, match="before a setup"):
        store.record_opening(RUN, b"opening")
    store.record_attempt(RUN, 1, store.records + 1)
    store.record_opening(RUN, b"first")
    store.record_opening(RUN, b"first")
    store.record_attempt(RUN, 3, store.records + 1)
    store.record_opening(RUN, b"second")
    with pytest.raises(PeerError, match="opened another session before"):
        store.record_opening(RUN, b"third")
    store.record_receipt(RUN, 1, b"one")
    store.record_receipt(RUN, 2, b"two")
    chain = reopened(store, file).chain(RUN)
    assert chain.documents == (b"one", b"two")
    assert chain.openings == {1: b"first", 3: b"second"}
