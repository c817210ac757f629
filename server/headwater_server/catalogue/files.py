"""Serving a release's files: by range, by strong ETag, cached for ever."""

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, Response

from headwater_server.catalogue.headers import FIGURE_POLICY, FILE_POLICY
from headwater_server.catalogue.index import ReleaseIndex

__all__ = ["MAXIMUM_RANGES", "file_url", "files_router"]

MAXIMUM_RANGES = 16
"""More ranges in one request than any reader of Parquet sends; each costs a part of the answer."""

_PATH = "/api/v1/releases/{name}/{version:int}/files/{path:path}"


def file_url(name: str, version: int, path: str) -> str:
    """The path, on this site, of a file of a release."""
    return f"/api/v1/releases/{name}/{version}/files/{path}"


def files_router(releases: ReleaseIndex, *, shared_caches: bool) -> APIRouter:
    """The route of all files.

    Args:
        releases: where they are looked up.
        shared_caches: whether caches between reader and catalogue may keep them; no, where a token is asked for.
    """
    router = APIRouter()
    caching = f"{'public' if shared_caches else 'private'}, max-age=31536000, immutable"

    @router.head(_PATH, include_in_schema=False)
    @router.get(
        _PATH,
        response_class=FileResponse,
        summary="Download one file of a release",
        operation_id="download_file",
    )
    def download(request: Request, name: str, version: int, path: str) -> Response:
        entry = releases.find(name, version)
        # Only a path that the manifest lists is served: what a URL spells never reaches the file system.
        file = entry.files.get(path) if entry is not None else None
        if entry is None or file is None:
            raise HTTPException(404, "there is no such file in this catalogue; see the release's list of files")
        etag = f'"{file.sha256}"'
        figure = file.media_type == "image/svg+xml"
        headers = {
            "etag": etag,
            "cache-control": caching,
            "content-security-policy": FIGURE_POLICY if figure else FILE_POLICY,
        }
        if _names(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        if request.headers.get("range", "").count(",") >= MAXIMUM_RANGES:
            raise HTTPException(
                416,
                f"more than {MAXIMUM_RANGES} ranges in one request; ask for fewer",
                headers={"content-range": f"bytes */{file.size_bytes}"},
            )
        # Text comes as it is, shown or kept as the reader likes; sandbox and nosniff keep it from acting.
        shown = figure or file.media_type.startswith("text/")
        return FileResponse(
            entry.folder / file.path,
            media_type=file.media_type,
            headers=headers,
            filename=None if shown else f"{name}-{version}-{file.path.rsplit('/', 1)[-1]}",
        )

    return router


def _names(header: str, etag: str) -> bool:
    """RFC 9110 13.1.2: weak comparison, a list, or the star."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return header.strip() == "*" or etag in tags
