"""The pages: a list of datasets, and one page for each."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from headwater.errors import InputError
from headwater_server.catalogue.access import current_reader
from headwater_server.catalogue.citing import bibtex, citation_cff
from headwater_server.catalogue.dataset_page import dataset_values
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex, newest_of
from headwater_server.catalogue.index_page import index_form
from headwater_server.catalogue.listing import listed_datasets
from headwater_server.catalogue.page_cache import PageCache
from headwater_server.catalogue.rendering import Pages
from headwater_server.catalogue.search import Query, query_of, search

__all__ = ["Pages", "pages_router"]

_NO_DATASET = "There is no dataset of this name in this catalogue."
_NO_VERSION = "There is no such version of this dataset in this catalogue."


def pages_router(releases: ReleaseIndex, pages: Pages) -> APIRouter:
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
        entry = newest_of(versions)
        if entry is None:
            raise HTTPException(404, _NO_DATASET)
        return await _dataset(request, pages, cache, entry, versions)

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

    return router


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
    # The page names all versions, so that it is another one once a newer one is there or one is withdrawn; and it
    # shows rows, and a button to sign out, to some readers and not to others.
    reader = current_reader()
    may_read = reader.may_read(entry.manifest.name)
    named = tuple((each.manifest.version, each.withdrawn is None) for each in versions)
    key: Hashable = (entry.folder, named, may_read, reader.signed_in)
    page = cache.get(key)
    if page is None:
        page = await run_in_threadpool(
            cache.made, key, partial(_dataset_text, pages, entry, versions, may_read=may_read)
        )
    return page.answer(request)


def _dataset_text(pages: Pages, entry: ReleaseEntry, versions: Sequence[ReleaseEntry], *, may_read: bool) -> str:
    if entry.withdrawn is not None:
        return pages.text("withdrawn.html", entry=entry, said=entry.withdrawn, versions=versions)
    standing = [each for each in versions if each.withdrawn is None]
    values = dict(dataset_values(entry, standing, pages.settings))
    if not may_read:
        values["preview"] = replace(values["preview"], rows=())
    return pages.text("dataset.html", **values)
