"""The recipe's state machine, driven with sums and models made up for the occasion."""

import math

import numpy as np
import pytest

from headwater.contribution.contribute import contribute
from headwater.errors import InputError, OutOfOrder
from headwater.recipe import Aggregate, Done, Fit, Merge, ModelReport, Recipe, build_recipe
from headwater.recipe.fixed_point import largest_magnitude
from support.recipes import SCHEMA, small_plan, small_table

ROWS = small_table(400)
WEIGHTS = 5
GOOD = ModelReport(0.1, WEIGHTS, {"tvd1": 0.01})
# The rows are to weigh as much as the made up updates say.
UPDATE = {"tolerance": 0.05, "row_cap": 100}


def count(recipe: Recipe, organisations: int = 3) -> str:
    """Answer one round of counts; returns its kind."""
    action = recipe.next()
    assert isinstance(action, Aggregate)
    total = np.zeros(action.task.length, np.uint32)
    for part in np.array_split(np.arange(ROWS.rows), organisations):
        total += contribute(action.task, b"", ROWS.take(part), small_plan())
    recipe.add_sum(total, organisations)
    return action.task.kind


def fitted(rounds: int = 2, tolerance: float = 0.05) -> Recipe:
    """A recipe that waits for its first training round."""
    recipe = build_recipe(small_plan(rounds=rounds, update={**UPDATE, "tolerance": tolerance}))
    while isinstance(recipe.next(), Aggregate):
        count(recipe)
    recipe.add_model(b"base", GOOD)
    return recipe


def update(recipe: Recipe, weight: int | None = None) -> None:
    action = recipe.next()
    assert isinstance(action, Aggregate)
    unit = largest_magnitude(action.task.value_bits)
    vector = np.zeros(action.task.length, np.uint32)
    vector[0], vector[WEIGHTS] = 100, 2 * unit if weight is None else weight
    recipe.add_sum(vector, 3)


def test_a_hybrid_recipe_counts_fits_trains_and_ends() -> None:
    recipe = build_recipe(small_plan(rounds=2, update=UPDATE))
    kinds = []
    while isinstance(recipe.next(), Aggregate):
        kinds.append(count(recipe))
    # Which of them need a second round of counts depends on the rows; these have dependent columns.
    assert kinds[:2] == ["histograms", "marginals"]
    assert len(kinds) <= 3
    assert isinstance(recipe.next(), Fit)
    recipe.add_model(b"base", GOOD)
    for number in range(2):
        update(recipe)
        assert isinstance(recipe.next(), Merge)
        recipe.add_model(b"merged%d" % number, ModelReport(0.1, WEIGHTS, {}))
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == b"merged1"
    assert done.rows == recipe.history[0]["rows"]
    assert [record["kind"] for record in recipe.history[-5:]] == ["fit", "update", "merge", "update", "merge"]


def test_marginals_recipes_do_not_train() -> None:
    recipe = build_recipe(small_plan("marginals"))
    while isinstance(recipe.next(), Aggregate):
        count(recipe)
    fit = recipe.next()
    assert isinstance(fit, Fit)
    assert not fit.critic
    recipe.add_model(b"m", GOOD)
    assert isinstance(recipe.next(), Done)


def test_every_column_and_every_super_column_has_its_marginal() -> None:
    recipe = build_recipe(small_plan())
    while isinstance(recipe.next(), Aggregate):
        count(recipe)
    fit = recipe.next()
    assert isinstance(fit, Fit)
    counted = {marginal.columns for marginal in fit.marginals}
    assert {(column,) for column in range(len(SCHEMA.columns))} <= counted
    assert fit.groups
    assert {group.columns for group in fit.groups} <= counted
    ward, floor = SCHEMA.names.index("ward"), SCHEMA.names.index("floor")
    assert any({ward, floor} <= set(group.columns) for group in fit.groups)


def test_sums_do_not_depend_on_how_rows_are_shared_out() -> None:
    one, many = build_recipe(small_plan()), build_recipe(small_plan())
    while isinstance(one.next(), Aggregate):
        count(one, 1)
        count(many, 7)
    for first, second in zip(one.marginals, many.marginals, strict=True):
        assert first.columns == second.columns
        assert np.array_equal(first.counts, second.counts)


