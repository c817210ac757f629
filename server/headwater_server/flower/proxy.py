"""Passes the nodes' interface of the SuperLink, /v1/fleet/, to the outside, and nothing else."""

import re
import ssl
from contextlib import aclosing

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

__all__ = ["FLEET_PREFIX", "FleetProxy", "superlink_client"]

FLEET_PREFIX = "/v1/fleet/"

# Flower's names of calls, such as pull-messages. Nothing else gets in, so no spelling of a path gets out of the prefix.
_CALL = re.compile(r"[a-z-]{1,64}")
_MOST_REQUEST_BYTES = 4 * 2**20
_POOL = 1024
# Headers of one hop, and those that the forwarded request sets itself (RFC 9110, 7.6.1).
_HOP_HEADERS = {
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
    "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip


def superlink_client(address: str, ca_file: str) -> httpx.AsyncClient:
    """Connections to a SuperLink.

    Args:
        address: host:port on loopback.
        ca_file: PEM file that its certificate chains to.
    """
    return httpx.AsyncClient(
        base_url=f"https://{address}",
        verify=ssl.create_default_context(cafile=ca_file),
        timeout=httpx.Timeout(60.0),
        limits=httpx.Limits(max_connections=_POOL, max_keepalive_connections=64),
        trust_env=False,
    )


class FleetProxy:
    """One route. Flower's control and runtime interfaces are on the same port as the nodes' and must stay inside.

    Nodes authenticate to the SuperLink by signatures in headers, which pass unchanged. What they send is bounded:
    Headwater's invitations and replies are a few hundred bytes.
    """

    def __init__(self, superlink: httpx.AsyncClient) -> None:
        """Forward to a SuperLink, as `superlink_client` reaches it."""
        self._client = superlink

    @property
    def route(self) -> Route:
        """For a Starlette application: the prefix and the calls below it, which are all POST in Flower 1.41."""
        return Route(FLEET_PREFIX + "{call}", self._forward, methods=["POST"])

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.aclose()

    async def _forward(self, request: Request) -> Response:
        call = request.path_params["call"]
        if not _CALL.fullmatch(call):
            return PlainTextResponse("not found\n", status_code=404)
        body = bytearray()
        async with aclosing(request.stream()) as stream:
            async for chunk in stream:
                body += chunk
                if len(body) > _MOST_REQUEST_BYTES:
                    return PlainTextResponse("the request is too large\n", status_code=413)
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_HEADERS]
        outgoing = self._client.build_request("POST", FLEET_PREFIX + call, headers=headers, content=bytes(body))
        try:
            answer = await self._client.send(outgoing, stream=True)
        except httpx.HTTPError:
            return PlainTextResponse("the coordinator's SuperLink does not answer\n", status_code=502)
        return _Passed(answer)


class _Passed(StreamingResponse):
    """An answer passed on as it comes; the connection behind it is free afterwards, also when the node has left."""

    def __init__(self, answer: httpx.Response) -> None:
        kept = {name: value for name, value in answer.headers.items() if name not in _HOP_HEADERS}
        super().__init__(answer.aiter_raw(), status_code=answer.status_code, headers=kept)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()
