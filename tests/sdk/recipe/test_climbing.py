"""A mixture's climb in the recipe: rungs, the attack's verdict, and sums that cannot be."""

from itertools import pairwise

import numpy as np
import pytest

from headwater.contribution.contribute import contribute
from headwater.errors import InputError
from headwater.mixture.parameters import Mixture
from headwater.recipe import Aggregate, Done, Recipe, build_recipe
from headwater.recipe.settings import MixtureSettings
from headwater.secagg.crypto.ring import RingVector
from support.mixtures import SETTINGS
from support.recipes import small_plan, small_table

ROWS = small_table(600)


def plan_with(**changes: object):  # type: ignore[no-untyped-def]
    return small_plan("mixture", mixture={**SETTINGS.model_dump(), **changes})


def step(recipe: Recipe, plan: object) -> str:
    action = recipe.next()
    assert isinstance(action, Aggregate)
    recipe.add_sum(answer(action, plan), 3)
    return action.task.kind


def answer(action: Aggregate, plan: object) -> RingVector:
    return contribute(action.task, action.model, ROWS, plan)  # type: ignore[arg-type]


def driven(**changes: object) -> tuple[Recipe, Done]:
    plan = plan_with(**changes)
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Done):
        step(recipe, plan)
    return recipe, action


def test_a_mixture_recipe_counts_and_climbs() -> None:
    recipe, done = driven(attack_limit=1.0)
    kinds = [record["kind"] for record in recipe.history]
    assert kinds[:2] == ["histograms", "marginals"]
    climb = [record for record in recipe.history if record["kind"] == "expectation"]
    assert len(climb) <= 6 * 3
    components = [int(str(record["components"])) for record in climb]
    assert all(first <= second for first, second in pairwise(components))
    assert Mixture.from_bytes(done.model).components == components[-1] > components[0]
    ends = [record for record in climb if "passed" in record]
    assert [record["passed"] for record in ends] == [True] * 3
    assert all(record["attack_limit"] == 1.0 and 0 < float(str(record["attack_error"])) < 0.5 for record in ends)


def test_a_rung_that_fails_the_attack_is_not_taken_and_ends_the_climb() -> None:
    recipe, done = driven(attack_limit=0.501, rows_per_component=(200, 20, 5))
    ends = [record for record in recipe.history if "passed" in record]
    assert ends[-1]["passed"] is False
    assert ends[-1]["reason"]
    assert len(ends) < 3 or Mixture.from_bytes(done.model).components < int(str(ends[-1]["components"]))


def test_without_validation_rows_the_lowest_rung_stands_and_says_why() -> None:
    plan = plan_with()
    plan = plan.model_copy(
        update={"splits": plan.splits.model_copy(update={"train": 1.0, "validation": 0.0, "audit": 0.0})}
    )
    recipe = build_recipe(plan)
    while not isinstance(recipe.next(), Done):
        step(recipe, plan)
    ends = [record for record in recipe.history if "passed" in record]
    assert len(ends) == 1
    # Infinity is no JSON.
    assert "attack_error" not in ends[0]
    assert "no organisation has a validation row" in str(ends[0]["reason"])


def test_rounds_of_a_tilt_are_told_by_that_name_and_asked_for_like_any_other() -> None:
    plan = plan_with(attack_limit=1.0, tilt_tolerances=(0.03,), tilt_excess=0.0, tilt_draws=2000)
    recipe = build_recipe(plan)
    asked = []
    while isinstance(action := recipe.next(), Aggregate):
        asked.append((action.task.kind, action.step_name))
        step(recipe, plan)
    assert asked[0] == ("histograms", "histograms")
    assert asked[-1] == ("expectation", "tilt")
    assert all(kind == name for kind, name in asked[:-1])
    assert recipe.history[-1]["tolerance"] == 0.03
    assert recipe.history[-1]["attack_limit"] == 1.0


def test_a_rung_ends_early_when_the_density_stops_to_rise() -> None:
    patient, _ = driven(rounds=40, least_gain=0.0, rows_per_component=(100,))
    hasty, _ = driven(rounds=40, least_gain=0.05, rows_per_component=(100,))
    assert len(hasty.history) < len(patient.history)


def test_the_plans_budget_of_cells_bounds_every_round() -> None:
    plan = small_plan(
        "mixture", mixture={**SETTINGS.model_dump(), "rows_per_component": (2,)}, marginals={"cells": 4096}
    )
    recipe = build_recipe(plan)
    lengths = []
    while not isinstance(action := recipe.next(), Done):
        assert isinstance(action, Aggregate)
        lengths.append(action.task.length)
        step(recipe, plan)
    assert max(lengths) <= 4096 + 2


@pytest.mark.parametrize("spoil", ["negative", "rows", "responsibilities"])
def test_sums_that_no_organisations_can_have_contributed_are_refused_and_change_nothing(spoil: str) -> None:
    plan = plan_with()
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert isinstance(action, Aggregate)
        if action.task.kind == "expectation":
            break
        step(recipe, plan)
    vector = answer(action, plan).astype(np.int64)
    if spoil == "negative":
        vector[0] = -5
    elif spoil == "rows":
        vector[-600] += 1
    else:
        vector[0] += 1 << 23
    before = len(recipe.history)
    with pytest.raises(InputError):
        recipe.add_sum(vector.astype(np.int64).astype(np.uint32), 3)
    assert len(recipe.history) == before
    assert recipe.next() is action


def test_the_ladder_must_descend() -> None:
    for ladder in ((100, 100), (50, 100), (1,), ()):
        with pytest.raises(ValueError, match="rows_per_component"):
            MixtureSettings(rows_per_component=ladder)


def test_the_plans_number_of_components_is_never_passed_but_for_one_to_each_class() -> None:
    _, done = driven(attack_limit=1.0, components=5)
    assert Mixture.from_bytes(done.model).components <= 5
    _, least = driven(attack_limit=1.0, components=1)
    assert Mixture.from_bytes(least.model).components == 2
