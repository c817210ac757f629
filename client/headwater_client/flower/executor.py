"""The executor loop: takes Flower tasks, refuses every bundle but the stub, calls the installed ClientApp."""

import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol

import structlog

from headwater.errors import HeadwaterError, TransportError

__all__ = ["POLL_SECONDS", "ClientAppCall", "Executor", "FlowerTask", "TaskSource", "execute"]

POLL_SECONDS = 0.5
"""Wait between two questions for a task; the SuperNode itself asks the SuperLink every 3 s."""

ClientAppCall = Callable[[Any, Any], Any]
"""A Flower ClientApp as it is called: (message, context) → reply."""

_log = structlog.get_logger(__name__)


class FlowerTask(Protocol):
    """One Flower message to be answered; `headwater_client.flower.private.AssignedTask` is the real one."""

    @property
    def bundle(self) -> bytes:
        """The bundle of the message's run."""

    @property
    def stopped(self) -> threading.Event:
        """Set when nobody waits for the answer any more."""

    def answer(self, call: ClientAppCall) -> None:
        """Reply with what `call(message, context)` returns."""

    def refuse_bundle(self, reason: str) -> None:
        """Reply that the bundle was refused."""

    def report_failure(self, reason: str) -> None:
        """Reply that the ClientApp failed."""

    def close(self) -> None:
        """Release the task."""


class TaskSource(Protocol):
    """Where tasks come from; `headwater_client.flower.private.NodeRuntime` is the real one."""

    def acquire(self) -> FlowerTask | None:
        """The next task, or None."""


def execute(task: FlowerTask, allowed_sha256: str, call: ClientAppCall) -> bool:
    """Answer one task: with the ClientApp if its bundle is the pinned stub, with a refusal if not.

    Guarantee: a bundle with any other digest is never unpacked, written or imported.

    Args:
        task: what Flower asks.
        allowed_sha256: digest of the one bundle that may run.
        call: the installed ClientApp, warm.

    Returns:
        Whether the ClientApp was called and returned.

    Raises:
        TransportError: the reply did not go out.
    """
    digest = sha256(task.bundle).hexdigest()
    if digest != allowed_sha256:
        # A bundle can carry packages that shadow installed ones (flower.md): an organisation runs what it installed.
        _log.error("bundle_refused", bundle_sha256=digest, expected_sha256=allowed_sha256)
        task.refuse_bundle(f"bundle {digest[:12]} is not the installed stub {allowed_sha256[:12]}")
        return False
    try:
        task.answer(call)
    except TransportError:
        raise
    except HeadwaterError as error:
        _log.error("task_failed", reason=str(error), code=error.code)
        task.report_failure(f"refused: {error.code}")
        return False
    except Exception as error:  # noqa: BLE001  (whatever the ClientApp does, the SuperNode gets an answer)
        # Only the kind goes on: a foreign message may quote a value of a row.
        _log.error("task_failed", kind=type(error).__name__)
        task.report_failure("the organisation's part failed; its own log says why")
        return False
    return True


class Executor:
    """Takes tasks one after another; an unreachable SuperNode is asked again, its supervisor restarts it."""

    def __init__(
        self, source: TaskSource, allowed_sha256: str, make_app: Callable[[threading.Event], ClientAppCall]
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            source: where tasks come from.
            allowed_sha256: digest of the one bundle that may run.
            make_app: gives the ClientApp for one task; it ends early when the event is set.
        """
        self._source = source
        self._allowed_sha256 = allowed_sha256
        self._make_app = make_app
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._current: FlowerTask | None = None
        self._reachable = True

    def run(self) -> None:
        """Take tasks until `stop` is called."""
        while not self._stop.is_set():
            try:
                if self._take_one():
                    continue
            except TransportError as error:
                if self._reachable:
                    _log.info("supernode_unreachable", reason=str(error))
                self._reachable = False
            self._stop.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End `run`, and the task that it is in."""
        self._stop.set()
        with self._lock:
            if self._current is not None:
                self._current.stopped.set()

    def _take_one(self) -> bool:
        task = self._source.acquire()
        if not self._reachable:
            _log.info("supernode_reached")
            self._reachable = True
        if task is None:
            return False
        with self._lock:
            self._current = task
            if self._stop.is_set():
                task.stopped.set()
        _log.info("task_acquired")
        try:
            execute(task, self._allowed_sha256, self._make_app(task.stopped))
        finally:
            with self._lock:
                self._current = None
            task.close()
        return True
