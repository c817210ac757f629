"""Counting downloads: a file, a version, a day, and nothing about who it was."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater_server.catalogue.access.rules import Area, Rule, is_evidence, rule_of
from headwater_server.storage.access_port import AccessStore, Download

__all__ = ["DownloadCounter", "DownloadCounting"]

_FIRST_BYTES = 64 * 1024
_CONTENT_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})", re.ASCII)


class DownloadCounter:
    """Counts in memory that are written to storage now and then.

    A download is a file that was sent whole, or the first 64 KiB of it (all of a smaller one) as a range that was
    sent whole. So a resumed download counts once, as does one in parallel ranges; HEAD, 304 and a look at a Parquet
    file's footer do not count, nor does a reader who fetches some columns alone. Evidence (card, manifest, drawings)
    is not counted: every page loads it.
    """

    def __init__(self, store: AccessStore | None, now: Callable[[], float]) -> None:
        """Count from nothing.

        Args:
            store: where counts are added up; None for a catalogue that keeps none.
            now: seconds since 1970.
        """
        self._store, self._now = store, now
        self._counts: dict[Download, int] = {}

    def note(self, name: str, version: int, path: str) -> None:
        """Count one download today."""
        if self._store is not None:
            day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
            download = Download(name, version, path, day)
            self._counts[download] = self._counts.get(download, 0) + 1

    def flush(self) -> None:
        """Write what was counted.

        Raises:
            StorageError: it could not be written; it is kept for the next time.
        """
        counts, self._counts = self._counts, {}
        if self._store is None or not counts:
            return
        try:
            self._store.count_downloads(counts)
        except BaseException:
            for download, count in counts.items():
                self._counts[download] = self._counts.get(download, 0) + count
            raise


class DownloadCounting:
    """ASGI middleware that tells a counter of each file that was sent."""

    def __init__(self, app: ASGIApp, counter: DownloadCounter) -> None:
        self._app = app
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, and count it where it is a download."""
        rule = rule_of(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if rule is None or rule.area is not Area.FILE or is_evidence(rule.path):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _counted(rule, send, self._counter))


def _counted(rule: Rule, send: Send, counter: DownloadCounter) -> Send:
    counts = False

    async def counting(message: Message) -> None:
        nonlocal counts
        if message["type"] == "http.response.start":
            counts = _is_download(message["status"], Headers(raw=message["headers"]))
        await send(message)
        # After it was sent: a reader who went away meanwhile has no file.
        ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        if counts and (ended or message["type"] == "http.response.pathsend"):
            counts = False
            counter.note(rule.name, rule.version, rule.path)

    return counting


def _is_download(status: int, headers: Headers) -> bool:
    if status == 200:
        return True
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "")) if status == 206 else None
    return found is not None and int(found[1]) + 1 >= min(int(found[2]), _FIRST_BYTES)
