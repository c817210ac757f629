"""Computes contributions beside the conversation, so that an abort or a stop is heard meanwhile."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from headwater.secagg.events import RoundRequested

__all__ = ["Computed", "Contribute", "Contributor"]

Contribute = Callable[[RoundRequested], NDArray[np.uint32]]
"""(task, model, length) → the vector, uint32 of shape (length,). `PeerError`: the plan does not allow the Task."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A contribution is there, or the error that came of it."""

    round: int
    vector: NDArray[np.uint32] | None = field(repr=False)
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
