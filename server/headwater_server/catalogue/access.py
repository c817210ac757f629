"""Who may read: a bearer token for programs, the same token once at a form for browsers."""

import hashlib
import hmac
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["COOKIE", "OPEN_PATHS", "AccessControl", "Sessions", "local_path", "token_matches"]

COOKIE = "__Host-headwater"
OPEN_PATHS = ("/sign-in", "/static/")
SESSION_SECONDS = 12 * 3600


def token_matches(token: str, token_digest: str) -> bool:
    """Tell in constant time whether a token is the one with this SHA-256."""
    presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
    return hmac.compare_digest(presented, token_digest)


def local_path(target: str) -> str:
    """Where to go after signing in: a path of this site, "/" for anything that could lead elsewhere."""
    printable = target.isascii() and target.isprintable()
    return target if printable and target.startswith("/") and target[1:2] != "/" and "\\" not in target else "/"


class Sessions:
    """Signed, expiring cookies that hold nothing but their expiry; a restart ends them all."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        self._key = key
        self._now = now

    def issue(self) -> str:
        """A cookie's value, good for twelve hours."""
        expiry = str(int(self._now()) + SESSION_SECONDS)
        return f"{expiry}.{self._seal(expiry)}"

    def accepts(self, value: str) -> bool:
        """Tell whether a value was issued here and has not expired."""
        expiry, _, seal = value.partition(".")
        if not (expiry.isascii() and expiry.isdecimal() and len(expiry) <= 12 and seal.isascii()):
            return False
        return hmac.compare_digest(seal, self._seal(expiry)) and int(expiry) > self._now()

    def _seal(self, expiry: str) -> str:
        return hmac.new(self._key, b"headwater/catalogue-session/1\0" + expiry.encode("ascii"), "sha256").hexdigest()


class AccessControl:
    """ASGI middleware that lets through who holds the token, and sends everybody else to the form."""

    def __init__(self, app: ASGIApp, token_digest: str | None, sessions: Sessions) -> None:
        self._app = app
        self._token_digest = token_digest
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        if scope["type"] != "http" or self._token_digest is None or self._may_pass(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] in {"GET", "HEAD"} and "text/html" in headers.get("accept", ""):
            target = quote(scope["path"], safe="/")
            await RedirectResponse(f"/sign-in?next={target}", status_code=303)(scope, receive, send)
            return
        message = "this catalogue asks for a token; give it with `headwater catalogue add … --token`"
        body = {"error": {"code": "unauthorised", "message": message}}
        response = JSONResponse(body, status_code=401, headers={"WWW-Authenticate": 'Bearer realm="headwater"'})
        await response(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if any(path == open_path or (open_path[-1] == "/" and path.startswith(open_path)) for open_path in OPEN_PATHS):
            return True
        headers = Headers(scope=scope)
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._token_digest is not None:
            return token_matches(token.strip(), self._token_digest)
        return self._sessions.accepts(_cookie(headers.get("cookie", "")))


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
