"""The one door of the catalogue: says who asks, refuses what that reader may not have, and passes on the rest."""

import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.errors import StorageError
from headwater_server.catalogue.access.answers import Render, answer
from headwater_server.catalogue.access.book import AccessBook, Snapshot
from headwater_server.catalogue.access.buckets import Buckets, address_key
from headwater_server.catalogue.access.reader import Reader, reset_reader, set_reader
from headwater_server.catalogue.access.rules import Area, Refusal, Rule, refusal_of, rule_of
from headwater_server.catalogue.access.sessions import Sessions, cookie_of, same_origin
from headwater_server.catalogue_limits import CatalogueLimits

__all__ = ["AccessControl", "RateLimits"]

_log = structlog.get_logger(__name__)

_SAFE = {"GET", "HEAD", "OPTIONS"}
_CROSS_SITE = Refusal(403, "cross_site", "this request comes from a page of another site; open this site's own page")
_UNAVAILABLE = Refusal(503, "unavailable", "who may read cannot be looked up now; try again in a minute")
_LIMITED = Refusal(429, "rate_limited", "more requests than one reader may send; wait and try again")
_TWO_TOKENS = Refusal(401, "bad_token", "the request shows more than one token; show one")
_NOT_FOUND = Refusal(404, "not_found", "There is no such dataset in this catalogue.")


class RateLimits:
    """What one reader may ask in a minute, by what it costs."""

    def __init__(self, limits: CatalogueLimits, now: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing asked; `now` is a clock in seconds that never goes back."""
        self._requests = Buckets(limits.requests_per_minute, now)
        self._files = Buckets(limits.file_requests_per_minute, now)
        self._sign_ins = Buckets(limits.sign_ins_per_minute, now)
        self._samples = Buckets(limits.samples_per_minute, now)

    def of_request(self, rule: Rule, method: str, reader: Reader, address: str) -> int:
        """Count a request; seconds to wait, 0 where it may go on."""
        if rule.area is Area.OPEN and method not in _SAFE:
            return self.of_attempt(address)
        key = f"token {reader.token_id}" if reader.token_id else address
        if rule.area is Area.FILE:
            return self._files.take(key)
        if rule.area is Area.SAMPLES and method == "POST":
            return self._samples.take(key)
        return self._requests.take(key)

    def of_attempt(self, address: str) -> int:
        """Count a token that may be a guess; seconds to wait, 0 where it may go on."""
        return self._sign_ins.take(address)


class AccessControl:
    """ASGI middleware around every route.

    Guarantee: a route is reached only where its path stands in `rules` and the reader may have what it is; what is
    answered about a dataset that the reader may not see is never a success.
    """

    def __init__(self, app: ASGIApp, book: AccessBook, sessions: Sessions, limits: RateLimits, render: Render) -> None:
        self._app = app
        self._book, self._sessions, self._limits, self._render = book, sessions, limits, render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # The catalogue has no WebSocket; what is no request is not let past the door.
            await send({"type": "websocket.close", "code": 1008})
            return
        rule, address = rule_of(scope["path"]), _address(scope)
        found = await self._identify(scope, address)
        if isinstance(found, Reader):
            await self._serve(rule, found, address, scope, receive, send)
        else:
            await answer(found[0], scope, self._render, found[1])(scope, receive, send)

    async def _serve(
        self, rule: Rule, reader: Reader, address: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        refusal, headers = refusal_of(rule, reader), dict[str, str]()
        changes = scope["method"] not in _SAFE and (reader.signed_in or rule.area is Area.OPEN)
        if changes and not same_origin(Headers(scope=scope)):
            refusal = _CROSS_SITE
        if wait := self._limits.of_request(rule, scope["method"], reader, address):
            refusal, headers = _LIMITED, {"retry-after": str(wait)}
        if refusal is not None:
            await answer(refusal, scope, self._render, headers)(scope, receive, send)
            return
        if not reader.anonymous:
            await self._book.note_use(reader.token_id)
        scope["state"] = {**scope.get("state", {}), "reader": reader}
        hidden = bool(rule.name) and not reader.may_see(rule.name)
        token = set_reader(reader)
        try:
            await self._app(scope, receive, self._without_successes(scope, receive, send) if hidden else send)
        finally:
            reset_reader(token)

    async def _identify(self, scope: Scope, address: str) -> Reader | tuple[Refusal, dict[str, str]]:
        try:
            snapshot = await self._book.snapshot()
        except StorageError as error:
            _log.error("access_not_readable", reason=str(error))
            return _UNAVAILABLE, {"retry-after": "60"}
        found = self._reader(snapshot, Headers(scope=scope))
        if isinstance(found, Reader):
            return found
        if wait := self._limits.of_attempt(address):
            return _LIMITED, {"retry-after": str(wait)}
        return found, {}

    def _reader(self, snapshot: Snapshot, headers: Headers) -> Reader | Refusal:
        shown = [value.partition(" ") for value in headers.getlist("authorization")]
        tokens = [token.strip() for kind, _, token in shown if kind.lower() == "bearer"]
        if len(tokens) > 1:
            return _TWO_TOKENS
        if tokens:
            return snapshot.reader_of_token(tokens[0])
        token_id = self._sessions.token_id(cookie_of(headers))
        return Reader(snapshot.rules) if token_id is None else snapshot.reader_of_session(token_id)

    def _without_successes(self, scope: Scope, receive: Receive, send: Send) -> Send:
        """Answer "not found" in place of anything else than a refusal."""
        replaced = False

        async def guarded(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] < 400:
                replaced = True
                _log.error("hidden_dataset_answered")
                await answer(_NOT_FOUND, scope, self._render)(scope, receive, send)
            elif not replaced:
                await send(message)

        return guarded


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return address_key(client[0] if client else "")
