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
from headwater_server.catalogue.compare_page import comparison_of
from headwater_server.catalogue.dataset_page import dataset_values, withdrawn_values
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex, newest_of
from headwater_server.catalogue.index_page import index_form
from headwater_server.catalogue.kept_pages import KeptPages
from headwater_server.catalogue.listing import listed_of
from headwater_server.catalogue.rendering import Pages
from headwater_server.catalogue.search import Query, query_of, search
from headwater_server.storage.access_port import Level

__all__ = ["Pages", "pages_router"]

_NO_DATASET = "There is no dataset of this name in this catalogue."
_NO_VERSION = "There is no such version of this dataset in this catalogue."


def pages_router(releases: ReleaseIndex, pages: Pages, kept: KeptPages) -> APIRouter:
    """The routes of all pages; what they render is kept in `kept`."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.head("/")
    @router.get("/")
    def index(request: Request) -> Response:
        try:
            query = query_of(request.query_params)
        except InputError as error:
            problem = f"This search cannot be answered: {error}."
            text = _index_text(pages, releases.latest(), Query(), pages.charter_digest(), problem)
            return HTMLResponse(text, 400)
        entries, charter = releases.latest(), pages.charter_digest()
        key = kept.list_key(query, entries, charter)
        return kept.lists.made(key, partial(_index_text, pages, entries, query, charter)).answer(request)

    @router.head("/datasets/{name}")
    @router.get("/datasets/{name}")
    async def newest(request: Request, name: str) -> Response:
        versions = releases.versions(name)
        entry = newest_of(versions)
        if entry is None:
            raise HTTPException(404, _NO_DATASET)
        return await _dataset(request, pages, kept, entry, versions)

    @router.head("/datasets/{name}/compare")
    @router.get("/datasets/{name}/compare")
    def compare(request: Request, name: str) -> Response:
        versions = releases.versions(name)
        if not versions:
            raise HTTPException(404, _NO_DATASET)
        newest, oldest = versions[0].manifest.version, versions[min(1, len(versions) - 1)].manifest.version
        before = _found(releases, name, _number(request.query_params.get("from", ""), oldest))
        after = _found(releases, name, _number(request.query_params.get("to", ""), newest))
        pair = tuple((each.folder, each.withdrawn is None) for each in (before, after))
        key: Hashable = ("compare", pair, _numbers(versions), pages.reader_class)
        return kept.datasets.made(key, partial(_compare_text, pages, before, after, _numbers(versions))).answer(request)

    @router.head("/datasets/{name}/{version:int}")
    @router.get("/datasets/{name}/{version:int}")
    async def one(request: Request, name: str, version: int) -> Response:
        entry = _found(releases, name, version)
        return await _dataset(request, pages, kept, entry, releases.versions(name))

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


def _number(said: str, otherwise: int) -> int:
    if not said:
        return otherwise
    if not (said.isascii() and said.isdecimal() and len(said) <= 7):
        raise HTTPException(400, "A version is a whole number, as in ?from=1&to=2.")
    return int(said)


def _numbers(versions: Sequence[ReleaseEntry]) -> tuple[int, ...]:
    return tuple(entry.manifest.version for entry in versions)


def _compare_text(pages: Pages, before: ReleaseEntry, after: ReleaseEntry, numbers: Sequence[int]) -> str:
    comparison = comparison_of(before, after)
    plots = [change.what for change in comparison.files if change.what.startswith("plots/")]
    return pages.text(
        "compare.html",
        name=after.manifest.name,
        before=before.manifest,
        after=after.manifest,
        numbers=numbers,
        comparison=comparison,
        plots=plots,
    )


def _page(pages: Pages, name: str, version: int) -> str:
    return f"{pages.settings.address}/datasets/{name}/{version}"


def _download(text: str, file: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"content-disposition": f'attachment; filename="{file}"'})


def _index_text(pages: Pages, entries: Sequence[ReleaseEntry], query: Query, charter: str, problem: str = "") -> str:
    found = search([listed_of(entry) for entry in entries], query)
    form = index_form(query, found)
    return pages.text("index.html", query=query, found=found, form=form, charter=charter, problem=problem)


async def _dataset(
    request: Request, pages: Pages, kept: KeptPages, entry: ReleaseEntry, versions: Sequence[ReleaseEntry]
) -> Response:
    key = kept.dataset_key(entry, versions)
    page = kept.datasets.get(key)
    if page is None:
        may_read = current_reader().may_read(entry.manifest.name)
        make = partial(_dataset_text, pages, entry, versions, may_read=may_read)
        page = await run_in_threadpool(kept.datasets.made, key, make)
    return page.answer(request)


def _dataset_text(pages: Pages, entry: ReleaseEntry, versions: Sequence[ReleaseEntry], *, may_read: bool) -> str:
    if entry.withdrawn is not None:
        return pages.text("withdrawn.html", said=entry.withdrawn, **withdrawn_values(entry, versions))
    token = current_reader().rules.of(entry.manifest.name).level is not Level.PUBLIC
    values = dict(dataset_values(entry, versions, pages.settings, token=token))
    values["may_read"] = may_read
    if not may_read:
        values["preview"] = replace(values["preview"], rows=())
    return pages.text("dataset.html", **values)
