"""Publication at the quorum: whole or not at all, once, wherever a process was killed; and tombstones."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headwater.errors import OutOfOrder, StorageError
from headwater.release.dsse import is_statement_signed_by, read_envelope
from headwater.release.layout import ATTESTATION, DATA, MANIFEST
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.releasing import folders as folders_module
from headwater_server.releasing.folders import TOMBSTONE, ReleaseFolders
from headwater_server.releasing.settling import settle, sweep
from headwater_server.services.ports import ReleaseRecord, ReleaseState
from headwater_server.storage import SqlStorage
from support.waiting_release import WaitingRoom


class KilledError(BaseException):
    """In place of a signal that ends the process at this very point."""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[WaitingRoom]:
    made = WaitingRoom(tmp_path)
    yield made
    made.storage.close()


def served(room: WaitingRoom) -> list[tuple[str, int]]:
    """What the catalogue shows."""
    index = FolderReleaseIndex(room.home.releases)
    return [(entry.manifest.name, entry.manifest.version) for entry in index.latest()]


def approved(room: WaitingRoom) -> ReleaseRecord:
    record = room.wait()
    for member in room.world.keys:
        record = room.decide(record, member)
    assert record.state is ReleaseState.APPROVED
    return record


def test_nothing_is_served_until_the_last_signature_is_there(room: WaitingRoom) -> None:
    record = room.wait()
    for member in ("org-1", "org-2"):
        room.decide(record, member)
        assert settle(room.storage, room.folders) == ()
    assert served(room) == []
    room.decide(record, "org-3")
    (published,) = settle(room.storage, room.folders)
    assert (published.name, published.version) == ("visits", 1)
    assert served(room) == [("visits", 1)]
    assert not (room.home.pending / record.release_digest).exists()
    kept = room.storage.release(record.release_digest)
    assert kept is not None
    assert kept.state is ReleaseState.PUBLISHED


def test_the_published_attestation_has_the_signatures_of_coordinator_and_quorum(room: WaitingRoom) -> None:
    record = approved(room)
    settle(room.storage, room.folders)
    statement, signatures = read_envelope((room.home.releases / "visits" / "1" / ATTESTATION).read_bytes())
    assert statement == record.statement
    assert set(signatures) == {room.charter.coordinator_key, *room.charter.keys.values()}
    for key, signature in signatures.items():
        assert is_statement_signed_by(key, statement, signature)
        assert not is_statement_signed_by(key, statement + b" ", signature)


@pytest.mark.parametrize("killed_at", ["attestation", "rename", "after rename", "database"])
def test_what_a_kill_interrupts_is_gone_on_with(
    room: WaitingRoom, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    record = approved(room)

    def kill(*given: object) -> None:
        raise KilledError

    real_rename = os.rename

    def rename_then_kill(source: Path, target: Path) -> None:
        real_rename(source, target)
        raise KilledError

    with monkeypatch.context() as patched:
        match killed_at:
            case "attestation":
                patched.setattr(folders_module, "write_durably", kill)
            case "rename":
                patched.setattr(os, "rename", kill)
            case "after rename":
                patched.setattr(os, "rename", rename_then_kill)
            case _:
                patched.setattr(SqlStorage, "mark_published", kill)
        with pytest.raises(KilledError):
            settle(room.storage, room.folders)
    assert served(room) in ([], [("visits", 1)])
    # Another process, after the restart.
    storage = SqlStorage(room.url)
    sweep(storage, ReleaseFolders(room.home))
    settle(storage, ReleaseFolders(room.home))
    kept = storage.release(record.release_digest)
    storage.close()
    assert kept is not None
    assert kept.state is ReleaseState.PUBLISHED
    assert served(room) == [("visits", 1)]
    _, signatures = read_envelope((room.home.releases / "visits" / "1" / ATTESTATION).read_bytes())
    assert len(signatures) == 4


def test_of_several_processes_that_settle_at_once_one_publishes(room: WaitingRoom) -> None:
    approved(room)

    # Opened one after the other: alembic's commands are made for one thread.
    opened = [SqlStorage(room.url) for _ in range(4)]
    with ThreadPoolExecutor(len(opened)) as pool:
        published = list(pool.map(lambda storage: len(settle(storage, ReleaseFolders(room.home))), opened))
    for storage in opened:
        storage.close()
    assert sorted(published) == [0, 0, 0, 1]
    assert served(room) == [("visits", 1)]


def test_a_published_version_is_never_replaced(room: WaitingRoom) -> None:
    record = approved(room)
    squatter = room.home.releases / "visits" / "1"
    squatter.mkdir(parents=True)
    (squatter / MANIFEST).write_text("not a release")
    with pytest.raises(StorageError, match="move away what stands there"):
        settle(room.storage, room.folders)
    assert (squatter / MANIFEST).read_text() == "not a release"
    (squatter / MANIFEST).unlink()
    settle(room.storage, room.folders)
    kept = room.storage.release(record.release_digest)
    assert kept is not None
    assert kept.state is ReleaseState.PUBLISHED


def test_a_refusal_that_leaves_no_quorum_leaves_a_tombstone_and_no_row(room: WaitingRoom) -> None:
    record = room.wait()
    room.decide(record, "org-1")
    room.decide(record, "org-2", "refuse", "two wards can be told apart")
    for _ in range(2):
        assert settle(room.storage, room.folders) == ()
    folder = room.home.pending / record.release_digest
    assert {entry.name for entry in folder.iterdir()} == {MANIFEST, ATTESTATION, TOMBSTONE}
    said = json.loads((folder / TOMBSTONE).read_text())
    assert [(each["member"], each["reason"]) for each in said["by"]] == [("org-2", "two wards can be told apart")]
    assert served(room) == []
    refused = room.storage.release(record.release_digest)
    assert refused is not None
    with pytest.raises(OutOfOrder, match="was refused"):
        room.folders.folder(refused)
    assert room.wait().version == 2


def test_what_a_killed_command_left_is_swept_and_what_waits_is_not(room: WaitingRoom) -> None:
    record = room.wait()
    for name in (".5e.part", "d9" * 32):
        (room.home.pending / name).mkdir()
        (room.home.pending / name / DATA).write_bytes(b"rows")
    sweep(room.storage, room.folders)
    left = {entry.name for entry in room.home.pending.iterdir()}
    assert left == {".lock", record.release_digest}
