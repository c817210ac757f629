"""Child processes of the demo: started in groups of their own, logged to files, and all gone at the end."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from headwater.errors import HeadwaterError, InputError

__all__ = ["ProcessGroup", "free_ports"]

_STOP_SECONDS = 15.0
_GONE_SECONDS = 5.0
_LOG_LINES_SHOWN = 12
_PORTS = range(20_000, 32_768)
"""Below those that systems hand out by themselves: nobody gets one of these between its choice and its use."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports on which nobody listens at this moment, all different.

    They are drawn at random, as another demo may look for its own at the same time.

    Raises:
        InputError: there are not as many.
    """
    ports: list[int] = []
    for port in secrets.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(ports) == count:
            break
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((host, port))
            ports.append(port)
    if len(ports) < count:
        raise InputError(f"{len(ports)} ports from {_PORTS[0]} to {_PORTS[-1]} are free, {count} are needed; free some")
    return ports


def _command(program: str, arguments: Sequence[str]) -> list[str]:
    if "." in program:
        return [sys.executable, "-m", program, *arguments]
    # The scripts lie beside the interpreter of the environment that runs this demo, wherever PATH points.
    path = Path(sys.executable).parent / program
    if not path.is_file():
        raise InputError(f"{program} is not installed beside {sys.executable}; install headwater[demo] there")
    return [str(path), *arguments]


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    return "\n".join(lines[-_LOG_LINES_SHOWN:]) or "(it printed nothing)"


class ProcessGroup:
    """The demo's children; leaving the `with` block ends every one, last started first.

    Args:
        logs: folder for one log file a process.
        environment: variables set for every child on top of this process's own.
    """

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start a process that runs until it ends or `stop_all`.

        Args:
            name: what the log file is called.
            program: a script of this environment, or a module's dotted name.
            arguments: of the program.
        """
        with (self._logs / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                _command(program, arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        self._running.append((name, child))

    def run(
        self, name: str, program: str, *arguments: str, show: bool = False, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run a command to its end and return what it printed on standard output.

        Args:
            name: what the log file is called.
            program: a script of this environment.
            arguments: of the program.
            show: print as it goes instead; the result is then empty.
            environment: further variables for this process.

        Raises:
            HeadwaterError: it ended with another status than 0; the message is its own.
        """
        status, output, errors = self._ended(name, program, arguments, show=show, environment=environment)
        if status != 0:
            last = errors.strip().splitlines() or ["it said nothing"]
            raise HeadwaterError(f"`{program} {arguments[0]}` failed: {last[-1].removeprefix('error: ')}")
        return output

    def ask(
        self, name: str, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run a command whose status is an answer; its status, and what it printed, errors last.

        Args:
            name: what the log file is called.
            program: a script of this environment.
            arguments: of the program.
            environment: further variables for this process.
        """
        status, output, errors = self._ended(name, program, arguments, show=False, environment=environment)
        return status, output + errors

    def _ended(
        self, name: str, program: str, arguments: Sequence[str], *, show: bool, environment: Mapping[str, str] | None
    ) -> tuple[int, str, str]:
        with (self._logs / f"{name}.log").open("ab") as log:
            log.write(f"$ {program} {' '.join(arguments)}\n".encode())
            log.flush()
            child = subprocess.Popen(
                _command(program, arguments),
                stdin=subprocess.DEVNULL,
                stdout=None if show else subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self._environment, **(environment or {})},
                start_new_session=True,
            )
            self._running.append((name, child))
            # Whatever interrupts this wait, stop_all ends the child: it is on the list.
            output, errors = child.communicate()
            self._running.remove((name, child))
            log.write((output or b"") + errors)
        return child.returncode, (output or b"").decode(errors="replace"), errors.decode(errors="replace")

    def wait(self, name: str) -> None:
        """Wait for a process that ends by itself.

        Raises:
            HeadwaterError: it ended with another status than 0.
        """
        entry = next(entry for entry in self._running if entry[0] == name)
        entry[1].wait()
        self._running.remove(entry)
        if entry[1].returncode != 0:
            raise HeadwaterError(f"the process {name} failed; its log ends: {_tail(self._logs / f'{name}.log')}")

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and to all that it started."""
        for running, child in self._running:
            if running == name:
                _signal_group(child, number)

    def check_alive(self) -> None:
        """Fail as soon as a process that should run has ended.

        Raises:
            HeadwaterError: which one, with the end of its log.
        """
        for name, child in self._running:
            if child.poll() is not None:
                raise HeadwaterError(
                    f"the process {name} ended with status {child.returncode}; "
                    f"its log ends: {_tail(self._logs / f'{name}.log')}"
                )

    def stop_all(self) -> None:
        """End every child and its children: SIGTERM to the group, after a grace SIGKILL."""
        for _, child in reversed(self._running):
            _signal_group(child, signal.SIGTERM)
        for _, child in reversed(self._running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=_STOP_SECONDS)
            # A leader that left stragglers behind leaves them in its group; an empty group is no error.
            _signal_group(child, signal.SIGKILL)
            child.wait()
            _wait_until_gone(child.pid)
        self._running.clear()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The child leads its own session, so its process id is the group's; nobody else's process can be in it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _wait_until_gone(group: int) -> None:
    # Killed stragglers are reaped by the system, not by us; a moment later nobody is left in the group.
    end = time.monotonic() + _GONE_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(0.01)
