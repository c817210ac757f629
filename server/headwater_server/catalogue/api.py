"""The JSON API: what there is, each release in full, and the charter that its signatures stand under."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from headwater import __version__
from headwater.canonical import sha256_hex
from headwater_server.catalogue.api_answers import detail_of, summary_of
from headwater_server.catalogue.api_errors import ApiProblem, described
from headwater_server.catalogue.api_models import Health, ReleaseDetail, ReleaseList, ReleaseQuery, VersionList
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.listing import listed_datasets
from headwater_server.catalogue.search import search
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["api_router"]

STATISTICS = "statistics.json"

_Name = Annotated[str, Path(description="The dataset.", examples=["adult"])]
_Version = Annotated[int, Path(description="The version.", ge=1, le=1_000_000, examples=[1])]
_NO_DATASET = "there is no dataset of this name in this catalogue; see /api/v1/releases"
_NO_VERSION = "there is no such version in this catalogue; see /api/v1/releases"
_KNOWN: dict[int | str, Any] = {304: {"description": "The reader has this very answer (`If-None-Match`)."}}
_ABSENT: dict[int | str, Any] = {404: described([404])["404"]}


def _no_parameters(request: Request) -> None:
    if request.query_params:
        raise ApiProblem(422, "unknown_parameter", "this call takes no parameters in its query; leave them out")


def api_router(releases: ReleaseIndex, settings: CatalogueSettings) -> APIRouter:
    """The routes under /api/v1, files apart."""
    router = APIRouter(prefix="/api/v1")
    _add_service(router, settings)
    _add_lists(router, releases)
    _add_releases(router, releases)
    return router


def _add_service(router: APIRouter, settings: CatalogueSettings) -> None:
    plain: dict[str, Any] = {"dependencies": [Depends(_no_parameters)]}

    @router.head("/health", include_in_schema=False, **plain)
    @router.get(
        "/health", operation_id="get_health", summary="Whether the catalogue answers", tags=["service"], **plain
    )
    def get_health() -> Health:
        """For monitoring; open to everybody who can connect, and says nothing of any dataset."""
        return Health(status="ok", software=f"headwater {__version__}")

    @router.head("/charter", include_in_schema=False, **plain)
    @router.get(
        "/charter",
        operation_id="get_charter",
        summary="The charter in force",
        tags=["charter"],
        response_model=dict[str, Any],
        responses=_KNOWN | _ABSENT,
        **plain,
    )
    def get_charter(request: Request) -> Response:
        """The signed charter in force, in canonical form; its digest is what readers pin."""
        charter = settings.charter(None)
        if charter is None:
            raise HTTPException(404, "no charter is in force yet; every member must sign it first")
        return _answer(request, charter.to_bytes())

    @router.head("/charters/{version:int}", include_in_schema=False, **plain)
    @router.get(
        "/charters/{version:int}",
        operation_id="get_charter_version",
        summary="A version of the charter",
        tags=["charter"],
        response_model=dict[str, Any],
        responses=_KNOWN | _ABSENT,
        **plain,
    )
    def get_charter_version(request: Request, version: _Version) -> Response:
        """One version that is or was in force, so that readers who pinned an older one can follow."""
        charter = settings.charter(version)
        if charter is None:
            raise HTTPException(404, "no such version of the charter has been in force; see /api/v1/charter")
        return _answer(request, charter.to_bytes())


def _add_lists(router: APIRouter, releases: ReleaseIndex) -> None:
    @router.head("/releases", include_in_schema=False)
    @router.get(
        "/releases",
        operation_id="list_releases",
        summary="Search datasets",
        tags=["datasets"],
        response_model=ReleaseList,
        responses=_KNOWN,
    )
    def list_releases(request: Request, asked: Annotated[ReleaseQuery, Query()]) -> Response:
        """The newest version of every dataset that this reader may know of, searched, filtered and in pages."""
        found = search(listed_datasets(releases), asked)
        entries = [releases.find(hit.name, hit.version) for hit in found.hits]
        answer = ReleaseList(
            releases=tuple(summary_of(entry) for entry in entries if entry is not None),
            total=found.total,
            page=found.page,
            pages=found.pages,
            per_page=asked.per_page,
        )
        return _json(request, answer)

    @router.head("/releases/{name}", include_in_schema=False, dependencies=[Depends(_no_parameters)])
    @router.get(
        "/releases/{name}",
        operation_id="list_versions",
        summary="Versions of a dataset",
        tags=["datasets"],
        response_model=VersionList,
        responses=_KNOWN | _ABSENT,
        dependencies=[Depends(_no_parameters)],
    )
    def list_versions(request: Request, name: _Name) -> Response:
        """All versions of a dataset, newest first, withdrawn ones too."""
        versions = releases.versions(name)
        if not versions:
            raise HTTPException(404, _NO_DATASET)
        return _json(request, VersionList(name=name, versions=tuple(summary_of(entry) for entry in versions)))


def _add_releases(router: APIRouter, releases: ReleaseIndex) -> None:
    def found(name: str, version: int) -> ReleaseEntry:
        entry = releases.find(name, version)
        if entry is None:
            raise HTTPException(404, _NO_VERSION)
        return entry

    @router.head("/releases/{name}/{version:int}", include_in_schema=False, dependencies=[Depends(_no_parameters)])
    @router.get(
        "/releases/{name}/{version:int}",
        operation_id="get_release",
        summary="One version in full",
        tags=["datasets"],
        response_model=ReleaseDetail,
        responses=_KNOWN | _ABSENT,
        dependencies=[Depends(_no_parameters)],
    )
    def get_release(request: Request, name: _Name, version: _Version) -> Response:
        """What it is, what protects the people behind it, what its columns hold, and the addresses of its files."""
        return _json(request, detail_of(found(name, version)))

    @router.head(
        "/releases/{name}/{version:int}/statistics", include_in_schema=False, dependencies=[Depends(_no_parameters)]
    )
    @router.get(
        "/releases/{name}/{version:int}/statistics",
        operation_id="get_statistics",
        summary="Statistics of one version",
        tags=["datasets"],
        response_model=dict[str, Any],
        responses=_KNOWN | _ABSENT,
        dependencies=[Depends(_no_parameters)],
    )
    def get_statistics(request: Request, name: _Name, version: _Version) -> Response:
        """statistics.json as it was signed: distributions of the synthetic rows, column by column and in pairs."""
        entry = found(name, version)
        if STATISTICS not in entry.files:
            raise HTTPException(404, "this version was published without statistics; its plots show distributions")
        return _answer(request, (entry.folder / STATISTICS).read_bytes())


def _json(request: Request, answer: BaseModel) -> Response:
    return _answer(request, answer.model_dump_json().encode())


def _answer(request: Request, body: bytes) -> Response:
    """JSON under a tag of its content, or 304 where the reader has it."""
    etag = f'"{sha256_hex(body)[:32]}"'
    # Asked again every time: a version may be withdrawn or a newer one published.
    headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "authorization, cookie"}
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(request.headers.getlist("if-none-match")).split(",")]
    if etag in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
