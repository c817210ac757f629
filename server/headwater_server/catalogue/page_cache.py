"""Rendered pages, kept for as long as what they show does not change."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope, Send

from headwater.canonical import sha256_hex

__all__ = ["PageCache", "RenderedPage"]

_PAGES = 512
_BYTES = 64 * 2**20


class RenderedPage:
    """A page as bytes, with the tag by which a browser asks whether it changed."""

    def __init__(self, text: str) -> None:
        self.body = text.encode()
        self.etag = f'"{sha256_hex(self.body)[:32]}"'
        self._raw_headers = Response(self.body, media_type="text/html", headers=self._headers()).raw_headers

    def answer(self, request: Request) -> Response:
        """The page, or 304 where the browser has this very one."""
        if self._is_known(request.headers):
            return Response(status_code=304, headers=self._headers())
        return Response(self.body, media_type="text/html", headers=self._headers())

    async def send(self, scope: Scope, send: Send) -> None:
        """As `answer`, without making its objects anew."""
        if self._is_known(Headers(scope=scope)):
            headers, status, body = Response(status_code=304, headers=self._headers()).raw_headers, 304, b""
        else:
            # A copy: what is around this adds to it.
            headers, status, body = list(self._raw_headers), 200, self.body
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _headers(self) -> dict[str, str]:
        # Every time it is asked whether it is the same: a version may be withdrawn, a newer one published.
        return {"etag": self.etag, "cache-control": "private, no-cache"}

    def _is_known(self, headers: Headers) -> bool:
        tags = headers.get("if-none-match", "")
        return bool(tags) and self.etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]


class PageCache:
    """The pages that were asked for last, by whatever they depend on."""

    def __init__(self, pages: int = _PAGES, size_bytes: int = _BYTES) -> None:
        """Keep at most so many pages, and so many bytes of them."""
        self._pages, self._most_bytes = pages, size_bytes
        self._kept: OrderedDict[Hashable, RenderedPage] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, Future[RenderedPage]] = {}

    def get(self, key: Hashable) -> RenderedPage | None:
        """The page under a key, if it is kept."""
        with self._lock:
            page = self._kept.get(key)
            if page is not None:
                self._kept.move_to_end(key)
            return page

    def made(self, key: Hashable, make: Callable[[], str]) -> RenderedPage:
        """The page under a key; made where it is not kept, once for all readers who wait for it."""
        page = self.get(key)
        if page is not None:
            return page
        ours: Future[RenderedPage] = Future()
        with self._lock:
            first = self._making.setdefault(key, ours)
        if first is not ours:
            # Eight readers of a page that nobody asked for before would else render it eight times, each eight times
            # as slowly. Whatever it fails at, it fails at for all of them.
            return first.result()
        try:
            page = RenderedPage(make())
        except BaseException as error:
            self._end(key)
            ours.set_exception(error)
            raise
        self._end(key, page)
        ours.set_result(page)
        return page

    def _end(self, key: Hashable, page: RenderedPage | None = None) -> None:
        with self._lock:
            del self._making[key]
            if page is not None:
                self._put(key, page)

    def _put(self, key: Hashable, page: RenderedPage) -> None:
        old = self._kept.pop(key, None)
        self._size_bytes += len(page.body) - (len(old.body) if old else 0)
        self._kept[key] = page
        while len(self._kept) > self._pages or (self._size_bytes > self._most_bytes and len(self._kept) > 1):
            _, dropped = self._kept.popitem(last=False)
            self._size_bytes -= len(dropped.body)
