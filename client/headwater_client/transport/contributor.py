"""Computes contributions beside the conversation, so that an abort or a stop is heard meanwhile."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.protocol.events import RoundRequested
from headwater.secagg.protocol.families import Family

__all__ = ["Computed", "Contribute", "Contribution", "Contributor"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What an organisation gives to a round.

    Attributes:
        vector: in the session's ring, shape (length,).
        family: what it belongs to under a `strict` plan; None records and refuses no cohort (protocol 4.10).
    """

    vector: RingVector = field(repr=False)
    family: Family | None = None


Contribute = Callable[[RoundRequested], Contribution]
"""Computes a contribution. `PeerError`: the plan does not allow the Task, or not for this charge."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A contribution is there, or the error that came of it."""

    round: int
    contribution: Contribution | None
    error: Exception | None = None


class Contributor:
    """One worker thread: a newer request makes older ones that have not begun pointless."""

    def __init__(self, contribute: Contribute, inbox: "SimpleQueue[Computed | object]") -> None:
        """Start the worker; results go into the inbox."""
        self._contribute = contribute
        self._inbox = inbox
        self._requests: SimpleQueue[RoundRequested | None] = SimpleQueue()
        self._newest = 0
        # A daemon: a computation that nobody waits for any more must not keep the process from ending.
        threading.Thread(target=self._work, name="headwater-contribution", daemon=True).start()

    def submit(self, request: RoundRequested) -> None:
        """Compute this next."""
        self._newest = request.round
        self._requests.put(request)

    def close(self) -> None:
        """End the worker after what it computes now."""
        self._newest = -1
        self._requests.put(None)

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            if request.round != self._newest:
                continue
            try:
                computed = Computed(request.round, self._contribute(request))
            except Exception as error:  # noqa: BLE001  carried over to the thread that can act on it
                computed = Computed(request.round, None, error)
            self._inbox.put(computed)
