"""The rounds of a run under a budget, from the first noisy count to the mixture."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.allowed import check_task
from headwater.errors import InputError
from headwater.mixture.parameters import Mixture
from headwater.privacy.shares import honest_members, share_of_noise
from headwater.recipe.actions import Aggregate, FitNoisy
from headwater.recipe.machine import build_recipe
from headwater.recipe.private_steps import private_budget
from headwater.recipe.sums import ImplausibleSum
from headwater.recipe.vectors import longest_vector
from headwater.schema.table import Table
from support.private import clear_sum, first_task, followed, private_plan
from support.recipes import small_table

PARTS = [small_table(2000, seed=seed) for seed in range(4)]
PLAN = private_plan(8.0)


def test_a_run_ends_with_a_mixture_that_draws_the_schemas_rows() -> None:
    recipe, done = followed(PLAN, PARTS)
    mixture = Mixture.from_bytes(done.model)
    assert mixture.form.sizes == done.encoding.sizes
    kinds = [record["kind"] for record in recipe.history]
    assert kinds == ["marginals", "marginals", "marginals", "fitted"]
    # Nine tenths train; the estimate errs by tens of rows.
    assert done.rows == pytest.approx(0.9 * 8000, rel=0.1)
    assert recipe.marginals == ()


def test_equal_noise_gives_an_equal_generator() -> None:
    first, second, third = (followed(PLAN, PARTS, seed)[1] for seed in (1, 1, 2))
    assert first.model == second.model
    assert first.model != third.model


def test_masses_of_the_encoding_are_never_negative() -> None:
    _, done = followed(private_plan(0.05), [small_table(60, seed=seed) for seed in range(3)])
    for column in done.encoding.columns:
        assert column.masses.min() >= 0
    assert done.rows >= 1


def test_every_table_is_weighed_by_the_noise_that_its_sum_carries() -> None:
    recipe, exact = build_recipe(PLAN), build_recipe(PLAN)
    for run in (recipe, exact):
        for step in range(3):
            action = run.next()
            assert isinstance(action, Aggregate)
            run.add_sum(clear_sum(action.task, PLAN, PARTS, step), len(PARTS))
    fit = recipe.next()
    assert isinstance(fit, FitNoisy)
    label = PLAN.schema_.target_index
    totals = np.array([marginal.counts.sum() for marginal in fit.marginals])
    spread = np.sqrt([marginal.variance.sum() for marginal in fit.marginals])
    # All tables count the same rows: what their totals differ by is noise of the stated size.
    scores = (totals - 7200) / spread
    assert scores.std() == pytest.approx(1.0, abs=0.5)
    assert sum(label in marginal.columns for marginal in fit.marginals) == 6 + 6 + 15


def test_after_a_drop_out_counts_are_weighed_by_the_shares_that_are_in_the_sum() -> None:
    # Five members share the noise among T − c = 3; of four that stay each still adds a third of what is charged for.
    one_cell = small_table(1, seed=1)
    recipe, task = build_recipe(PLAN), first_task(PLAN)
    total = clear_sum(task, PLAN, [one_cell] * 4, 7, members=5)
    recipe.add_sum(total, 4, 5)
    assert task.noise != "none"
    share = share_of_noise(task.noise.variance, honest_members(private_budget(PLAN), 5, PLAN.colluders))
    stated = float(str(recipe.history[-1]["deviation"])) ** 2
    assert stated == pytest.approx(4 * share)
    cells = total[: task.length].astype(np.int32).astype(float)
    # Hardly a row is counted: the mean square of 398 cells errs by 7 %.
    measured = np.mean(np.square(cells[np.abs(cells) < 8 * stated**0.5]))
    assert measured == pytest.approx(stated, rel=0.15)


def test_a_sum_with_a_weight_beside_it_is_no_sum_of_this_plan() -> None:
    recipe = build_recipe(PLAN)
    total = clear_sum(first_task(PLAN), PLAN, PARTS)
    total[-2] += 1
    with pytest.raises(ImplausibleSum, match="weight or metric"):
        recipe.add_sum(total, len(PARTS))
    assert recipe.history == ()


def test_more_rows_than_the_public_bound_end_the_run() -> None:
    plan = private_plan(8.0, most_rows=3000)
    recipe = build_recipe(plan)
    with pytest.raises(InputError, match="at most 3,000"):
        recipe.add_sum(clear_sum(first_task(plan), plan, PARTS), len(PARTS))


def test_codes_beyond_numeric_codes_stay_within_what_the_plan_may_ask() -> None:
    """Noise leaves every second cell of the grids apart: far more codes than the plan wished for."""
    spiky = [{"name": f"x{n}", "kind": "numeric", "lower": 0, "upper": 255, "integer": True} for n in range(3)]
    label = {"name": "y", "kind": "categorical", "categories": [f"c{n}" for n in range(40)], "role": "target"}
    schema = {"version": 1, "name": "spiky", "columns": [*spiky, label]}
    document = private_plan(20.0, most_rows=200_000, schema=schema).model_dump(mode="json", by_alias=True)
    document["recipe"] |= {"encoding": {"numeric_codes": 2, "grid_cells": 256}, "marginals": {"cells": 1024}}
    plan = Plan.model_validate(document)
    random = np.random.default_rng(5)
    columns = {f"x{n}": 2.0 * random.integers(0, 128, 40_000) for n in range(3)}
    rows = Table(plan.schema_, columns | {"y": random.integers(0, 40, 40_000).astype(np.int32)}, 40_000)
    recipe = build_recipe(plan)
    recipe.add_sum(clear_sum(first_task(plan), plan, [rows] * 3), 3)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    # Codes as many as numeric_codes has them, special values and missing would make no more cells.
    assert 3 * (2 + 2) * 40 < 1024 < action.task.length <= longest_vector(plan)
    check_task(action.task, action.model, plan)
