"""Serving a release's files: by range, by strong ETag and digest; those that everybody may read are cached for ever."""

import base64
import datetime
import os
import stat
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as PathParameter
from starlette.responses import FileResponse, RedirectResponse, Response

from headwater.errors import InputError
from headwater.release import FileEntry
from headwater_server.catalogue.conditions import Condition, header_value, judge, range_applies
from headwater_server.catalogue.file_answer import FileAnswer
from headwater_server.catalogue.headers import FIGURE_POLICY, FILE_POLICY
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex, newest_of
from headwater_server.catalogue.ranges import MAXIMUM_RANGES, read_ranges

__all__ = ["MAXIMUM_RANGES", "answer_file", "file_url", "files_router"]

_PATH = "/api/v1/releases/{name}/{version:int}/files/{path:path}"
_SHORT_PATH = "/datasets/{name}/{version:int}/files/{path:path}"
_LATEST_PATHS = ("/api/v1/releases/{name}/latest/files/{path:path}", "/datasets/{name}/latest/files/{path:path}")

# What a script of another site may send with a range, and read of the answer.
_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "range, if-match, if-none-match, if-range, if-modified-since, if-unmodified-since",
    "access-control-max-age": "86400",
}
_ACROSS_SITES = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "accept-ranges, content-digest, content-disposition, content-range, etag, last-modified, repr-digest"
    ),
    "cross-origin-resource-policy": "cross-origin",
}
_Name = Annotated[str, PathParameter(description="The dataset.", examples=["adult"])]
_Version = Annotated[int, PathParameter(description="The version.", examples=[1])]
_File = Annotated[str, PathParameter(description="As the manifest lists it.", examples=["data.parquet"])]
_NO_FILE = "there is no such file in this catalogue; see the release's list of files"


def file_url(name: str, version: int, path: str) -> str:
    """The path, on this site, of a file of a release."""
    return f"/api/v1/releases/{name}/{version}/files/{path}"


def files_router(releases: ReleaseIndex, *, public: Callable[[str], bool]) -> APIRouter:
    """The route of all files, and the short ways to it.

    Args:
        releases: where they are looked up.
        public: whether everybody may read a dataset of this name. Then caches between reader and catalogue may keep
            its files, and scripts of other sites may read them, which send no cookie or token along.
    """
    router = APIRouter()

    def entry_of(name: str, version: int, path: str) -> tuple[ReleaseEntry, FileEntry]:
        entry = releases.find(name, version)
        # Only a path that the manifest lists is served: what a URL spells never reaches the file system.
        file = entry.files.get(path) if entry is not None else None
        if entry is not None and entry.lost(path):
            raise HTTPException(410, "this version was withdrawn and its rows are gone; withdrawn.json says why")
        if entry is None or file is None:
            raise HTTPException(404, _NO_FILE)
        return entry, file

    @router.head(_PATH, include_in_schema=False)
    @router.get(
        _PATH,
        response_class=FileResponse,
        summary="Download one file of a release",
        operation_id="download_file",
        tags=["files"],
    )
    def download(request: Request, name: _Name, version: _Version, path: _File) -> Response:
        """A file as it was signed, whole or by range, under its digest as strong tag."""
        entry, file = entry_of(name, version, path)
        modified = datetime.datetime.fromisoformat(entry.manifest.created)
        named = f"{name}-{version}-{file.path.rsplit('/', 1)[-1]}"
        return answer_file(request, entry.folder / file.path, file, modified, named, public=public(name))

    @router.options(_PATH, include_in_schema=False)
    def preflight(name: str, version: int, path: str) -> Response:
        entry_of(name, version, path)
        across = _ACROSS_SITES | _PREFLIGHT if public(name) else {}
        return Response(status_code=204, headers={"allow": "GET, HEAD, OPTIONS"} | across)

    @router.head(_SHORT_PATH, include_in_schema=False)
    @router.get(_SHORT_PATH, include_in_schema=False)
    def short(name: str, version: int, path: str) -> Response:
        entry_of(name, version, path)
        return _redirect(name, version, path, 308, "max-age=3600")

    def latest(name: str, path: str) -> Response:
        newest = newest_of(releases.versions(name))
        if newest is None:
            raise HTTPException(404, "there is no dataset of this name in this catalogue; see /api/v1/releases")
        version = newest.manifest.version
        entry_of(name, version, path)
        # What is newest changes: nobody keeps this, while what it leads to is kept for ever.
        return _redirect(name, version, path, 307, "no-cache")

    for pattern in _LATEST_PATHS:
        router.add_api_route(pattern, latest, methods=["GET", "HEAD"], include_in_schema=False)

    def _redirect(name: str, version: int, path: str, status: int, caching: str) -> Response:
        headers = {"cache-control": caching if public(name) else "no-store"} | (_ACROSS_SITES if public(name) else {})
        return RedirectResponse(quote(file_url(name, version, path)), status, headers)

    return router


