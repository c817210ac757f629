"""Starts, resumes and stops runs as the operator's commands ask through the database."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

import structlog

from headwater.errors import HeadwaterError
from headwater_server.storage import RunState, Storage

__all__ = ["Driving", "RunScheduler"]

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.5
_AGAIN_SECONDS = 30.0


class Driving(Protocol):
    """One run that can be driven to its end; `RunDriver` is it."""

    async def drive(self) -> None:
        """Run to the end and leave the state so; when cancelled, leave it as it is."""
        ...


class RunScheduler:
    """Looks at the database twice a second; a run that was under way when the coordinator ended goes on."""

    def __init__(self, storage: Storage, driver_of: Callable[[str], Driving]) -> None:
        """Take the parts; `driver_of` makes the driver of a run id."""
        self._storage = storage
        self._driver_of = driver_of
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Work until cancelled; runs under way are then left as they are, for the next start."""
        try:
            while True:
                try:
                    await self.look()
                except HeadwaterError as error:
                    _log.warning("scheduler_delayed", reason=str(error))
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def look(self) -> None:
        """Compare what runs with what should run, once.

        Raises:
            StorageError: the database cannot be read; everything under way goes on.
        """
        now = asyncio.get_running_loop().time()
        # In this order: a run whose driver ended before the question and is still due was left without an end.
        ended = {run_id: task for run_id, task in self._tasks.items() if task.done()}
        due = await asyncio.to_thread(self._storage.runs_in, RunState.STARTING, RunState.RUNNING)
        for run_id, task in ended.items():
            del self._tasks[run_id]
            if run_id in due:
                # It paused, or could not even write down why it failed: the disk is full.
                _log.error("run_left", run=run_id, again_seconds=_AGAIN_SECONDS, exc_info=_failure(task))
                self._not_before[run_id] = now + _AGAIN_SECONDS
        for run_id in due:
            if run_id not in self._tasks and self._not_before.get(run_id, now) <= now:
                _log.info("run_started", run=run_id)
                self._tasks[run_id] = asyncio.create_task(self._driver_of(run_id).drive(), name=f"run {run_id}")
        for run_id in await asyncio.to_thread(self._storage.runs_in, RunState.STOPPING):
            await self._stop(run_id)

    async def _stop(self, run_id: str) -> None:
        task = self._tasks.pop(run_id, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        # It may have come to its own end in the same moment.
        with contextlib.suppress(HeadwaterError):
            await asyncio.to_thread(self._storage.move_run, run_id, RunState.STOPPED, "stopped by the operator")
        _log.info("run_stopped", run=run_id)


def _failure(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
