"""Every kind of row, measured: against one coordinator and one nginx beside each other, or without either."""

import contextlib
import functools
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from catalogue.clients import fetch, load, process_cpu, resident_bytes
from catalogue.coordinator import Coordinator, running_coordinator
from catalogue.dataset import LARGE
from catalogue.drawers import Drawer, our_drawer, peer_drawer, running
from catalogue.generators import Generators
from catalogue.peer import Nginx, running_nginx
from catalogue.rows import Kind, Row
from catalogue.shards import draw_shards
from headwater.catalogue import CatalogueClient, KnownCatalogue, download_release
from headwater.errors import HeadwaterError

__all__ = ["measure"]

_CONNECTIONS = 8
_WINDOW_SECONDS = 4
_SLOW_READERS = 100
_FILE = f"/api/v1/releases/{LARGE}/1/files/data.parquet"

Figures = Mapping[str, Any]


class _World:
    """The two servers, and a folder to read into."""

    def __init__(self, coordinator: Coordinator, nginx: Nginx, folder: pathlib.Path) -> None:
        self.coordinator, self.nginx, self.folder = coordinator, nginx, folder
        self.ca = coordinator.home.ca_certificate
        self.file = coordinator.url + _FILE
        self.size = coordinator.shelf.file.stat().st_size


