"""The coordinator's one long-running process: listeners, Flower, catalogue, runs."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Coroutine

import structlog
from starlette.applications import Starlette
from starlette.routing import Mount

from headwater.errors import HeadwaterError, InputError, StorageError, TransportError
from headwater_server.catalogue.access.downloads import DownloadCounter
from headwater_server.catalogue.app import build_catalogue
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.catalogue.run_page import RunPages
from headwater_server.catalogue.settings import CatalogueSettings
from headwater_server.flower.control import FlowerControl, check_flower_version
from headwater_server.flower.proxy import FleetProxy, superlink_client
from headwater_server.flower.supervisor import FlowerSettings, FlowerSupervisor
from headwater_server.https import serving
from headwater_server.lock import held
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.settling import settle, sweep
from headwater_server.releasing.withdrawing import finish_withdrawals
from headwater_server.runs.driver import RunDriver
from headwater_server.runs.scheduler import RunScheduler
from headwater_server.sampling.desk import SampleDesk
from headwater_server.sampling.drawer import SampleDrawer
from headwater_server.sampling.parts import sampling_parts
from headwater_server.services.aggregation import AggregationService
from headwater_server.services.catalogue import CatalogueService
from headwater_server.services.consortium import ConsortiumService
from headwater_server.services.enrolment import EnrolmentService, Listeners
from headwater_server.services.hub import AggregationHub
from headwater_server.services.releases import ReleasesService
from headwater_server.services.server import enrolment_listener, member_listener
from headwater_server.settings import CoordinatorHome, CoordinatorSettings
from headwater_server.storage import SqlStorage, Storage

__all__ = ["serve"]

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 1.0
_LIST_SECONDS = 0.2
"""A list of datasets may be as old as this; looking at every folder for each page would cost more than the page."""


def serve(home: CoordinatorHome) -> None:
    """Serve until SIGTERM or Ctrl-C; children end with it.

    Raises:
        InputError: a port is taken, another `serve` of this home runs, or the home is damaged.
    """
    with held(home):
        asyncio.run(_serve(home))


async def _serve(home: CoordinatorHome) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    check_flower_version()
    settings = home.settings()
    storage = SqlStorage(home.database_url(settings))
    try:
        async with contextlib.AsyncExitStack() as stack:
            hub = AggregationHub(now=time.monotonic)
            stack.push_async_callback(hub.close)
            # Every port is bound before anything starts, so that a taken one is told at once and leaves nothing behind.
            web = _bind(settings.address, settings.https_port, "HTTPS", "https_port")
            stack.callback(web.close)
            await _listen(stack, home, settings, storage, hub)
            _check_free(settings.superlink_port)
            flower = FlowerSettings(
                home.flower,
                settings.superlink_port,
                home.ca_certificate,
                home.keys / "server.crt",
                home.keys / "server.key",
            )
            supervisor = FlowerSupervisor(flower)
            stack.push_async_callback(supervisor.stop)
            await supervisor.start()
            control = FlowerControl(flower)
            stack.push_async_callback(control.close)
            downloads = DownloadCounter(storage, time.time)
            stack.callback(_count_rest, downloads)
            key = home.charter_key()
            desk, drawer = sampling_parts(
                home, settings.samples, storage, FolderReleaseIndex(home.releases).standing, key
            )
            stack.callback(desk.close)
            await stack.enter_async_context(_catalogue(home, settings, storage, downloads, flower, web, stop, desk))
            memory = settings.spool_memory_mib * 2**20
            scheduler = RunScheduler(
                storage,
                lambda run_id: RunDriver(run_id, home, storage, hub, control, key, spool_memory_bytes=memory),
            )
            await stack.enter_async_context(_background(scheduler.run(), "scheduler", stop))
            await stack.enter_async_context(_background(_admit_nodes(storage, control), "admission", stop))
            await stack.enter_async_context(_background(_publish(storage, home), "publication", stop))
            await stack.enter_async_context(_background(_count(downloads), "counting", stop))
            await stack.enter_async_context(_background(_draw_samples(desk, drawer), "sampling", stop))
            _announce(home, settings)
            await stop.wait()
            _log.info("coordinator_stopping")
    finally:
        storage.close()


async def _listen(
    stack: contextlib.AsyncExitStack,
    home: CoordinatorHome,
    settings: CoordinatorSettings,
    storage: SqlStorage,
    hub: AggregationHub,
) -> None:
    authority, pair = home.authority(), home.server_pair()
    enrolment = enrolment_listener(
        EnrolmentService(storage, authority, Listeners(settings.host, settings.grpc_port, settings.https_port)),
        pair,
        settings.address,
        settings.enrolment_port,
    )
    members = member_listener(
        ConsortiumService(storage, storage, storage),
        AggregationService(storage, hub),
        pair,
        authority.certificate_pem,
        settings.address,
        settings.grpc_port,
        releases=ReleasesService(storage, storage, storage, storage, ReleaseFolders(home)),
        catalogue=CatalogueService(storage, FolderReleaseIndex(home.releases)),
    )
    for listener in (enrolment, members):
        await listener.start()
        stack.push_async_callback(listener.stop)


@contextlib.asynccontextmanager
async def _catalogue(
    home: CoordinatorHome,
    settings: CoordinatorSettings,
    storage: Storage,
    downloads: DownloadCounter,
    flower: FlowerSettings,
    listener: socket.socket,
    stop: asyncio.Event,
    desk: SampleDesk,
) -> AsyncIterator[None]:
    proxy = FleetProxy(superlink_client(flower.address, str(home.ca_certificate)))
    catalogue = build_catalogue(
        FolderReleaseIndex(home.releases, list_seconds=_LIST_SECONDS),
        CatalogueSettings(
            consortium=settings.consortium,
            address=f"https://{_bracketed(settings.host)}:{settings.https_port}",
            host=settings.address,
            charter=storage.charter_in_force,
            token_digest=settings.catalogue_token_sha256 or None,
            ca_digest=home.authority().digest,
            default_level=settings.catalogue_level,
            open_runs=settings.catalogue_open_runs,
            limits=settings.catalogue_limits,
        ),
        access=storage,
        downloads=downloads,
        runs=RunPages(storage, home.runs),
        samples=desk,
    )
    application = Starlette(routes=[proxy.route, Mount("/", app=catalogue)])
    try:
        async with serving(application, home.keys / "server.crt", home.keys / "server.key", listener, stop):
            yield
    finally:
        await proxy.close()


@contextlib.asynccontextmanager
async def _background(work: Coroutine[None, None, None], name: str, stop: asyncio.Event) -> AsyncIterator[None]:
    """Work that lasts as long as the coordinator; if it breaks, the coordinator stops and says so, never half a one."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(lambda done: stop.set())
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        _log.error("coordinator_broken", part=name, exc_info=outcome)
        raise TransportError(f"the coordinator's {name} broke ({type(outcome).__name__}); its log says where")


