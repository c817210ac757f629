"""The proxy passes the nodes' calls on, unchanged, and nothing else of the SuperLink."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from headwater_server.flower.proxy import FleetProxy

Answer = Callable[[Request], Awaitable[Response]]


def superlink(seen: list[str], answer: Answer | None = None) -> Starlette:
    """A SuperLink that takes every path and remembers it."""

    async def take(request: Request) -> Response:
        seen.append(f"{request.method} {request.url.path}")
        return await answer(request) if answer else PlainTextResponse("taken")

    return Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])])


async def catalogue(request: Request) -> Response:
    return PlainTextResponse("no such page", status_code=404)


async def ask(link: Starlette | httpx.AsyncBaseTransport, method: str, path: str, **more: object) -> httpx.Response:
    transport = httpx.ASGITransport(link) if isinstance(link, Starlette) else link
    proxy = FleetProxy(httpx.AsyncClient(transport=transport, base_url="https://superlink"))
    inside = Mount("/", app=Starlette(routes=[Route("/{path:path}", catalogue, methods=["GET", "POST"])]))
    outside = httpx.ASGITransport(Starlette(routes=[proxy.route, inside]))
    async with httpx.AsyncClient(transport=outside, base_url="https://coordinator") as node:
        request = node.build_request(method, "/", **more)  # type: ignore[arg-type]
        # As it stands on the wire: httpx would tidy a path up.
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = await node.send(request)
    await proxy.close()
    return answer


def test_a_call_passes_with_its_body_and_signature_and_its_answer_comes_back() -> None:
    async def echo(request: Request) -> Response:
        body = await request.body()
        return Response(
            body[::-1], status_code=202, headers={"content-type": "application/x-protobuf", "x-flwr": "back"}
        )

    seen: list[str] = []
    headers = {"flwr-signature": "c2lnbmVk", "content-type": "application/x-protobuf"}
    answer = asyncio.run(ask(superlink(seen, echo), "POST", "/v1/fleet/pull-messages", content=b"abc", headers=headers))
    assert seen == ["POST /v1/fleet/pull-messages"]
    assert (answer.status_code, answer.content) == (202, b"cba")
    assert (answer.headers["content-type"], answer.headers["x-flwr"]) == ("application/x-protobuf", "back")


def test_the_signature_headers_reach_the_superlink() -> None:
    async def headers(request: Request) -> Response:
        return PlainTextResponse(request.headers.get("flwr-signature", "") + request.headers.get("host", ""))

    sent = {"flwr-signature": "c2lnbmVk", "host": "coordinator"}
    answer = asyncio.run(ask(superlink([], headers), "POST", "/v1/fleet/pull-messages", headers=sent))
    assert answer.text == "c2lnbmVksuperlink"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/../control/start-run",
        "/v1/fleet/%2e%2e/control/start-run",
        "/v1/fleet/%2e%2e%2fcontrol%2fstart-run",
        "/v1/fleet/..%5ccontrol",
        "/v1/fleet//v1/control/start-run",
        "//v1/control/start-run",
        "/v1/fleet/pull-messages/../../control/start-run",
        "/v1/fleet/%252e%252e",
        "/v1/fleet/pull-messages%3Fx",
        "/v1/fleet/pull-messages%0d%0aX: y",
        "/v1/fleet/pull-messages%00",
        "/v1/fleet/Pull-Messages",
        "/v1/fleet/",
        "/v1/fleet",
        "/docs",
        "/openapi.json",
        "/health",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_another_path_reaches_the_superlink(path: str, method: str) -> None:
    seen: list[str] = []
    answer = asyncio.run(ask(superlink(seen), method, path))
    assert answer.status_code in (404, 405)
    assert not seen


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_no_other_method_reaches_the_superlink(method: str) -> None:
    seen: list[str] = []
    assert asyncio.run(ask(superlink(seen), method, "/v1/fleet/pull-messages")).status_code in (404, 405)
    assert not seen


def test_a_request_that_is_too_large_is_refused_unread() -> None:
    seen: list[str] = []
    answer = asyncio.run(ask(superlink(seen), "POST", "/v1/fleet/push-object", content=b"x" * (4 * 2**20 + 1)))
    assert answer.status_code == 413
    assert not seen


def test_a_request_of_the_largest_size_passes() -> None:
    seen: list[str] = []
    answer = asyncio.run(ask(superlink(seen), "POST", "/v1/fleet/push-object", content=b"x" * (4 * 2**20)))
    assert (answer.status_code, seen) == (200, ["POST /v1/fleet/push-object"])


def test_a_superlink_that_is_away_is_a_bad_gateway() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    answer = asyncio.run(ask(httpx.MockTransport(away), "POST", "/v1/fleet/pull-messages"))
    assert answer.status_code == 502
    assert "does not answer" in answer.text


def test_the_connection_behind_is_freed_when_the_node_has_left() -> None:
    class Body(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"first"
            raise AssertionError("nobody is there to read on")

        async def aclose(self) -> None:
            Body.closed = True

    async def leave() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body()))
        proxy = FleetProxy(httpx.AsyncClient(transport=transport, base_url="https://superlink"))
        app = Starlette(routes=[proxy.route])

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: object) -> None:
            raise OSError("the node hung up")

        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "POST",
            "scheme": "https", "path": "/v1/fleet/pull-messages", "raw_path": b"/v1/fleet/pull-messages",
            "query_string": b"", "root_path": "", "headers": [], "client": None, "server": None,
        }  # fmt: skip
        with pytest.raises(ClientDisconnect):
            await app(scope, receive, send)

    asyncio.run(leave())
    assert Body.closed


def test_a_long_answer_is_passed_on_as_it_comes() -> None:
    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield b"x" * 65536

        return StreamingResponse(parts())

    answer = asyncio.run(ask(superlink([], stream), "POST", "/v1/fleet/pull-object"))
    assert len(answer.content) == 64 * 65536
