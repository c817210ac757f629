"""The mixture under masks: the same integers, and the same mixture, as in the clear."""

import numpy as np

from headwater.contribution.contribute import contribute
from headwater.mixture.parameters import Mixture
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.recipe.task import Task
from headwater_server.simulation.driving import Cost, LocalEngine, drive
from support.mixtures import MIXTURE_PLAN
from support.network import World
from support.recipes import small_table
from support.watching import Silent

PARTS = [small_table(rows, seed=rows) for rows in (120, 60, 200)]


def test_a_climb_under_masks_ends_with_the_bytes_of_one_in_the_clear() -> None:
    world = World(len(PARTS), rounds=MIXTURE_PLAN.maximum_rounds, length=0)
    world.open()
    recipe = build_recipe(MIXTURE_PLAN)
    while not isinstance(action := recipe.next(), Done):
        assert isinstance(action, Aggregate)
        task = action.task.to_bytes()
        for name, rows in zip(world.names, PARTS, strict=True):
            world.vectors[name] = contribute(Task.from_bytes(task), action.model, rows, MIXTURE_PLAN)
        world.length = action.task.length
        world.play(task, action.model)
        summed = world.sums()[-1]
        recipe.add_sum(summed.vector, len(summed.contributors))
    clear = drive(build_recipe(MIXTURE_PLAN), LocalEngine(PARTS, MIXTURE_PLAN), Silent(), Cost())
    assert action.model == clear.model
    assert Mixture.from_bytes(clear.model).components >= 2


def test_how_rows_are_shared_out_does_not_matter_beyond_rounding() -> None:
    together = small_table(380, seed=1)
    shares = [np.arange(0, 10), np.arange(10, 200), np.arange(200, 380)]
    one = drive(build_recipe(MIXTURE_PLAN), LocalEngine([together], MIXTURE_PLAN), Silent(), Cost())
    parts = [together.take(share) for share in shares]
    several = drive(build_recipe(MIXTURE_PLAN), LocalEngine(parts, MIXTURE_PLAN), Silent(), Cost())
    first, second = Mixture.from_bytes(one.model), Mixture.from_bytes(several.model)
    assert first.components == second.components
    np.testing.assert_allclose(first.shares, second.shares, atol=1e-3)
    np.testing.assert_allclose(first.means, second.means, atol=1e-3)
