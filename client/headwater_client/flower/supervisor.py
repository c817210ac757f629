"""Keeps one flower-supernode child alive: starts it, restarts it when it ends, stops it with the agent."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from headwater.errors import InputError, StorageError
from headwater_client.flower import QUIET_ENVIRONMENT

__all__ = ["SuperNodeSettings", "SuperNodeSupervisor", "free_loopback_port", "restart_delay", "supernode_arguments"]

_log = structlog.get_logger(__name__)

_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0
_STOP_SECONDS = 8.0
_HEALTHY_SECONDS = 60.0
_LOG_LIMIT_BYTES = 4 * 2**20
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class SuperNodeSettings:
    """What a SuperNode needs.

    Attributes:
        superlink: host:port of the coordinator's HTTPS, which forwards /v1/fleet.
        ca_certificate: PEM file of the consortium's CA.
        private_key: OpenSSH file of the node's ECDSA key.
        folder: FLWR_HOME, the log and the secret of this node; nothing of it is precious.
        port: of the Runtime API on loopback, distinct for each node on a machine; 0 picks a free one.
    """

    superlink: str
    ca_certificate: Path
    private_key: Path
    folder: Path
    port: int = 0


def free_loopback_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def restart_delay(failures: int) -> float:
    """Seconds before the next start after `failures` starts in a row that ended: 1, 2, 4, … at most 30."""
    return min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** min(max(0, failures - 1), 10))


def supernode_arguments(settings: SuperNodeSettings, port: int, secret_file: Path) -> list[str]:
    """The arguments of `flower-supernode`: TLS to the coordinator, process isolation, loopback only."""
    return [
        "--superlink", settings.superlink,
        "--root-certificates", str(settings.ca_certificate),
        "--auth-supernode-private-key", str(settings.private_key),
        "--host", LOOPBACK,
        "--port", str(port),
        "--isolation", "process",
        "--superexec-auth-secret-file", str(secret_file),
    ]  # fmt: skip


class SuperNodeSupervisor:
    """Runs a SuperNode as a child from `start` until `stop`.

    Attributes:
        address: host:port of the child's Runtime API, for the executor.
        secret: shared between child and executor, fresh for each supervisor.
    """

    def __init__(self, settings: SuperNodeSettings) -> None:
        """Prepare the folder; nothing runs yet.

        Raises:
            InputError: a key or certificate file is missing, or the port is taken.
            StorageError: the folder cannot be written.
        """
        for file in (settings.ca_certificate, settings.private_key):
            if not file.is_file():
                raise InputError(f"{file} does not exist; enrol this organisation first (headwater-org enroll)")
        if settings.port and not _is_free(settings.port):
            raise InputError(
                f"port {settings.port} on {LOOPBACK} is taken; set another supernode_port in settings.toml, 0 picks one"
            )
        self._settings = settings
        self._port = settings.port or free_loopback_port()
        self.address = f"{LOOPBACK}:{self._port}"
        self.secret = secrets.token_bytes(32)
        self._secret_file = settings.folder / "runtime.secret"
        self._log_file = settings.folder / "supernode.log"
        try:
            settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_private(self._secret_file, self.secret)
        except OSError as error:
            raise StorageError(
                f"{settings.folder} cannot be written ({error.strerror}); free the disk or mend it"
            ) from error
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supernode-supervisor", daemon=True)

    def start(self) -> None:
        """Start the child and watch it from a thread."""
        self._launch()
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id of the running child, None while there is none."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def stop(self) -> None:
        """Stop the child and wait until it is gone; a child that does not listen is killed. May be called twice."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._secret_file.unlink(missing_ok=True)

    def _launch(self) -> None:
        environment = {**os.environ, **QUIET_ENVIRONMENT, "FLWR_HOME": str(self._settings.folder / "home")}
        too_long = self._log_file.exists() and self._log_file.stat().st_size > _LOG_LIMIT_BYTES
        with self._log_file.open("wb" if too_long else "ab") as log:
            self._child = subprocess.Popen(
                [
                    sys.executable, "-m", "headwater_client.flower.supernode_process", str(os.getpid()),
                    *supernode_arguments(self._settings, self._port, self._secret_file),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                # Its own group: Ctrl-C at the terminal reaches the agent alone, which then stops the child in order.
                start_new_session=True,
            )  # fmt: skip
        _log.info("supernode_started", pid=self._child.pid, address=self.address, log=str(self._log_file))

    def _watch(self) -> None:
        failures = 0
        started = time.monotonic()
        while not self._stopping.is_set():
            child = self._child
            if child is None:
                return
            try:
                status = child.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
            lived_seconds = time.monotonic() - started
            failures = 1 if lived_seconds > _HEALTHY_SECONDS else failures + 1
            delay = restart_delay(failures)
            _log.warning("supernode_ended", exit_status=status, restart_seconds=delay, log=str(self._log_file))
            if not self._stopping.wait(delay):
                self._launch()
                started = time.monotonic()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _write_private(file: Path, data: bytes) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
