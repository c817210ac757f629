"""The test's hold on the processes of a crash test: started, killed, and always ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from crash.disks import namespace_command
from crash.points import Point
from crash.tape import Entry, Tape

__all__ = ["Processes", "was_killed"]

_START_SECONDS = 120.0
_END_SECONDS = 30.0
_KILLED = str(-signal.SIGKILL)


class Processes:
    """Asks the nursery for processes; every one records on the same tape."""

    def __init__(self) -> None:
        """Start the nursery and wait until it has imported everything."""
        self.tape = Tape()
        tests = Path(__file__).resolve().parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tests), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # gRPC is first used after the fork; its own handlers for forks have nothing to mend.
            "GRPC_ENABLE_FORK_SUPPORT": "0",
        }
        end = self.tape.end.fileno()
        self._nursery = subprocess.Popen(
            [*(namespace_command() or ()), sys.executable, "-m", "crash.nursery", str(end)],
            stdin=subprocess.PIPE,
            pass_fds=(end,),
            env=environment,
            start_new_session=True,
        )
        try:
            self.tape.wait(
                lambda entries: any(e.what == "ready" for e in entries) or self._nursery.poll() is not None,
                "the nursery is ready",
                _START_SECONDS,
            )
            assert self._nursery.poll() is None, "the nursery ended before it was ready; its error is above"
        except BaseException:
            self.close()
            raise
        self._started = 0

    def start(self, name: str, role: str, points: tuple[Point, ...], options: Mapping[str, object]) -> None:
        """Start a process; returns when it runs."""
        before = self._count(name, "started")
        order = {"name": name, "role": role, "points": [asdict(point) for point in points], "options": dict(options)}
        self._order(order)
        self.tape.wait(lambda _: self._count(name, "started") > before, f"{name} runs", _START_SECONDS)

    def mount(self, folder: Path, size_bytes: int) -> Path:
        """Give the processes an empty disk of their own at a folder; returns where the test sees it."""
        self._order({"mount": str(folder), "size_bytes": size_bytes})
        self.tape.wait(
            lambda entries: any((e.what, e.kind) == ("mounted", str(folder)) for e in entries),
            f"a disk is mounted at {folder}",
            _START_SECONDS,
        )
        return Path(f"/proc/{self._nursery.pid}/root", *folder.absolute().parts[1:])

    def pid(self, name: str) -> int:
        """Of the process that was started last under a name."""
        return [int(entry.kind) for entry in self.tape.entries if (entry.process, entry.what) == (name, "started")][-1]

    def kill(self, name: str) -> None:
        """Kill -9, and wait until it is gone."""
        self._signal(name, signal.SIGKILL)
        self._gone(name)

    def end(self, name: str) -> None:
        """Ask a process to stop, and wait until it is gone."""
        self._signal(name, signal.SIGTERM)
        self._gone(name)

    def alive(self, name: str) -> bool:
        """Whether it runs."""
        return self._count(name, "started") > self._count(name, "exited")

    def end_all(self) -> None:
        """Kill what still runs, and empty the tape for the next test."""
        for name in {entry.process for entry in self.tape.entries if entry.what == "started"}:
            if self.alive(name):
                with contextlib.suppress(AssertionError):
                    self.kill(name)
        self.tape.clear()

    def close(self) -> None:
        """End the nursery, and with it whatever it still has."""
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.wait(_END_SECONDS)
        self.tape.close()

    def _signal(self, name: str, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid(name), number)

    def _order(self, order: Mapping[str, object]) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order).encode() + b"\n")
        self._nursery.stdin.flush()

    def _gone(self, name: str) -> None:
        self.tape.wait(lambda _: not self.alive(name), f"{name} is gone", _END_SECONDS)

    def _count(self, name: str, what: str) -> int:
        return sum(entry.process == name and entry.what == what for entry in self.tape.entries)


def was_killed(entry: Entry) -> bool:
    """Whether this says that a process was killed."""
    return entry.what == "exited" and entry.kind == _KILLED
