"""Downloads: whole and verified under the final name, continued where they broke, or not there at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import headwater
from headwater.catalogue import CatalogueClient, add_catalogue, download_release, pinned_charter, read_catalogues
from headwater.catalogue.download import only_one
from headwater.catalogue.transfer import fetch_file
from headwater.errors import InputError, ReleaseRefused, TransportError
from headwater.release import verify_release
from headwater.release.layout import MANIFEST
from support.audited_release import pending_release, sign_release
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table, publish

DATA = "/api/v1/releases/visits/1/files/data.parquet"


class Interference:
    """A line that breaks: the body of `path` is cut after `keep` bytes, or is `longer` than it was, `times` times."""

    def __init__(self, path: str = DATA, keep: int = 1000, times: int = 0) -> None:
        self.path, self.keep, self.times = path, keep, times
        self.longer = b""

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def broken(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != self.path or self.times == 0:
                await app(scope, receive, send)
                return
            self.times -= 1
            if self.longer:
                body = b"0" * 10**6 + self.longer
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": body})
                return
            left = self.keep

            async def cut(message: Message) -> None:
                nonlocal left
                if message["type"] == "http.response.body":
                    body = message["body"][:left]
                    left -= len(body)
                    message = {"type": "http.response.body", "body": body, "more_body": True}
                await send(message)

            # Uvicorn closes a connection whose answer ends before its content-length.
            await app(scope, receive, cut)

        return broken


@pytest.fixture
def line() -> Interference:
    return Interference()


@pytest.fixture
def catalogue(tmp_path: Path, line: Interference) -> Iterator[RunningCatalogue]:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with run_catalogue(folder, spoil=line) as running:
        publish(running.releases, running.consortium)
        yield running


@pytest.fixture
def home(tmp_path: Path, catalogue: RunningCatalogue, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    add_catalogue(home, catalogue.url, catalogue.ca.read_text(), catalogue.consortium.digest)
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    return home


def fetch(home: Path, folder: Path, version: int = 1, **options: Callable[[int, int], None]) -> None:
    (known,) = read_catalogues(home)
    with CatalogueClient(known) as client:
        download_release(client, pinned_charter(home, known.charter), "visits", version, folder, **options)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_audited_release_comes_with_its_signatures_or_not_at_all(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue
) -> None:
    folder = catalogue.releases / "visits" / "2"
    pending_release(folder, catalogue.consortium, version=2)
    with pytest.raises(ReleaseRefused, match="0 of 3 organisations signed"):
        fetch(home, tmp_path / "out" / "pending", version=2)
    assert not (tmp_path / "out" / "pending").exists()
    # The catalogue reads a published folder once, so that what was signed since is another version.
    third = pending_release(folder.with_name("3"), catalogue.consortium, version=3)
    sign_release(third, catalogue.consortium)
    fetch(home, tmp_path / "out" / "visits", version=3)
    verification = verify_release(tmp_path / "out" / "visits", catalogue.consortium.charter.charter)
    assert verification.organisations == ("east", "north", "west")


def test_download_is_verified_and_whole(tmp_path: Path, home: Path, catalogue: RunningCatalogue) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "out"
    fetch(home, out / "visits", on_progress=lambda done, total: seen.append((done, total)))
    verification = verify_release(out / "visits", catalogue.consortium.charter.charter)
    assert left_behind(out) == ["visits"]
    assert seen[-1] == (verification.manifest.size_bytes, verification.manifest.size_bytes)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_second_download_fetches_no_file_again(tmp_path: Path, home: Path, catalogue: RunningCatalogue) -> None:
    fetch(home, tmp_path / "visits")
    catalogue.requests.clear()
    fetch(home, tmp_path / "visits")
    assert catalogue.requests == ["GET /api/v1/releases/visits/1/files/manifest.json"]


def test_broken_line_is_resumed_by_range(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue, line: Interference
) -> None:
    (known,) = read_catalogues(home)
    entry = verify_release(catalogue.releases / "visits" / "1", catalogue.consortium.charter.charter).manifest.file(
        "data.parquet"
    )
    if entry is None:
        pytest.fail("the release has no data")
    line.times = 2
    waits: list[float] = []
    with CatalogueClient(known) as client:
        fetch_file(client, "visits", 1, entry, tmp_path / "data.parquet", lambda _size: None, waits.append)
    asked = [request.removeprefix(f"GET {DATA}").strip() for request in catalogue.requests if DATA in request]
    assert asked == ["", "bytes=1000-", "bytes=2000-"]
    assert len(waits) == 2
    original = (catalogue.releases / "visits" / "1" / "data.parquet").read_bytes()
    assert (tmp_path / "data.parquet").read_bytes() == original
    assert not (tmp_path / "data.parquet.part").exists()


def test_line_that_stays_broken_leaves_what_came_and_no_final_name(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue, line: Interference
) -> None:
    (known,) = read_catalogues(home)
    charter = catalogue.consortium.charter.charter
    entry = verify_release(catalogue.releases / "visits" / "1", charter).manifest.file("data.parquet")
    if entry is None:
        pytest.fail("the release has no data")
    line.times, line.keep = 100, 0
    target = tmp_path / "data.parquet"
    target.with_name("data.parquet.part").write_bytes(b"PAR1")
    with CatalogueClient(known) as client, pytest.raises(TransportError, match="could not be reached"):
        fetch_file(client, "visits", 1, entry, target, lambda _size: None, lambda _seconds: None)
    assert not target.exists()
    assert target.with_name("data.parquet.part").read_bytes() == b"PAR1"


def test_command_run_again_continues_the_hidden_folder(tmp_path: Path, home: Path, catalogue: RunningCatalogue) -> None:
    charter = catalogue.consortium.charter.charter
    published = catalogue.releases / "visits" / "1"
    digest = verify_release(published, charter).digest
    staging = tmp_path / f".visits.{digest[:16]}.part"
    staging.mkdir()
    (staging / "data.parquet.part").write_bytes((published / "data.parquet").read_bytes()[:3000])
    (staging / "stray").write_text("x")
    fetch(home, tmp_path / "visits")
    assert f"GET {DATA} bytes=3000-" in catalogue.requests
    verify_release(tmp_path / "visits", charter)
    assert not staging.exists()


def test_file_changed_at_the_catalogue_is_refused_and_deleted(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue
) -> None:
    path = catalogue.releases / "visits" / "1" / "data.parquet"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    out = tmp_path / "out"
    with pytest.raises(ReleaseRefused, match=r"data\.parquet is not the file that was signed"):
        fetch(home, out / "visits")
    assert not (out / "visits").exists()
    assert not list(out.rglob("data.parquet*"))


def test_longer_file_is_cut_off_and_refused(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue, line: Interference
) -> None:
    # The catalogue itself serves no file of another length than its manifest says, so one that lies stands in.
    line.longer, line.times = b"more", 1
    with pytest.raises(ReleaseRefused, match="longer than"):
        fetch(home, tmp_path / "out" / "visits")
    assert not (tmp_path / "out" / "visits").exists()


def test_file_of_another_length_than_published_is_not_served(
    tmp_path: Path, home: Path, catalogue: RunningCatalogue
) -> None:
    path = catalogue.releases / "visits" / "1" / "data.parquet"
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(TransportError, match=r"answered 500 for data\.parquet"):
        fetch(home, tmp_path / "out" / "visits")
    assert not (tmp_path / "out" / "visits").exists()


def test_changed_manifest_is_refused_before_any_file(tmp_path: Path, home: Path, catalogue: RunningCatalogue) -> None:
    path = catalogue.releases / "visits" / "1" / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"rows":500', b'"rows":501'))
    with pytest.raises(ReleaseRefused, match=r"signature on manifest\.json is wrong"):
        fetch(home, tmp_path / "visits")
    assert not (tmp_path / "visits").exists()
    assert not any("data.parquet" in request for request in catalogue.requests)


def test_older_release_under_a_newer_number_is_refused(tmp_path: Path, home: Path, catalogue: RunningCatalogue) -> None:
    publish(catalogue.releases, catalogue.consortium, make_table(rows=20))
    first, second = (catalogue.releases / "visits" / version / MANIFEST for version in ("1", "2"))

    # The index itself would not serve it, so another server stands in that does.
    class Swapped(Interference):
        def __call__(self, app: ASGIApp) -> ASGIApp:
            async def swap(scope: Scope, receive: Receive, send: Send) -> None:
                body = first.read_bytes()
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": body})

            return swap

    other = tmp_path / "other"
    other.mkdir()
    with run_catalogue(other, spoil=Swapped()) as lying:
        (known,) = read_catalogues(home)
        known = known.model_copy(update={"url": lying.url, "ca_pem": lying.ca.read_text()})
        charter = pinned_charter(home, known.charter)
        with CatalogueClient(known) as client, pytest.raises(ReleaseRefused, match="visits version 2 was asked for"):
            client.manifest("visits", 2, charter)
    assert second.is_file()


def test_folder_with_something_else_is_left_alone(tmp_path: Path, home: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="something else than a release"):
        fetch(home, tmp_path / "mine")
    assert left_behind(tmp_path / "mine") == ["thesis.txt"]


def test_damaged_copy_is_named_with_what_can_be_done_and_left_alone(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "visits"
    fetch(home, folder)
    data = (folder / "data.parquet").read_bytes()
    (folder / "data.parquet").write_bytes(data[:-1])
    with pytest.raises(ReleaseRefused) as refused:
        fetch(home, folder)
    said = str(refused.value)
    assert said.startswith(f"{folder} holds a damaged copy: data.parquet is not the file that was signed")
    assert said.endswith("; move or remove the folder, or name another one with --out")
    # That is what was just tried.
    assert "download the dataset again" not in said
    assert (folder / "data.parquet").read_bytes() == data[:-1]
    fetch(home, tmp_path / "another")


def test_copy_with_a_wrong_signature_is_named_with_what_can_be_done(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "visits"
    fetch(home, folder)
    manifest = folder / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows":500', b'"rows":501'))
    with pytest.raises(ReleaseRefused, match=r"visits holds a copy that is refused \(the coordinator's .* --out"):
        fetch(home, folder)


def test_unknown_version_is_named(tmp_path: Path, home: Path) -> None:
    with pytest.raises(InputError, match="is not in https"):
        fetch(home, tmp_path / "visits", version=9)
    assert not (tmp_path / "visits").exists()


def test_load_dataset_gives_the_rows_and_works_offline_by_version(home: Path, catalogue: RunningCatalogue) -> None:
    assert headwater.load_dataset("visits").equals(make_table().to_arrow())
    catalogue.requests.clear()
    assert headwater.load_dataset("visits", 1).num_rows == 500
    assert catalogue.requests == []


def test_load_dataset_takes_the_newest_version(home: Path, catalogue: RunningCatalogue) -> None:
    publish(catalogue.releases, catalogue.consortium, make_table(rows=20))
    assert headwater.load_dataset("visits").num_rows == 20
    assert headwater.load_dataset("visits", version=1).num_rows == 500


def test_load_dataset_refuses_a_changed_cache(home: Path) -> None:
    headwater.load_dataset("visits")
    (path,) = home.rglob("data.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReleaseRefused, match=r"not the file that was signed.*; remove the folder and load"):
        headwater.load_dataset("visits", 1)


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b"])
def test_name_that_is_none_never_becomes_a_path(home: Path, name: str) -> None:
    with pytest.raises(InputError, match="no dataset's name"):
        headwater.load_dataset(name, 1)


def test_unknown_dataset_is_named(home: Path) -> None:
    with pytest.raises(InputError, match="no known catalogue has a dataset 'other'"):
        headwater.load_dataset("other")
    with pytest.raises(InputError, match="no version 7; it has 1"):
        headwater.load_dataset("visits", 7)


def test_without_a_catalogue_the_reader_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))
    with pytest.raises(InputError, match="headwater catalogue add"):
        headwater.load_dataset("visits")


def test_a_link_in_place_of_the_hidden_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / ".out.part").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link"), only_one(tmp_path / ".out.part"):
        pytest.fail("whatever is in the folder would be cleared away")
