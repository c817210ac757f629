"""What every process of a crash test did, in one order that outlives the processes."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Entry", "Recorder", "Tape"]

_LARGEST = 2**17


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a process did.

    Attributes:
        process: "coordinator" or a member's id.
        what: "received", "handled", "sending", "sent", "persisting", "persisted", "log", "exited" and so on.
        kind: the message's type, the record's kind, the log's event.
        facts: the rest, as JSON.
    """

    process: str
    what: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Recorder:
    """A process's end of the tape. What was recorded stays recorded when the process is killed in the next instant."""

    def __init__(self, process: str, end: socket.socket) -> None:
        """Record as `process` through a datagram socket: a full disk does not keep a process from recording."""
        self.process = process
        self._end = end

    def note(self, what: str, kind: str, /, **facts: object) -> None:
        """Record one thing; the bytes are the kernel's when this returns."""
        self._end.send(json.dumps([self.process, what, kind, facts], default=str).encode()[:_LARGEST])


class Tape:
    """The test's end: collects entries on a thread of its own."""

    def __init__(self) -> None:
        """Start to collect."""
        self._own, self.end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._entries: list[Entry] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    @property
    def entries(self) -> list[Entry]:
        """Everything so far, oldest first."""
        with self._changed:
            return list(self._entries)

    def wait(self, condition: Callable[[list[Entry]], bool], what: str, seconds: float) -> None:
        """Wait until `condition` holds of the entries.

        Raises:
            AssertionError: it did not in time; the last entries are told.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while not condition(self._entries):
                left = end - time.monotonic()
                assert left > 0, f"waited {seconds:.0f} s in vain until {what}; the last on tape:\n{self._told()}"
                # Not only entries change what is waited for: a process may end without one.
                self._changed.wait(min(left, 0.5))

    def clear(self) -> None:
        """Forget everything, for the next test; no process of the last one may be left."""
        with self._changed:
            self._entries.clear()

    def close(self) -> None:
        """Stop collecting."""
        # An empty datagram; nobody records one.
        self.end.send(b"")
        self._thread.join()
        self._own.close()
        self.end.close()

    def _collect(self) -> None:
        while data := self._own.recv(_LARGEST):
            process, what, kind, facts = json.loads(data)
            with self._changed:
                self._entries.append(Entry(process, what, kind, facts))
                self._changed.notify_all()

    def _told(self, count: int = 40) -> str:
        return "\n".join(f"  {e.process} {e.what} {e.kind} {dict(e.facts)}" for e in self._entries[-count:])
