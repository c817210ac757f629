"""An ASGI application behind TLS, on a socket that is bound already."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from headwater_server.https.protocol import BoundedHttp
from headwater_server.https.tls import tls_context

__all__ = ["MAXIMUM_CONNECTIONS", "https_server", "serving"]

MAXIMUM_CONNECTIONS = 400
"""At a time; whoever comes then is told 503. Each may hold a file open, and a MiB that its reader is slow to take."""


class _Server(uvicorn.Server):
    """uvicorn under a process that handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def https_server(application: ASGIApp, certificate: Path, key: Path) -> uvicorn.Server:
    """The server, to be run by `serve(sockets=[…])` in a running loop; `should_exit` ends it.

    Raises:
        InputError: the certificate or its key cannot be used.
    """
    context = tls_context(certificate, key)
    return _Server(
        uvicorn.Config(
            application,
            http=BoundedHttp,
            ws="none",
            ssl_context_factory=lambda config, default: context,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAXIMUM_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
    )


@contextlib.asynccontextmanager
async def serving(
    application: ASGIApp, certificate: Path, key: Path, listener: socket.socket, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Serve within the context; `stop` is set when the server ends by itself.

    Raises:
        InputError: the certificate or its key cannot be used.
    """
    server = https_server(application, certificate, key)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="https")
    task.add_done_callback(lambda done: stop.set())
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
