"""Pages of runs for members and the operator, and their live progress as server-sent events."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from headwater_server.catalogue.access import Reader, current_reader
from headwater_server.catalogue.api_errors import ApiProblem
from headwater_server.catalogue.headers import FIGURE_POLICY
from headwater_server.catalogue.rendering import Pages
from headwater_server.catalogue.run_lines import Line, lines_after
from headwater_server.catalogue.run_page import RunPages, run_values, state_of
from headwater_server.services.ports import RunRecord

__all__ = ["MAXIMUM_STREAMS", "STREAMS_OF_ONE", "STREAMS_OF_STRANGERS", "STREAM_SECONDS", "runs_router"]

MAXIMUM_STREAMS = 64
"""Pages that are told of progress at the same time; each asks the database once a second."""

STREAMS_OF_ONE = 8
"""Of these, those of one token: more than anybody's open pages, and no token takes all."""

STREAMS_OF_STRANGERS = MAXIMUM_STREAMS // 2
"""Of these, those of all readers without a token, who cannot be told apart: the others are left to members."""

STREAM_SECONDS = 900
"""After so long a stream ends; the browser opens the next one where it left off."""

_POLL_SECONDS = 1.0
_QUIET_SECONDS = 15.0
_RETRY_MILLISECONDS = 2000
_RUN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_NO_RUN = "There is no such run here."


def runs_router(
    runs: RunPages,
    pages: Pages,
    *,
    may_see: Callable[[], bool],
    may_still_see: Callable[[Reader], Awaitable[bool]],
    poll_seconds: float = _POLL_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> APIRouter:
    """The routes under /runs.

    Args:
        runs: where they are looked up.
        pages: templates.
        may_see: whether the reader of this request may; who may not is told that there is no such page.
        may_still_see: whether this reader may now; asked before each look, since a stream lasts longer than a token
            that was revoked.
        poll_seconds: between two looks into the database, for each stream.
        now: seconds of any clock.
    """
    router = APIRouter(prefix="/runs", include_in_schema=False)
    streams = _Streams()

    def found(run_id: str) -> RunRecord:
        record = runs.store.run(run_id) if may_see() and _RUN.fullmatch(run_id) else None
        if record is None:
            raise HTTPException(404, _NO_RUN)
        return record

    @router.head("")
    @router.get("")
    def listed() -> Response:
        if not may_see():
            raise HTTPException(404, "There is no such page in this catalogue.")
        return pages.render("runs.html", runs=[*reversed(runs.store.runs())])

    @router.head("/{run_id}")
    @router.get("/{run_id}")
    def one(run_id: str) -> Response:
        return pages.render("run.html", **run_values(runs, found(run_id)))

    @router.head("/{run_id}/health.svg")
    @router.get("/{run_id}/health.svg")
    def health(run_id: str) -> Response:
        file = runs.health(found(run_id).run_id)
        if file is None:
            raise HTTPException(404, "Nothing of this run's health is drawn yet.")
        headers = {"content-security-policy": FIGURE_POLICY, "cache-control": "private, no-cache"}
        return FileResponse(file, media_type="image/svg+xml", headers=headers)

    @router.get("/{run_id}/events")
    async def events(request: Request, run_id: str) -> Response:
        record = await run_in_threadpool(found, run_id)
        reader = current_reader()
        still = partial(may_still_see, reader)
        stream = _events(runs, record.run_id, _resumed(request), still, poll_seconds, now)
        return _Watched(stream, streams, reader.token_id)

    return router


def _resumed(request: Request) -> int:
    """Number of the last record that the reader has; the browser's own word comes before the page's."""
    for said in (request.headers.get("last-event-id", ""), request.query_params.get("after", "")):
        if _NUMBER.fullmatch(said):
            return int(said)
    return 0


class _Streams:
    """How many streams each reader has, by token; used in the server's one loop alone."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def take(self, token_id: str) -> None:
        """Begin one more of this reader; "" for readers without a token."""
        most = STREAMS_OF_ONE if token_id else STREAMS_OF_STRANGERS
        if token_id and self._held[token_id] >= most:
            raise ApiProblem(
                429,
                "too_many_streams",
                f"{most} pages are watching runs with this token, which is the most; close one",
                {"retry-after": "30"},
            )
        if self._held.total() >= MAXIMUM_STREAMS or self._held[token_id] >= most:
            raise HTTPException(503, "Too many pages are watching runs; reload this one in a while.")
        self._held[token_id] += 1

    def give(self, token_id: str) -> None:
        """End one of them."""
        self._held[token_id] -= 1
        if not self._held[token_id]:
            del self._held[token_id]


class _Watched(StreamingResponse):
    """A stream that has its place from the moment it is answered, and gives it back however it ends."""

    def __init__(self, stream: AsyncIterator[str], streams: _Streams, token_id: str) -> None:
        streams.take(token_id)
        super().__init__(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._streams, self._token_id = streams, token_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.give(self._token_id)


async def _events(
    runs: RunPages,
    run_id: str,
    after: int,
    still: Callable[[], Awaitable[bool]],
    poll_seconds: float,
    now: Callable[[], float],
) -> AsyncIterator[str]:
    """One stream: what the reader has not seen, then what comes, until the run is over.

    Source: HTML Living Standard 9.2, server-sent events.
    """
    ends, spoke, told = now() + STREAM_SECONDS, now(), ""
    yield f"retry: {_RETRY_MILLISECONDS}\n\n"
    while now() < ends and await still():
        # In this order: what was recorded before the end is told before it.
        record = await run_in_threadpool(runs.store.run, run_id)
        if record is None:
            return
        for number, lines in await run_in_threadpool(_new_lines, runs, run_id, after):
            after, spoke = number, now()
            yield f"id: {number}\nevent: record\ndata: {json.dumps([asdict(line) for line in lines])}\n\n"
        state = state_of(runs, record)
        if (said := json.dumps(state)) != told:
            told, spoke = said, now()
            yield f"event: state\ndata: {said}\n\n"
        if state["over"]:
            return
        if now() - spoke > _QUIET_SECONDS:
            # Proxies close what says nothing.
            spoke = now()
            yield ": still here\n\n"
        await asyncio.sleep(poll_seconds)


def _new_lines(runs: RunPages, run_id: str, after: int) -> Sequence[tuple[int, Sequence[Line]]]:
    # The short question first: mostly there is nothing new.
    return lines_after(runs.store.progress(run_id), after) if runs.store.progress(run_id, after) else ()
