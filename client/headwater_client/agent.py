"""The serve loop: a supervised SuperNode, the executor beside it, the standing rule, until told to stop."""

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import structlog

from headwater.agreement.troubles import Trouble
from headwater.errors import HeadwaterError, OutOfOrder, StorageError
from headwater.flower_bundle import bundle_sha256
from headwater_client.canary_opening import CanaryOpener
from headwater_client.connectors import RowSource
from headwater_client.flower.client_app import Outcome, build_client_app
from headwater_client.flower.executor import ClientAppCall, Executor
from headwater_client.flower.private import NodeRuntime, check_flower_version
from headwater_client.flower.supervisor import SuperNodeSettings, SuperNodeSupervisor
from headwater_client.membership import Membership
from headwater_client.participation import SessionDriver, join_run
from headwater_client.row_check import RowCheck
from headwater_client.settings import Home
from headwater_client.transport.aggregation import participate
from headwater_client.transport.consortium import ConsortiumClient
from headwater_client.transport.releases import ReleasesClient

__all__ = ["is_served", "serve"]

_KEEP_UP_SECONDS = 3.0

_log = structlog.get_logger(__name__)


def serve(membership: Membership, source: RowSource, stop: threading.Event, keep_up: Callable[[], None]) -> None:
    """Serve until `stop` is set; every child and thread is gone when this returns or raises.

    Args:
        membership: this organisation.
        source: its rows, read when a run begins.
        stop: set it from anywhere, a signal handler included.
        keep_up: learns the charter's missing signatures, applies the standing rule; called every few seconds.

    Raises:
        InputError: a file, setting or version is wrong.
        OutOfOrder: another process serves from this folder, or a part of the agent broke.
        StorageError: the folder cannot be written.
    """
    check_flower_version()
    _limit_threads(membership.settings.threads)
    with _serve_lock(membership.home), membership.channel() as channel:
        membership.store.forget_live_sessions()
        supervisor = SuperNodeSupervisor(
            SuperNodeSettings(
                superlink=str(membership.settings.catalogue),
                ca_certificate=membership.keys.ca_path.resolve(),
                private_key=membership.keys.flower_key_path.resolve(),
                folder=membership.home.flower.resolve(),
                port=membership.settings.supernode_port,
            )
        )
        runtime = NodeRuntime(supervisor.address, supervisor.secret)
        drive, consortium = partial(participate, channel), ConsortiumClient(channel)
        check_rows = partial(RowCheck(membership, source, partial(_report, consortium)).look, consortium)
        executor = Executor(
            runtime, bundle_sha256(), lambda stopped: _client_app(membership, source, drive, stopped, consortium)
        )
        opener = CanaryOpener(membership, ReleasesClient(channel))
        open_canaries = partial(opener.open_all, consortium)
        workers = [
            _Worker("executor", executor.run, stop),
            _Worker("agreement", partial(_keep_agreed, (keep_up, check_rows, open_canaries), stop), stop),
        ]
        _log.info("agent_started", member=membership.member_id, coordinator=str(channel.endpoint))
        try:
            supervisor.start()
            for worker in workers:
                worker.start()
            stop.wait()
        finally:
            stop.set()
            executor.stop()
            for worker in workers:
                worker.end()
            supervisor.stop()
            runtime.close()
            _log.info("agent_stopped", member=membership.member_id)
        for worker in workers:
            worker.check()


class _Worker:
    """A thread whose unexpected end stops the agent, so that it is never alive and deaf."""

    def __init__(self, name: str, work: Callable[[], None], stop: threading.Event) -> None:
        self._name = name
        self._work = work
        self._stop = stop
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"headwater-{name}")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def check(self) -> None:
        if self._error is not None:
            raise OutOfOrder(
                f"the agent's {self._name} ended unexpectedly ({type(self._error).__name__}); "
                "start it again, and report the defect with its log"
            ) from self._error

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  checked on the main thread
            _log.error("worker_broken", worker=self._name, kind=type(error).__name__)
            self._error = error
            self._stop.set()


def is_served(home: Home) -> bool:
    """Whether a process serves from this folder right now."""
    try:
        with _serve_lock(home):
            return False
    except OutOfOrder:
        return True


def _client_app(
    membership: Membership,
    source: RowSource,
    drive: SessionDriver,
    stopped: threading.Event,
    coordinator: ConsortiumClient,
) -> ClientAppCall:
    def join(run_id: str) -> Outcome:
        return join_run(membership, source, drive, run_id, stopped, partial(_report, coordinator, run_id))

    client_app: ClientAppCall = build_client_app(join)
    return client_app


def _report(coordinator: ConsortiumClient, run_id: str, trouble: Trouble) -> None:
    try:
        coordinator.report(run_id, trouble)
    except HeadwaterError as error:
        # The trouble itself is in the log already, and matters more than that nobody heard of it.
        _log.info("trouble_unreported", run=run_id, reason=str(error))


def _keep_agreed(duties: Sequence[Callable[[], object]], stop: threading.Event) -> None:
    said: dict[int, str] = {}
    while not stop.is_set():
        for number, duty in enumerate(duties):
            try:
                duty()
                said.pop(number, None)
            except HeadwaterError as error:
                # Said once, not every few seconds: a coordinator may be away for a night.
                if str(error) not in said.values():
                    _log.info("agreement_waits", reason=str(error))
                said[number] = str(error)
        stop.wait(_KEEP_UP_SECONDS)


def _limit_threads(threads: int) -> None:
    # Imported here and now: the first round must not wait for torch.
    import torch

    if threads:
        torch.set_num_threads(threads)


@contextmanager
def _serve_lock(home: Home) -> Iterator[None]:
    """Hold the folder; the lock ends with the process, however it ends."""
    try:
        file = home.lock.open("a")
    except OSError as error:
        raise StorageError(
            f"{home.lock} cannot be written ({error.strerror}); mend the folder's permissions"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutOfOrder(
                f"another process serves from {home.folder}; one is enough, stop it first if it is to be replaced"
            ) from error
        yield
