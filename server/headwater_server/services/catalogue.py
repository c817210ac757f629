"""What is published, for members over the connection that they have already."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, BinaryIO

from headwater.errors import InputError, OutOfOrder, OutOfRange, StorageError, TransportError
from headwater.release.layout import ATTESTATION, MANIFEST
from headwater.release.manifest import FileEntry
from headwater.release.statement import privacy_in_short
from headwater.release.withdrawal import WITHDRAWN
from headwater.rpc.v1 import catalogue_pb2, catalogue_pb2_grpc
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex, newest_of
from headwater_server.catalogue.listing import listed_datasets
from headwater_server.catalogue.search import query_of, search
from headwater_server.services.identity import authenticated_member
from headwater_server.services.ports import MemberStore

__all__ = ["CHUNK_BYTES", "DOWNLOADS_AT_ONCE", "DOWNLOADS_OF_A_MEMBER", "LONGEST_SECONDS", "CatalogueService"]

CHUNK_BYTES = 2**20
"""Bytes of a file in one message; one message of each download is in memory, flow control holds the next one back."""

DOWNLOADS_OF_A_MEMBER = 4
"""Downloads that a member may have under way at the same time."""

DOWNLOADS_AT_ONCE = 32
"""Downloads of all members together: each holds a file open."""

LONGEST_SECONDS = 3600.0
"""The farthest deadline: a reader that stopped reading holds its place no longer than this."""

_PAGE = 50
_LARGEST_PAGE = 100
_TOKEN = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class CatalogueService(catalogue_pb2_grpc.CatalogueServicer):
    """The service on the mutually authenticated listener; what it shows is the folder that HTTPS serves as well."""

    def __init__(self, members: MemberStore, releases: ReleaseIndex) -> None:
        """Take who may ask, and every published release, whoever may read it over HTTPS."""
        self._members = members
        self._releases = releases
        self._under_way: Counter[str] = Counter()

    async def ListDatasets(
        self, request: catalogue_pb2.ListDatasetsRequest, context: Any
    ) -> catalogue_pb2.ListDatasetsResponse:
        """Show one page of what there is."""
        await authenticated_member(context, self._members)
        size, page = _page_of(request)
        entries, total = await asyncio.to_thread(self._listed, request, size, page)
        return catalogue_pb2.ListDatasetsResponse(
            releases=[_summary(entry) for entry in entries],
            next_page_token=str(page + 1) if page * size < total else "",
            total=total,
        )

    async def GetRelease(
        self, request: catalogue_pb2.GetPublishedRequest, context: Any
    ) -> catalogue_pb2.GetPublishedResponse:
        """Show what is signed about one version."""
        await authenticated_member(context, self._members)
        entry = await asyncio.to_thread(self._find, request.name, request.version)
        return await asyncio.to_thread(_documents, entry)

    async def DownloadFile(
        self, request: catalogue_pb2.DownloadFileRequest, context: Any
    ) -> AsyncIterator[catalogue_pb2.DownloadFileResponse]:
        """Send one file, from an offset on."""
        member_id = await authenticated_member(context, self._members)
        # gRPC itself ends the call at its deadline, also while the reader takes nothing.
        remaining = context.time_remaining()
        if remaining is None or remaining > LONGEST_SECONDS:
            raise InputError(f"a download needs a deadline of at most {LONGEST_SECONDS:,.0f} seconds; set one")
        with self._place(member_id):
            entry = await asyncio.to_thread(self._find, request.name, request.version or -1)
            listed, file = await asyncio.to_thread(_open, entry, request.path, request.offset)
            try:
                yield catalogue_pb2.DownloadFileResponse(size_bytes=listed.size_bytes, sha256=listed.sha256)
                left = listed.size_bytes - request.offset
                while left > 0:
                    data = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
                    if not data:
                        raise StorageError(
                            f"{entry.folder / listed.path} is shorter than its manifest says; restore it"
                        )
                    left -= len(data)
                    yield catalogue_pb2.DownloadFileResponse(data=data)
            finally:
                file.close()

    @contextlib.contextmanager
    def _place(self, member_id: str) -> Iterator[None]:
        if self._under_way[member_id] >= DOWNLOADS_OF_A_MEMBER:
            raise TransportError(
                f"{member_id!r} has {DOWNLOADS_OF_A_MEMBER} downloads under way, as many as a member may have; "
                "try again when one has ended"
            )
        if self._under_way.total() >= DOWNLOADS_AT_ONCE:
            raise TransportError("the coordinator sends as many files as it can; try again in a minute")
        self._under_way[member_id] += 1
        try:
            yield
        finally:
            self._under_way[member_id] -= 1
            if not self._under_way[member_id]:
                del self._under_way[member_id]

    def _listed(
        self, request: catalogue_pb2.ListDatasetsRequest, size: int, page: int
    ) -> tuple[Sequence[ReleaseEntry], int]:
        if request.name:
            if request.query:
                raise InputError("a name lists the versions of one dataset and a query searches all; give one of them")
            versions = self._releases.versions(request.name)
            return versions[(page - 1) * size : page * size], len(versions)
        asked = query_of({"text": request.query}).model_copy(update={"sort": "newest", "withdrawn": True})
        found = search(listed_datasets(self._releases), asked.model_copy(update={"page": page, "per_page": size}))
        if found.page != page:
            return (), found.total
        entries = [self._releases.find(each.name, each.version) for each in found.hits]
        return [entry for entry in entries if entry is not None], found.total

    def _find(self, name: str, version: int) -> ReleaseEntry:
        if version:
            entry = self._releases.find(name, version)
        else:
            entry = newest_of(self._releases.versions(name))
        if entry is None:
            # Without what was asked for: it is the caller's text and may be anything.
            raise InputError("there is no such release; headwater-org datasets list shows what there is")
        return entry


def _page_of(request: catalogue_pb2.ListDatasetsRequest) -> tuple[int, int]:
    if request.page_size > _LARGEST_PAGE:
        raise InputError(f"a page of {request.page_size:,} releases was asked for; ask for {_LARGEST_PAGE} at most")
    if request.page_token and not _TOKEN.fullmatch(request.page_token):
        raise InputError("the page token is none that was given here; begin with the first page")
    return request.page_size or _PAGE, int(request.page_token or 1)


def _documents(entry: ReleaseEntry) -> catalogue_pb2.GetPublishedResponse:
    audited = entry.manifest.protection.audit != "none"
    return catalogue_pb2.GetPublishedResponse(
        signed_manifest=_read(entry, MANIFEST),
        attestation=_read(entry, ATTESTATION) if audited else b"",
        signed_withdrawal=_read(entry, WITHDRAWN) if entry.withdrawn is not None else b"",
    )


def _open(entry: ReleaseEntry, path: str, offset: int) -> tuple[FileEntry, BinaryIO]:
    # A path is compared with the manifest's own before it becomes part of one on this machine.
    listed = entry.files.get(path)
    if entry.lost(path):
        raise OutOfOrder("this version was withdrawn and its rows are gone; headwater-org datasets show says why")
    if listed is None:
        raise InputError("the release has no such file; its manifest lists all")
    if offset > listed.size_bytes:
        raise OutOfRange(
            f"byte {offset:,} of a file of {listed.size_bytes:,} bytes was asked for; download it from its beginning"
        )
    try:
        file = (entry.folder / path).open("rb")
    except OSError as error:
        raise StorageError(f"{entry.folder / path} cannot be read: {error.strerror}; restore it") from error
    file.seek(offset)
    return listed, file


def _read(entry: ReleaseEntry, path: str) -> bytes:
    try:
        return (entry.folder / path).read_bytes()
    except OSError as error:
        raise StorageError(f"{entry.folder / path} cannot be read: {error.strerror}; restore it") from error


def _summary(entry: ReleaseEntry) -> catalogue_pb2.PublishedRelease:
    manifest = entry.manifest
    return catalogue_pb2.PublishedRelease(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        created=manifest.created,
        rows=manifest.rows,
        columns=manifest.columns,
        size_bytes=manifest.size_bytes,
        release_digest=manifest.digest,
        privacy=privacy_in_short(manifest.protection.privacy),
        organisations=manifest.provenance.organisations,
        withdrawn=entry.withdrawn is not None,
    )
