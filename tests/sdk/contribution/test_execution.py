"""Fit, merge and sample: what the coordinator computes between rounds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_batches, sample_table
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.recipe import Aggregate, Fit, Merge, Recipe, build_recipe
from support.recipes import small_plan, small_table

ROWS = small_table(300)
PLAN = small_plan()


def until(kind: type) -> Recipe:
    """Follow a recipe until it asks for an action of this kind."""
    recipe = build_recipe(PLAN)
    while not isinstance(action := recipe.next(), kind):
        if isinstance(action, Aggregate):
            recipe.add_sum(contribute(action.task, action.model, ROWS, PLAN), 1)
        else:
            assert isinstance(action, Fit | Merge)
            recipe.add_model(*execute(action, device="cpu"))
    return recipe


def merge() -> Merge:
    action = until(Merge).next()
    assert isinstance(action, Merge)
    return action


def fit() -> Fit:
    action = until(Fit).next()
    assert isinstance(action, Fit)
    return action


def test_a_fit_reports_its_progress_and_what_it_measured() -> None:
    action = fit()
    seen: list[tuple[int, int]] = []
    long = replace(action, terms=action.terms.model_copy(update={"steps": 60}))
    model, report = execute(long, device="cpu", on_progress=lambda done, steps, _: seen.append((done, steps)))
    assert seen
    assert all(steps == 60 for _, steps in seen)
    assert 0 < report.marginal_loss < 10
    loaded = Model.from_bytes(model)
    assert report.weights == len(loaded.generator) + len(loaded.critic)
    assert len(loaded.critic)


def test_a_fit_repeats_bit_for_bit() -> None:
    assert execute(fit(), device="cpu")[0] == execute(fit(), device="cpu")[0]


def test_fitting_lowers_the_distance_from_the_marginals() -> None:
    action = fit()
    network = action.network.model_copy(update={"latent": 16, "width": 64})
    losses = [
        execute(replace(action, network=network, terms=action.terms.model_copy(update={"steps": steps})), device="cpu")[
            1
        ].marginal_loss
        for steps in (0, 300)
    ]
    assert losses[1] < 0.9 * losses[0]


def test_a_merge_moves_the_generator_by_the_mean_update() -> None:
    action = merge()
    model, report = execute(action, device="cpu")
    before, after = Model.from_bytes(action.model), Model.from_bytes(model)
    moved = after.generator - before.generator
    assert moved == pytest.approx(action.mean_delta[: len(moved)], abs=1e-6)
    assert math.isfinite(report.marginal_loss)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e39])
def test_a_merge_that_is_not_finite_keeps_the_model_and_says_so(bad: float) -> None:
    action = merge()
    delta = action.mean_delta.copy()
    delta[0] = bad
    with np.errstate(over="ignore"):
        model, report = execute(replace(action, mean_delta=delta), device="cpu")
    assert model == action.model
    assert not math.isfinite(report.marginal_loss)


def test_an_update_of_another_length_is_refused() -> None:
    action = merge()
    with pytest.raises(InputError, match="values"):
        execute(replace(action, mean_delta=action.mean_delta[:-1]), device="cpu")


def test_sampling_gives_rows_of_the_schema_and_repeats_with_its_seed() -> None:
    model, _ = execute(fit(), device="cpu")
    settings = PLAN.recipe.encoding
    encoding = Encoding.fit(PLAN.schema_, Histograms.of(PLAN.schema_, settings).count(ROWS), settings)
    first, again, other = (sample_table(model, encoding, 250, seed, device="cpu") for seed in (1, 1, 2))
    assert first.rows == 250
    assert np.array_equal(first.columns["age"], again.columns["age"])
    assert not np.array_equal(first.columns["age"], other.columns["age"])
    sizes = [table.rows for table in sample_batches(model, encoding, 250, 1, batch_size=100, device="cpu")]
    assert sizes == [100, 100, 50]
    with pytest.raises(InputError, match="0 rows"):
        sample_table(model, encoding, 0, 1)
