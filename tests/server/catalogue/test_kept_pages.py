"""Pages that are kept and sent ahead of the routes: the same answers, and never one reader's page for another."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.types import Scope, Send

from headwater_server.catalogue import FolderReleaseIndex
from headwater_server.catalogue.page_cache import PageCache, RenderedPage
from headwater_server.storage.access_port import READ_REGISTERED, Level
from support.access_site import AccessSite
from support.releases import make_table, publish
from support.shown_site import withdraw

HEART = "read:project:heart"
NAMES = ("open", "known", "heart", "shut")
READERS = {"stranger": (), "registered": (READ_REGISTERED,), "heart": (HEART,)}
PATHS = ("/", *(f"/datasets/{name}{version}" for name in NAMES for version in ("", "/1")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    made = AccessSite(tmp_path_factory.mktemp("site"), changes={"default_level": "closed"}, list_seconds=3600.0)
    for name in NAMES:
        publish(made.releases, made.consortium, make_table(40), name=name)
    made.put("open", Level.PUBLIC)
    made.put("known", Level.REGISTERED)
    made.put("heart", Level.PROJECT, "heart")
    yield made
    made.storage.close()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that were answered ahead of the routes."""
    paths: list[str] = []
    sent = RenderedPage.send

    async def watched(page: RenderedPage, scope: Scope, send: Send) -> None:
        paths.append(scope["path"])
        await sent(page, scope, send)

    monkeypatch.setattr(RenderedPage, "send", watched)
    return paths


def _same(one: httpx.Response, other: httpx.Response) -> bool:
    return (one.status_code, one.headers, one.content) == (other.status_code, other.headers, other.content)


def test_every_reader_is_sent_what_a_route_renders_for_this_reader(folder: AccessSite, found: list[str]) -> None:
    tokens = {who: folder.token(*scopes) if scopes else "" for who, scopes in READERS.items()}
    # Whoever may see most asks first, so that all is kept by the time the others ask.
    for who in ("registered", "heart", "stranger", "registered"):
        for path in PATHS:
            # A query that no page knows leaves the same page to its route.
            routed = folder.ask(f"{path}?x=", tokens[who], headers={"accept": "text/html"})
            folder.ask(path, tokens[who], headers={"accept": "text/html"})
            before = len(found)
            kept = folder.ask(path, tokens[who], headers={"accept": "text/html"})
            assert _same(kept, routed), (who, path)
            assert len(found) == before + (routed.status_code == 200), (who, path)
    listed = {who: folder.ask("/", token).text for who, token in tokens.items()}
    assert "/datasets/shut" in listed["registered"]
    assert "/datasets/shut" not in listed["heart"] + listed["stranger"]
    assert "/datasets/heart" in listed["heart"]
    assert "/datasets/heart" not in listed["stranger"]


def test_a_level_that_is_chosen_holds_for_kept_pages_too(folder: AccessSite, found: list[str]) -> None:
    for path in ("/", "/datasets/open", "/datasets/open/1"):
        assert "/datasets/open" in folder.ask(path).text
        assert "/datasets/open" in folder.ask(path).text
    assert found[-1] == "/datasets/open/1"
    public = folder.ask("/datasets/open").text
    folder.put("open", Level.REGISTERED)
    registered = folder.ask("/datasets/open").text
    assert registered != public, "rows are not shown to strangers any more"
    folder.put("open", Level.CLOSED)
    try:
        assert folder.ask("/datasets/open").status_code == folder.ask("/datasets/open/1").status_code == 404
        assert "/datasets/open" not in folder.ask("/").text
    finally:
        folder.put("open", Level.PUBLIC)


def test_heads_and_tags_are_answered_as_by_a_route(folder: AccessSite, found: list[str]) -> None:
    first = folder.ask("/datasets/open")
    asked = {"if-none-match": f'"other", W/{first.headers["etag"]}'}
    kept, routed = (folder.ask(f"/datasets/open{query}", headers=asked) for query in ("", "?x="))
    assert kept.status_code == 304
    assert _same(kept, routed)
    head = folder.ask("/datasets/open", method="HEAD")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(first.content)))
    assert found.count("/datasets/open") >= 2
    posted = folder.ask("/datasets/open", method="POST")
    assert posted.status_code == 405


def test_a_withdrawn_version_is_shown_as_such_at_once(tmp_path: Path) -> None:
    site = AccessSite(tmp_path, changes={"default_level": "public"}, list_seconds=3600.0)
    publish(site.releases, site.consortium, make_table(40), name="visits")
    assert site.ask("/datasets/visits").text == site.ask("/datasets/visits").text
    withdraw(site.releases, site.consortium, "visits", 1, None)
    assert "withdrawn" in site.ask("/datasets/visits").text.lower()
    assert "withdrawn" in site.ask("/datasets/visits/1").text.lower()
    site.storage.close()


def test_a_list_is_read_anew_when_it_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = AccessSite(tmp_path)
    publish(site.releases, site.consortium, make_table(40), name="visits")
    clock = [100.0]
    monkeypatch.setattr("headwater_server.catalogue.index.time.monotonic", lambda: clock[0])
    index = FolderReleaseIndex(site.releases, list_seconds=0.2)
    assert index.latest_held() is None
    assert [entry.manifest.name for entry in index.latest()] == ["visits"]
    publish(site.releases, site.consortium, make_table(40), name="more")
    assert [entry.manifest.name for entry in index.latest_held() or ()] == ["visits"]
    assert len(index.latest()) == 1
    clock[0] += 0.3
    assert index.latest_held() is None
    assert len(index.latest()) == 2
    site.storage.close()


@pytest.mark.parametrize("fails", [False, True])
def test_a_page_that_several_ask_for_at_once_is_made_once(fails: bool) -> None:
    cache, made, others = PageCache(), list[int](), threading.Event()

    def make() -> str:
        made.append(1)
        assert others.wait(10)
        if fails:
            raise ValueError("no such thing")
        return "page"

    def ask(waiting: threading.Semaphore) -> str:
        waiting.release()
        try:
            return cache.made("key", make).body.decode()
        except ValueError as error:
            return str(error)

    began = threading.Semaphore(0)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, began) for _ in range(4)]
        for _ in asked:
            assert began.acquire(timeout=10)
        others.set()
        assert {each.result(10) for each in asked} == {"no such thing" if fails else "page"}
    if fails:
        # Nothing is kept of it, neither page nor failure.
        assert cache.get("key") is None
        assert cache.made("key", lambda: "mended").body == b"mended"
    else:
        assert len(made) == 1
