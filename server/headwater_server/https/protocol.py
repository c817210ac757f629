"""What one HTTP connection may cost: bounded headers, bounded waiting, bounded buffers."""

import asyncio
import json
import socket
import struct

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

__all__ = ["MAXIMUM_HEADERS", "MAXIMUM_HEAD_BYTES", "MAXIMUM_TARGET_BYTES", "BoundedHttp"]

MAXIMUM_TARGET_BYTES = 8192
"""Of a request's path and query; browsers and proxies take no more either."""
MAXIMUM_HEAD_BYTES = 32768
"""Of all names and values of headers."""
MAXIMUM_HEADERS = 100

_HEAD_SECONDS = 20.0
_STALLED_SECONDS = 60.0
_LINGER_SECONDS = 2.0
_BUFFER_BYTES = 65536
_AT_ONCE = struct.pack("ii", 1, 0)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which bounds none of this itself.

    - A head that is too large, or that leaves open which host is meant, is refused before any application sees it.
    - A head that does not come to its end in 20 s ends the connection, and so does a reader who takes nothing for a
      minute of what is sent.
    - No more than one message of an application waits for a slow reader.
    """

    _refusal: tuple[int, str, str] | None = None
    _incomplete_bytes = 0
    _in_head = True
    _head_ended = False
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with little room for what a reader does not take."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        # asyncio does so itself only where the listener was made with a protocol's number. Without it the end of each
        # answer waits 40 ms for the reader's acknowledgement of its beginning (Nagle).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and stop every clock."""
        self._stop_clock()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; those of a head that is not at its end are counted and timed."""
        self._head_ended = False
        super().data_received(data)
        if self._head_ended or not self._in_head:
            # What this read carries of the next head is not counted: a limit is met one read late at most.
            self._incomplete_bytes = 0
            return
        self._incomplete_bytes += len(data)
        if self._deadline is None:
            self._await_head()
        if self._incomplete_bytes > MAXIMUM_TARGET_BYTES + MAXIMUM_HEAD_BYTES:
            self._refusal = _TOO_LARGE
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins: its head has a time to come in."""
        super().on_message_begin()
        self._in_head = True
        self._await_head()

    def on_headers_complete(self) -> None:
        """Judge a head before anybody acts on it."""
        self._in_head, self._head_ended = False, True
        self._stop_clock()
        self._refusal = self._judged()
        if self._refusal is not None:
            # httptools stops parsing, and uvicorn answers by send_400_response.
            raise ValueError(self._refusal[1])
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request ends; what comes next is a head again."""
        super().on_message_complete()
        self._in_head = True

    def send_400_response(self, msg: str) -> None:
        """Refuse in the words of the interface, and close: where the next request begins is not known any more."""
        status, code, message = self._refusal or (400, "malformed_request", "this is not a well-formed HTTP request")
        self._refusal = None
        if self.transport.is_closing():
            return
        cycle = self._cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            # An answer is on its way: another in the middle of it would be read as a part of it.
            self.transport.abort()
            return
        body = json.dumps({"error": {"code": code, "message": message}}).encode("ascii")
        head = (
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n"
            b"connection: close\r\ncontent-length: " + str(len(body)).encode("ascii") + b"\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        # TLS waits for the other side's word at the end, and takes in what it sends meanwhile.
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        """A reader is slower than we: it may be, but not stand still."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(_STALLED_SECONDS, self._reset)

    def resume_writing(self) -> None:
        """The reader took something."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _reset(self) -> None:
        # The kernel too must not keep what nobody takes.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def _judged(self) -> tuple[int, str, str] | None:
        if len(self.url) > MAXIMUM_TARGET_BYTES:
            return 414, "target_too_long", f"the path and query have more than {MAXIMUM_TARGET_BYTES} bytes"
        size = sum(len(name) + len(value) for name, value in self.headers)
        if size > MAXIMUM_HEAD_BYTES or len(self.headers) > MAXIMUM_HEADERS:
            return _TOO_LARGE
        # RFC 9112, 3.2: exactly one, and none at all only before HTTP/1.1.
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            return 400, "malformed_request", "a request names exactly one host; this one does not"
        return None

    def _await_head(self) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(_HEAD_SECONDS, self._late)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._cycle is None or self._cycle.response_complete:
            self.transport.abort()

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        # uvicorn's own annotation leaves out that there is none before the first request.
        return self.cycle


_TOO_LARGE = (
    431,
    "headers_too_large",
    f"the headers have more than {MAXIMUM_HEAD_BYTES} bytes, or are more than {MAXIMUM_HEADERS}",
)
