"""The durable records of protocol 4.10 at work: real organisations over loopback, from session to session."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headwater.errors import StorageError, TransportError
from headwater.secagg.protocol.events import CohortConfirmed, RoundAborted, RoundSummed, SessionClosed
from headwater_client.membership import Membership
from headwater_client.store import Store
from headwater_client.transport.aggregation import Progress
from support.offices import Office, approve_everywhere, close_all
from support.organisations import RUN, EnrolledConsortium
from support.sessions import Desk

SECOND_RUN = "1f" * 16
SOON = {"setup_seconds": 10, "round_seconds": 8}


def copy_of(home: Path) -> dict[str, bytes]:
    """The record file, and the head of the ledger if there is one yet, as a nightly copy would have them."""
    with closing(sqlite3.connect(home / "state.db")) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        files = {"state.db": copy.serialize()}
    head = home / "ledger.head"
    return {**files, head.name: head.read_bytes()} if head.exists() else files


def restore(home: Path, copy: dict[str, bytes]) -> None:
    for name in ("state.db", "state.db-wal", "state.db-shm", "ledger.head"):
        (home / name).unlink(missing_ok=True)
    for name, data in copy.items():
        (home / name).write_bytes(data)


def test_a_record_file_rolled_back_is_refused_by_every_peer_by_name(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium, aggregation={"on_membership_change": "strict", **SOON})
    desk, old = Desk(consortium, plan), copy_of(consortium.homes["org-1"])
    offices = [Office(home) for home in consortium.homes.values()]
    try:
        assert isinstance(desk.sum(1), RoundSummed)
    finally:
        close_all(offices)
    consortium.organisations["org-1"].close()
    restore(consortium.homes["org-1"], old)
    said: list[str] = []

    def listen(event: Progress) -> None:
        if isinstance(event, SessionClosed):
            said.append(event.reason)

    offices = [Office(home, on_progress=listen) for home in consortium.homes.values()]
    try:
        with pytest.raises(TransportError, match="setup failed"):
            desk.sum(2)
    finally:
        close_all(offices)
    words = "the Hello of org-1 counts 1 durable records, 1 were shown before: its record file was rolled back"
    assert {event.member for event in desk.dropped if words in event.reason} == {"org-2", "org-3"}
    assert sum(words in reason for reason in said) == 2

    # The way back: each peer's people decide to let it, on record; the next setup's Hello is met anew.
    for member in ("org-2", "org-3"):
        membership = Membership.open(consortium.homes[member])
        membership.store.trust_peer("org-1", "its disk failed, they telephoned", "2026-11-21T09:30:00Z")
        membership.store.close()
    offices = [Office(home) for home in consortium.homes.values()]
    try:
        assert isinstance(desk.sum(3), RoundSummed)
        desk.end()
    finally:
        close_all(offices)
    # The first round's receipt brought back what the copy had not: both rounds are charged, once each.
    store = Store(consortium.homes["org-1"] / "state.db")
    charged = [(entry.round, entry.attempt > 0) for entry in store.ledger()]
    store.close()
    assert charged == [(1, False), (2, True)]


def test_a_record_file_that_went_back_without_its_head_takes_no_part_at_all(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium, aggregation={"on_membership_change": "continue", **SOON})
    desk, home = Desk(consortium, plan), consortium.homes["org-1"]
    old = copy_of(home)
    offices = [Office(folder) for folder in consortium.homes.values()]
    try:
        assert isinstance(desk.sum(1), RoundSummed)
    finally:
        close_all(offices)
    consortium.organisations["org-1"].close()
    restore(home, {**old, "ledger.head": (home / "ledger.head").read_bytes()})
    ended = Office(home).join()
    assert isinstance(ended, StorageError)
    assert str(ended) == (
        f"the privacy ledger in {home / 'state.db'} has 0 entries and had 1: it was cut short or set back; restore the "
        "newest backup of the whole folder, and take no part before"
    )


def test_the_cohort_is_on_disk_before_the_confirm_leaves(consortium: EnrolledConsortium) -> None:
    plan = approve_everywhere(consortium, aggregation={"on_membership_change": "strict", **SOON})
    kept: list[int] = []

    def refuse_to_go_on(event: Progress) -> None:
        if isinstance(event, CohortConfirmed):
            # A kill between the record and the Confirm: nothing that was sent is missing from the records.
            with closing(sqlite3.connect(consortium.homes["org-1"] / "state.db")) as database:
                kept.append(database.execute("SELECT count(*) FROM cohort").fetchone()[0])
            raise KeyError("stopped here")

    desk = Desk(consortium, plan)
    offices = [
        Office(home, on_progress=refuse_to_go_on if member == "org-1" else lambda event: None)
        for member, home in consortium.homes.items()
    ]
    try:
        result = desk.sum(1)
    finally:
        close_all(offices)
    assert kept == [1]
    assert isinstance(offices[0].outcome, KeyError)
    # protocol 4.5: n = 3 needs all three Confirms, and that of org-1 never left.
    assert not isinstance(result, RoundSummed)


@pytest.mark.parametrize("choice", ["strict", "continue"])
def test_a_second_run_over_others_is_refused_until_a_person_allows_it(
    consortium: EnrolledConsortium, choice: str
) -> None:
    # Under `continue` too: whoever is away from the second run was promised that the first one's sum stays alone.
    asking = {"aggregation": {"on_membership_change": choice, **SOON}}
    plan = approve_everywhere(consortium, SECOND_RUN, name="second", **asking)
    asked = Membership.open(consortium.homes["org-1"])
    # A former run's cohort had a member more.
    cohort = '["org-1", "org-2", "org-3", "org-9"]'
    with closing(sqlite3.connect(consortium.homes["org-1"] / "state.db", isolation_level=None)) as database:
        row = ("counts/main/train", 0, cohort, RUN, 1)
        database.execute("INSERT INTO cohort (family, line, members, run_id, round) VALUES (?, ?, ?, ?, ?)", row)
    desk = Desk(consortium, plan, SECOND_RUN)
    offices = [Office(home, run_id=SECOND_RUN) for home in consortium.homes.values()]
    try:
        with pytest.raises(TransportError):
            desk.sum(1)
        asked.store.allow_cohort("counts/main/train", "the board agreed: org-9 closed", "2026-11-21T09:30:00Z")
        assert isinstance(desk.sum(2), RoundSummed)
        desk.end()
    finally:
        close_all(offices)
        asked.store.close()
    assert [event.member for event in desk.dropped if "differencing" in event.reason] == ["org-1"]


@pytest.mark.parametrize(
    ("charge", "said"),
    [(b"", "it names no charge"), (b'{"mechanism":"gaussian","sigma":1}', "its charge is not what plan and task")],
    ids=["missing", "another"],
)
def test_a_round_at_another_charge_than_the_plans_is_refused_by_name(
    consortium: EnrolledConsortium, charge: bytes, said: str
) -> None:
    desk = Desk(consortium, approve_everywhere(consortium, aggregation={"on_membership_change": "continue", **SOON}))
    offices = [Office(home) for home in consortium.homes.values()]
    try:
        result = desk.sum(1, charge)
        desk.end()
    finally:
        close_all(offices)
    assert isinstance(result, RoundAborted)
    assert f"refused: the coordinator's task of step 1 is refused: {said}" in result.reason
