"""The organisation's records of the charter: a chain that only grows, and what a person accepted of it."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from headwater.agreement.charter import SignedCharter
from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, PeerError, StorageError
from headwater_client.store import Store
from support.consortium import ConsortiumInMemory
from support.succession import following, signed_by

WORLD = ConsortiumInMemory(4)
FIRST = WORLD.signed_charter()


def after(former: SignedCharter, **changes: Any) -> SignedCharter:
    charter = following(former.charter, **changes)
    return signed_by(charter, WORLD.coordinator_key, WORLD.keys)


SECOND = after(FIRST, minimum_cohort=4)
OTHER_SECOND = after(FIRST, consortium="Other")
THIRD = after(SECOND, consortium="Third")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def held(file: Path, *charters: SignedCharter) -> Store:
    """A store that accepted version 1 and followed a history."""
    store = Store(file)
    store.accept_charter(charters[0])
    store.follow_charter(CharterHistory(charters))
    return store


def reopened(store: Store, file: Path) -> Store:
    store.close()
    return Store(file)


def test_nothing_is_held_before_something_was_accepted(file: Path) -> None:
    store = Store(file)
    assert (store.pinned_charter(), store.accepted_charter(), store.charter_history()) == (None, None, None)


def test_what_was_accepted_and_what_is_in_force_are_there_after_a_restart(file: Path) -> None:
    store = held(file, FIRST, SECOND)
    store.accept_charter(THIRD)
    again = reopened(store, file)
    history = again.charter_history()
    assert history is not None
    assert history.charters == (FIRST, SECOND)
    assert again.pinned_charter() == SECOND
    assert again.accepted_charter() == THIRD


def test_an_accepted_first_version_is_held_to_before_it_is_in_force(file: Path) -> None:
    store = Store(file)
    partly = WORLD.signed_charter(without=("org-2",))
    store.accept_charter(partly)
    assert store.pinned_charter() == partly
    assert store.charter_history() is None


def test_the_same_first_version_comes_in_force_with_more_signatures(file: Path) -> None:
    store = Store(file)
    store.accept_charter(WORLD.signed_charter(without=("org-2",)))
    store.follow_charter(CharterHistory((FIRST,)))
    assert store.pinned_charter() == FIRST


def test_a_first_version_is_accepted_once(file: Path) -> None:
    store = Store(file)
    store.accept_charter(FIRST)
    other = WORLD.signed_charter(consortium="Another")
    for instead_of in ("", FIRST.charter.digest):
        with pytest.raises(InputError, match="is pinned here"):
            store.accept_charter(other, instead_of)
    with pytest.raises(PeerError, match="another version 1"):
        store.follow_charter(CharterHistory((other,)))
    assert store.pinned_charter() == FIRST


@pytest.mark.parametrize(
    ("history", "line"),
    [
        ((FIRST,), "rolled back"),
        ((FIRST, OTHER_SECOND), "another version 2"),
        ((FIRST, OTHER_SECOND), "tell the other"),
    ],
)
def test_a_history_that_goes_back_or_forks_changes_nothing(
    file: Path, history: tuple[SignedCharter, ...], line: str
) -> None:
    store = held(file, FIRST, SECOND)
    with pytest.raises(PeerError, match=line):
        store.follow_charter(CharterHistory(history))
    assert store.pinned_charter() == SECOND


def test_following_a_known_history_again_is_the_same_as_once(file: Path) -> None:
    store = held(file, FIRST, SECOND)
    store.follow_charter(CharterHistory((FIRST, SECOND)))
    store.follow_charter(CharterHistory((FIRST, SECOND, THIRD)))
    assert store.pinned_charter() == THIRD


def test_another_process_sees_the_version_that_came_in_force(file: Path) -> None:
    serving = held(file, FIRST)
    assert serving.pinned_charter() == FIRST
    asking = Store(file)
    asking.follow_charter(CharterHistory((FIRST, SECOND)))
    asking.close()
    assert serving.pinned_charter() == SECOND


@pytest.mark.parametrize(
    ("charter", "line"),
    [
        (FIRST, "version 2 is in force here and never given up"),
        (OTHER_SECOND, "version 2 is in force here and never given up"),
        (after(THIRD, consortium="Fourth"), "does not follow the one in force here"),
        (after(OTHER_SECOND, consortium="Third"), "does not follow the one in force here"),
    ],
    ids=["older", "another of the same number", "skipping one", "after another version"],
)
def test_only_the_version_in_force_or_the_next_can_be_accepted(file: Path, charter: SignedCharter, line: str) -> None:
    store = held(file, FIRST, SECOND)
    with pytest.raises(PeerError, match=line):
        store.accept_charter(charter)
    store.accept_charter(SECOND)
    store.accept_charter(THIRD)


def test_a_second_charter_of_one_version_is_accepted_only_instead_of_the_first(file: Path) -> None:
    store = held(file, FIRST)
    store.accept_charter(SECOND)
    with pytest.raises(InputError, match=f"--instead-of {SECOND.charter.digest[:16]}"):
        store.accept_charter(OTHER_SECOND)
    assert store.accepted_charter() == SECOND
    store.accept_charter(OTHER_SECOND, instead_of=SECOND.charter.digest)
    assert store.accepted_charter() == OTHER_SECOND


def test_what_came_in_force_can_be_accepted_whatever_was_accepted_before(file: Path) -> None:
    store = held(file, FIRST)
    store.accept_charter(OTHER_SECOND)
    store.follow_charter(CharterHistory((FIRST, SECOND)))
    store.accept_charter(SECOND)
    assert store.accepted_charter() == SECOND


def test_records_that_were_changed_from_outside_are_refused(file: Path) -> None:
    held(file, FIRST, SECOND).close()
    with sqlite3.connect(file) as connection:
        unsigned = SECOND.model_copy(update={"signatures": {}})
        connection.execute("UPDATE charter SET document = ? WHERE version = 2", (unsigned.to_bytes(),))
    connection.close()
    with pytest.raises(StorageError, match="was changed"):
        Store(file).charter_history()