def answer_file(
    request: Request, path: Path, file: FileEntry, modified: datetime.datetime, name: str, *, public: bool
) -> Response:
    """A file, or what of it is asked for: by range, by condition, with its digest.

    Args:
        request: a GET or HEAD.
        path: where the file is.
        file: its size, digest and kind, which never change.
        modified: with a time zone.
        name: under which it is kept; letters, digits, dots, dashes and underscores, which need no quoting.
        public: whether caches between reader and catalogue may keep it, and scripts of other sites read it.

    Raises:
        HTTPException: 412 or 416 by what the request says; 500 where the file is damaged.
    """
    modified = modified.replace(microsecond=0)
    headers = _headers(file, modified, public=public)
    etag = headers["etag"]
    match judge(request.headers, etag, modified):
        case Condition.KNOWN:
            return Response(status_code=304, headers=headers)
        case Condition.STALE:
            told = {name: headers[name] for name in ("etag", *_ACROSS_SITES) if name in headers}
            raise HTTPException(412, "the file is another than the condition asks for; ask without it", told)
    _refuse_damaged(path, file)
    digest = {"repr-digest": _digest(file)}
    asked = header_value(request.headers, "range")
    spans = None
    if asked is not None and request.method == "GET" and range_applies(request.headers, etag, modified):
        try:
            spans = read_ranges(asked, file.size_bytes)
        except InputError as error:
            raise HTTPException(416, str(error), {"content-range": f"bytes */{file.size_bytes}"}) from error
    if spans is None and request.method == "GET":
        digest["content-digest"] = digest["repr-digest"]
    if not _shown(file):
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return FileAnswer(path, file.size_bytes, headers | digest, file.media_type, spans)


def _headers(file: FileEntry, modified: datetime.datetime, *, public: bool) -> dict[str, str]:
    """What every answer about a file carries, 304 and 412 too."""
    figure = file.media_type == "image/svg+xml"
    return {
        "etag": f'"{file.sha256}"',
        "last-modified": format_datetime(modified, usegmt=True),
        "accept-ranges": "bytes",
        # Who may read is asked at every reading: a browser's copy must not outlive session, token or level.
        "cache-control": "public, max-age=31536000, immutable" if public else "private, no-cache",
        "content-security-policy": FIGURE_POLICY if figure else FILE_POLICY,
    } | (_ACROSS_SITES if public else {"vary": "authorization, cookie"})


def _shown(file: FileEntry) -> bool:
    """Text comes as it is, shown or kept as the reader likes; sandbox and nosniff keep it from acting."""
    return file.media_type == "image/svg+xml" or file.media_type.startswith("text/")


def _digest(file: FileEntry) -> str:
    """A digest field (RFC 9530) with the SHA-256 that the manifest was signed over."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode('ascii')}:"


def _refuse_damaged(path: Path, file: FileEntry) -> None:
    """Tell damage before the answer begins. It shows as a length here; its bytes show in every reader's digest."""
    try:
        found = os.lstat(path)
    except OSError:
        found = None
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_size != file.size_bytes:
        raise HTTPException(500, "this file is damaged here and not served; tell the consortium")
