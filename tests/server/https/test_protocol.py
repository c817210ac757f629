"""What a connection may cost, and requests that leave open where they end or whom they mean."""

import asyncio
import contextlib
import json
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from headwater_server.https import protocol
from headwater_server.https.protocol import MAXIMUM_HEAD_BYTES, MAXIMUM_HEADERS, MAXIMUM_TARGET_BYTES, BoundedHttp
from support.authority import write_authority
from support.catalogue_server import serve_https
from support.raw_https import connect, exchange

BIG = 64 * 2**20


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says which path was asked for and with how much of a body; /big sends more than any socket holds."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    body = bytes(BIG) if scope["path"] == "/big" else f"{scope['path']} {length}".encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    for start in range(0, len(body), 2**18):
        more = start + 2**18 < len(body)
        await send({"type": "http.response.body", "body": body[start : start + 2**18], "more_body": more})


class Served:
    """An echo behind the listener."""

    def __init__(self, url: str, ca: Path) -> None:
        self.url, self.ca = url, ca

    def ask(self, request: bytes) -> bytes:
        return exchange(self.url, self.ca, request)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("authority")
    ca = write_authority(folder)
    with serve_https(_echo, folder) as url:
        yield Served(url, ca)


def _refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["error"]["code"] == code


def test_a_request_is_answered_and_more_may_follow(served: Served) -> None:
    one = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    answer = served.ask(one * 300 + last)
    assert answer.count(b"/one 0") == 300
    assert answer.endswith(b"/two 3")


def test_the_end_of_an_answer_does_not_wait_for_its_beginning(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    begin = BoundedHttp.connection_made

    def watched(self: BoundedHttp, transport: asyncio.Transport) -> None:
        begin(self, transport)
        line = transport.get_extra_info("socket")
        # What the listener leaves asyncio to decide, as it is the coordinator's own.
        assert line.proto == 0
        at_once.append(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(BoundedHttp, "connection_made", watched)
    served.ask(b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert at_once == [1]


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /in",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_a_request_whose_end_or_host_is_in_doubt_is_refused(served: Served, head: bytes) -> None:
    _refused(served.ask(head), 400, "malformed_request")


def test_the_edge_of_each_limit(served: Served) -> None:
    end = b"\r\nHost: x\r\nConnection: close\r\n\r\n"
    target = b"/" + b"a" * (MAXIMUM_TARGET_BYTES - 1)
    assert served.ask(b"GET " + target + b" HTTP/1.1" + end).startswith(b"HTTP/1.1 200")
    _refused(served.ask(b"GET " + target + b"a HTTP/1.1" + end), 414, "target_too_long")
    few = b"".join(b"\r\nx%d: y" % number for number in range(MAXIMUM_HEADERS - 2))
    assert served.ask(b"GET / HTTP/1.1" + few + end).startswith(b"HTTP/1.1 200")
    _refused(served.ask(b"GET / HTTP/1.1" + few + b"\r\nz: y" + end), 431, "headers_too_large")
    _refused(served.ask(b"GET / HTTP/1.1\r\nX: " + b"y" * MAXIMUM_HEAD_BYTES + end), 431, "headers_too_large")


def test_a_head_without_end_is_refused_before_it_fills_the_memory(served: Served) -> None:
    most = MAXIMUM_TARGET_BYTES + MAXIMUM_HEAD_BYTES
    _refused(served.ask(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2 * most), 431, "headers_too_large")
    _refused(served.ask(b"GET /" + b"y" * 2 * most), 431, "headers_too_large")


def test_a_malformed_request_does_not_write_into_an_answer_on_its_way(served: Served) -> None:
    # The second request arrives while the first is answered: nothing may stand between the bytes of the answer.
    with connect(served.url, served.ca) as line:
        line.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        received = bytearray(line.recv(65536))
        line.sendall(b"\x00\x01 nonsense\r\n\r\n")
        try:
            while piece := line.recv(2**20):
                received += piece
        except OSError:
            pass
    assert b"malformed_request" not in received
    assert len(received) < BIG


def test_an_upgrade_is_not_taken(served: Served) -> None:
    with connect(served.url, served.ca) as line:
        line.sendall(b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost:"])
def test_who_does_not_end_a_head_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.2)
    with connect(served.url, served.ca) as line:
        line.sendall(begun)
        # An end with or without the word that TLS has for it.
        with contextlib.suppress(ssl.SSLEOFError):
            assert line.recv(1) == b""


def test_who_takes_nothing_is_let_go(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_STALLED_SECONDS", 0.2)
    with connect(served.url, served.ca) as line:
        line.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        events = select.poll()
        # Hang-ups and errors alone: nothing is read.
        events.register(line, 0)
        ((_, event),) = events.poll(10_000)
        assert event & (select.POLLHUP | select.POLLERR)


def test_a_large_answer_arrives_whole(served: Served) -> None:
    answer = served.ask(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert len(answer.partition(b"\r\n\r\n")[2]) == BIG
