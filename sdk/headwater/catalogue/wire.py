"""Bodies of large files over HTTPS: few copies, connections kept for the next part.

The standard library's client, where the rest of the room uses httpx: for one GiB over TLS it costs a third of the
processor time, which two cores do not have to spare beside a digest.
"""

import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from headwater.errors import PeerError

__all__ = ["BROKEN", "FileConnections", "pieces_of"]

BROKEN = (OSError, http.client.HTTPException)
"""What the line's breaking raises, on opening and while reading."""

_TIMEOUT_SECONDS = 30.0
_PIECE_BYTES = 1 << 18


class FileConnections:
    """Connections to one host under one TLS context; safe to use from several threads."""

    def __init__(self, url: str, context: ssl.SSLContext, headers: Mapping[str, str], *, proxies: bool) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: https://HOST or https://HOST:PORT.
            context: that verifies the other side.
            headers: of every request.
            proxies: whether the environment's proxy is used where it names one.
        """
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 443
        self._context = context
        self._headers = dict(headers)
        self._proxy = _proxy_for(self._host) if proxies else None
        self._idle: list[http.client.HTTPSConnection] = []
        self._lock = threading.Lock()

    @contextmanager
    def open(self, path: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """One GET; its connection is kept for another if the body was read to its end.

        Raises:
            PeerError: the answer is compressed, which was not asked for.
            OSError: the line broke (as all of `BROKEN`).
        """
        connection, response = self._ask(path, {**self._headers, **headers})
        try:
            if response.getheader("content-encoding", "identity").strip().lower() not in {"", "identity"}:
                raise PeerError(f"the catalogue sent {path} compressed, which was not asked for; refused")
            yield response
            if response.isclosed() and not response.will_close:
                with self._lock:
                    self._idle.append(connection)
                return
        except BaseException:
            _close(connection, response)
            raise
        _close(connection, response)

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _ask(
        self, path: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return kept, _send(kept, path, headers)
            except BROKEN:
                # The other side closed it while it was idle; that is no failure of this request.
                kept.close()
        connection = self._connect()
        try:
            return connection, _send(connection, path, headers)
        except BaseException:
            connection.close()
            raise

    def _connect(self) -> http.client.HTTPSConnection:
        host, port = self._proxy or (self._host, self._port)
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=self._context)
        if self._proxy is not None:
            # TLS still runs from here to the catalogue, whose certificate is checked as ever.
            connection.set_tunnel(self._host, self._port)
        return connection


def _close(connection: http.client.HTTPSConnection, response: http.client.HTTPResponse) -> None:
    connection.close()
    # An answer after which the connection ends holds the socket by itself.
    response.close()


def pieces_of(response: http.client.HTTPResponse) -> Iterator[memoryview]:
    """The body as it comes; each piece is good until the one after the next is asked for.

    Raises:
        IncompleteRead: it ended before its length.
    """
    # Two in turns: one may still be hashed while the other is filled.
    buffer, other = memoryview(bytearray(_PIECE_BYTES)), memoryview(bytearray(_PIECE_BYTES))
    while count := response.readinto(buffer):
        yield buffer[:count]
        buffer, other = other, buffer
    if response.length:
        # Unlike read(), readinto() takes an early end for the end.
        raise http.client.IncompleteRead(b"", response.length)


def _send(connection: http.client.HTTPSConnection, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    connection.request("GET", path, headers=dict(headers))
    return connection.getresponse()


def _proxy_for(host: str) -> tuple[str, int] | None:
    named = getproxies().get("https", "")
    if not named or proxy_bypass(host):
        return None
    address = urlsplit(named if "://" in named else f"http://{named}")
    return (unquote(address.hostname), address.port or 3128) if address.hostname else None
