"""Withdrawal: the signed notice first, then the rows; wherever a command was killed, the next `serve` goes on."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.succession import CharterHistory
from headwater.errors import InputError, StorageError
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import WITHDRAWN, SignedWithdrawal, read_withdrawal, verify_withdrawal
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.releasing import withdrawing
from headwater_server.releasing.settling import settle
from headwater_server.releasing.withdrawing import finish_withdrawals, withdraw, withdrawal_of
from support.access_site import AccessSite
from support.waiting_release import WaitingRoom

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WHY = "Two columns were swapped in the encoder."
STAYS = {"manifest.json", "README.md", "schema.toml", "SHA256SUMS", "attestation.json", WITHDRAWN}


class KilledError(BaseException):
    """In place of a signal that ends the process at this very point."""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[WaitingRoom]:
    made = WaitingRoom(tmp_path)
    for _ in range(2):
        record = made.wait()
        for member in made.world.keys:
            record = made.decide(record, member)
        settle(made.storage, made.folders)
        # The room draws nothing.
        plots = made.home.releases / "visits" / str(record.version) / "plots"
        plots.mkdir()
        (plots / "001-age.svg").write_text("<svg/>")
    yield made
    made.storage.close()


def take_back(room: WaitingRoom, version: int = 1, reason: str = WHY, replaced_by: int | None = None) -> None:
    withdraw(room.home, room.storage, "visits", version, reason, room.world.coordinator_key, NOW, replaced_by)


def files_of(room: WaitingRoom, version: int = 1) -> set[str]:
    folder = room.home.releases / "visits" / str(version)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_rows_go_and_a_notice_that_readers_believe_takes_their_place(room: WaitingRoom) -> None:
    before = files_of(room)
    assert {"data.parquet", "plots/001-age.svg"} < before
    take_back(room, replaced_by=2)
    assert files_of(room) == (before & STAYS) | {WITHDRAWN}
    folder = room.home.releases / "visits" / "1"
    assert [path for path in folder.iterdir() if path.is_dir()] == []
    manifest = read_manifest((folder / "manifest.json").read_bytes()).manifest
    history = CharterHistory(tuple(room.storage.charters_in_force()))
    said = verify_withdrawal((folder / WITHDRAWN).read_bytes(), manifest, history)
    assert (said.reason, said.replaced_by, said.withdrawn) == (WHY, 2, "2026-11-22T10:00:00Z")
    assert files_of(room, 2) == before


def test_the_index_shows_it_withdrawn_and_never_as_the_newest(room: WaitingRoom) -> None:
    index = FolderReleaseIndex(room.home.releases)
    assert [entry.manifest.version for entry in index.latest()] == [2]
    take_back(room, version=2)
    assert [entry.manifest.version for entry in index.latest()] == [1]
    assert [(entry.manifest.version, entry.withdrawn is None) for entry in index.versions("visits")] == [
        (2, False),
        (1, True),
    ]
    take_back(room, version=1)
    (only,) = index.latest()
    assert (only.manifest.version, only.withdrawn is None) == (2, False)
    assert "data.parquet" not in only.files
    assert only.files[WITHDRAWN].size_bytes > 0
    # What it was is never another release's.
    assert room.storage.next_version("visits") == 3


@pytest.mark.parametrize("killed_at", ["before the notice", "after the notice", "half-way"])
def test_what_a_kill_interrupts_is_gone_on_with(
    room: WaitingRoom, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    before = files_of(room)
    real_remove = withdrawing._remove_rest

    def kill(*given: object) -> None:
        raise KilledError

    def remove_one_then_kill(folder: Path) -> None:
        (folder / "data.parquet").unlink()
        raise KilledError

    with monkeypatch.context() as patched:
        match killed_at:
            case "before the notice":
                patched.setattr(withdrawing, "write_durably", kill)
            case "after the notice":
                patched.setattr(withdrawing, "_remove_rest", kill)
            case _:
                patched.setattr(withdrawing, "_remove_rest", remove_one_then_kill)
        with pytest.raises(KilledError):
            take_back(room)
    assert withdrawing._remove_rest is real_remove
    entry = FolderReleaseIndex(room.home.releases).find("visits", 1)
    assert entry is not None
    assert finish_withdrawals(room.home, room.storage) == ()
    if killed_at == "before the notice":
        assert (entry.withdrawn, files_of(room)) == (None, before)
    else:
        # Not a row is served from the moment that the notice stands.
        assert entry.withdrawn is not None
        assert "data.parquet" not in entry.files
        assert files_of(room) == (before & STAYS) | {WITHDRAWN}
    take_back(room)
    assert files_of(room) == (before & STAYS) | {WITHDRAWN}


def test_the_same_words_again_are_the_same_as_once_and_others_are_refused(room: WaitingRoom) -> None:
    take_back(room)
    data = (room.home.releases / "visits" / "1" / WITHDRAWN).read_bytes()
    take_back(room)
    with pytest.raises(InputError, match="was withdrawn at 2026-11-22T10:00:00Z"):
        take_back(room, reason="Another reason altogether.")
    assert (room.home.releases / "visits" / "1" / WITHDRAWN).read_bytes() == data
    assert withdrawal_of(room.home, "visits", 1) == read_withdrawal(data).withdrawal
    assert withdrawal_of(room.home, "visits", 2) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 3}, "not published"),
        ({"reason": "short"}, "reason"),
        ({"reason": "two\nlines of words"}, "printable"),
        ({"replaced_by": 1}, "name another one"),
        ({"replaced_by": 9}, "not published"),
    ],
)
def test_a_notice_that_does_not_hold_changes_nothing(room: WaitingRoom, changes: dict[str, Any], said: str) -> None:
    before = files_of(room)
    with pytest.raises(InputError, match=said):
        take_back(room, **changes)
    assert files_of(room) == before


def test_a_key_that_the_charter_does_not_name_withdraws_nothing(room: WaitingRoom) -> None:
    before = files_of(room)
    with pytest.raises(InputError, match="does not name"):
        withdraw(room.home, room.storage, "visits", 1, WHY, Ed25519PrivateKey.generate(), NOW)
    assert files_of(room) == before


@pytest.mark.parametrize("forged", ["stranger", "of another version", "garbage"])
def test_rows_are_destroyed_on_nobodys_word_but_the_coordinators(room: WaitingRoom, forged: str) -> None:
    take_back(room, version=2)
    notice = read_withdrawal((room.home.releases / "visits" / "2" / WITHDRAWN).read_bytes())
    first = room.home.releases / "visits" / "1"
    manifest = read_manifest((first / "manifest.json").read_bytes()).manifest
    said = notice.withdrawal.model_copy(update={"version": 1, "release": manifest.digest})
    data = {
        "stranger": SignedWithdrawal.sign(said, Ed25519PrivateKey.generate()).to_bytes(),
        "of another version": notice.to_bytes(),
        "garbage": b"{}",
    }[forged]
    (first / WITHDRAWN).write_bytes(data)
    assert finish_withdrawals(room.home, room.storage) == ("visits/1",)
    assert (first / "data.parquet").is_file()
    if forged != "stranger":
        assert FolderReleaseIndex(room.home.releases).find("visits", 1) is None


def test_a_disk_that_does_not_obey_is_told(room: WaitingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refuse)
        with pytest.raises(StorageError, match="serves none of it, run this again"):
            take_back(room)
    assert finish_withdrawals(room.home, room.storage) == ()
    assert "data.parquet" not in files_of(room)


def test_its_files_answer_410_its_evidence_and_page_stay(room: WaitingRoom, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = AccessSite(tmp_path / "site")
    shutil.copytree(room.home.releases, site.releases)
    files = "/api/v1/releases/visits/1/files"
    assert site.ask(f"{files}/data.parquet").status_code == 200
    shutil.rmtree(site.releases)
    take_back(room, replaced_by=2)
    shutil.copytree(room.home.releases, site.releases)
    assert site.code(f"{files}/data.parquet") == (410, "withdrawn")
    assert site.code(f"{files}/nothing.parquet") == (404, "not_found")
    assert site.ask(f"{files}/manifest.json").status_code == 200
    assert read_withdrawal(site.ask(f"{files}/{WITHDRAWN}").content).withdrawal.reason == WHY
    summary = site.ask("/api/v1/releases/visits/1").json()["summary"]
    assert summary["withdrawn"] == {"withdrawn": "2026-11-22T10:00:00Z", "reason": WHY, "replaced_by": 2}
    assert site.ask("/api/v1/releases/visits/2").json()["summary"]["withdrawn"] is None
    page = site.ask("/datasets/visits/1", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert WHY in page.text
    assert "/datasets/visits/2" in page.text
    assert WHY not in site.ask("/datasets/visits", headers={"accept": "text/html"}).text
    assert site.ask("/", headers={"accept": "text/html"}).status_code == 200
    site.storage.close()
