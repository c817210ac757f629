"""Contributions as Flower ClientApps on Flower's simulation engine (Ray), summed by a ServerApp."""

import functools
import importlib.util
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from headwater.agreement.plan import Plan
from headwater.errors import HeadwaterError, InputError
from headwater.recipe.actions import Done
from headwater.recipe.machine import Recipe
from headwater.recipe.task import Task
from headwater.schema.conform import conform
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RING_BITS, RingBits, RingVector, ring_type
from headwater_server.flower import QUIET_ENVIRONMENT
from headwater_server.simulation.driving import Cost, Watcher, drive

__all__ = ["FlowerEngine", "contribution_app", "drive_on_flower", "write_organisations"]


_RECORD, _TASK, _MODEL, _VECTOR, _REFUSAL = "headwater", "task", "model", "vector", "refusal"
_PLAN_FILE = "plan.toml"
_POLL_SECONDS = 0.05
_ROUND_SECONDS = 3600.0


def drive_on_flower(recipe: Recipe, parts: Sequence[Table], plan: Plan, watcher: Watcher, cost: Cost) -> Done:
    """Follow a recipe with one virtual SuperNode for each organisation; the arguments are those of `drive`.

    Raises:
        InputError: Ray is not installed, a contribution was refused, or Flower's engine ended early.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("Flower's simulation engine needs Ray; install headwater[simulation], or say --engine local")
    os.environ.update({**QUIET_ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0"})
    from flwr.app import Context
    from flwr.serverapp import Grid, ServerApp
    from flwr.simulation import run_simulation

    outcome: list[Done | BaseException] = []
    server = ServerApp()

    @server.main()  # type: ignore[untyped-decorator]
    def main(grid: Grid, context: Context) -> None:
        del context
        try:
            outcome.append(drive(recipe, FlowerEngine(grid, len(parts), ring_bits=plan.ring_bits), watcher, cost))
        except BaseException as error:  # noqa: BLE001  it is raised again outside Flower's thread
            outcome.append(error)

    # Flower announces every node and message; the simulation tells its own progress.
    log = logging.getLogger("flwr")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="headwater-simulation-") as folder:
            write_organisations(parts, plan, Path(folder))
            run_simulation(
                server,
                contribution_app(folder),
                num_supernodes=len(parts),
                backend_config={
                    "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
                    "init_args": {"include_dashboard": False, "log_to_driver": False},
                },
            )
    finally:
        log.setLevel(level)
    if outcome and isinstance(outcome[0], Done):
        return outcome[0]
    if outcome and isinstance(outcome[0], BaseException):
        raise outcome[0]
    raise InputError("Flower's simulation engine ended before the run did; say --engine local, or look at its log")


def write_organisations(parts: Sequence[Table], plan: Plan, folder: Path) -> None:
    """Leave each organisation's rows and the plan where the ClientApps find them."""
    (folder / _PLAN_FILE).write_text(plan.to_toml(), encoding="utf-8")
    for number, part in enumerate(parts):
        pyarrow.parquet.write_table(part.to_arrow(), folder / f"{number}.parquet")


def contribution_app(folder: str) -> Any:
    """The ClientApp: computes what its message asks on the rows of its partition.

    Args:
        folder: as `write_organisations` left it.
    """
    from flwr.app import ConfigRecord, Context, Message, RecordDict
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.query()  # type: ignore[untyped-decorator]
    def answer(message: Message, context: Context) -> Message:
        asked = message.content.config_records[_RECORD]
        record = _answer(folder, int(context.node_config["partition-id"]), asked[_TASK], asked[_MODEL])
        return Message(RecordDict({_RECORD: ConfigRecord(record)}), reply_to=message)

    return app


def _answer(folder: str, number: int, task: bytes, model: bytes) -> dict[str, Any]:
    from headwater.contribution.contribute import contribute

    try:
        plan, rows = _organisation(folder, number)
        vector = contribute(Task.from_bytes(task), model, rows, plan, members=len(list(Path(folder).glob("*.parquet"))))
        return {_VECTOR: vector.tobytes()}
    except HeadwaterError as error:
        return {_REFUSAL: str(error)}


@functools.lru_cache(maxsize=64)
def _organisation(folder: str, number: int) -> tuple[Plan, Table]:
    plan = Plan.from_toml((Path(folder) / _PLAN_FILE).read_text(encoding="utf-8"))
    arrow = pyarrow.parquet.read_table(Path(folder) / f"{number}.parquet")
    return plan, conform(arrow, plan.schema_)[0]


class FlowerEngine:
    """Sums over Flower's grid: one message to each node, one reply from each."""

    def __init__(self, grid: Any, organisations: int, clock: Any = time, *, ring_bits: RingBits = RING_BITS) -> None:
        """Take the grid of a ServerApp, and how many nodes there must be."""
        self._grid = grid
        self._organisations = organisations
        self._clock = clock
        self._kind = ring_type(ring_bits)

    def sum(self, task: Task, model: bytes) -> tuple[RingVector, int]:
        """Ask every node and add up; the order of replies does not matter in the ring.

        Raises:
            InputError: a node refused, failed, or did not answer within an hour.
        """
        from flwr.app import ConfigRecord, Message, RecordDict

        nodes = self._wait_for_nodes()
        data = task.to_bytes()
        messages = [
            Message(RecordDict({_RECORD: ConfigRecord({_TASK: data, _MODEL: model})}), node, "query") for node in nodes
        ]
        waiting = set(self._grid.push_messages(messages))
        total: RingVector = np.zeros(task.length, dtype=self._kind)
        deadline = self._clock.monotonic() + _ROUND_SECONDS
        while waiting:
            for reply in self._grid.pull_messages(list(waiting)):
                waiting.discard(reply.metadata.reply_to_message_id)
                total += self._vector(reply, task.length)
            if self._clock.monotonic() > deadline:
                raise InputError(f"{len(waiting)} organisations did not answer within an hour; say --engine local")
            if waiting:
                self._clock.sleep(_POLL_SECONDS)
        return total, len(nodes)

    def _wait_for_nodes(self) -> list[int]:
        deadline = self._clock.monotonic() + _ROUND_SECONDS
        while len(nodes := sorted(self._grid.get_node_ids())) < self._organisations:
            if self._clock.monotonic() > deadline:
                raise InputError(
                    f"Flower's engine started {len(nodes)} of {self._organisations} nodes; say --engine local"
                )
            self._clock.sleep(_POLL_SECONDS)
        return nodes

    def _vector(self, reply: Any, length: int) -> RingVector:
        if reply.has_error():
            raise InputError(
                f"a contribution failed on Flower's engine ({reply.error.reason}); say --engine local to see why"
            )
        record = reply.content.config_records[_RECORD]
        if _REFUSAL in record:
            raise InputError(str(record[_REFUSAL]))
        vector = np.frombuffer(record[_VECTOR], dtype=self._kind)
        if vector.shape != (length,):
            raise InputError(f"a contribution has {len(vector)} values, the task {length}; the versions differ")
        return vector
