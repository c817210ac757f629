"""The desk and the drawer of one coordinator, put together."""

import datetime
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater_server.sampling.desk import SampleDesk
from headwater_server.sampling.drawer import Release, SampleDrawer
from headwater_server.sampling.jobs import SampleStore
from headwater_server.sampling.limits import SampleLimits
from headwater_server.sampling.worker_process import Worker, WorkerProcess
from headwater_server.settings import CoordinatorHome

__all__ = ["sampling_parts"]


def sampling_parts(
    home: CoordinatorHome,
    limits: SampleLimits,
    store: SampleStore,
    find: Callable[[str, int], Release | None],
    key: Ed25519PrivateKey,
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    worker: Callable[[int], Worker] = WorkerProcess,
) -> tuple[SampleDesk, SampleDrawer]:
    """Where rows are asked for, and what draws them; each with a process of its own that starts when it is needed.

    Args:
        home: of the coordinator.
        limits: of all jobs.
        store: of jobs.
        find: a published version that is not withdrawn, or None.
        key: the charter's coordinator key.
        now: an aware moment.
        worker: starts what measures and what draws, with so many MiB of memory.
    """
    memory = limits.memory_mib
    desk = SampleDesk(store, home.runs, home.samples, limits, worker(memory), now)
    drawer = SampleDrawer(store, find, home.runs, home.samples, limits, worker(memory), key, now)
    return desk, drawer
