"""Drive a recipe to its end on sums taken in the clear, and keep count of what it cost."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import Recipe
from headwater.recipe.task import Task
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector, ring_type

__all__ = ["Cost", "LocalEngine", "RoundEngine", "Silent", "Watcher", "drive"]


class RoundEngine(Protocol):
    """Where contributions are computed."""

    def sum(self, task: Task, model: bytes) -> tuple[RingVector, int]:
        """The sum in the ring of every organisation's contribution, and how many there are."""


class Watcher(Protocol):
    """Who is told how far a run is."""

    def begins(self, what: str) -> None:
        """A step begins; `what` is an `Aggregate.step_name`, or a computed action's name in small letters: "fit"."""

    def advances(self, done: int, steps: int) -> None:
        """A fit has done some of its steps."""

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """A step ended and left these records in the recipe's history."""


class Silent:
    """A watcher that is told and says nothing."""

    def begins(self, what: str) -> None:
        """Ignore it."""

    def advances(self, done: int, steps: int) -> None:
        """Ignore it."""

    def ends(self, what: str, seconds: float, records: Sequence[Mapping[str, object]]) -> None:
        """Ignore it."""


@dataclass(slots=True)
class Cost:
    """What a run took.

    Attributes:
        seconds: wall-clock time by kind of step.
        cpu_seconds: of this process from the first sum to the finished generator, all threads: those of all parties
            together where every organisation's contribution is computed in it.
        bytes_up: of vectors, from all organisations together, as they would be sent.
        bytes_down: of tasks and models, to all organisations together.
        asked: the tasks that were summed, in order.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    asked: list[Task] = field(default_factory=list)

    @property
    def sums(self) -> int:
        """Rounds summed."""
        return len(self.asked)

    def spend(self, what: str, seconds: float) -> None:
        """Add time to a kind of step."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds


class LocalEngine:
    """Every organisation in this process, as many at a time as there are cores."""

    def __init__(self, parts: Sequence[Table], plan: Plan) -> None:
        """Take the organisations' rows."""
        self._parts = parts
        self._plan = plan

    def sum(self, task: Task, model: bytes) -> tuple[RingVector, int]:
        """Sum what each contributes; unsigned addition wraps around, as the ring does (protocol 2.1)."""
        # The task goes through its bytes, as it would over the wire.
        received = Task.from_bytes(task.to_bytes())
        total: RingVector = np.zeros(task.length, dtype=ring_type(self._plan.ring_bits))
        with _single_threaded(), ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for vector in pool.map(lambda rows: self._contribution(received, model, rows), self._parts):
                total += vector
        return total, len(self._parts)

    def _contribution(self, task: Task, model: bytes, rows: Table) -> RingVector:
        return contribute(task, model, rows, self._plan, members=len(self._parts))


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    # The setting is the process's: it is made once here, not by each of the pool's threads against the others.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def drive(
    recipe: Recipe, engine: RoundEngine, watcher: Watcher, cost: Cost, clock: Callable[[], float] = time.monotonic
) -> Done:
    """Follow a recipe from its first round to its end.

    Args:
        recipe: fresh.
        engine: computes the sums.
        watcher: told before and after each step.
        cost: filled on the way.
        clock: seconds.

    Raises:
        InputError: an organisation's rows or a sum were refused.
    """
    began = time.process_time()
    while not isinstance(action := recipe.next(), Done):
        seen, started = len(recipe.history), clock()
        kind: str
        shown: str
        if isinstance(action, Aggregate):
            kind, shown = action.task.kind, action.step_name
            watcher.begins(shown)
            total, organisations = engine.sum(action.task, action.model)
            cost.asked.append(action.task)
            cost.bytes_up += total.itemsize * action.task.length * organisations
            cost.bytes_down += (len(action.task.to_bytes()) + len(action.model)) * organisations
            recipe.add_sum(total, organisations)
        else:
            kind = shown = type(action).__name__.lower()
            watcher.begins(shown)
            recipe.add_model(*execute(action, on_progress=lambda done, steps, _: watcher.advances(done, steps)))
        seconds = clock() - started
        cost.spend(kind, seconds)
        watcher.ends(shown, seconds, recipe.history[seen:])
    cost.cpu_seconds += time.process_time() - began
    return action
