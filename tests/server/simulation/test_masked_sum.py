"""protocol 2.5: what a simulation sums in the clear is, bit for bit, what secure aggregation sums under masks."""

import numpy as np
from numpy.typing import NDArray

from headwater.contribution.contribute import contribute
from headwater.recipe import build_recipe
from headwater.recipe.task import Task
from headwater.schema.table import Table
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from support.network import World
from support.recipes import small_plan, small_table

PLAN = small_plan(rounds=2)
PARTS = [small_table(rows, seed=rows) for rows in (120, 60, 200, 90)]


class Masked:
    """Sums through participants and an aggregator; keeps what each round gave."""

    def __init__(self) -> None:
        self.world = World(len(PARTS), rounds=PLAN.maximum_rounds, length=0)
        self.world.open()
        self.sums: list[NDArray[np.uint32]] = []

    def sum(self, task: Task, model: bytes) -> tuple[NDArray[np.uint32], int]:
        data = task.to_bytes()
        for name, rows in zip(self.world.names, PARTS, strict=True):
            self.world.vectors[name] = contribute(Task.from_bytes(data), model, rows, PLAN)
        self.world.length = task.length
        self.world.play(data, model)
        summed = self.world.sums()[-1]
        assert len(self.world.sums()) == len(self.sums) + 1
        self.sums.append(summed.vector)
        return summed.vector, len(summed.contributors)


class Clear(LocalEngine):
    """Sums in the clear; keeps what each round gave."""

    def __init__(self, parts: list[Table]) -> None:
        super().__init__(parts, PLAN)
        self.sums: list[NDArray[np.uint32]] = []

    def sum(self, task: Task, model: bytes) -> tuple[NDArray[np.uint32], int]:
        total, organisations = super().sum(task, model)
        self.sums.append(total)
        return total, organisations


def test_every_sum_and_the_generator_are_bit_identical_to_the_masked_run() -> None:
    masked, clear = Masked(), Clear(PARTS)
    first = drive(build_recipe(PLAN), masked, Silent(), Cost())
    second = drive(build_recipe(PLAN), clear, Silent(), Cost())
    assert len(masked.sums) == len(clear.sums) >= 4
    for under_masks, in_the_clear in zip(masked.sums, clear.sums, strict=True):
        assert np.array_equal(under_masks, in_the_clear)
    assert first.model == second.model
    assert first.rows == second.rows


def test_the_order_of_organisations_does_not_matter() -> None:
    forwards, backwards = Clear(PARTS), Clear(PARTS[::-1])
    first = drive(build_recipe(PLAN), forwards, Silent(), Cost())
    assert first.model == drive(build_recipe(PLAN), backwards, Silent(), Cost()).model
