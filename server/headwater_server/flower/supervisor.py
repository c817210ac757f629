"""Keeps the SuperLink and its SuperExec alive beside the coordinator."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from headwater.errors import StorageError, TransportError
from headwater_server.flower import QUIET_ENVIRONMENT

__all__ = ["FlowerSettings", "FlowerSupervisor"]

_log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
_READY_SECONDS = 180.0
_STOP_SECONDS = 8.0
_LONGEST_DELAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FlowerSettings:
    """What the SuperLink needs.

    Attributes:
        folder: its database, logs and FLWR_HOME; nothing of it is precious.
        port: on loopback. Flower's control interface is unauthenticated, so it never listens elsewhere.
        ca_certificate: PEM file of the consortium's CA.
        server_certificate: PEM file; valid for 127.0.0.1.
        server_key: PEM file.
    """

    folder: Path
    port: int
    ca_certificate: Path
    server_certificate: Path
    server_key: Path

    @property
    def address(self) -> str:
        """host:port of all of Flower's interfaces."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def home(self) -> Path:
        """FLWR_HOME of our own, so that nobody's settings are read or changed."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """For every Flower program that is started."""
        scripts = str(Path(sys.executable).parent)
        return {
            **os.environ,
            **QUIET_ENVIRONMENT,
            "FLWR_HOME": str(self.home),
            "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}",
        }


class FlowerSupervisor:
    """Runs both children from `start` until `stop`, and starts one again that ended."""

    def __init__(self, settings: FlowerSettings) -> None:
        """Prepare; nothing runs yet."""
        self.settings = settings
        self._secret_file = settings.folder / "superexec.secret"
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Start both and wait until the SuperLink listens.

        Raises:
            StorageError: the folder cannot be written.
            TransportError: the SuperLink did not come up.
        """
        try:
            self._prepare()
        except OSError as error:
            raise StorageError(f"{self.settings.folder} cannot be written: {error.strerror}; mend it") from error
        self._tasks.append(asyncio.create_task(self._keep("flower-superlink", self._superlink_arguments())))
        await self._listening()
        self._tasks.append(asyncio.create_task(self._keep("flower-superexec", self._superexec_arguments())))

    async def stop(self) -> None:
        """End both children and wait until they are gone."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in reversed(list(self._children.values())):
            await _end(child)
        self._secret_file.unlink(missing_ok=True)

    def _prepare(self) -> None:
        settings = self.settings
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (settings.home / "config.toml").write_text(
            f'[superlink]\ndefault = "hw"\n\n[superlink.hw]\naddress = "{settings.address}"\n'
            f'root-certificates = "{settings.ca_certificate.resolve()}"\n',
            encoding="utf-8",
        )
        self._secret_file.unlink(missing_ok=True)
        descriptor = os.open(self._secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))

    def _superlink_arguments(self) -> list[str]:
        settings = self.settings
        return [
            "--host", LOOPBACK, "--port", str(settings.port),
            "--ssl-ca-certfile", str(settings.ca_certificate),
            "--ssl-certfile", str(settings.server_certificate),
            "--ssl-keyfile", str(settings.server_key),
            "--database", str(settings.folder / "superlink.db"),
            "--enable-supernode-auth", "--disable-runtime-dependency-installation",
            "--isolation", "process", "--superexec-auth-secret-file", str(self._secret_file),
        ]  # fmt: skip

    def _superexec_arguments(self) -> list[str]:
        return [
            "--runtime-api-address", self.settings.address,
            "--root-certificates", str(self.settings.ca_certificate),
            "--superexec-auth-secret-file", str(self._secret_file),
        ]  # fmt: skip

    async def _keep(self, program: str, arguments: list[str]) -> None:
        delay = 1.0
        while not self._stopping:
            child = await self._launch(program, arguments)
            status = await child.wait()
            _log.warning("flower_child_ended", program=program, exit_status=status, restart_seconds=delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)

    async def _launch(self, program: str, arguments: list[str]) -> asyncio.subprocess.Process:
        with (self.settings.folder / f"{program}.log").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "headwater_server.flower.child_process", program, str(os.getpid()), *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.settings.environment,
                # Its own group: Ctrl-C at the terminal reaches the coordinator alone, which stops the child in order.
                start_new_session=True,
            )  # fmt: skip
        self._children[program] = child
        _log.info("flower_child_started", program=program, pid=child.pid)
        return child

    async def _listening(self) -> None:
        end = asyncio.get_running_loop().time() + _READY_SECONDS
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(LOOPBACK, self.settings.port)
                writer.close()
                return
            await asyncio.sleep(0.1)
        log = self.settings.folder / "flower-superlink.log"
        raise TransportError(f"Flower's SuperLink did not listen within {_READY_SECONDS:.0f} s; {log} says why")


async def _end(child: asyncio.subprocess.Process) -> None:
    # The child leads its own group: whatever it started goes with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), _STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
