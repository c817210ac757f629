"""What counts as a download, and what is kept of it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.errors import StorageError
from headwater_server.catalogue.access.downloads import DownloadCounter
from headwater_server.storage.access_port import Download, DownloadCount
from support.access_site import AccessSite
from support.releases import make_table, publish

DATA = "/api/v1/releases/visits/1/files/data.parquet"
TODAY = Download("visits", 1, "data.parquet", "2026-11-21")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    made = AccessSite(tmp_path_factory.mktemp("site"))
    # Large enough for a range that is no whole file.
    publish(made.releases, made.consortium, make_table(20_000))
    yield made
    made.storage.close()


def counted(site: AccessSite) -> int:
    """Write what was counted; downloads of the day so far."""
    site.downloads.flush()
    return sum(each.count for each in site.storage.downloads("visits"))


@pytest.mark.parametrize(
    ("method", "path", "headers", "more"),
    [
        ("GET", DATA, {}, 1),
        ("GET", DATA, {"range": "bytes=0-"}, 1),
        ("GET", DATA, {"range": "bytes=0-65535"}, 1),
        ("GET", DATA, {"range": "bytes=0-65534"}, 0),
        ("GET", DATA, {"range": "bytes=0-0"}, 0),
        ("GET", DATA, {"range": "bytes=65536-"}, 0),
        ("GET", DATA, {"range": "bytes=-8"}, 0),
        ("GET", DATA, {"range": "bytes=99999999-"}, 0),
        ("HEAD", DATA, {}, 0),
        ("GET", DATA, {"if-none-match": "*"}, 0),
        ("GET", "/api/v1/releases/visits/1/files/README.md", {}, 0),
        ("GET", "/api/v1/releases/visits/1/files/plots/001-age.svg", {}, 0),
        ("GET", "/api/v1/releases/visits/1/files/nothing.parquet", {}, 0),
        ("GET", "/datasets/visits", {}, 0),
    ],
)
def test_a_file_or_its_beginning_counts_once(
    site: AccessSite, method: str, path: str, headers: dict[str, str], more: int
) -> None:
    assert (site.releases / "visits" / "1" / "data.parquet").stat().st_size > 2 * 65536
    before = counted(site)
    site.ask(path, method=method, headers=headers)
    assert counted(site) == before + more


def test_a_download_in_parallel_ranges_or_resumed_counts_once(site: AccessSite) -> None:
    before = counted(site)
    for asked in ("bytes=0-99999", "bytes=100000-149999", "bytes=150000-"):
        assert site.ask(DATA, headers={"range": asked}).status_code == 206
    assert counted(site) == before + 1


def test_a_reader_who_goes_away_is_not_counted(tmp_path: Path) -> None:
    # In this process: the application sends, and is told that nobody is there.
    site = AccessSite(tmp_path)
    publish(site.releases, site.consortium, make_table(20_000))

    async def ask() -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
            "path": DATA, "raw_path": DATA.encode(), "query_string": b"", "root_path": "", "headers": [],
            "client": ("192.0.2.1", 1), "server": ("x", 443),
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            return {"type": "http.disconnect"}

        async def send(message: object) -> None:
            return None

        await site.app(scope, receive, send)

    asyncio.run(ask())
    assert counted(site) == 0
    site.storage.close()


def test_nothing_but_file_and_day_is_kept(site: AccessSite) -> None:
    site.ask(DATA, headers={"user-agent": "somebody-in-particular"})
    site.downloads.flush()
    (kept,) = site.storage.downloads("visits")
    assert kept == DownloadCount(TODAY, kept.count)
    stored = b"".join(path.read_bytes() for path in site.folder.glob("state.db*"))
    assert b"192.0.2.1" not in stored
    assert b"somebody-in-particular" not in stored


def test_counts_wait_where_they_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = AccessSite(tmp_path)
    site.downloads.note("visits", 1, "data.parquet")

    def refuse(counts: object) -> None:
        raise StorageError("the database refused: disk full")

    with monkeypatch.context() as patched:
        patched.setattr(site.storage, "count_downloads", refuse)
        with pytest.raises(StorageError):
            site.downloads.flush()
        site.downloads.note("visits", 1, "data.parquet")
    assert counted(site) == 2
    assert counted(site) == 2
    site.storage.close()


def test_a_catalogue_without_a_store_counts_nothing() -> None:
    counter = DownloadCounter(None, lambda: 0.0)
    counter.note("visits", 1, "data.parquet")
    counter.flush()
    assert counter._counts == {}
