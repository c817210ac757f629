"""Published releases behind the member listener, and coordinators that lie about them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from headwater.errors import TransportError
from headwater.rpc.v1 import catalogue_pb2
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.services.catalogue import CatalogueService
from headwater_server.services.ports import MemberStore

__all__ = ["BreakingCatalogue", "LyingCatalogue"]

Answer = catalogue_pb2.DownloadFileResponse


class LyingCatalogue(CatalogueService):
    """A coordinator whose answers go through what a test makes of them."""

    def __init__(
        self,
        members: MemberStore,
        folder: Path,
        *,
        documents: Callable[[catalogue_pb2.GetPublishedResponse], None] = lambda answer: None,
        file: Callable[[str, Answer], None] = lambda path, answer: None,
        afterwards: bytes = b"",
    ) -> None:
        """Serve `folder`; `afterwards` is sent at the end of each file."""
        super().__init__(members, FolderReleaseIndex(folder))
        self._change_documents, self._change_file, self._afterwards = documents, file, afterwards

    async def GetRelease(
        self, request: catalogue_pb2.GetPublishedRequest, context: Any
    ) -> catalogue_pb2.GetPublishedResponse:
        """The documents, changed."""
        answer = await super().GetRelease(request, context)
        self._change_documents(answer)
        return answer

    async def DownloadFile(
        self, request: catalogue_pb2.DownloadFileRequest, context: Any
    ) -> AsyncIterator[catalogue_pb2.DownloadFileResponse]:
        """The file, changed."""
        async for answer in super().DownloadFile(request, context):
            self._change_file(request.path, answer)
            yield answer
        if self._afterwards:
            yield Answer(data=self._afterwards)


class BreakingCatalogue(CatalogueService):
    """A coordinator that goes away in the middle of the data, `times` times; it notes what was asked for."""

    def __init__(self, members: MemberStore, folder: Path, keep: int, times: int) -> None:
        """Break each of the first downloads of data.parquet after `keep` bytes."""
        super().__init__(members, FolderReleaseIndex(folder))
        self._keep, self.times = keep, times
        self.offsets: list[int] = []

    async def DownloadFile(
        self, request: catalogue_pb2.DownloadFileRequest, context: Any
    ) -> AsyncIterator[catalogue_pb2.DownloadFileResponse]:
        """The file, or its beginning."""
        breaks = request.path == "data.parquet" and self.times > 0
        if request.path == "data.parquet":
            self.offsets.append(request.offset)
        self.times -= breaks
        async for answer in super().DownloadFile(request, context):
            if breaks and answer.data:
                yield Answer(data=answer.data[: self._keep])
                raise TransportError("the coordinator is going down")
            yield answer
