"""The Task and its bytes, settings, and bounds known before a run."""

import numpy as np
import pytest
from pydantic import ValidationError

from headwater.errors import PeerError
from headwater.recipe.settings import FitSettings, MixtureSettings, RecipeSettings, SplitShares
from headwater.recipe.task import Task, seed_for
from headwater.recipe.tasks import histograms_task, update_task
from headwater.recipe.vectors import longest_vector
from support.recipes import SCHEMA, small_plan

TASK = Task(kind="update", step=3, length=10, value_bits=24, seed=5, clip=10.0, scale=1.5, model_digest="a" * 64)


def test_a_task_comes_back_from_its_bytes() -> None:
    assert Task.from_bytes(TASK.to_bytes()) == TASK
    assert Task.from_bytes(TASK.to_bytes()).to_bytes() == TASK.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        TASK.to_bytes().replace(b'"update"', b'"density"'),
        TASK.to_bytes().replace(b'"version":1', b'"version":2'),
        TASK.to_bytes().replace(b'"noise":"none"', b'"noise":"gaussian"'),
        TASK.to_bytes().replace(b'"scale":1.5', b'"scale":-1'),
        TASK.to_bytes().replace(b'"step":3', b'"step":3,"extra":1'),
    ],
)
def test_bytes_that_are_no_task_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        Task.from_bytes(data)


def test_seeds_differ_by_purpose_and_repeat_for_the_same() -> None:
    assert seed_for(1, "fit") == seed_for(1, "fit")
    assert len({seed_for(1, "fit"), seed_for(2, "fit"), seed_for(1, "update", 1), seed_for(1, "update", 2)}) == 4


def test_a_recipe_says_how_many_rounds_it_asks_for_at_most() -> None:
    assert RecipeSettings(kind="marginals", rounds=9).maximum_rounds == 3
    assert RecipeSettings(kind="hybrid", base="marginals", rounds=9).maximum_rounds == 12
    assert RecipeSettings(kind="hybrid", rounds=9).maximum_rounds == 3 + (15 * 6 + 7) + 9 + 3
    assert RecipeSettings(kind="hybrid", rounds=0).maximum_rounds == 3 + (15 * 6 + 7)
    scratch = RecipeSettings.model_validate({"kind": "adversarial", "rounds": 2, "adversarial": {"rounds": 9}})
    assert scratch.maximum_rounds == 12
    climb = MixtureSettings(rounds=5, rows_per_component=(100, 50))
    assert RecipeSettings(kind="mixture", rounds=9, mixture=climb).maximum_rounds == 3 + 10 + 2 + 1
    untilted = climb.model_copy(update={"tilt_tolerances": ()})
    assert RecipeSettings(kind="mixture", rounds=9, mixture=untilted).maximum_rounds == 3 + 10


def test_unknown_settings_and_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValidationError):
        RecipeSettings.model_validate({"epochs": 3})
    with pytest.raises(ValidationError, match="sum to 1"):
        SplitShares(train=0.9, validation=0.2, audit=0.0)


def test_a_fit_is_shorter_for_small_tables_and_whole_for_large_ones() -> None:
    full = FitSettings()
    assert full.for_rows(1_000_000) == full
    small = full.for_rows(300)
    assert small.steps == full.steps // 2
    assert small.batch == 300


def test_the_longest_vector_covers_every_task_of_the_plan() -> None:
    plan = small_plan()
    bound = longest_vector(plan)
    assert histograms_task(plan, 1).length <= bound
    assert longest_vector(small_plan("marginals")) <= bound
    wide = RecipeSettings.model_validate({**plan.recipe.model_dump(), "marginals": {"cells": 5_000_000}})
    assert longest_vector(plan.model_copy(update={"recipe": wide})) > 5_000_000


def test_an_update_task_names_its_model_and_leaves_the_fine_counts_behind() -> None:
    from headwater.encoding.encoding import Encoding
    from headwater.encoding.grid import Histograms

    plan = small_plan()
    length = Histograms.of(SCHEMA, plan.recipe.encoding).length
    encoding = Encoding.fit(SCHEMA, np.full(length, 7), plan.recipe.encoding)
    task = update_task(plan, 4, encoding, b"model", 100)
    assert task.model_digest == "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    assert b"masses" not in task.to_bytes()
