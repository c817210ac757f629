"""A catalogue behind real TLS on loopback."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_server.catalogue import CatalogueSettings, FolderReleaseIndex, build_catalogue
from headwater_server.catalogue.run_page import RunPages
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.https import https_server
from support.authority import write_authority
from support.releases import Consortium, make_consortium

__all__ = ["RunningCatalogue", "run_catalogue", "serve_https"]


@dataclass(frozen=True)
class RunningCatalogue:
    """Where it is, what it serves, and whose it is."""

    url: str
    ca: Path
    releases: Path
    consortium: Consortium
    requests: list[str]


@contextmanager
def serve_https(app: ASGIApp, authority: Path) -> Iterator[str]:
    """Serve an application behind the coordinator's own listener, with TLS under `authority`; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = https_server(app, authority / "server.crt", authority / "server.key")
    # Connections wait in the socket's queue until the server takes them.
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def run_catalogue(
    folder: Path,
    token: str | None = None,
    spoil: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    runs: RunPages | None = None,
) -> Iterator[RunningCatalogue]:
    """Run the real catalogue over a folder of releases, noting what is asked; `spoil` may stand in between.

    With `runs` everybody may see their pages.
    """
    ca = write_authority(folder)
    consortium = make_consortium(ca_digest=_certificate_digest(ca))
    releases = folder / "releases"
    settings = CatalogueSettings(
        consortium=consortium.charter.charter.consortium,
        address="https://127.0.0.1:9445",
        host="127.0.0.1",
        charter=consortium.charter_of,
        token_digest=None if token is None else hashlib.sha256(token.encode()).hexdigest(),
        limits=CatalogueLimits.unlimited(),
        open_runs=runs is not None,
    )
    inner = spoil(build_catalogue(FolderReleaseIndex(releases), settings, runs=runs))
    requests: list[str] = []

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope["headers"]).get(b"range", b"").decode()
        requests.append(f"{scope['method']} {scope['path']} {asked}".strip())
        await inner(scope, receive, send)

    with serve_https(recorded, folder) as url:
        yield RunningCatalogue(url, ca, releases, consortium, requests)


def _certificate_digest(ca: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.read_text())).hexdigest()
