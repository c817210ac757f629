"""The JSON API: what there is, each release in full, and the charter that its signatures stand under."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from headwater.release import FileEntry
from headwater.release.manifest import Protection, Provenance
from headwater.release.statement import privacy_in_short, signatures_in_words
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.settings import CatalogueSettings

__all__ = ["api_router"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class WithdrawalNotice(_Answer):
    """Why a version is no longer to be used. Not signed here: check withdrawn.json among its files."""

    withdrawn: str
    reason: str
    replaced_by: int | None


class ReleaseSummary(_Answer):
    """One version in a list. Nothing here is signed: check manifest.json."""

    name: str
    version: int
    title: str
    created: str
    rows: int
    columns: int
    size_bytes: int
    digest: str
    privacy: str
    signatures: str
    consortium: str
    organisations: int
    withdrawn: WithdrawalNotice | None = None


class ReleaseList(_Answer):
    """The newest version of every dataset that is not withdrawn; of one with no other, the newest withdrawn one."""

    releases: tuple[ReleaseSummary, ...]


class VersionList(_Answer):
    """All versions of a dataset, newest first."""

    name: str
    versions: tuple[ReleaseSummary, ...]


class FileLink(_Answer):
    """A file and where to get it."""

    file: FileEntry
    url: str


class ReleaseDetail(_Answer):
    """One version in full."""

    summary: ReleaseSummary
    description: str
    licence: str
    protection: Protection
    provenance: Provenance
    files: tuple[FileLink, ...]


def api_router(releases: ReleaseIndex, settings: CatalogueSettings) -> APIRouter:
    """The routes under /api/v1, files apart."""
    router = APIRouter(prefix="/api/v1")

    @router.head("/charter", include_in_schema=False)
    @router.get("/charter", operation_id="get_charter", response_class=Response)
    def get_charter() -> Response:
        """The signed charter in force, in canonical form; its digest is what readers pin."""
        charter = settings.charter(None)
        if charter is None:
            raise HTTPException(404, "no charter is in force yet; every member must sign it first")
        return Response(charter.to_bytes(), media_type="application/json")

    @router.head("/charters/{version:int}", include_in_schema=False)
    @router.get("/charters/{version:int}", operation_id="get_charter_version", response_class=Response)
    def get_charter_version(version: int) -> Response:
        """One version that is or was in force, so that readers who pinned an older one can follow."""
        charter = settings.charter(version)
        if charter is None:
            raise HTTPException(404, "no such version of the charter has been in force; see /api/v1/charter")
        return Response(charter.to_bytes(), media_type="application/json")

    @router.head("/releases", include_in_schema=False)
    @router.get("/releases", operation_id="list_releases")
    def list_releases() -> ReleaseList:
        """The newest version of every dataset."""
        return ReleaseList(releases=tuple(_summary(entry) for entry in releases.latest()))

    @router.head("/releases/{name}", include_in_schema=False)
    @router.get("/releases/{name}", operation_id="list_versions")
    def list_versions(name: str) -> VersionList:
        """All versions of a dataset."""
        versions = releases.versions(name)
        if not versions:
            raise HTTPException(404, "there is no dataset of this name in this catalogue; see /api/v1/releases")
        return VersionList(name=name, versions=tuple(_summary(entry) for entry in versions))

    @router.head("/releases/{name}/{version:int}", include_in_schema=False)
    @router.get("/releases/{name}/{version:int}", operation_id="get_release")
    def get_release(name: str, version: int) -> ReleaseDetail:
        """One version in full, with the addresses of its files."""
        entry = releases.find(name, version)
        if entry is None:
            raise HTTPException(404, "there is no such version in this catalogue; see /api/v1/releases")
        manifest = entry.manifest
        return ReleaseDetail(
            summary=_summary(entry),
            description=manifest.description,
            licence=manifest.licence,
            protection=manifest.protection,
            provenance=manifest.provenance,
            files=tuple(FileLink(file=f, url=file_url(name, version, f.path)) for f in entry.files.values()),
        )

    return router


def _summary(entry: ReleaseEntry) -> ReleaseSummary:
    manifest, said = entry.manifest, entry.withdrawn
    return ReleaseSummary(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        created=manifest.created,
        rows=manifest.rows,
        columns=manifest.columns,
        size_bytes=manifest.size_bytes,
        digest=manifest.digest,
        privacy=privacy_in_short(manifest.protection.privacy),
        signatures=signatures_in_words(manifest.protection),
        consortium=manifest.provenance.consortium,
        organisations=manifest.provenance.organisations,
        withdrawn=None
        if said is None
        else WithdrawalNotice(withdrawn=said.withdrawn, reason=said.reason, replaced_by=said.replaced_by),
    )
