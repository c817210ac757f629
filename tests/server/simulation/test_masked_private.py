"""protocol 2.5 under noise: with equal noise, what masks sum is bit for bit what a simulation sums in the clear."""

import numpy as np

from headwater.contribution.contribute import contribute
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from support.network import World
from support.private import Entropy, clear_sum, private_plan
from support.recipes import small_table

PLAN = private_plan(3.0)
PARTS = [small_table(rows, seed=rows) for rows in (120, 60, 200, 90)]


def test_noisy_sums_are_bit_identical_under_masks() -> None:
    world = World(len(PARTS), rounds=PLAN.maximum_rounds, length=0)
    world.open()
    recipe = build_recipe(PLAN)
    for step in range(3):
        action = recipe.next()
        assert isinstance(action, Aggregate)
        for number, (name, rows) in enumerate(zip(world.names, PARTS, strict=True)):
            chance = Entropy(step * 1000 + number)
            world.vectors[name] = contribute(action.task, b"", rows, PLAN, members=len(PARTS), entropy=chance)
        world.length = action.task.length
        world.play(action.task.to_bytes(), b"")
        summed = world.sums()[-1]
        assert len(summed.contributors) == len(PARTS)
        assert np.array_equal(summed.vector, clear_sum(action.task, PLAN, PARTS, step))
        recipe.add_sum(summed.vector, len(PARTS))
