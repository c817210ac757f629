"""Starts, resumes and stops runs as the operator's commands ask through the database."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from headwater.errors import HeadwaterError
from headwater_server.runs.driver import RunDriver
from headwater_server.storage import RunState, Storage

__all__ = ["RunScheduler"]

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.5


class RunScheduler:
    """Looks at the database twice a second; a run that was under way when the coordinator ended goes on."""

    def __init__(self, storage: Storage, driver_of: Callable[[str], RunDriver]) -> None:
        """Take the parts; `driver_of` makes the driver of a run id."""
        self._storage = storage
        self._driver_of = driver_of
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until cancelled; runs under way are then left as they are, for the next start."""
        try:
            while True:
                try:
                    await self._look()
                except HeadwaterError as error:
                    _log.warning("scheduler_delayed", reason=str(error))
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> None:
        self._tasks = {run_id: task for run_id, task in self._tasks.items() if not task.done()}
        for run_id in self._storage.runs_in(RunState.STARTING, RunState.RUNNING):
            if run_id not in self._tasks:
                _log.info("run_started", run=run_id)
                self._tasks[run_id] = asyncio.create_task(self._driver_of(run_id).drive(), name=f"run {run_id}")
        for run_id in self._storage.runs_in(RunState.STOPPING):
            task = self._tasks.pop(run_id, None)
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            # It may have come to its own end in the same moment.
            with contextlib.suppress(HeadwaterError):
                self._storage.move_run(run_id, RunState.STOPPED, "stopped by the operator")
            _log.info("run_stopped", run=run_id)
