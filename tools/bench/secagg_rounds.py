"""Rounds of secure aggregation per second over real gRPC and mutual TLS on loopback, one process per organisation.

`python tools/bench/secagg_rounds.py` prints a table. Everything is what a run uses but the recipe: TLS with
certificates of the consortium's own CA, one gRPC stream per organisation, `Participant` and `Aggregator`, the hub and
its services, the coordinator's journal and each organisation's store, synchronised to the disk. Every sum is compared.
A member's vector is ready before it is asked for, so that the rounds are measured and not the training.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import logging
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))

import numpy as np
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from headwater.secagg import Aggregator, Participant, Roster, SessionTerms
from headwater.secagg.protocol.events import Persist, RoundClosed, RoundRequested, RoundSummed
from headwater_client.store import Store
from headwater_client.transport.aggregation import Contribution, Progress, participate
from headwater_client.transport.channel import CoordinatorChannel, Identity
from headwater_client.transport.diagnosis import Endpoint
from headwater_server.runs.replay import RunJournal, StoredSum
from headwater_server.storage import BlobStore, SqlStorage
from support.consortium import ConsortiumInMemory
from support.rpc import LOOPBACK, LoopThread, RpcCoordinator

__all__ = ["measure"]

RUN = "0f" * 16
WINDOWS = 5
WARM_UP_ROUNDS = 10
PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 5.0
PLAN_DIGEST = b"p" * 32
TASK = b'{"kind":"update"}'


@dataclass(frozen=True)
class _Organisation:
    """All that one member's process needs; travels to it when it starts."""

    member: str
    place: int
    key: bytes = field(repr=False)
    identity: Identity = field(repr=False)
    port: int
    roster: Mapping[str, object]
    terms: Mapping[str, object]
    home: pathlib.Path


class _Failed(Exception):
    """What went wrong in a measurement; `SystemExit` would end the loop's thread, and its waiter would not know."""


class _Journal:
    """The coordinator's durable records, and the seconds that they take."""

    def __init__(self, folder: pathlib.Path) -> None:
        storage = SqlStorage(f"sqlite:///{folder / 'state.db'}")
        storage.add_run(ConsortiumInMemory().proposal(run_id=RUN))
        self._journal = RunJournal(storage, BlobStore(folder / "blobs"), RUN)
        self.seconds = 0.0

    def persist(self, event: Persist) -> None:
        begun = time.perf_counter()
        self._journal.add(event.kind, event.data)
        self.seconds += time.perf_counter() - begun

    def add_sum(self, total: StoredSum) -> None:
        begun = time.perf_counter()
        self._journal.add_sum(total)
        self.seconds += time.perf_counter() - begun


def _quiet() -> None:
    """Thousands of lines of a terminal are no part of what is measured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _vector(place: int, round_number: int, length: int) -> NDArray[np.uint32]:
    """A vector of one organisation: drawn once, moved on by the round's number."""
    values = np.random.default_rng(place).integers(0, 2**24, length, dtype=np.uint32)
    return values + np.uint32(round_number)


def _take_part(organisation: _Organisation, report: Connection) -> None:
    """One organisation's process: take part until the run is over, then tell the CPU seconds at each round's end."""
    _quiet()
    usage: list[float] = []
    store = Store(organisation.home / f"{organisation.member}.db")
    base: dict[int, NDArray[np.uint32]] = {}

    def contribute(request: RoundRequested) -> Contribution:
        if request.length not in base:
            base[request.length] = _vector(organisation.place, 0, request.length)
        return Contribution(base[request.length] + np.uint32(request.round))

    def note(event: Progress) -> None:
        if isinstance(event, RoundClosed):
            store.record_receipt(RUN, event.round, event.document)
            usage.append(time.process_time())

    participant = Participant(
        Roster(**organisation.roster),  # type: ignore[arg-type]
        SessionTerms(**organisation.terms),  # type: ignore[arg-type]
        organisation.member,
        Ed25519PrivateKey.from_private_bytes(organisation.key),
    )
    with CoordinatorChannel(Endpoint(LOOPBACK, organisation.port), organisation.identity) as channel:
        ended = participate(channel, RUN, participant, contribute, threading.Event(), note)
    report.send((usage, ended.sent_bytes, ended.received_bytes))


