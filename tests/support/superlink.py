"""A real Flower SuperLink with TLS on loopback, for tests of what stands on Flower."""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headwater_client.flower import QUIET_ENVIRONMENT
from headwater_server.demo.processes import free_ports
from support.authority import write_authority

__all__ = ["SuperLink", "wait_for", "write_node_key"]

_BIN = Path(sys.executable).parent


def write_node_key(path: Path) -> Path:
    """Write a node's ECDSA P-384 key pair in OpenSSH form: `path` and `path`.pub."""
    key = ec.generate_private_key(ec.SECP384R1())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    return path


class SuperLink:
    """flower-superlink as a child process, in subprocess isolation, with node authentication."""

    def __init__(self, folder: Path, certificates: tuple[bytes, bytes, bytes] | None = None) -> None:
        """Start it and wait until it listens.

        Args:
            folder: made here, for all its files.
            certificates: PEM of CA, server certificate and server key; throw-away ones by default.
        """
        self.folder = folder
        folder.mkdir(parents=True)
        (self.port,) = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.ca = folder / "ca.crt"
        if certificates is None:
            write_authority(folder)
        else:
            for name, pem in zip(("ca.crt", "server.crt", "server.key"), certificates, strict=True):
                (folder / name).write_bytes(pem)
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "config.toml").write_text(
            f'[superlink]\ndefault = "hw"\n\n[superlink.hw]\naddress = "{self.address}"\n'
            f'root-certificates = "{self.ca}"\n'
        )
        self.environment = {
            **os.environ,
            **QUIET_ENVIRONMENT,
            "FLWR_HOME": str(self.home),
            "PATH": f"{_BIN}:{os.environ['PATH']}",
        }
        self._log = (folder / "superlink.log").open("wb")
        self._process = subprocess.Popen(
            [
                str(_BIN / "flower-superlink"), "--host", "127.0.0.1", "--port", str(self.port),
                "--ssl-ca-certfile", str(self.ca), "--ssl-certfile", str(folder / "server.crt"),
                "--ssl-keyfile", str(folder / "server.key"), "--database", str(folder / "state.db"),
                "--enable-supernode-auth", "--disable-runtime-dependency-installation",
            ],
            stdout=self._log, stderr=subprocess.STDOUT, env=self.environment,
        )  # fmt: skip
        wait_for(self._listens, "the SuperLink listens")

    def _listens(self) -> bool:
        try:
            httpx.get(f"https://{self.address}/", verify=_trust(self.ca))
        except httpx.TransportError:
            return False
        return True

    def flwr(self, *arguments: str) -> str:
        """Run the `flwr` command against this SuperLink."""
        done = subprocess.run(
            [str(_BIN / "flwr"), *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AssertionError(f"flwr {arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def register(self, public_key: Path) -> None:
        """Let a node in."""
        self.flwr("supernode", "register", str(public_key), "hw")

    def online_nodes(self) -> int:
        """How many nodes are online."""
        listing = json.loads(self.flwr("supernode", "list", "hw", "--format", "json"))
        return sum(node["status"] == "online" for node in listing["nodes"])

    def run(self, bundle_folder: Path, config: Mapping[str, str]) -> str:
        """Start a run and return Flower's id of it."""
        overrides = " ".join(f'{key}="{value}"' for key, value in config.items())
        out = self.flwr("run", str(bundle_folder), "hw", "--run-config", overrides, "--format", "json")
        answer = json.loads(out[out.index("{") :])
        if not answer["success"]:
            raise AssertionError(f"flwr run failed: {answer}")
        return str(answer["run-id"])

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        """The running SuperLink."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.close()


def _trust(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 300.0) -> None:
    """Poll a condition of real processes until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.2)