async def _admit_nodes(storage: Storage, control: FlowerControl) -> None:
    """Let the Flower node of every member in, and of nobody else: one that enrolled anew has a new key."""
    admitted: dict[str, str] = {}
    while True:
        try:
            members = await asyncio.to_thread(storage.members)
            keys = {member.member_id: member.flower_public_key for member in members}
            if keys != admitted:
                await control.admit_nodes(keys)
                admitted = keys
                _log.info("nodes_admitted", members=sorted(keys))
        except HeadwaterError as error:
            _log.warning("admission_delayed", reason=str(error))
        await asyncio.sleep(_POLL_SECONDS)


async def _publish(storage: Storage, home: CoordinatorHome) -> None:
    """Publish releases as soon as the last signature that they need is there, and end refused ones."""
    folders, told = ReleaseFolders(home), ""
    await asyncio.to_thread(sweep, storage, folders)
    for release in await asyncio.to_thread(finish_withdrawals, home, storage):
        _log.error("withdrawal_not_believed", name=release)
    while True:
        try:
            for record in await asyncio.to_thread(settle, storage, folders):
                _log.info("release_published", name=record.name, version=record.version)
            told = ""
        except HeadwaterError as error:
            # Said once, tried again until the operator has mended it.
            if str(error) != told:
                _log.error("release_not_published", reason=str(error))
            told = str(error)
        await asyncio.sleep(_POLL_SECONDS)


async def _count(downloads: DownloadCounter) -> None:
    """Write counts of downloads as they come."""
    told = ""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        try:
            await asyncio.to_thread(downloads.flush)
            told = ""
        except StorageError as error:
            # Said once; the counts wait in memory until the operator has mended it.
            if str(error) != told:
                _log.error("downloads_not_counted", reason=str(error))
            told = str(error)


def _count_rest(downloads: DownloadCounter) -> None:
    with contextlib.suppress(StorageError):
        downloads.flush()


async def _draw_samples(desk: SampleDesk, drawer: SampleDrawer) -> None:
    """Draw rows on request; the thread waits for another process and does nothing else."""
    ended = threading.Event()
    try:
        await asyncio.to_thread(drawer.run, ended, desk.rest)
    finally:
        ended.set()


def _bind(host: str, port: int, what: str, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"the {what} listener cannot take port {port} on {host}: {error.strerror}; stop the other program or set "
            f"another {setting} in settings.toml"
        ) from error
    return listener


def _check_free(port: int) -> None:
    _bind("127.0.0.1", port, "SuperLink", "superlink_port").close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(home: CoordinatorHome, settings: CoordinatorSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    host = _bracketed(settings.host)
    grid.add_row("enrolment", f"{host}:{settings.enrolment_port}", "TLS, one-time tokens")
    grid.add_row("members", f"{host}:{settings.grpc_port}", "gRPC, mutual TLS")
    grid.add_row("catalogue", f"https://{host}:{settings.https_port}", "HTTPS, and /v1/fleet/ for Flower nodes")
    grid.add_row("Flower", f"127.0.0.1:{settings.superlink_port}", "loopback only")
    console = Console()
    console.print(f"[bold]{settings.consortium}[/bold]: coordinator of {home.folder} is up. Ctrl-C stops it.")
    console.print(grid)
