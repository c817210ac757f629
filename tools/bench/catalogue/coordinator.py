"""The coordinator itself, as its operator starts it, on ports of its own."""

import contextlib
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import tomlkit

from catalogue.dataset import Shelf, fill_shelf
from headwater.agreement.charter import SignedCharter
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.cli.options import open_storage
from headwater_server.settings import CoordinatorHome

__all__ = ["Coordinator", "running_coordinator"]

_PORTS = ("grpc-port", "enrolment-port", "https-port", "superlink-port")
_START_SECONDS = 60


@dataclass(frozen=True)
class Coordinator:
    """One that serves.

    Attributes:
        url: of its catalogue, without a slash at the end.
        home: its folder.
        shelf: what it serves.
        pid: its process, without the children.
    """

    url: str
    home: CoordinatorHome
    shelf: Shelf
    pid: int


@contextlib.contextmanager
def running_coordinator(folder: pathlib.Path) -> Iterator[Coordinator]:
    """Make a home, fill its shelf and serve; rates are not limited, which would be measured otherwise.

    Raises:
        SystemExit: it does not come up.
    """
    home = CoordinatorHome(folder / "coordinator")
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    command = [sys.executable, "-m", "headwater_server.cli"]
    options = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    init = [*command, "init", "--name", "Benchmark", "--home", str(home.folder), *options]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    _lift_limits(home)
    shelf = fill_shelf(home.releases, home.authority().digest)
    _put_in_force(home, shelf.signed)
    with (folder / "coordinator.log").open("wb") as log:
        serve = [*command, "serve", "--home", str(home.folder)]
        process = subprocess.Popen(serve, stdout=log, stderr=subprocess.STDOUT)
    try:
        _await(ports["https-port"], home, process)
        yield Coordinator(f"https://127.0.0.1:{ports['https-port']}", home, shelf, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _lift_limits(home: CoordinatorHome) -> None:
    path = home.folder / "settings.toml"
    settings = tomlkit.parse(path.read_text(encoding="utf-8"))
    settings["catalogue_limits"] = CatalogueLimits.unlimited().model_dump()
    path.write_text(tomlkit.dumps(settings), encoding="utf-8")


def _put_in_force(home: CoordinatorHome, signed: SignedCharter) -> None:
    """As its members would by accepting it; the list of datasets names it."""
    storage = open_storage(home)
    storage.add_charter(signed.model_copy(update={"signatures": {}}))
    for member, signature in signed.signatures.items():
        storage.add_charter_signature(signed.charter.digest, member, signature)
    storage.close()


def _await(port: int, home: CoordinatorHome, process: "subprocess.Popen[bytes]") -> None:
    context = ssl.create_default_context(cafile=str(home.ca_certificate))
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1"),
            ):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("error: the coordinator does not come up; its log is coordinator.log in the benchmark's folder")
