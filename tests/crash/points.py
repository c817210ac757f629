"""Where a process of a crash test dies, or its disk is full."""

import hashlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crash.disks import fill_disk
from crash.tape import Recorder
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import MessageType, open_envelope

__all__ = ["Point", "Watch"]

Act = Literal["kill", "hold", "fill disk"]


@dataclass(frozen=True, slots=True)
class Point:
    """A point in a process's life, and what happens to it there.

    Attributes:
        what: which boundary: "received" (read from the wire), "handled" (dealt with), "sending" (the next to leave),
            "sent" (taken by the connection), "persisting" (about to be stored), "persisted" (stored).
        kind: the message's type or the record's kind.
        count: the how many-th of this boundary and kind in this process, from 1.
        act: "kill": SIGKILL to itself; "hold": this thread goes no further; "fill disk": no file takes a byte more
            until the test makes room.
    """

    what: str
    kind: str
    count: int = 1
    act: Act = "kill"

    def __str__(self) -> str:
        """For a test's id."""
        return f"{self.what}-{self.kind}-{self.count}"


class Watch:
    """Sees everything that crosses a boundary of this process, records it, and strikes at the chosen points."""

    def __init__(self, recorder: Recorder, points: list[Point], run: str, home: Path) -> None:
        """Watch for these points in the process's part of one run; its files are under `home`."""
        self._recorder, self._run, self._home = recorder, run, home
        self._points = {(point.what, point.kind, point.count): point.act for point in points}
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def message(self, what: str, data: bytes) -> None:
        """A protocol message is at a boundary."""
        kind, facts = _told(data)
        self.passes(what, kind, **facts)

    def passes(self, what: str, kind: str, /, **facts: object) -> None:
        """Something is at a boundary."""
        with self._lock:
            self._seen[what, kind] += 1
            count = self._seen[what, kind]
            self._recorder.note(what, kind, run=self._run, count=count, **facts)
            act = self._points.get((what, kind, count))
            if act is not None:
                self._recorder.note("struck", act)
        match act:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hold":
                threading.Event().wait()
            case "fill disk":
                fill_disk(self._home)
            case None:
                pass


def _told(data: bytes) -> tuple[str, Mapping[str, object]]:
    """A message's type, and what the checks need of it."""
    envelope = open_envelope(data)
    facts: dict[str, object] = {"sender": envelope.sender}
    match envelope.type:
        case MessageType.CHUNK:
            chunk = messages.Chunk.decode(envelope)
            facts |= {"round": chunk.round, "index": chunk.index, "sha256": hashlib.sha256(chunk.data).hexdigest()}
        case MessageType.UPLOAD:
            upload = messages.Upload.decode(envelope)
            facts |= {"round": upload.round, "sha256": upload.vector_digest.hex()}
        case MessageType.CONFIRM:
            confirm = messages.Confirm.decode(envelope)
            facts |= {"round": confirm.round, "sha256": confirm.view.hex()}
        case MessageType.REVEAL:
            reveal = messages.Reveal.decode(envelope)
            facts |= {"round": reveal.round, "sha256": hashlib.sha256(envelope.body).hexdigest()}
        case _:
            pass
    return envelope.type.name, facts
