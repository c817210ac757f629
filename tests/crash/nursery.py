"""Forks the processes of crash tests from one that has imported everything: a start costs milliseconds, not seconds."""

import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog

from crash.coordinator import run_coordinator
from crash.disks import mount_disk
from crash.organisation import run_organisation
from crash.points import Point
from crash.tape import Recorder

__all__ = ["main"]

_ROLES = {"coordinator": run_coordinator, "organisation": run_organisation}


def main(tape: socket.socket) -> None:
    """Start what standard input asks for, a JSON line each, and record how each process ended, until it closes."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    own, names, rest = Recorder("nursery", tape), dict[int, str](), b""
    own.note("ready", "")
    try:
        while True:
            readable, _, _ = select.select([0, wake], [], [])
            if wake in readable:
                os.read(wake, 512)
                _reap(names, tape)
            if 0 in readable:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    if "mount" in order:
                        mount_disk(Path(order["mount"]), order["size_bytes"])
                        own.note("mounted", order["mount"])
                    else:
                        names[_fork(order, tape)] = order["name"]
    finally:
        for process in names:
            os.killpg(process, signal.SIGKILL)


def _reap(names: dict[int, str], tape: socket.socket) -> None:
    while names:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        Recorder(names.pop(process), tape).note("exited", str(os.waitstatus_to_exitcode(status)))


def _fork(order: dict[str, Any], tape: socket.socket) -> int:
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        # A group of its own: nothing of it outlives the test, and no signal of the terminal reaches it.
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        recorder = Recorder(order["name"], tape)
        recorder.note("started", str(os.getpid()))
        _log_to(recorder)
        points = [Point(**point) for point in order["points"]]
        _ROLES[order["role"]](recorder, points, order["options"])
        code = 0
    except BaseException:  # noqa: BLE001  the child must end here, whatever it is
        Recorder(order["name"], tape).note("broke", traceback.format_exc())
    finally:
        os._exit(code)


def _log_to(recorder: Recorder) -> None:
    def record(_: object, __: str, event: Any) -> Any:
        recorder.note("log", str(event.pop("event")), **event)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, record])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