@dataclass
class _Marks:
    """What the coordinator reads off between windows."""

    at: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    journal: list[float] = field(default_factory=list)

    def add(self, journal: _Journal) -> None:
        self.at.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.journal.append(journal.seconds)

    def per_round(self, values: Sequence[float], rounds: int) -> float:
        """Median over the windows, in milliseconds a round."""
        return statistics.median((b - a) / rounds * 1e3 for a, b in itertools.pairwise(values))


@contextlib.asynccontextmanager
async def _within(what: str) -> AsyncIterator[None]:
    """End what takes longer than the patience, by its name."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield
    except TimeoutError as error:
        raise _Failed(f"{what} did not end within {PATIENCE_SECONDS:.0f} s") from error


async def _conduct(
    coordinator: RpcCoordinator, aggregator: Aggregator, members: Sequence[str], journal: _Journal, plan: "_Plan"
) -> tuple[_Marks, tuple[int, int]]:
    """Open the session and take one sum after the other, as a run's driver does."""
    session = await coordinator.hub.open_session(RUN, aggregator, members, persist=journal.persist)
    async with _within("the setup"):
        await session.ready()
    base = sum((_vector(place, 0, plan.length) for place in range(len(members))), np.zeros(plan.length, np.uint32))
    marks, before = _Marks(), (0, 0)
    for number in range(1, plan.total + 1):
        if number > WARM_UP_ROUNDS and (number - WARM_UP_ROUNDS - 1) % plan.rounds == 0:
            marks.add(journal)
        if number == WARM_UP_ROUNDS + 1:
            before = (session.traffic.received_bytes, session.traffic.sent_bytes)
        async with _within(f"round {number}"):
            result = await session.round(TASK, b"", plan.length)
        if not isinstance(result, RoundSummed) or len(result.contributors) != len(members):
            raise _Failed(f"round {number} did not sum all {len(members)} vectors: {result}")
        if not np.array_equal(result.vector, base + np.uint32(len(members) * number)):
            raise _Failed(f"the sum of round {number} is wrong")
        # As `RunDriver` does before the recipe takes a sum.
        await asyncio.to_thread(
            journal.add_sum, StoredSum(result.vector, len(result.contributors), len(result.contributors))
        )
    marks.add(journal)
    traffic = (session.traffic.received_bytes - before[0], session.traffic.sent_bytes - before[1])
    await coordinator.hub.end_run(RUN, "measured")
    return marks, traffic


@dataclass(frozen=True)
class _Plan:
    rounds: int
    length: int

    @property
    def total(self) -> int:
        return WARM_UP_ROUNDS + WINDOWS * self.rounds


def _conducted(
    running: "concurrent.futures.Future[tuple[_Marks, tuple[int, int]]]", processes: Mapping[str, BaseProcess]
) -> tuple[_Marks, tuple[int, int]]:
    """Wait for the coordinator's side as long as all members live; each of its own waits is bounded."""
    while True:
        concurrent.futures.wait([running], timeout=_LOOK_SECONDS)
        if running.done():
            return running.result()
        for name, process in processes.items():
            # A member that ended because the run is over is none that failed.
            if process.exitcode:
                raise _Failed(f"the process of {name} ended with status {process.exitcode} within the measurement")


def _reported(name: str, report: Connection) -> Any:
    """What one member's process tells at its end."""
    try:
        if report.poll(PATIENCE_SECONDS):
            return report.recv()
    except EOFError as error:
        raise _Failed(f"the process of {name} ended without its report") from error
    raise _Failed(f"{name} did not report within {PATIENCE_SECONDS:.0f} s of the run's end")