def test_the_mean_update_is_the_sum_over_the_sum_of_weights() -> None:
    recipe = fitted()
    action = recipe.next()
    assert isinstance(action, Aggregate)
    unit, scale = largest_magnitude(action.task.value_bits), action.task.scale
    vector = np.zeros(action.task.length, np.int64)
    vector[:WEIGHTS] = [round(scale * change) for change in (-3.0, 1.5, 0, 0, 0.25)]
    vector[WEIGHTS] = round(1.5 * unit)
    recipe.add_sum(vector.astype(np.uint32), 3)
    merge = recipe.next()
    assert isinstance(merge, Merge)
    assert merge.mean_delta == pytest.approx([-2.0, 1.0, 0, 0, 0.25 / 1.5], abs=1e-5)


def test_a_merge_that_worsens_the_loss_beyond_the_tolerance_is_not_taken() -> None:
    recipe = fitted(rounds=3)
    for loss, taken in ((0.104, True), (0.106, False), (0.09, True)):
        update(recipe)
        recipe.add_model(b"loss%.3f" % loss, ModelReport(loss, WEIGHTS, {}))
        assert recipe.history[-1]["accepted"] is taken
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == b"loss0.090"


def test_small_steps_backwards_do_not_add_up() -> None:
    recipe = fitted(rounds=3)
    for loss in (0.104, 0.108):
        update(recipe)
        recipe.add_model(b"m", ModelReport(loss, WEIGHTS, {}))
    # 4 % above the model before it, 8 % above the best one.
    assert recipe.history[-1]["accepted"] is False


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_merge_that_is_not_finite_is_not_taken_and_the_run_goes_on(loss: float) -> None:
    recipe = fitted(tolerance=1e9)
    update(recipe)
    recipe.add_model(b"broken", ModelReport(loss, WEIGHTS, {}))
    assert recipe.history[-1]["accepted"] is False
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.model == b"base"


def test_a_round_without_any_finite_update_changes_nothing() -> None:
    recipe = fitted()
    update(recipe, weight=0)
    assert recipe.history[-1]["accepted"] is False
    assert isinstance(action := recipe.next(), Aggregate)
    assert action.model == b"base"
    assert action.task.step == recipe.history[-2]["step"] + 1  # type: ignore[operator]


def test_every_round_has_a_step_and_seed_of_its_own() -> None:
    recipe, seen = fitted(rounds=3), []
    while isinstance(action := recipe.next(), Aggregate):
        seen.append((action.task.step, action.task.seed))
        update(recipe)
        recipe.add_model(b"m", GOOD)
    assert len({step for step, _ in seen}) == len({seed for _, seed in seen}) == 3


def test_answers_out_of_order_are_refused() -> None:
    recipe = build_recipe(small_plan())
    with pytest.raises(OutOfOrder):
        recipe.add_model(b"m", GOOD)
    while isinstance(recipe.next(), Aggregate):
        count(recipe)
    with pytest.raises(OutOfOrder):
        recipe.add_sum(np.zeros(3, np.uint32), 3)


def damaged(kind: str) -> tuple[Recipe, np.ndarray, int]:
    recipe = build_recipe(small_plan())
    if kind.startswith("table"):
        count(recipe)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    vector = contribute(action.task, b"", ROWS, small_plan())
    if kind.endswith("short"):
        return recipe, vector[:-1], 3
    vector[0] = 2**32 - 1 if kind.endswith("negative") else vector[0] + 1
    return recipe, vector, 3


@pytest.mark.parametrize("kind", ["short", "negative", "uneven", "table short", "table negative", "table uneven"])
def test_a_sum_that_cannot_be_one_is_refused_and_changes_nothing(kind: str) -> None:
    recipe, vector, organisations = damaged(kind)
    before, action = recipe.history, recipe.next()
    with pytest.raises(InputError):
        recipe.add_sum(vector, organisations)
    assert recipe.history == before
    assert recipe.next() is action


def test_a_sum_of_no_rows_or_no_contributions_is_refused() -> None:
    recipe = build_recipe(small_plan())
    action = recipe.next()
    assert isinstance(action, Aggregate)
    with pytest.raises(InputError, match="no training row"):
        recipe.add_sum(np.zeros(action.task.length, np.uint32), 3)
    with pytest.raises(InputError, match="0 contributions"):
        recipe.add_sum(np.zeros(action.task.length, np.uint32), 0)


def test_a_first_model_that_is_not_finite_ends_the_run() -> None:
    recipe = build_recipe(small_plan("adversarial"))
    while isinstance(recipe.next(), Aggregate):
        count(recipe)
    with pytest.raises(InputError, match="learning_rate"):
        recipe.add_model(b"m", ModelReport(math.nan, WEIGHTS, {}))
