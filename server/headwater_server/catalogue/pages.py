"""The pages: a list of datasets, one page for each, and the form that asks for a token."""

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headwater.file_size import size_in_words
from headwater.privacy.words import SCHEMA_FROM_ROWS
from headwater.release.domain import DRAFTED
from headwater.release.statement import (
    citation,
    headline,
    not_to_be_used_for,
    privacy_in_short,
    protection_statement,
    signatures_in_words,
)
from headwater_server.catalogue.access import COOKIE, SESSION_SECONDS, Sessions, local_path, token_matches
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.preview import load_preview
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["Pages", "pages_router"]

_MAXIMUM_FORM_BYTES = 4096


def _day(instant: str) -> str:
    return instant[:10]


class Pages:
    """Templates with what every page needs."""

    def __init__(self, settings: CatalogueSettings) -> None:
        self.settings = settings
        self._templates = Environment(
            loader=PackageLoader("headwater_server.catalogue"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters.update(size=size_in_words, day=_day, privacy_in_short=privacy_in_short)
        self._templates.globals.update(
            file_url=file_url, settings=settings, schema_from_rows=SCHEMA_FROM_ROWS, drafted=DRAFTED
        )

    def render(self, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """Render a template to an answer; every value is escaped."""
        return HTMLResponse(self._templates.get_template(template).render(**values), status_code=status_code)


def pages_router(releases: ReleaseIndex, pages: Pages, sessions: Sessions) -> APIRouter:
    """The routes of all pages."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.head("/")
    @router.get("/")
    def index() -> Response:
        return pages.render("index.html", entries=releases.latest())

    @router.head("/datasets/{name}")
    @router.get("/datasets/{name}")
    def newest(name: str) -> Response:
        versions = releases.versions(name)
        if not versions:
            raise HTTPException(404, "There is no dataset of this name in this catalogue.")
        return _dataset(pages, versions[0], releases)

    @router.head("/datasets/{name}/{version:int}")
    @router.get("/datasets/{name}/{version:int}")
    def one(name: str, version: int) -> Response:
        entry = releases.find(name, version)
        if entry is None:
            raise HTTPException(404, "There is no such version of this dataset in this catalogue.")
        return _dataset(pages, entry, releases)

    @router.head("/sign-in")
    @router.get("/sign-in")
    def sign_in_form(request: Request) -> Response:
        target = local_path(request.query_params.get("next", "/"))
        if pages.settings.token_digest is None:
            return RedirectResponse(target, status_code=303)
        return pages.render("sign_in.html", target=target, problem="")

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        fields = parse_qs(await _form(request), max_num_fields=8)
        token, target = fields.get("token", [""])[0].strip(), local_path(fields.get("next", ["/"])[0])
        digest = pages.settings.token_digest
        if digest is None:
            return RedirectResponse(target, status_code=303)
        if not token_matches(token, digest):
            problem = "This is not the token of this catalogue. Ask the consortium for it again."
            return pages.render("sign_in.html", 403, target=target, problem=problem)
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            COOKIE,
            sessions.issue(),
            max_age=SESSION_SECONDS,
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return response

    return router


async def _form(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAXIMUM_FORM_BYTES:
            raise HTTPException(413, "The form is larger than any token.")
    return body.decode("utf-8", "replace")


def _dataset(pages: Pages, entry: ReleaseEntry, releases: ReleaseIndex) -> HTMLResponse:
    manifest = entry.manifest
    provenance = manifest.provenance
    return pages.render(
        "dataset.html",
        manifest=manifest,
        digest=manifest.digest,
        files=list(entry.files.values()),
        preview=load_preview(entry.folder),
        headline=headline(manifest.protection.privacy),
        statement=protection_statement(provenance.organisations, manifest.unconfirmed_schema, manifest.protection),
        not_for=not_to_be_used_for(),
        signatures=signatures_in_words(manifest.protection),
        citation=citation(provenance.consortium, manifest.title, manifest.name, manifest.version, manifest.created),
        versions=releases.versions(manifest.name),
    )
