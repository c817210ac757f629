"""An ASGI application asked in this process, by requests that may be as odd as an attacker's."""

import asyncio
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message

__all__ = ["InProcess"]


class InProcess:
    """A client that sends one request after the other; cookies are not kept."""

    def __init__(self, app: ASGIApp, address: str = "127.0.0.1") -> None:
        """Ask `app` as a reader at this address."""
        self._app, self._address = app, address

    def get(self, path: str, *, raising: bool = True, **options: Any) -> httpx.Response:
        """GET; `raising` lets an error of the application through."""
        return self.request("GET", path, raising=raising, **options)

    def head(self, path: str, **options: Any) -> httpx.Response:
        """HEAD."""
        return self.request("HEAD", path, **options)

    def request(self, method: str, path: str, *, raising: bool = True, **options: Any) -> httpx.Response:
        """Any method."""
        request = httpx.Request(method, f"https://testserver{path}", **options)
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        return self._ask(method, request.url.raw_path.partition(b"?")[0], request.url.query, headers, raising)

    def get_raw(self, path: bytes, query: bytes) -> httpx.Response:
        """GET of a path and query that no client would write."""
        return self._ask("GET", path, query, [(b"host", b"testserver")], True)

    def _ask(
        self, method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], raising: bool
    ) -> httpx.Response:
        sent: list[Message] = []
        asked: list[bool] = []

        async def receive() -> Message:
            if asked:
                # The reader stays: what waits for it to go is cancelled.
                await asyncio.Event().wait()
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            # As uvicorn does: what is no UTF-8 is replaced.
            "path": unquote(path.decode("latin-1") if b"%" not in path else path.decode("ascii", "replace")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": (self._address, 50_000),
            "server": ("testserver", 443),
        }

        async def asked_of() -> None:
            await self._app(scope, receive, send)

        try:
            asyncio.run(asked_of())
        except Exception:
            if raising:
                raise
        start = next(message for message in sent if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return httpx.Response(start["status"], headers=start["headers"], content=body)
