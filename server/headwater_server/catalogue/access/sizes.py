"""Requests that are larger than any that the catalogue needs are refused before anything looks at them."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater_server.catalogue.access.answers import Render, answer
from headwater_server.catalogue.access.rules import Refusal
from headwater_server.catalogue_limits import CatalogueLimits

__all__ = ["RequestSizes"]

_MOST_HEADERS = 100
_LINE_BYTES = 4  # ": " and the line's end


class RequestSizes:
    """ASGI middleware that bounds header lines, path with query, and body."""

    def __init__(self, app: ASGIApp, limits: CatalogueLimits, render: Render) -> None:
        self._app = app
        self._limits, self._render = limits, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            # What is left of the body is not read: the connection ends.
            closing = {"connection": "close"} if refusal.status == 413 else None
            await answer(refusal, scope, self._render, closing)(scope, receive, send)
            return
        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._limits.body_bytes:
                    raise HTTPException(413, _too_large(self._limits.body_bytes))
            return message

        await self._app(scope, bounded, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        limits = self._limits
        target = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]) + 1
        if target > limits.target_bytes:
            return Refusal(
                414, "uri_too_long", f"path and query have more than {limits.target_bytes:,} bytes; ask less"
            )
        lines = scope["headers"]
        size = sum(len(name) + len(value) + _LINE_BYTES for name, value in lines)
        if len(lines) > _MOST_HEADERS or size > limits.header_bytes:
            said = f"more than {_MOST_HEADERS} header lines or {limits.header_bytes:,} bytes of them; send fewer"
            return Refusal(431, "headers_too_large", said)
        return self._length_refusal(Headers(scope=scope).get("content-length", "0"))

    def _length_refusal(self, declared: str) -> Refusal | None:
        if not (declared.isascii() and declared.isdecimal()):
            return Refusal(400, "bad_request", "the request's content-length is no number; send the body's size")
        # Long digits first: int() of a million of them is work of its own.
        if len(declared) > 18 or int(declared) > self._limits.body_bytes:
            return Refusal(413, "too_large", _too_large(self._limits.body_bytes))
        return None


def _too_large(limit: int) -> str:
    return f"the request's body has more than {limit:,} bytes; send less"
