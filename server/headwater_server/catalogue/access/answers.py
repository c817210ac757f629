"""A refusal as an answer: JSON for programs, a page or the form to sign in for people."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from headwater_server.catalogue.access.rules import Refusal

__all__ = ["Render", "answer"]

Render = Callable[[int, str], Response]
"""A page that shows a status and what is wrong."""

_CHALLENGE = 'Bearer realm="headwater"'


def answer(refusal: Refusal, scope: Scope, render: Render, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is refused.

    Args:
        refusal: why.
        scope: of the request.
        render: makes a page of it, for browsers.
        headers: of the answer.
    """
    asked = Headers(scope=scope)
    more = dict(headers or {})
    if refusal.status == 401:
        # RFC 6750 3: the error parameter is there where a token was shown.
        shown = "" if refusal.code == "token_required" else ', error="invalid_token"'
        more["www-authenticate"] = f"{_CHALLENGE}{shown}"
    for_people = "text/html" in asked.get("accept", "") and not scope["path"].startswith("/api/")
    if not for_people:
        body = {"error": {"code": refusal.code, "message": refusal.message}}
        return JSONResponse(body, status_code=refusal.status, headers=more)
    if refusal.code == "token_required" and scope["method"] in {"GET", "HEAD"}:
        return RedirectResponse(f"/sign-in?next={quote(scope['path'], safe='/')}", status_code=303)
    page = render(refusal.status, refusal.message)
    page.headers.update(more)
    return page
