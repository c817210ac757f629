"""Mixture and hybrid under masks: the same integers, and the same model, as in the clear."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.generator.refiner.model import RefinedMixture, is_refined
from headwater.mixture.parameters import Mixture
from headwater.recipe import Aggregate, Done, build_recipe
from headwater.recipe.task import Task
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from support.mixtures import MIXTURE_PLAN
from support.network import World
from support.recipes import small_table
from support.refined import HYBRID_PLAN

PARTS = [small_table(rows, seed=rows) for rows in (120, 60, 200)]


@pytest.mark.parametrize("plan", [MIXTURE_PLAN, HYBRID_PLAN], ids=["mixture", "hybrid"])
def test_a_run_under_masks_ends_with_the_bytes_of_one_in_the_clear(plan: Plan) -> None:
    world = World(len(PARTS), rounds=plan.maximum_rounds, length=0)
    world.open()
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        if not isinstance(action, Aggregate):
            recipe.add_model(*execute(action))
            continue
        task = action.task.to_bytes()
        for name, rows in zip(world.names, PARTS, strict=True):
            world.vectors[name] = contribute(Task.from_bytes(task), action.model, rows, plan)
        world.length = action.task.length
        world.play(task, action.model)
        summed = world.sums()[-1]
        recipe.add_sum(summed.vector, len(summed.contributors))
    clear = drive(build_recipe(plan), LocalEngine(PARTS, plan), Silent(), Cost())
    assert action.model == clear.model
    mixture = RefinedMixture.from_bytes(clear.model).mixture if is_refined(clear.model) else None
    assert (mixture or Mixture.from_bytes(clear.model)).components >= 2


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