def _end(processes: Sequence[BaseProcess]) -> None:
    """Let the processes end; those that do not are ended."""
    for process in processes:
        process.join(_LEAVE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()


def measure(rounds: int = 60, members: int = 10, length: int = 100_000) -> dict[str, float]:
    """Take secure sums over loopback, `rounds` in each of five windows after a warm-up.

    Args:
        rounds: rounds in one window.
        members: organisations, each in a process of its own.
        length: values in each vector.

    Returns:
        Medians over the windows: "rounds_per_second" (beside "slowest" and "fastest" window),
        "coordinator_cpu_ms", "member_cpu_ms" (median over members) and "journal_ms" (wall) per round;
        "bytes_up" and "bytes_down" per member and round.

    Raises:
        SystemExit: a round lacked a member, its sum was wrong, a member's process ended before its time, or what was
            waited for took longer than two minutes.
    """
    _quiet()
    plan, names = _Plan(rounds, length), [f"org-{number:03}" for number in range(members)]
    keys = {name: Ed25519PrivateKey.generate() for name in names}
    coordinator_key = Ed25519PrivateKey.generate()
    roster: dict[str, object] = {
        "members": {name: key.public_key().public_bytes_raw() for name, key in keys.items()},
        "coordinator_key": coordinator_key.public_key().public_bytes_raw(),
        "charter_digest": b"c" * 32,
    }
    terms: dict[str, object] = {
        "run_id": RUN,
        "plan_digest": PLAN_DIGEST,
        "attempt": 1,
        "rounds": plan.total,
        "retries": 0,
        "max_length": length,
        "value_bits": 26,
    }
    loop = LoopThread()
    coordinator = RpcCoordinator(loop)
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as temporary:
        folder = pathlib.Path(temporary)
        journal = _Journal(folder)
        aggregator = Aggregator(
            Roster(**roster),  # type: ignore[arg-type]
            SessionTerms(**terms),  # type: ignore[arg-type]
            coordinator_key,
            now=coordinator.hub.now(),
        )
        running: Any = loop.submit(_conduct(coordinator, aggregator, names, journal, plan))
        processes: dict[str, BaseProcess] = {}
        reports: dict[str, Connection] = {}
        for place, name in enumerate(names):
            mine, theirs = spawn.Pipe(duplex=False)
            identity, port = coordinator.admit(name), coordinator.members.port
            organisation = _Organisation(
                name, place, keys[name].private_bytes_raw(), identity, port, roster, terms, folder
            )
            process = spawn.Process(target=_take_part, args=(organisation, theirs), daemon=True)
            process.start()
            # While this end is open, a member that dies would never end its pipe.
            theirs.close()
            processes[name], reports[name] = process, mine
        try:
            marks, (up, down) = _conducted(running, processes)
            told = [_reported(name, report) for name, report in reports.items()]
        except _Failed as error:
            raise SystemExit(str(error)) from error
        finally:
            running.cancel()
            _end(list(processes.values()))
            coordinator.close()
    return _figures(marks, [usage for usage, _, _ in told], plan, (up, down))


def _figures(marks: _Marks, told: Sequence[Sequence[float]], plan: _Plan, traffic: tuple[int, int]) -> dict[str, float]:
    """What `measure` gives, from the coordinator's marks, each member's CPU seconds at each round's end, and bytes."""
    rounds, last = plan.rounds, plan.total - 1
    rates = [rounds / (b - a) for a, b in itertools.pairwise(marks.at)]
    member_cpu = [(usage[last] - usage[WARM_UP_ROUNDS]) / (last - WARM_UP_ROUNDS) * 1e3 for usage in told]
    share = 1 / (len(told) * WINDOWS * rounds)
    return {
        "rounds_per_second": statistics.median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "coordinator_cpu_ms": marks.per_round(marks.cpu, rounds),
        "member_cpu_ms": statistics.median(member_cpu),
        "journal_ms": marks.per_round(marks.journal, rounds),
        "bytes_up": traffic[0] * share,
        "bytes_down": traffic[1] * share,
    }


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=60, help="rounds in each of the five windows")
    arguments.add_argument("--members", type=int, default=10)
    arguments.add_argument("--length", type=int, default=100_000)
    arguments.add_argument("--json", action="store_true", help="print JSON in place of the table")
    given = arguments.parse_args()
    figures = measure(given.rounds, given.members, given.length)
    if given.json:
        print(json.dumps(figures))
        return
    print(
        f"{given.members} organisations, {given.length:,} values; median of {WINDOWS} windows of {given.rounds} rounds"
    )
    print("| figure | value |\n| --- | --- |")
    print(
        f"| rounds per second | {figures['rounds_per_second']:.1f} "
        f"({figures['slowest']:.1f} to {figures['fastest']:.1f}) |"
    )
    for name, unit in (("coordinator_cpu_ms", "ms"), ("member_cpu_ms", "ms"), ("journal_ms", "ms")):
        print(f"| {name.removesuffix('_ms').replace('_', ' ')} per round | {figures[name]:.1f} {unit} |")
    print(f"| bytes up, down per member and round | {figures['bytes_up']:,.0f}, {figures['bytes_down']:,.0f} |")


if __name__ == "__main__":
    main()
