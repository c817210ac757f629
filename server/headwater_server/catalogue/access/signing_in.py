"""Signing in and out: a token once at a form, then a cookie that is bound to it."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headwater_server.catalogue.access.book import AccessBook
from headwater_server.catalogue.access.reader import Reader
from headwater_server.catalogue.access.sessions import COOKIE, SESSION_SECONDS, Sessions, local_path

if TYPE_CHECKING:
    from headwater_server.catalogue.pages import Pages

__all__ = ["sign_in_router"]

_MAXIMUM_FORM_BYTES = 4096


def sign_in_router(pages: "Pages", book: AccessBook, sessions: Sessions) -> APIRouter:
    """The routes of the form, of its answer, and of the button that ends a session."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.head("/sign-in")
    @router.get("/sign-in")
    def sign_in_form(request: Request) -> Response:
        return pages.render("sign_in.html", target=local_path(request.query_params.get("next", "/")), problem="")

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        fields = await _fields(request)
        token, target = fields.get("token", [""])[0].strip(), local_path(fields.get("next", ["/"])[0])
        found = (await book.snapshot()).reader_of_token(token)
        if not isinstance(found, Reader):
            problem = f"{found.message[:1].upper()}{found.message[1:]}."
            return pages.render("sign_in.html", 403, target=target, problem=problem)
        await book.note_use(found.token_id)
        response = RedirectResponse(target, status_code=303)
        _set_cookie(response, sessions.issue(found.token_id), SESSION_SECONDS)
        return response

    @router.post("/sign-out")
    def sign_out() -> Response:
        response = RedirectResponse("/", status_code=303)
        _set_cookie(response, "", 0)
        # What the browser kept of pages that the token opened goes too.
        response.headers["clear-site-data"] = '"cache"'
        return response

    return router


def _set_cookie(response: Response, value: str, seconds: int) -> None:
    response.set_cookie(COOKIE, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")


async def _fields(request: Request) -> dict[str, list[str]]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAXIMUM_FORM_BYTES:
            raise HTTPException(413, "The form is larger than any token.")
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    except ValueError as error:
        raise HTTPException(400, "The form has more fields than the one of this site.") from error
