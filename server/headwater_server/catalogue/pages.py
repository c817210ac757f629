"""The pages: a list of datasets, one page for each, and the form that asks for a token."""

from collections.abc import Hashable, Sequence
from functools import partial
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headwater.errors import InputError
from headwater_server.catalogue.access import COOKIE, SESSION_SECONDS, Sessions, local_path, token_matches
from headwater_server.catalogue.citing import bibtex, citation_cff
from headwater_server.catalogue.dataset_page import dataset_values
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.index_page import index_form
from headwater_server.catalogue.listing import listed_datasets
from headwater_server.catalogue.page_cache import PageCache
from headwater_server.catalogue.rendering import Pages
from headwater_server.catalogue.search import Query, query_of, search

__all__ = ["Pages", "pages_router"]

_MAXIMUM_FORM_BYTES = 4096
_NO_DATASET = "There is no dataset of this name in this catalogue."
_NO_VERSION = "There is no such version of this dataset in this catalogue."


def pages_router(releases: ReleaseIndex, pages: Pages, sessions: Sessions) -> APIRouter:
    """The routes of all pages."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    cache = PageCache()

    @router.head("/")
    @router.get("/")
    def index(request: Request) -> Response:
        try:
            query = query_of(request.query_params)
        except InputError as error:
            return _index(pages, releases, Query(), f"This search cannot be answered: {error}.", 400)
        return _index(pages, releases, query, "", 200)

    @router.head("/datasets/{name}")
    @router.get("/datasets/{name}")
    async def newest(request: Request, name: str) -> Response:
        versions = releases.versions(name)
        if not versions:
            raise HTTPException(404, _NO_DATASET)
        return await _dataset(request, pages, cache, versions[0], versions)

    @router.head("/datasets/{name}/{version:int}")
    @router.get("/datasets/{name}/{version:int}")
    async def one(request: Request, name: str, version: int) -> Response:
        entry = _found(releases, name, version)
        return await _dataset(request, pages, cache, entry, releases.versions(name))

    @router.head("/datasets/{name}/{version:int}/CITATION.cff")
    @router.get("/datasets/{name}/{version:int}/CITATION.cff")
    def cff(name: str, version: int) -> Response:
        manifest = _found(releases, name, version).manifest
        return _download(citation_cff(manifest, _page(pages, name, version)), "CITATION.cff", "application/yaml")

    @router.head("/datasets/{name}/{version:int}/citation.bib")
    @router.get("/datasets/{name}/{version:int}/citation.bib")
    def bib(name: str, version: int) -> Response:
        manifest = _found(releases, name, version).manifest
        file = f"{name}-{version}.bib"
        return _download(bibtex(manifest, _page(pages, name, version)), file, "application/x-bibtex")

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


def _found(releases: ReleaseIndex, name: str, version: int) -> ReleaseEntry:
    entry = releases.find(name, version)
    if entry is None:
        raise HTTPException(404, _NO_VERSION)
    return entry


def _page(pages: Pages, name: str, version: int) -> str:
    return f"{pages.settings.address}/datasets/{name}/{version}"


def _download(text: str, file: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"content-disposition": f'attachment; filename="{file}"'})


def _index(pages: Pages, releases: ReleaseIndex, query: Query, problem: str, status: int) -> Response:
    found = search(listed_datasets(releases), query)
    form = index_form(query, found)
    return pages.render("index.html", status, query=query, found=found, form=form, problem=problem)


async def _dataset(
    request: Request, pages: Pages, cache: PageCache, entry: ReleaseEntry, versions: Sequence[ReleaseEntry]
) -> Response:
    # The page names all versions, so that it is another one once a newer one is there.
    key: Hashable = (entry.folder, tuple(each.manifest.version for each in versions))
    page = cache.get(key)
    if page is None:
        page = await run_in_threadpool(cache.made, key, partial(_dataset_text, pages, entry, versions))
    return page.answer(request)


def _dataset_text(pages: Pages, entry: ReleaseEntry, versions: Sequence[ReleaseEntry]) -> str:
    return pages.text("dataset.html", **dataset_values(entry, versions, pages.settings))
