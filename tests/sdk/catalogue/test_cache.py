"""The cache: only what is needed, shared by processes, removed and checked by commands; and `--json`."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import headwater
from headwater.catalogue import add_catalogue, cache_of
from headwater.catalogue.cache import DatasetCache
from headwater.catalogue.fetching import Arriving
from headwater.cli import app
from headwater.errors import InputError, ReleaseRefused, StorageError, TransportError
from headwater.release import FileEntry, SignedManifest
from headwater.release.blocks import BLOCKS_SUFFIX
from headwater.release.layout import DATA, MANIFEST
from headwater.release.verification import read_manifest
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_consortium, make_table, publish

_TERMINAL = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium)
        yield running


@pytest.fixture
def home(tmp_path: Path, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    add_catalogue(home, catalogue.url, catalogue.ca.read_text(), catalogue.consortium.digest)
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    return home


def run(*arguments: str, answer: str | None = None) -> Result:
    return _TERMINAL.invoke(app, list(arguments), input=answer)


def test_only_what_is_needed_is_fetched(home: Path, catalogue: RunningCatalogue) -> None:
    catalogue.requests.clear()
    headwater.load_dataset("visits")
    (entry,) = cache_of(home).entries()
    held = {path.relative_to(entry.folder).as_posix() for path in entry.folder.rglob("*") if path.is_file()}
    assert {DATA, f"{DATA}{BLOCKS_SUFFIX}", "manifest.json", "schema.toml", "README.md"} <= held
    assert not [path for path in held if path.endswith((".svg", ".csv.gz"))]
    assert sorted(path.name for path in entry.folder.parent.iterdir()) == [".1.lock", ".1.used", "1"]


def test_a_file_that_was_lost_is_fetched_again(home: Path, catalogue: RunningCatalogue) -> None:
    headwater.load_dataset("visits")
    (entry,) = cache_of(home).entries()
    (entry.folder / DATA).unlink()
    assert headwater.load_dataset("visits", 1).num_rows == 500


def test_processes_that_load_at_the_same_time_fetch_once(home: Path, catalogue: RunningCatalogue) -> None:
    catalogue.requests.clear()
    program = "import headwater; print(headwater.load_dataset('visits').num_rows)"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ})
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in started] == ["500", "500"]
    assert len([each for each in catalogue.requests if each.endswith(f"/files/{DATA}")]) == 1


def test_a_reader_holds_off_who_removes(home: Path) -> None:
    headwater.load_dataset("visits")
    cache = cache_of(home)
    (entry,) = cache.entries()
    with cache.held(entry.folder), (entry.folder.parent / ".1.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_UN)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    cache.remove(entry.folder)
    assert cache.entries() == []


def test_the_cache_is_listed_checked_and_cleared(home: Path) -> None:
    assert "The cache is empty" in run("cache", "list").output
    headwater.load_dataset("visits")
    assert run("cache", "path").output.strip() == str(home / "cache")
    (listed,) = json.loads(run("cache", "list", "--json").output)["cached"]
    assert (listed["name"], listed["version"]) == ("visits", 1)
    assert listed["size_bytes"] > 1000
    assert "visits" in run("cache", "list").output
    assert "sound" in run("cache", "verify").output
    data = Path(listed["folder"]) / DATA
    data.write_bytes(data.read_bytes()[:-1])
    refused = run("cache", "verify")
    assert refused.exit_code == 1
    assert "headwater cache remove visits" in str(refused.exception)
    assert isinstance(run("cache", "remove", "other").exception, InputError)
    assert isinstance(run("cache", "remove", "visits", "--version", "2").exception, InputError)
    assert "Removed 1 version" in run("cache", "remove", "visits").output
    assert headwater.load_dataset("visits").num_rows == 500
    assert run("cache", "clear", answer="n\n").exit_code == 1
    assert cache_of(home).entries()
    assert "Removed 1 version" in run("cache", "clear", "--yes").output
    assert cache_of(home).entries() == []


def test_a_disk_without_room_is_told_before_anything_comes(
    home: Path, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 100

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Full)
    catalogue.requests.clear()
    with pytest.raises(StorageError, match=r"needs .* more and the disk that holds .* has 100 bytes free"):
        headwater.load_dataset("visits")
    assert not [each for each in catalogue.requests if each.endswith(f"/files/{DATA}")]
    assert cache_of(home).entries() == []


def test_catalogues_are_listed_and_forgotten(home: Path, catalogue: RunningCatalogue) -> None:
    (known,) = json.loads(run("catalogue", "known", "--json").output)["catalogues"]
    assert known == {"url": catalogue.url, "charter": catalogue.consortium.digest, "token": False}
    headwater.load_dataset("visits")
    assert isinstance(run("catalogue", "remove", "https://elsewhere").exception, InputError)
    assert "Forgot" in run("catalogue", "remove", catalogue.url).output
    assert "No catalogue is known" in run("catalogue", "known").output
    # What was downloaded can still be checked: the charter stays pinned.
    assert "sound" in run("cache", "verify").output


def test_search_and_json_for_programs(home: Path, catalogue: RunningCatalogue) -> None:
    assert "visits" in run("search", "hospital").output
    assert "nothing fits" in run("search", "elephants").output
    assert "nothing fits" in run("search", "visits", "--privacy", "dp").output
    (found,) = json.loads(run("search", "VISITS", "--min-rows", "500", "--json").output)["datasets"]
    assert (found["catalogue"], found["name"], found["privacy"]) == (catalogue.url, "visits", "none")
    assert json.loads(run("list", "--json").output)["datasets"][0]["rows"] == 500
    shown = json.loads(run("show", "visits", "--json").output)
    assert shown["columns"][0] == {"name": "age", "kind": "integer", "role": ""}
    assert shown["withdrawn"] is None


def test_errors_of_json_have_a_code(home: Path, catalogue: RunningCatalogue) -> None:
    program = [sys.executable, "-c", "from headwater.cli import main; main()", "show", "visit", "--json"]
    failed = subprocess.run(program, capture_output=True, text=True, env={**os.environ}, check=False)
    assert failed.returncode == 1
    assert failed.stdout == ""
    error = json.loads(failed.stderr)["error"]
    assert error["code"] == "not_found"
    assert "did you mean 'visits'" in error["message"]


def test_a_catalogue_that_is_away_is_told(home: Path, tmp_path: Path, catalogue: RunningCatalogue) -> None:
    other = tmp_path / "gone"
    other.mkdir()
    with run_catalogue(other) as gone:
        add_catalogue(home, gone.url, gone.ca.read_text(), gone.consortium.digest)
    with pytest.raises(TransportError, match="could not be reached"):
        headwater.load_dataset("visits", catalogue=gone.url)


class _Folder:
    """Whoever has one release, in a folder."""

    streams = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifest(self, name: str, version: int, charter: object) -> tuple[SignedManifest, bytes]:
        data = (self.folder / MANIFEST).read_bytes()
        return read_manifest(data), data

    def attestation(self, name: str, version: int) -> bytes:
        return b""

    @contextmanager
    def open_file(
        self, name: str, version: int, entry: FileEntry, start: int = 0, stop: int | None = None
    ) -> Iterator[Arriving]:
        yield Arriving(start, [(self.folder / entry.path).read_bytes()[start:stop]])


def test_files_of_another_release_are_never_added_under_a_manifest_that_is_there(tmp_path: Path) -> None:
    # One coordinator that signed two releases of one name and version: the one that was verified, and another one.
    consortium = make_consortium()
    for place, seed in (("one", 1), ("other", 2)):
        publish(tmp_path / place, consortium, make_table(60, seed))
    one, other = (_Folder(tmp_path / place / "visits" / "1") for place in ("one", "other"))
    cache, charter = DatasetCache(tmp_path / "cache"), consortium.charter.charter
    folder = cache.folder(consortium.digest, "visits", 1)
    cache.add(one, charter, folder, ())
    with pytest.raises(ReleaseRefused, match="two releases of visits version 1"):
        cache.add(other, charter, folder, [DATA])
    assert not (folder / DATA).exists()
    cache.add(one, charter, folder, [DATA])
    assert (folder / DATA).read_bytes() == (one.folder / DATA).read_bytes()
