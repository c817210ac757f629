"""The coordinator's process in a crash test: real listener, hub, driver, journal and storage; Flower only invites."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crash.known import KnownRecipe
from crash.points import Point, Watch
from crash.tape import Recorder
from headwater.agreement.plan import Plan
from headwater_server.runs import driver as driver_module
from headwater_server.runs import scheduler as scheduler_module
from headwater_server.runs.driver import RunDriver
from headwater_server.runs.scheduler import RunScheduler
from headwater_server.services.aggregation import AggregationService
from headwater_server.services.consortium import ConsortiumService
from headwater_server.services.hub import AggregationHub
from headwater_server.services.server import member_listener
from headwater_server.settings import CoordinatorHome
from headwater_server.storage import RoundEntry, SqlStorage

__all__ = ["run_coordinator"]


def run_coordinator(recorder: Recorder, points: list[Point], options: dict[str, Any]) -> None:
    """Drive a run to its end, then answer members until SIGTERM comes.

    Args:
        recorder: of this process.
        points: where it dies.
        options: "home": its folder; "run": the run's id; "lengths": of the sums.
    """
    watch = Watch(recorder, points, options["run"], Path(options["home"]))
    asyncio.run(_serve(recorder, watch, options))


async def _serve(recorder: Recorder, watch: Watch, options: dict[str, Any]) -> None:
    home, stop = CoordinatorHome(Path(options["home"])), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def recipe_of(plan: Plan) -> KnownRecipe:
        return KnownRecipe(plan, options["lengths"])

    settings = home.settings()
    storage, hub = _WatchedStorage(home.database_url(settings), watch), AggregationHub()
    listener = member_listener(
        ConsortiumService(storage, storage, storage),
        _WatchedService(storage, hub, watch),
        home.server_pair(),
        home.authority().certificate_pem,
        settings.address,
        settings.grpc_port,
    )
    await listener.start()

    def driver_of(run_id: str) -> _KnownRun:
        return _KnownRun(recorder, run_id, home, storage, hub, _NobodyInvited(), home.charter_key())

    with (
        patch.object(driver_module, "build_recipe", recipe_of),
        patch.object(scheduler_module, "_POLL_SECONDS", 0.05),
        patch.object(scheduler_module, "_AGAIN_SECONDS", 0.2),
    ):
        scheduling = asyncio.create_task(RunScheduler(storage, driver_of).run())
        await stop.wait()
        scheduling.cancel()
        await asyncio.gather(scheduling, return_exceptions=True)
    await hub.close()
    await listener.stop(0.2)
    storage.close()


class _KnownRun(RunDriver):
    """A run whose generator nobody needs."""

    def __init__(self, recorder: Recorder, *parts: Any) -> None:
        super().__init__(*parts)
        self._tape = recorder

    async def drive(self) -> None:
        await super().drive()
        state = self._storage.run_state(self._run_id)
        if state.over:
            self._tape.note("driven", state.value)

    def _finish(self, *_: object) -> None:
        self._storage.set_result(self._run_id, {})


class _NobodyInvited:
    """In place of Flower: the test starts the organisations itself."""

    async def start_run(self, run_id: str) -> int:
        return 1

    async def run_is_over(self, flower_run: int) -> bool:
        return False

    async def stop_run(self, flower_run: int) -> None:
        return None


class _WatchedService(AggregationService):
    """The boundary between this process and its members' streams."""

    def __init__(self, storage: SqlStorage, hub: AggregationHub, watch: Watch) -> None:
        super().__init__(storage, hub)
        self._watch = watch

    async def Participate(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        async with aclosing(super().Participate(self._receiving(request_iterator), context)) as responses:  # type: ignore[type-var]
            async for response in responses:
                self._messages("sending", response)
                yield response
                self._messages("sent", response)

    async def _receiving(self, requests: Any) -> AsyncIterator[Any]:
        async for request in requests:
            self._messages("received", request)
            yield request
            self._messages("handled", request)

    def _messages(self, what: str, parcel: Any) -> None:
        for data in parcel.messages:
            self._watch.message(what, data)


class _WatchedStorage(SqlStorage):
    """The boundary between this process and its records."""

    def __init__(self, url: str, watch: Watch) -> None:
        super().__init__(url)
        self._watch = watch

    def add_round_entry(self, run_id: str, entry: RoundEntry) -> None:
        self._watch.passes("persisting", entry.kind)
        super().add_round_entry(run_id, entry)
        self._watch.passes("persisted", entry.kind)
