"""Pages of runs: who sees them, what they say, and how live progress goes on after a break."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from headwater_server.catalogue.run_lines import lines_after, plain_line
from headwater_server.catalogue.run_page import RunPages, state_of
from headwater_server.catalogue.runs import STREAMS_OF_ONE, runs_router
from headwater_server.storage import RunState
from headwater_server.storage.access_port import RUNS
from support.access_site import AccessSite
from support.catalogue_server import run_catalogue
from support.shown_site import PROGRESS, RUN, RUN_OVER, ShownSite, shown_site

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownSite]:
    with shown_site(tmp_path_factory.mktemp("site")) as shown:
        yield shown


@pytest.fixture
def http(site: ShownSite) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(site.catalogue.ca))
    with httpx.Client(base_url=site.url, verify=context, trust_env=False, headers=HTML) as client:
        yield client


def read_events(client: httpx.Client, run: str, until: int, last: int | None = None) -> list[tuple[str, str, object]]:
    """The first events of a stream: id, name and data of each."""
    headers = {} if last is None else {"last-event-id": str(last)}
    events: list[tuple[str, str, object]] = []
    with client.stream("GET", f"/runs/{run}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                events.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
                fields = {}
                if len(events) == until:
                    break
            else:
                fields = {}
    return events


def test_the_list_shows_the_newest_run_first_and_links_to_each(http: httpx.Client) -> None:
    page = http.get("/runs").text
    assert 0 < page.index(f"/runs/{RUN}") < page.index(f"/runs/{RUN_OVER}")
    assert '<a href="/runs">Runs</a>' in page


@pytest.mark.parametrize(
    "words",
    [
        "running",
        "ORG-1",
        "one cohort: sums over different sets of organisations cannot be subtracted",
        "marginals: 10 tables, 400 cells · 0.2 s",
        "0 of at most",
        "No organisation has decided yet.",
        "The last model: distance from marginals 0.0120, entropy 0.99",
        f'data-events="/runs/{RUN}/events?after=4"',
    ],
)
def test_a_run_is_told_without_any_script(http: httpx.Client, words: str) -> None:
    assert words in http.get(f"/runs/{RUN}").text


def test_a_run_that_is_over_says_what_it_left_and_waits_for_nothing(http: httpx.Client) -> None:
    page = http.get(f"/runs/{RUN_OVER}").text
    assert "a mixture of 4 components; NOT DIFFERENTIALLY PRIVATE" in page
    assert "data-events" not in page


def test_the_figure_is_served_with_a_policy_of_its_own(http: httpx.Client) -> None:
    figure = http.get(f"/runs/{RUN}/health.svg")
    assert figure.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in figure.headers["content-security-policy"]
    assert b"<svg" in figure.content


@pytest.mark.parametrize(
    "path", ["/runs/0", f"/runs/{'ff' * 16}", f"/runs/{RUN}/events/x", "/runs/..%2f..", "/runs/%00"]
)
def test_a_strangers_id_is_not_found(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_a_stream_begins_with_what_the_reader_has_not_seen(http: httpx.Client) -> None:
    events = read_events(http, RUN, 5)
    assert [(number, name) for number, name, _ in events[:4]] == [(str(n), "record") for n in (1, 2, 3, 4)]
    assert events[4][1] == "state"
    assert events[2][2] == [{"text": "marginals: 10 tables, 400 cells · 0.2 s", "tone": ""}]


def test_a_stream_goes_on_where_the_last_one_broke_off(http: httpx.Client, site: ShownSite) -> None:
    assert [number for number, _, _ in read_events(http, RUN, 2, last=3)] == ["4", ""]
    site.storage.add_progress(RUN, {"kind": "aborted", "round": 2, "reason": "north is away"})
    (number, name, lines), *_ = read_events(http, RUN, 1, last=4)
    assert (number, name, lines) == ("5", "record", [{"text": "round 2 aborted: north is away", "tone": "warn"}])


def test_a_stream_of_a_run_that_is_over_says_so_and_ends(http: httpx.Client) -> None:
    events = read_events(http, RUN_OVER, 99)
    assert [name for _, name, _ in events] == ["record"] * 4 + ["state"]
    state = events[-1][2]
    assert isinstance(state, dict)
    assert state["over"]
    assert state["texts"]["state"] == "finished"


@pytest.mark.parametrize("said", ["-1", "x", "9" * 40, "1e3", "１"])
def test_a_strange_last_event_id_begins_anew(http: httpx.Client, said: str) -> None:
    with http.stream("GET", f"/runs/{RUN_OVER}/events", headers={b"last-event-id": said.encode()}) as answer:
        assert next(line for line in answer.iter_lines() if line.startswith("id: ")) == "id: 1"


def test_who_may_not_see_runs_is_told_to_sign_in_and_nothing_else(tmp_path: Path) -> None:
    with run_catalogue(tmp_path, token="t" * 40) as running:
        context = ssl.create_default_context(cafile=str(running.ca))
        with httpx.Client(base_url=running.url, verify=context, trust_env=False) as client:
            assert client.get(f"/runs/{RUN}").status_code == 401
            assert client.get(f"/runs/{RUN}", headers={"authorization": f"Bearer {'t' * 40}"}).status_code in {403, 404}


def test_a_stream_ends_when_its_token_is_revoked(
    site: ShownSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater_server.catalogue.app.runs_router", partial(runs_router, poll_seconds=0.0))
    access = AccessSite(tmp_path, runs=RunPages(site.storage, tmp_path))
    token, said = access.token(RUNS), bytearray()

    async def watch() -> None:
        async def receive() -> Message:
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never

        async def send(message: Message) -> None:
            said.extend(message.get("body", b""))
            if b"event: state" in said:
                access.revoke(token)
                site.storage.add_progress(RUN, PROGRESS[2])

        path, headers = f"/runs/{RUN}/events", [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
        scope |= {"query_string": b"after=4", "client": ("192.0.2.1", 4000), "root_path": "", "scheme": "https"}
        await asyncio.wait_for(access.app(scope, receive, send), 10)

    asyncio.run(watch())
    assert said.count(b"event: state") == 1
    assert b"event: record" not in said.partition(b"event: state")[2]


def test_no_token_takes_every_stream(site: ShownSite, tmp_path: Path) -> None:
    access = AccessSite(tmp_path, runs=RunPages(site.storage, tmp_path))
    one, other = access.token(RUNS), access.token(RUNS)
    path = f"/runs/{RUN}/events"

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        await access.app(scope, receive, send)

    async def opened(token: str) -> tuple[asyncio.Task[None], list[Message]]:
        said: list[Message] = []
        begun = asyncio.Event()

        async def receive() -> Message:
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never

        async def send(message: Message) -> None:
            said.append(message)
            begun.set()

        headers = [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
        scope |= {"query_string": b"", "client": ("192.0.2.1", 4000), "root_path": "", "scheme": "https"}
        task = asyncio.ensure_future(answered(scope, receive, send))
        await asyncio.wait_for(begun.wait(), 10)
        return task, said

    async def watch() -> None:
        open_pages = [await opened(one) for _ in range(STREAMS_OF_ONE)]
        assert [said[0]["status"] for _, said in open_pages] == [200] * STREAMS_OF_ONE
        task, refused = await opened(one)
        await task
        assert refused[0]["status"] == 429
        assert (b"retry-after", b"30") in refused[0]["headers"]
        assert json.loads(refused[1]["body"])["error"]["code"] == "too_many_streams"
        another, said = await opened(other)
        assert said[0]["status"] == 200
        closed, _ = open_pages.pop()
        closed.cancel()
        await asyncio.gather(closed, return_exceptions=True)
        again, said = await opened(one)
        assert said[0]["status"] == 200, "a page that was closed leaves its place"
        tasks = [another, again, *(task for task, _ in open_pages)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(watch())


def test_lines_of_a_climb_are_the_same_however_often_a_reader_comes_back() -> None:
    climb = [
        {"kind": "expectation", "rung": 1, "components": 2, "log_density": -3.0, "attack_auc": 0.5, "seconds": 1.0}
        for _ in range(3)
    ]
    records = list(enumerate([*climb, {"kind": "ended", "on": "rung", "components": 2, "refused": 1}], start=1))
    whole = lines_after(records, 0)
    pieces = [lines for start in range(4) for number, lines in lines_after(records, start) if number == start + 1]
    assert [lines for _, lines in whole] == pieces


def test_markup_becomes_plain_text_with_a_tone() -> None:
    assert plain_line("[red]failed[/red]: [b]x").tone == "bad"
    assert plain_line("[green]taken[/green], [yellow]but[/yellow]").tone == "warn"
    assert plain_line("plain \\[red]").text == "plain [red]"
    assert plain_line("mixture, rung 2; 1-way TVD 0.010").text == "mixture, step 2; single columns off by 0.010"


def test_the_state_counts_no_more_sums_than_there_can_be(site: ShownSite, tmp_path: Path) -> None:
    record = site.storage.run(RUN)
    assert record is not None
    state = state_of(RunPages(site.storage, tmp_path), record)
    assert 0 <= state["done"] <= state["planned"]
    assert state["health"] == 0
    assert site.storage.run_state(RUN) is RunState.RUNNING
    assert len(PROGRESS) == 4
