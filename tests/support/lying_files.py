"""One file behind real TLS, served by a program that can misbehave in every way that readers must survive."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from headwater.canonical import sha256_hex
from headwater.catalogue import CatalogueClient, KnownCatalogue
from headwater.release import FileEntry
from support.authority import write_authority

__all__ = ["FileServer", "file_server"]


@dataclass
class FileServer:
    """What it serves, how, and what it was asked.

    Attributes:
        content: of the file.
        ranges: whether it knows them.
        status: of every answer; None for what is right.
        headers: added to every answer, over its own.
        body: instead of the content, for a refusal.
        cut: bytes of each body after which the line breaks; None for none.
        cuts: how many more answers are cut; None for all.
        shift: added to the first byte of each part that is sent.
        change_after: answers after which the file is `changed` instead.
    """

    url: str
    ca_pem: str
    content: bytes
    changed: bytes = b""
    ranges: bool = True
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    cuts: int | None = None
    shift: int = 0
    change_after: int | None = None
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def entry(self) -> FileEntry:
        """The file as a manifest has it."""
        return FileEntry(
            path="data.parquet",
            size_bytes=len(self.content),
            sha256=sha256_hex(self.content),
            media_type="application/octet-stream",
        )

    def client(self, token: str = "") -> CatalogueClient:
        """A reader who pinned its authority."""
        return CatalogueClient(KnownCatalogue(url=self.url, charter="0" * 64, ca_pem=self.ca_pem, token=token))


@contextmanager
def file_server(folder: Path, content: bytes) -> Iterator[FileServer]:
    """Serve `content` under every path, over TLS on loopback."""
    ca = write_authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    shown = FileServer(f"https://127.0.0.1:{server.server_address[1]}", ca.read_text(), content)
    server.shown = shown
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    shown: FileServer
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Readers that hang up are a part of the tests."""

    def shutdown_request(self, request: object) -> None:
        if isinstance(request, socket.socket):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
            request.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def setup(self) -> None:
        """Note the connection."""
        super().setup()
        with self._shown.lock:
            self._shown.connections += 1

    @property
    def _shown(self) -> FileServer:
        if not isinstance(self.server, _Server):
            raise TypeError("this handler is of another server")
        return self.server.shown

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        """Answer as the settings say."""
        shown = self._shown
        asked = self.headers.get("range", "")
        with shown.lock:
            shown.asked.append(asked)
            number = len(shown.asked)
            cut = shown.cut if shown.cuts is None or shown.cuts > 0 else None
            if shown.cuts is not None and cut is not None:
                shown.cuts -= 1
        content = shown.content
        if shown.change_after is not None and number > shown.change_after:
            content = shown.changed
        etag = shown.headers.get("etag", f'"{sha256_hex(content)}"')
        if shown.status is not None:
            self._send(shown.status, shown.body, {}, None)
            return
        if asked and shown.ranges and self.headers.get("if-range", etag) == etag:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, stop = int(first) + shown.shift, int(last) + 1 if last else len(content)
            where = {"content-range": f"bytes {start}-{stop - 1}/{len(content)}"}
            self._send(206, content[start:stop], {"etag": etag, **where}, cut)
            return
        self._send(200, content, {"etag": etag}, cut)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], cut: int | None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers, **self._shown.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None and cut < len(body):
            self.close_connection = True
