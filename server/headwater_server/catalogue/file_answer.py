"""A file, or parts of it, on its way to one reader."""

import asyncio
import errno
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.errors import StorageError
from headwater_server.catalogue.ranges import Span

__all__ = ["PIECE_BYTES", "FileAnswer"]

PIECE_BYTES = 2**18
"""Read and sent at a time. Below, Python's part of the work grows; above, what a slow reader keeps in memory does."""


class FileAnswer(Response):
    """Sends a file from the page cache in the event loop itself, and what must come from the disk by a thread.

    A read that would wait for the disk is never made in the loop, which carries every other connection too.
    """

    def __init__(
        self, path: Path, size: int, headers: Mapping[str, str], media_type: str, spans: Sequence[Span] | None = None
    ) -> None:
        """Prepare the head.

        Args:
            path: of a regular file.
            size: bytes that it has.
            headers: of the whole file.
            media_type: of the whole file.
            spans: what to send of it; None: all, with status 200.
        """
        self._path, self._size = path, size
        boundary = ""
        if spans is None:
            status, own = 200, {}
        elif len(spans) == 1:
            status, own = 206, {"content-range": _content_range(spans[0], size)}
        else:
            boundary = secrets.token_hex(16)
            status, own = 206, {}
        self._parts = _parts(spans, size, boundary, media_type)
        length = sum(part.size if isinstance(part, Span) else len(part) for part in self._parts)
        own["content-length"] = str(length)
        super().__init__(
            status_code=status,
            headers={**headers, **own},
            media_type=f"multipart/byteranges; boundary={boundary}" if boundary else media_type,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send.

        Raises:
            StorageError: the file is not there, or not as long as it was; the reader sees a broken connection.
        """
        if scope["method"] == "HEAD":
            await self._begin(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        descriptor = await anyio.to_thread.run_sync(self._open)
        # uvicorn takes what is sent to a reader who has gone, and says so here alone.
        gone = asyncio.ensure_future(_left(receive))
        try:
            await self._begin(send)
            for part in self._parts:
                if isinstance(part, Span):
                    await self._send(descriptor, part, send, gone)
                else:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            await asyncio.wait({gone})
            os.close(descriptor)

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _send(self, descriptor: int, span: Span, send: Send, gone: "asyncio.Future[None]") -> None:
        start = span.start
        while start < span.end and not gone.done():
            piece = await _read(descriptor, start, min(PIECE_BYTES, span.end - start))
            if not piece:
                raise StorageError("a published file is shorter than its manifest says; restore it from a copy")
            start += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # A reader as fast as we are would otherwise keep everybody else waiting.
            await asyncio.sleep(0)

    def _open(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            why = error.strerror
            raise StorageError(f"a published file cannot be opened ({why}); restore it from a copy") from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != self._size:
            os.close(descriptor)
            raise StorageError("a published file is not as long as its manifest says; restore it from a copy")
        return descriptor


async def _read(descriptor: int, start: int, count: int) -> bytes | bytearray | memoryview:
    """Some bytes from `start`, at most `count`; none at the end of the file."""
    piece = bytearray(count)
    try:
        done = os.preadv(descriptor, [piece], start, os.RWF_NOWAIT)
    except OSError as error:
        # Not in memory, or a file system that cannot tell.
        if error.errno not in (errno.EAGAIN, errno.EOPNOTSUPP):
            raise
        return await anyio.to_thread.run_sync(os.pread, descriptor, count, start)
    return piece if done == count else memoryview(piece)[:done]


async def _left(receive: Receive) -> None:
    """Return when the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.end - 1}/{size}"


def _parts(spans: Sequence[Span] | None, size: int, boundary: str, media_type: str) -> Sequence[Span | bytes]:
    """What the body consists of: spans of the file, and the lines between them."""
    if spans is None:
        return [Span(0, size)] if size else []
    if not boundary:
        return spans
    parts: list[Span | bytes] = []
    for span in spans:
        # RFC 9110, 14.6.
        head = f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {_content_range(span, size)}\r\n\r\n"
        parts += [(b"\r\n" if parts else b"") + head.encode("latin-1"), span]
    return [*parts, f"\r\n--{boundary}--\r\n".encode("ascii")]
