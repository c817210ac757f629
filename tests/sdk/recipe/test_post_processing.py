"""What is fitted and released under a budget follows from noisy sums and the plan, and from nothing else."""

import numpy as np
from numpy.typing import NDArray

from headwater.contribution.execution import execute
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import Recipe, build_recipe
from headwater.schema.table import Table
from support.private import clear_sum, followed, private_plan
from support.recipes import small_table

PARTS = [small_table(500, seed=seed) for seed in range(3)]
PLAN = private_plan(8.0)
SEED = 5


def released(recipe: Recipe, done: Done) -> tuple[object, ...]:
    """Everything that leaves the coordinator at the end of a run."""
    return done.model, done.encoding.to_document(), done.rows, recipe.history


def shuffled(rows: Table, seed: int) -> Table:
    return rows.take(np.random.default_rng(seed).permutation(rows.rows))


def test_rows_in_another_order_change_no_bit_of_what_is_released() -> None:
    others = [shuffled(rows, seed) for seed, rows in enumerate(PARTS)]
    assert not np.array_equal(others[0].columns["age"], PARTS[0].columns["age"])
    assert released(*followed(PLAN, PARTS, SEED)) == released(*followed(PLAN, others, SEED))


def test_the_sums_alone_give_the_release_where_no_row_is() -> None:
    sums: list[NDArray[np.uint32]] = []
    recipe = build_recipe(PLAN)
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            sums.append(clear_sum(action.task, PLAN, PARTS, SEED + len(sums)))
            recipe.add_sum(sums[-1], len(PARTS))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    again, kept = build_recipe(PLAN), iter(sums)
    while not isinstance(ended := again.next(), Done):
        if isinstance(ended, Aggregate):
            again.add_sum(next(kept), len(PARTS))
        else:
            again.add_model(*execute(ended, device="cpu"))
    assert released(again, ended) == released(recipe, action)


def test_one_more_row_changes_the_release_so_the_tests_above_can_fail() -> None:
    first = PARTS[0]
    more = Table.concat([first, first.take(np.arange(first.rows) == 0)])
    assert released(*followed(PLAN, [more, *PARTS[1:]], SEED)) != released(*followed(PLAN, PARTS, SEED))
