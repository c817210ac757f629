"""Versions of the charter in the database: what takes force when, what may follow, what is kept."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from headwater.agreement.charter import Charter, SignedCharter
from headwater.errors import OutOfOrder, PeerError
from headwater_server.catalogue.app import build_catalogue
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.catalogue.settings import CatalogueSettings
from headwater_server.runs.charters import agreed, charter_for_new_runs
from headwater_server.services.ports import CharterState
from headwater_server.storage import SqlStorage
from support.consortium import ConsortiumInMemory
from support.succession import following

WORLD = ConsortiumInMemory(4)
FIRST = WORLD.charter()
SECOND = following(FIRST, minimum_cohort=4)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqlStorage]:
    opened = SqlStorage(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


def propose(storage: SqlStorage, charter: Charter, **changes: Any) -> Charter:
    signature = charter.signed_by(WORLD.coordinator_key)
    storage.add_charter(SignedCharter(charter=charter, coordinator_signature=signature, **changes))
    return charter


def sign(storage: SqlStorage, charter: Charter, *members: str) -> None:
    for member in members:
        storage.add_charter_signature(charter.digest, member, charter.signed_by(WORLD.keys[member]))


@pytest.fixture
def founded(storage: SqlStorage) -> SqlStorage:
    """Version 1 is in force."""
    sign(storage, propose(storage, FIRST), *WORLD.keys)
    return storage


def in_force(storage: SqlStorage) -> list[Charter]:
    return [signed.charter for signed in storage.charters_in_force()]


def test_a_first_version_is_in_force_with_the_last_members_signature(storage: SqlStorage) -> None:
    propose(storage, FIRST)
    with pytest.raises(OutOfOrder, match="not signed by org-1, org-2, org-3, org-4"):
        charter_for_new_runs(storage)
    sign(storage, FIRST, "org-1", "org-2", "org-3")
    assert storage.charter_in_force() is None
    sign(storage, FIRST, "org-4")
    assert charter_for_new_runs(storage) == FIRST


def test_a_later_version_is_in_force_with_the_threshold_and_both_are_kept(founded: SqlStorage) -> None:
    sign(founded, propose(founded, SECOND), "org-1", "org-2")
    assert in_force(founded) == [FIRST]
    sign(founded, SECOND, "org-4")
    assert in_force(founded) == [FIRST, SECOND]
    assert charter_for_new_runs(founded) == SECOND


def test_signatures_may_come_after_a_version_is_in_force(founded: SqlStorage) -> None:
    sign(founded, propose(founded, SECOND), "org-1", "org-2", "org-4", "org-3")
    newest = founded.charter()
    assert newest is not None
    assert newest.missing_signatures == ()


def test_last_signatures_that_come_at_once_bring_a_version_in_force(founded: SqlStorage) -> None:
    sign(founded, propose(founded, SECOND), "org-1")
    gate = threading.Barrier(3, timeout=30)

    def late(member: str) -> None:
        gate.wait()
        sign(founded, SECOND, member)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(late, ("org-2", "org-3", "org-4")))
    newest = founded.charter_in_force()
    assert newest is not None
    assert (newest.charter, newest.missing_signatures) == (SECOND, ())


def test_a_proposal_takes_the_place_of_one_that_is_not_in_force(founded: SqlStorage) -> None:
    sign(founded, propose(founded, SECOND), "org-1")
    other = propose(founded, following(FIRST, consortium="Other"))
    assert [record.state for record in founded.charter_records()] == [
        CharterState.IN_FORCE,
        CharterState.WITHDRAWN,
        CharterState.PROPOSED,
    ]
    with pytest.raises(OutOfOrder, match="changed meanwhile"):
        sign(founded, SECOND, "org-2")
    withdrawn = founded.charter_by_digest(SECOND.digest)
    assert withdrawn is not None
    assert set(withdrawn.signatures) == {"org-1"}
    sign(founded, other, "org-1", "org-2", "org-3")
    assert in_force(founded) == [FIRST, other]


@pytest.mark.parametrize(
    "charter",
    [FIRST, following(SECOND), following(following(FIRST), consortium="Third"), WORLD.charter(consortium="Another")],
    ids=["the same", "skipping one", "after another", "another first"],
)
def test_only_the_version_after_the_one_in_force_can_be_proposed(founded: SqlStorage, charter: Charter) -> None:
    with pytest.raises(OutOfOrder, match="does not follow the one in force"):
        propose(founded, charter)
    assert in_force(founded) == [FIRST]


def test_a_first_version_that_a_member_signed_is_not_replaced(storage: SqlStorage) -> None:
    propose(storage, FIRST)
    propose(storage, WORLD.charter(consortium="Before anybody signed"))
    sign(storage, propose(storage, WORLD.charter(consortium="Once more")), "org-1")
    with pytest.raises(OutOfOrder, match="members have signed"):
        propose(storage, FIRST)


def test_a_forged_signature_counts_for_nothing(founded: SqlStorage) -> None:
    propose(founded, SECOND)
    for member in ("org-1", "org-9"):
        with pytest.raises(PeerError, match=r"signed the charter but is no member|is wrong"):
            founded.add_charter_signature(SECOND.digest, member, SECOND.signed_by(WORLD.keys["org-2"]))
    newest = founded.charter()
    assert newest is not None
    assert newest.signatures == {}


def test_a_member_that_leaves_signs_by_its_former_key(founded: SqlStorage) -> None:
    rest = tuple(member for member in FIRST.members if member.id != "org-4")
    sign(founded, propose(founded, following(FIRST, members=rest)), "org-4", "org-1", "org-2")
    newest = founded.charter_in_force()
    assert newest is not None
    assert (newest.charter.version, set(newest.former_signatures)) == (2, {"org-4"})


def test_a_run_stands_under_the_version_that_it_was_proposed_under(founded: SqlStorage) -> None:
    run = "0f" * 16
    founded.add_run(WORLD.proposal(run_id=run))
    sign(founded, propose(founded, SECOND), "org-1", "org-2", "org-4")
    assert agreed(founded, run)[1] == FIRST


def test_the_catalogue_shows_no_version_before_it_is_in_force(storage: SqlStorage, tmp_path: Path) -> None:
    settings = CatalogueSettings("Rivers", "https://127.0.0.1:1", "127.0.0.1", storage.charter_in_force)
    paths = ("/api/v1/charter", "/api/v1/charters/1", "/api/v1/charters/2")

    async def ask() -> list[str]:
        # A new one each time: a page may show the charter of a few seconds ago.
        app = build_catalogue(FolderReleaseIndex(tmp_path), settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://x") as client:
            answers = [await client.get(path) for path in paths]
            page = (await client.get("/")).text
        shown = [SignedCharter.from_bytes(a.content).charter.digest if a.status_code == 200 else "" for a in answers]
        return [*shown, *(digest for digest in (FIRST.digest, SECOND.digest) if digest in page)]

    propose(storage, FIRST)
    assert asyncio.run(ask()) == ["", "", ""]
    sign(storage, FIRST, *WORLD.keys)
    propose(storage, SECOND)
    assert asyncio.run(ask()) == [FIRST.digest, FIRST.digest, "", FIRST.digest]
    sign(storage, SECOND, "org-1", "org-2", "org-4")
    assert asyncio.run(ask()) == [SECOND.digest, FIRST.digest, SECOND.digest, SECOND.digest]