class _Grounds:
    """What rows are measured on, each made when the first row asks for it, and all of it gone at the end."""

    def __init__(self, data: pathlib.Path | None, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-bench-")))
        self.generators = Generators(data, self.folder)
        self._drawers: dict[str, Drawer] = {}

    @functools.cached_property
    def world(self) -> _World:
        return self._stack.enter_context(_world(self.folder))

    def drawer(self, name: str) -> Drawer:
        """Of a generator, or of the peer "ctgan"."""
        if name not in self._drawers:
            ours = name != "ctgan"
            command = our_drawer(self.generators.bundle(name)) if ours else peer_drawer(self.generators.train)
            self._drawers[name] = self._stack.enter_context(running(command, self.folder / f"{name}.log"))
        return self._drawers[name]


def measure(data: pathlib.Path | None, rows: Sequence[Row]) -> Mapping[str, Sequence[Figures]]:
    """Figures of each take of each row; servers, generators and files lie in a folder that goes afterwards.

    Args:
        data: folder with adult.csv; None for the usual one, or none.
        rows: in this order.
    """
    measured: dict[str, Sequence[Figures]] = {}
    with contextlib.ExitStack() as stack:
        grounds = _Grounds(data, stack)
        for row in rows:
            begun = time.monotonic()
            measured[row.name] = [_take(grounds, row) for _ in range(row.takes)]
            print(f"{row.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return measured


def _take(grounds: _Grounds, row: Row) -> Figures:
    try:
        if row.kind in _DRAWN:
            return _DRAWN[row.kind](grounds, row)
        return _SERVED[row.kind](grounds.world, row)
    except (ValueError, OSError, HeadwaterError, subprocess.SubprocessError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}


@contextlib.contextmanager
def _world(folder: pathlib.Path) -> Iterator[_World]:
    with contextlib.ExitStack() as stack:
        # nginx's workers give up root's rights, where it has them.
        folder.chmod(0o755)
        coordinator = stack.enter_context(running_coordinator(folder))
        served = folder / "served"
        served.mkdir()
        (served / "large.bin").hardlink_to(coordinator.shelf.file)
        nginx = stack.enter_context(running_nginx(folder / "nginx", coordinator.home, served / "large.bin"))
        world = _World(coordinator, nginx, folder)
        # All of it in the page cache, TLS and templates at work once.
        fetch(world.nginx.stock, world.ca, world.size)
        fetch(world.file, world.ca, world.size)
        yield world


def _pages(world: _World, row: Row) -> Figures:
    pid = world.coordinator.pid
    begun = process_cpu(pid)
    found = load(world.coordinator.url + row.page, seconds=_WINDOW_SECONDS, connections=_CONNECTIONS)
    spent = process_cpu(pid) - begun
    requests = found.rate * _WINDOW_SECONDS
    return {"rate": found.rate, "median": found.median, "slowest": found.slowest, "cpu": spent / requests}


def _file(world: _World, row: Row) -> Figures:
    """Ours between the two of nginx, so that what else the machine does meets all three."""
    figures: dict[str, Any] = {}
    for name, url, pid, children in (
        ("nginx", world.nginx.stock, world.nginx.pid, True),
        ("ours", world.file, world.coordinator.pid, False),
        ("tuned", world.nginx.tuned, world.nginx.pid, True),
    ):
        begun = process_cpu(pid, children=children)
        figures[f"{name}_seconds"] = fetch(url, world.ca, world.size)
        figures[f"{name}_cpu"] = process_cpu(pid, children=children) - begun
    return figures | {"bytes": world.size}


def _while(world: _World, row: Row) -> Figures:
    """How long a page takes while one reader takes the file as fast as it comes."""
    command = ["curl", "--silent", "--fail", "--cacert", str(world.ca), *[world.file] * 20]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as reader:
        try:
            found = load(world.coordinator.url + "/", seconds=_WINDOW_SECONDS, connections=1)
        finally:
            reader.kill()
    return {"rate": found.rate, "median": found.median, "slowest": found.slowest}


def _slow(world: _World, row: Row) -> Figures:
    """What the coordinator holds for readers who begin the file and then take nothing."""
    place = urlsplit(world.coordinator.url)
    context = ssl.create_default_context(cafile=str(world.ca))
    before = resident_bytes(world.coordinator.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(_SLOW_READERS):
            plain = socket.create_connection((place.hostname or "", place.port or 443), timeout=10)
            line = stack.enter_context(context.wrap_socket(plain, server_hostname=place.hostname))
            line.sendall(f"GET {_FILE} HTTP/1.1\r\nHost: x\r\n\r\n".encode("ascii"))
            line.recv(1)
        # Whatever the server can put into sockets and buffers, it has by then.
        time.sleep(2.0)
        held = resident_bytes(world.coordinator.pid) - before
    return {"readers": _SLOW_READERS, "held": held, "each": held / _SLOW_READERS}


def _sdk(world: _World, row: Row) -> Figures:
    """A verified download beside curl, both to the same disk, each first in turns."""
    known = KnownCatalogue(
        url=world.coordinator.url,
        charter=world.coordinator.shelf.charter.digest,
        ca_pem=world.ca.read_text(encoding="ascii"),
    )
    to = world.folder / "download"
    try:
        curl = fetch(world.file, world.ca, world.size, world.folder / "curl.bin")
        begun = time.monotonic()
        with CatalogueClient(known) as client:
            download_release(client, world.coordinator.shelf.charter, LARGE, 1, to)
        ours = time.monotonic() - begun
    finally:
        shutil.rmtree(to, ignore_errors=True)
        (world.folder / "curl.bin").unlink(missing_ok=True)
    return {"ours_seconds": ours, "curl_seconds": curl}


def _sampling(grounds: _Grounds, row: Row) -> Figures:
    """Ours between two halves of the peer's, so that what else the machine does meets both."""
    ours, peer = grounds.drawer(row.generator), grounds.drawer("ctgan")
    half = row.peer_rows // 2
    before = peer.draw(half)
    drawn = ours.draw(row.rows)
    after = peer.draw(half)
    theirs = {what: before[what] + after[what] for what in ("rows", "cpu_seconds", "wall_seconds")}
    return {
        "table": grounds.generators.table[2],
        "kind": ours.about["kind"],
        "rows": row.rows,
        "bytes": drawn["bytes"],
        **{f"{what}_rate": drawn["rows"] / drawn[f"{what}_seconds"] for what in ("cpu", "wall")},
        **{f"peer_{what}_rate": theirs["rows"] / theirs[f"{what}_seconds"] for what in ("cpu", "wall")},
    }


def _shards(grounds: _Grounds, row: Row) -> Figures:
    return draw_shards(grounds.generators.bundle(row.generator), row.rows, row.workers)


_SERVED: Mapping[Kind, Callable[[_World, Row], Figures]] = {
    "pages": _pages,
    "file": _file,
    "while": _while,
    "slow": _slow,
    "sdk": _sdk,
}
_DRAWN: Mapping[Kind, Callable[[_Grounds, Row], Figures]] = {"sampling": _sampling, "shards": _shards}
