"""What an organisation answers to a round of expectation, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from headwater.canonical import sha256_hex
from headwater.contribution import expecting
from headwater.contribution.contribute import contribute
from headwater.contribution.splits import split_rows
from headwater.errors import InputError, PeerError
from headwater.mixture.expectation import Statistics, expect
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture
from headwater.recipe import Aggregate, Recipe, build_recipe
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.task import Task
from support.mixtures import MIXTURE_PLAN
from support.recipes import small_plan, small_table

ROWS = small_table(400)


def climbing() -> tuple[Recipe, Task, bytes]:
    """A recipe that waits for its first round of expectation."""
    recipe = build_recipe(MIXTURE_PLAN)
    while isinstance(action := recipe.next(), Aggregate):
        if action.task.kind == "expectation":
            return recipe, action.task, action.model
        total = contribute(action.task, action.model, ROWS, MIXTURE_PLAN)
        recipe.add_sum(total, 1)
    raise AssertionError("the recipe asked for no expectation")


RECIPE, TASK, MODEL = climbing()


def test_training_rows_count_and_validation_rows_are_only_measured() -> None:
    summed = layout_of_counts(TASK.length - 2).split(contribute(TASK, MODEL, ROWS, MIXTURE_PLAN))
    train, validation = (split_rows(ROWS, MIXTURE_PLAN.splits, part) for part in ("train", "validation"))
    assert summed.weight == train.rows
    assert summed.payload[-1024:-512].sum() == train.rows
    assert summed.payload[-512:].sum() == validation.rows > 0


def test_a_second_round_of_one_climb_does_not_depend_on_the_first() -> None:
    fresh = contribute(TASK, MODEL, small_table(400), MIXTURE_PLAN)
    kept = small_table(400)
    moved = replace(Mixture.from_bytes(MODEL), span=(-3.0, 3.0)).to_bytes()
    contribute(TASK.model_copy(update={"model_digest": sha256_hex(moved)}), moved, kept, MIXTURE_PLAN)
    assert np.array_equal(contribute(TASK, MODEL, kept, MIXTURE_PLAN), fresh)


def test_other_splits_or_rows_are_never_answered_from_what_was_kept() -> None:
    first = contribute(TASK, MODEL, ROWS, MIXTURE_PLAN)
    other_splits = MIXTURE_PLAN.splits.model_copy(update={"train": 0.8, "validation": 0.15})
    other_plan = MIXTURE_PLAN.model_copy(update={"splits": other_splits})
    assert not np.array_equal(contribute(TASK, MODEL, ROWS, other_plan), first)
    assert np.array_equal(contribute(TASK, MODEL, ROWS, MIXTURE_PLAN), first)
    assert not np.array_equal(contribute(TASK, MODEL, small_table(400, seed=1), MIXTURE_PLAN), first)


@pytest.mark.parametrize("data", [b"", b"no mixture", MODEL[:-8], b"\xff" * 200])
def test_bytes_that_are_no_mixture_are_refused(data: bytes) -> None:
    task = TASK.model_copy(update={"model_digest": sha256_hex(data) if data else ""})
    with pytest.raises(PeerError):
        contribute(task, data, ROWS, MIXTURE_PLAN)


def test_a_mixture_whose_densities_are_not_finite_is_refused_as_the_peer_s_fault() -> None:
    mixture = Mixture.from_bytes(MODEL)
    scores = len(mixture.form.scores)
    factor = np.tril(np.full((scores, scores), 1e3), -1) + 1e-3 * np.eye(scores)
    data = replace(mixture, factors=np.repeat(factor[None], mixture.components, axis=0)).to_bytes()
    task = TASK.model_copy(update={"model_digest": sha256_hex(data)})
    with pytest.raises(PeerError, match="mixture is unusable"):
        contribute(task, data, ROWS, MIXTURE_PLAN)


@pytest.mark.parametrize("rows", [None, "many", 0, 1, 3, 2.0, True, 1 << 24, 1 << 60])
def test_a_bound_on_rows_that_is_none_is_refused(rows: object) -> None:
    task = TASK.model_copy(update={"parameters": {**TASK.parameters, "rows": rows}})
    with pytest.raises(PeerError, match="power of two"):
        contribute(task, MODEL, ROWS, MIXTURE_PLAN)


def test_more_rows_than_the_task_has_room_for_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="room for"):
        contribute(TASK, MODEL, small_table(3000), MIXTURE_PLAN)


def test_a_plan_of_another_recipe_is_asked_for_no_expectation() -> None:
    with pytest.raises(PeerError, match="has none"):
        contribute(TASK, MODEL, ROWS, small_plan("marginals"))


def test_a_mixture_whose_length_is_not_the_tasks_is_refused() -> None:
    task = TASK.model_copy(update={"length": TASK.length + 1})
    with pytest.raises(PeerError, match="do not belong together"):
        contribute(task, MODEL, ROWS, MIXTURE_PLAN)


def test_a_mixture_with_another_label_than_the_plans_is_refused() -> None:
    mixture = Mixture.from_bytes(MODEL)
    form = mixture.form
    # Smoker and outcome change places: the cells are as many, so the length is the task's.
    smoker = next(column for column in form.alone if form.sizes[column] == form.classes)
    data = replace(mixture, form=replace(form, label=smoker)).to_bytes()
    task = TASK.model_copy(update={"model_digest": sha256_hex(data)})
    with pytest.raises(PeerError, match="do not belong together"):
        contribute(task, data, ROWS, MIXTURE_PLAN)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_densities_that_are_not_finite_leave_nothing(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    def broken(mixture: Mixture, train: RowFeatures, validation: RowFeatures) -> Statistics:
        good = expect(mixture, train, validation)
        return replace(good, sums=good.sums * bad)

    monkeypatch.setattr(expecting, "expect", broken)
    with pytest.raises(PeerError, match="not finite"):
        contribute(TASK, MODEL, ROWS, MIXTURE_PLAN)
