"""A browser's session: a cookie bound to the token that was signed in with, and where it may come from."""

import hmac
import re
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

__all__ = ["COOKIE", "SESSION_SECONDS", "Sessions", "cookie_of", "local_path", "same_origin"]

COOKIE = "__Host-headwater"
SESSION_SECONDS = 12 * 3600

_VALUE = re.compile(r"([0-9]{1,12})\.([0-9a-z]{1,16})\.([0-9a-f]{64})", re.ASCII)


def local_path(target: str) -> str:
    """Where to go after signing in: a path of this site, "/" for anything that could lead elsewhere."""
    printable = target.isascii() and target.isprintable()
    return target if printable and target.startswith("/") and target[1:2] != "/" and "\\" not in target else "/"


def cookie_of(headers: Headers) -> str:
    """The session's cookie as it was sent; "" where there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def same_origin(headers: Headers) -> bool:
    """Tell whether a request that changes something can come from a page of this site, or from no page at all.

    Browsers say where a request comes from and pages cannot forge it; programs say nothing, and hold no cookie that
    somebody else could use.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin", "none"):
        return False
    if origin == "null":
        # What browsers send for the forms of these pages, whose referrer policy is no-referrer. Other pages without an
        # origin, such as a sandboxed frame, are told apart as cross-site.
        return site == "same-origin"
    return origin is None or origin == f"https://{headers.get('host', '')}"


class Sessions:
    """Signed, expiring cookies that name a token by its id; a restart ends them all."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        self._key = key
        self._now = now

    def issue(self, token_id: str) -> str:
        """A cookie's value, good for twelve hours and no longer than the token."""
        content = f"{int(self._now()) + SESSION_SECONDS}.{token_id}"
        return f"{content}.{self._seal(content)}"

    def token_id(self, value: str) -> str | None:
        """The token that a value was issued for; None where it was not issued here, or has expired."""
        found = _VALUE.fullmatch(value)
        if found is None or not hmac.compare_digest(found[3], self._seal(f"{found[1]}.{found[2]}")):
            return None
        return found[2] if int(found[1]) > self._now() else None

    def _seal(self, content: str) -> str:
        return hmac.new(self._key, b"headwater/catalogue-session/2\0" + content.encode("ascii"), "sha256").hexdigest()
