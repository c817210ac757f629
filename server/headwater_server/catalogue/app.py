"""The catalogue as one ASGI application."""

import secrets
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp

from headwater_server.catalogue.access import VisibleReleases, current_reader
from headwater_server.catalogue.access.book import AccessBook
from headwater_server.catalogue.access.control import AccessControl, RateLimits
from headwater_server.catalogue.access.downloads import DownloadCounter, DownloadCounting
from headwater_server.catalogue.access.sessions import Sessions
from headwater_server.catalogue.access.signing_in import sign_in_router
from headwater_server.catalogue.access.sizes import RequestSizes
from headwater_server.catalogue.api import api_router
from headwater_server.catalogue.api_document import describe_api
from headwater_server.catalogue.api_errors import ApiProblem, code_of, invalid_request
from headwater_server.catalogue.api_page import operations_of, schemas_of
from headwater_server.catalogue.files import files_router
from headwater_server.catalogue.headers import SecurityHeaders
from headwater_server.catalogue.index import ReleaseIndex
from headwater_server.catalogue.kept_pages import KeptPages, QuickPages
from headwater_server.catalogue.page_cache import PageCache
from headwater_server.catalogue.pages import Pages, pages_router
from headwater_server.catalogue.run_page import RunPages
from headwater_server.catalogue.runs import runs_router
from headwater_server.catalogue.samples import samples_router
from headwater_server.catalogue.settings import CatalogueSettings, is_loopback
from headwater_server.sampling.desk import SampleDesk
from headwater_server.storage.access_port import AccessStore, Level

__all__ = ["build_catalogue"]

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_WORDS = {
    "Not Found": "There is no such page in this catalogue.",
    "Method Not Allowed": "this path has no such method; the header Allow lists those that it has",
}
_STATIC = {"catalogue.css": "text/css", "catalogue.js": "text/javascript", "mark.svg": "image/svg+xml"}


class _ShortInteger(IntegerConvertor):
    """Numbers in paths: Python refuses to read some thousand digits, and the convertor would fail over it."""

    regex = "[0-9]{1,18}"


register_url_convertor("int", _ShortInteger())


def _is_public(name: str) -> bool:
    return current_reader().rules.of(name).level is Level.PUBLIC


def build_catalogue(
    releases: ReleaseIndex,
    settings: CatalogueSettings,
    now: Callable[[], float] = time.time,
    access: AccessStore | None = None,
    downloads: DownloadCounter | None = None,
    runs: RunPages | None = None,
    samples: SampleDesk | None = None,
) -> ASGIApp:
    """Build the application that lists, shows and serves releases.

    Args:
        releases: where they are looked up, at every request anew.
        settings: whose they are, and whom to let in.
        now: seconds since 1970, for the expiry of sessions and tokens.
        access: tokens and levels of datasets; None for what the settings say alone.
        downloads: told of each file that was sent.
        runs: where the pages of runs look; None for a catalogue without them.
        samples: where rows are asked for; None where the coordinator draws none.

    Returns:
        An ASGI application for TLS listeners only: its cookie is marked secure.
    """
    pages = Pages(settings, runs=runs is not None)
    sessions = Sessions(secrets.token_bytes(32), now)
    book = AccessBook(
        access, default=settings.level, shared=settings.token_digest, open_runs=settings.open_runs, now=now
    )
    # Routes are given nothing else: what a reader may not know of is not there for any of them.
    releases = VisibleReleases(releases)
    app = FastAPI(
        title=f"Datasets of {settings.consortium}",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect would be built from the query as it came, which may be no text.
        redirect_slashes=False,
    )
    app.include_router(api_router(releases, settings))
    app.include_router(files_router(releases, public=_is_public))
    if samples is not None:
        app.include_router(samples_router(releases, samples))
    kept = KeptPages(releases, pages)
    app.include_router(pages_router(releases, pages, kept))
    app.include_router(sign_in_router(pages, book, sessions))
    if runs is not None:
        may_see, may_still_see = (lambda: current_reader().may_see_runs), book.may_still_see_runs
        app.include_router(runs_router(runs, pages, may_see=may_see, may_still_see=may_still_see))

    _add_fixed(app, pages)
    describe_api(app, settings)

    _add_refusals(app, pages)

    def problem(status: int, message: str) -> Response:
        return pages.render("problem.html", status, status=status, message=message)

    counted = DownloadCounting(app, downloads or DownloadCounter(None, now))
    # Behind the door: who may see what is settled there, and the reader known.
    quick = QuickPages(counted, kept.find)
    guarded = AccessControl(quick, book, sessions, RateLimits(settings.limits), problem)
    sized = RequestSizes(guarded, settings.limits, problem)
    return SecurityHeaders(sized, strict_transport=not is_loopback(settings.host))


def _add_fixed(app: FastAPI, pages: Pages) -> None:
    """The page of the API, and what pages load."""
    cache = PageCache()
    static_files = {name: files("headwater_server.catalogue").joinpath("static", name).read_bytes() for name in _STATIC}

    @app.head("/api", include_in_schema=False)
    @app.get("/api", include_in_schema=False)
    def api_page(request: Request) -> Response:
        return cache.made(pages.reader_class, lambda: _api_text(pages, app.openapi())).answer(request)

    @app.head("/static/{name}", include_in_schema=False)
    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise HTTPException(404, "There is no such page in this catalogue.")
        return Response(static_files[name], media_type=_STATIC[name], headers={"cache-control": "max-age=300"})


def _add_refusals(app: FastAPI, pages: Pages) -> None:
    """Every refusal in one shape: JSON for programs, a page for people."""

    @app.exception_handler(HTTPException)
    def refuse(request: Request, problem: HTTPException) -> Response:
        known = _WORDS.get(problem.detail, problem.detail)
        headers = dict(problem.headers or {})
        if problem.status_code == 405:
            headers["allow"] = _allowed(app, request)
        if request.scope["path"].startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
            body = {"error": {"code": code_of(problem), "message": known}}
            return JSONResponse(body, status_code=problem.status_code, headers=headers)
        response = pages.render("problem.html", problem.status_code, status=problem.status_code, message=known)
        response.headers.update(headers)
        return response

    @app.exception_handler(RequestValidationError)
    def refuse_parameters(request: Request, problem: RequestValidationError) -> Response:
        return refuse(request, invalid_request(problem))

    @app.exception_handler(Exception)
    def fail(request: Request, problem: Exception) -> Response:
        del problem  # Starlette raises it again, for the log.
        message = "the catalogue failed at this; its operator's log says why"
        return refuse(request, ApiProblem(500, "internal", message))


def _allowed(app: FastAPI, request: Request) -> str:
    """The methods of a path, over all its routes: each of them names its own alone."""

    def has(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in app.routes)

    return ", ".join(method for method in _METHODS if has(method))


def _api_text(pages: Pages, document: Mapping[str, Any]) -> str:
    schemas = schemas_of(document)
    names = {each.name for each in schemas}
    return pages.text("api.html", operations=operations_of(document), schemas=schemas, names=names)
