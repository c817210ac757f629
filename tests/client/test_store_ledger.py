"""The ledger on disk: charged once and for good, and every change from outside is one clear line."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headwater.errors import BudgetExceeded, PeerError, StorageError
from headwater.privacy.events import NoisyCounts
from headwater.secagg.protocol.families import Family
from headwater_client.store import Store
from support.ledgers import OTHER_RUN, RUN, charge_of_round


def allow(entries: object) -> None:
    """Let every charge through."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def charged(file: Path) -> Path:
    """A ledger of four entries."""
    store = Store(file)
    for number in range(1, 5):
        store.charge(charge_of_round(number), allow)
    store.close()
    return file


def run_sql(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.executescript(script)


def test_charges_survive_in_their_order_and_count_as_records(charged: Path) -> None:
    store = Store(charged)
    entry = store.charge(charge_of_round(5), allow)
    assert [each.round for each in store.ledger()] == [1, 2, 3, 4, 5]
    assert store.ledger()[-1] == entry
    # protocol 4.10: what peers compare.
    assert store.records == 5


def test_the_very_same_charge_again_is_the_entry_that_is_there_and_weighs_nothing(charged: Path) -> None:
    def never(entries: object) -> None:
        pytest.fail("it was weighed again")

    store = Store(charged)
    again = charge_of_round(2, instant="2031-01-01T00:00:00Z")
    assert store.charge(again, never) == store.ledger()[1]
    assert (len(store.ledger()), store.records) == (4, 4)


@pytest.mark.parametrize(
    "change",
    [{"task": "99" * 32}, {"event": NoisyCounts(401, 14)}, {"plan": "99" * 32}, {"data_set": "other"}],
    ids=str,
)
def test_a_round_is_not_charged_for_something_else(charged: Path, change: dict[str, object]) -> None:
    store = Store(charged)
    with pytest.raises(PeerError, match=r"round 2 .* charged for something else before"):
        store.charge(charge_of_round(2, **change), allow)  # type: ignore[arg-type]
    assert len(store.ledger()) == 4


def test_the_same_round_of_another_setup_is_charged_again(charged: Path) -> None:
    # Its vector has other masks and other noise, so it is a second release.
    store = Store(charged)
    store.charge(charge_of_round(2, attempt=2), allow)
    assert [(each.attempt, each.round) for each in store.charges_of(RUN, 2)] == [(1, 2), (2, 2)]
    assert store.charges_of(OTHER_RUN, 2) == ()


def test_what_is_weighed_and_found_too_much_is_not_charged(charged: Path) -> None:
    seen: list[int] = []

    def refuse(entries: object) -> None:
        seen.append(len(entries))  # type: ignore[arg-type]
        raise BudgetExceeded("too much")

    store = Store(charged)
    with pytest.raises(BudgetExceeded):
        store.charge(charge_of_round(5), refuse)
    assert (seen, len(store.ledger()), store.records) == ([4], 4, 4)


def test_a_clock_that_jumps_back_changes_nothing(charged: Path) -> None:
    store = Store(charged)
    store.charge(charge_of_round(5, instant="1970-01-01T00:00:00Z"), allow)
    assert [each.round for each in Store(charged).ledger()] == [1, 2, 3, 4, 5]


def test_two_processes_charge_into_one_chain(charged: Path) -> None:
    first, second = Store(charged), Store(charged)
    first.charge(charge_of_round(5), allow)
    second.charge(charge_of_round(6), allow)
    first.charge(charge_of_round(7), allow)
    assert [each.round for each in second.ledger()] == [1, 2, 3, 4, 5, 6, 7]


def edited_blob(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        (document,) = database.execute("SELECT document FROM ledger WHERE position = 2").fetchone()
        changed = document.replace(b'\\"variance\\":400', b'\\"variance\\":900')
        assert changed != document
        database.execute("UPDATE ledger SET document = ? WHERE position = 2", (changed,))


def edited_with_its_digest(file: Path) -> None:
    """Somebody who knows how digests are made, and changes that one alone."""
    from headwater.agreement.ledger import LedgerEntry

    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        (document,) = database.execute("SELECT document FROM ledger WHERE position = 2").fetchone()
        entry = LedgerEntry.from_bytes(document).model_copy(update={"step": 9})
        database.execute(
            "UPDATE ledger SET document = ?, digest = ? WHERE position = 2", (entry.to_bytes(), entry.digest)
        )


def edited_last_with_its_digest(file: Path) -> None:
    from headwater.agreement.ledger import LedgerEntry

    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        (document,) = database.execute("SELECT document FROM ledger WHERE position = 4").fetchone()
        entry = LedgerEntry.from_bytes(document).model_copy(update={"step": 9})
        database.execute(
            "UPDATE ledger SET document = ?, digest = ? WHERE position = 4", (entry.to_bytes(), entry.digest)
        )


def without_the_last(file: Path) -> None:
    run_sql(file, "DELETE FROM ledger WHERE position = 4")


def without_one_between(file: Path) -> None:
    run_sql(file, "DELETE FROM ledger WHERE position = 2")


def reordered(file: Path) -> None:
    run_sql(
        file,
        "UPDATE ledger SET position = 9 WHERE position = 2; UPDATE ledger SET position = 2 WHERE position = 3;"
        "UPDATE ledger SET position = 3 WHERE position = 9",
    )


def emptied(file: Path) -> None:
    run_sql(file, "DELETE FROM ledger")


def without_the_table(file: Path) -> None:
    run_sql(file, "DROP TABLE ledger")


def without_the_file(file: Path) -> None:
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        file.with_name(name).unlink(missing_ok=True)


def without_the_head(file: Path) -> None:
    file.with_name("ledger.head").unlink()


def emptied_with_its_head(file: Path) -> None:
    emptied(file)
    without_the_head(file)


def cut_with_its_head(file: Path) -> None:
    without_the_last(file)
    with closing(sqlite3.connect(file)) as database:
        (digest,) = database.execute("SELECT digest FROM ledger WHERE position = 3").fetchone()
    file.with_name("ledger.head").write_text(json.dumps({"length": 3, "digest": digest}))


def spoilt_head(file: Path) -> None:
    file.with_name("ledger.head").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (edited_blob, "entry 2 of the ledger in .* was edited"),
        (edited_with_its_digest, "entry 3 does not continue the chain"),
        (edited_last_with_its_digest, "entry 4 .* is not the one that ledger.head names"),
        (without_the_last, "has 3 entries and had 4: it was cut short or set back"),
        (without_one_between, "entry 3 stands where entry 2 was expected"),
        (reordered, "entry 2 of the ledger in .* was edited"),
        (emptied, "has 0 entries and had 4"),
        (without_the_table, "no such table: ledger"),
        (without_the_file, "has 0 entries and had 4"),
        (without_the_head, "ledger.head is missing"),
        (emptied_with_its_head, "has 0 entries, and its file counted at least 4: it was emptied or cut short together"),
        (cut_with_its_head, "has 3 entries, and its file counted at least 4"),
        (spoilt_head, "is no head of a privacy ledger"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_every_kind_of_damage_is_one_clear_line_and_nothing_is_charged(
    charged: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(charged)
    store = Store(charged)
    with pytest.raises(StorageError, match=said) as seen:
        store.ledger()
    assert "\n" not in str(seen.value)
    before = store.records
    with pytest.raises(StorageError, match=said):
        store.charge(charge_of_round(5), allow)
    assert store.records == before


def test_attempts_receipts_and_cohorts_are_no_charges(charged: Path) -> None:
    store = Store(charged)
    for attempt in (1, 2, 3):
        store.record_attempt(RUN, attempt, store.records + 1)
    store.record_receipt(RUN, 1, b"a receipt")
    store.record_cohort(RUN, 1, Family("a family"), ("org-1", "org-2", "org-3"))
    assert (len(store.ledger()), store.records) == (4, 9)
    emptied_with_its_head(charged)
    with pytest.raises(StorageError, match="counted at least 4"):
        Store(charged).ledger()


def test_a_ledger_that_was_changed_under_a_living_process_takes_no_charge(file: Path) -> None:
    store = Store(file)
    store.charge(charge_of_round(1), allow)
    store.charge(charge_of_round(2), allow)
    run_sql(file, "DELETE FROM ledger WHERE position = 2")
    with pytest.raises(StorageError, match="changed meanwhile"):
        store.charge(charge_of_round(3), allow)
    with pytest.raises(StorageError, match="changed meanwhile"):
        store.charges_of(RUN, 1)


def test_a_kill_between_an_entry_and_its_head_keeps_the_charge(charged: Path) -> None:
    head = charged.with_name("ledger.head")
    before = head.read_bytes()
    Store(charged).charge(charge_of_round(5), allow)
    head.write_bytes(before)
    store = Store(charged)
    assert len(store.ledger()) == 5
    store.charge(charge_of_round(6), allow)
    assert json.loads(head.read_text())["length"] == 6


def test_a_kill_after_the_very_first_entry_leaves_a_head(file: Path) -> None:
    store = Store(file)
    heads: list[dict[str, object]] = []
    head = file.with_name("ledger.head")

    def look(entries: object) -> None:
        assert not head.exists()

    store.charge(charge_of_round(1), look)
    heads.append(json.loads(head.read_text()))
    assert heads[0]["length"] == 1
    store.close()
    # What is on disk when the process dies behind the commit: the head from before the entry.
    head.write_text(json.dumps({"length": 0, "digest": "0" * 64}))
    assert len(Store(file).ledger()) == 1


def test_a_head_that_cannot_be_written_stops_the_round_and_keeps_the_charge(file: Path) -> None:
    store = Store(file)
    store.charge(charge_of_round(1), allow)
    # A folder in its place: nothing can be written there, whoever runs the test.
    file.with_name(".ledger.head.draft").mkdir()
    with pytest.raises((StorageError, OSError)):
        store.charge(charge_of_round(2), allow)
    file.with_name(".ledger.head.draft").rmdir()
    assert [each.round for each in Store(file).ledger()] == [1, 2]


def test_a_file_from_before_the_ledger_gets_one_and_its_runs_are_known_as_such(file: Path) -> None:
    store = Store(file)
    store.record_attempt(RUN, 1, 1)
    store.close()
    run_sql(
        file,
        "DROP TABLE attacked; DROP TABLE attempt_seen; DROP TABLE canary_opening; DROP TABLE canary_secret; "
        "DROP TABLE ledger; DROP TABLE run_before_ledger; "
        "PRAGMA user_version = 4",
    )
    store = Store(file)
    assert store.ledger() == ()
    assert store.began_before_ledger(RUN)
    assert not store.began_before_ledger(OTHER_RUN)
    store.charge(charge_of_round(1, run_id=OTHER_RUN), allow)
    assert len(Store(file).ledger()) == 1
    assert (store.next_attempt(RUN), store.records) == (2, 2)
