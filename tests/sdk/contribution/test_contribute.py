"""One organisation's vector: a pure function of task, model, rows and plan."""

import os
import random

import numpy as np
import pytest
import torch

from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.contribution.splits import split_rows
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.errors import InputError, PeerError
from headwater.generator.local_update import LocalUpdate
from headwater.recipe import Aggregate, Fit, build_recipe
from headwater.recipe.drift import energy_of
from headwater.recipe.fixed_point import integer_norm_squared, largest_magnitude
from headwater.recipe.layout import UPDATE_METRICS, layout_of_counts, layout_of_update
from headwater.recipe.task import Task
from headwater.schema.table import Table
from support.recipes import SCHEMA, small_plan, small_table

ROWS = small_table(300)
PLAN = small_plan()


def to_update(plan: Plan = PLAN) -> tuple[Task, bytes]:
    """Follow a recipe to its first training round."""
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        if isinstance(action, Fit):
            recipe.add_model(*execute(action, device="cpu"))
        elif isinstance(action, Aggregate) and action.task.kind == "update":
            return action.task, action.model
        else:
            assert isinstance(action, Aggregate)
            recipe.add_sum(contribute(action.task, b"", ROWS, plan), 1)


TASK, MODEL = to_update()
ENDS = 1 + len(UPDATE_METRICS)
"""Values of an update's vector beside its payload."""


def first_task(plan: Plan = PLAN) -> Task:
    action = build_recipe(plan).next()
    assert isinstance(action, Aggregate)
    return action.task


def marginals_task(subsets: object, cells: int) -> Task:
    encoding = Encoding.fit(SCHEMA, Histograms.of(SCHEMA, PLAN.recipe.encoding).count(ROWS), PLAN.recipe.encoding)
    parameters = {"encoding": encoding.to_document(masses=False), "subsets": subsets}
    return first_task().model_copy(
        update={"kind": "marginals", "parameters": parameters, "length": layout_of_counts(cells).length}
    )


def test_histograms_count_the_training_rows_exactly() -> None:
    histograms = Histograms.of(SCHEMA, PLAN.recipe.encoding)
    summed = layout_of_counts(histograms.length).split(contribute(first_task(), b"", ROWS, PLAN))
    train = split_rows(ROWS, PLAN.splits, "train")
    assert train.rows < ROWS.rows
    assert np.array_equal(summed.payload, histograms.count(train))
    assert summed.weight == train.rows
    assert summed.metrics == {"skipped_rows": 0}


def test_validation_and_audit_rows_move_nothing() -> None:
    kept = [split_rows(ROWS, PLAN.splits, part) for part in ("train", "validation", "audit")]
    others = split_rows(small_table(3000, seed=9), PLAN.splits, "audit")
    for task, model in ((first_task(), b""), (TASK, MODEL)):
        expected = contribute(task, model, kept[0], PLAN)
        assert np.array_equal(contribute(task, model, Table.concat([kept[0], others]), PLAN), expected)


def test_rows_that_are_not_finite_contribute_zero_and_are_counted() -> None:
    train = split_rows(ROWS, PLAN.splits, "train")
    age = train.columns["age"].copy()
    age[3] = np.inf
    broken = Table(SCHEMA, {**train.columns, "age": age}, train.rows)
    good = train.take(np.delete(np.arange(train.rows), 3))
    # The broken row may stand in any part; what it would have counted is gone from the training part.
    whole = contribute(first_task(), b"", broken, PLAN).view(np.int32)
    without = contribute(first_task(), b"", good, PLAN).view(np.int32)
    assert np.array_equal(whole[:-1], without[:-1])
    assert whole[-1] in (0, 1)
    all_broken = Table(SCHEMA, {**train.columns, "age": np.full(train.rows, np.inf)}, train.rows)
    vector = contribute(first_task(), b"", all_broken, PLAN)
    assert not vector[:-1].any()
    assert vector[-1] > 0


def test_an_update_is_deterministic_and_nothing_outside_its_arguments_enters(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = contribute(TASK, MODEL, ROWS, PLAN)
    contribute(TASK.model_copy(update={"seed": 1}), MODEL, small_table(100, seed=3), PLAN)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    monkeypatch.setenv("HEADWATER_ANYTHING", "1")
    monkeypatch.chdir(os.sep)
    assert np.array_equal(contribute(TASK, MODEL, ROWS, PLAN), expected)


def test_an_update_does_not_depend_on_the_number_of_threads_and_leaves_it_alone() -> None:
    before = torch.get_num_threads()
    expected = contribute(TASK, MODEL, ROWS, PLAN)
    torch.set_num_threads(3)
    try:
        assert np.array_equal(contribute(TASK, MODEL, ROWS, PLAN), expected)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("change", ["seed", "rows", "model"])
def test_an_update_depends_on_each_of_its_arguments(change: str) -> None:
    task, model, rows = TASK, MODEL, ROWS
    if change == "seed":
        task = task.model_copy(update={"seed": task.seed + 1})
    if change == "rows":
        rows = small_table(300, seed=1)
    if change == "model":
        task, model = to_update(PLAN.model_copy(update={"seed": 1}))
    assert not np.array_equal(contribute(task, model, rows, PLAN)[:1000], contribute(TASK, MODEL, ROWS, PLAN)[:1000])


def test_an_update_carries_its_weight_and_stays_within_the_clip() -> None:
    layout = layout_of_update(TASK.length - ENDS)
    unit = largest_magnitude(PLAN.recipe.value_bits)
    summed = layout.split(contribute(TASK, MODEL, ROWS, PLAN))
    train = split_rows(ROWS, PLAN.splits, "train").rows
    assert summed.weight == round(train / 500 * unit)
    assert 0 < integer_norm_squared(summed.payload) <= unit**2
    accuracy = summed.metrics["accuracy"]
    assert 0 <= accuracy <= unit
    energy = energy_of(summed.payload, unit)
    assert summed.metrics == {"skipped": 0, "clipped": 0, "energy": energy, "accuracy": accuracy}


def test_a_large_organisation_weighs_no_more_than_the_cap() -> None:
    plan = small_plan(update={**PLAN.recipe.update.model_dump(), "row_cap": 100})
    task, model = to_update(plan)
    summed = layout_of_update(task.length - ENDS).split(contribute(task, model, ROWS, plan))
    assert summed.weight == largest_magnitude(plan.recipe.value_bits)


def test_an_update_beyond_the_clip_is_clipped_and_counted() -> None:
    plan = small_plan(update={**PLAN.recipe.update.model_dump(), "clip": 1e-3, "row_cap": 1})
    task, model = to_update(plan)
    summed = layout_of_update(task.length - ENDS).split(contribute(task, model, ROWS, plan))
    unit = largest_magnitude(plan.recipe.value_bits)
    assert summed.metrics["clipped"] == 1
    assert 0.99 * unit < integer_norm_squared(summed.payload) ** 0.5 <= unit


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_training_that_breaks_contributes_zeros_and_is_counted(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    delta = np.zeros(TASK.length - ENDS, np.float32)
    delta[7] = bad
    monkeypatch.setattr("headwater.contribution.training.train_locally", lambda *_, **__: LocalUpdate(delta))
    vector = contribute(TASK, MODEL, ROWS, PLAN)
    assert not vector[: -len(UPDATE_METRICS)].any()
    assert vector[-len(UPDATE_METRICS) :].tolist() == [1, 0, 0, 0]


def test_an_organisation_without_training_rows_uploads_zeros() -> None:
    vector = contribute(TASK, MODEL, ROWS.take(np.arange(0)), PLAN)
    assert not vector[: -len(UPDATE_METRICS)].any()
    assert vector[-len(UPDATE_METRICS) :].tolist() == [1, 0, 0, 0]
    assert not contribute(first_task(), b"", ROWS.take(np.arange(0)), PLAN).any()


@pytest.mark.parametrize(
    "change",
    [
        {"step": 99},
        {"length": TASK.length + 1},
        {"length": 2**31},
        {"value_bits": 20},
        {"clip": 99.0},
        {"clip": None},
        {"scale": TASK.scale / 2},
        {"model_digest": "0" * 64},
        {"model_digest": ""},
        {"parameters": {}},
        {"parameters": {"encoding": {"version": 1}}},
        {"kind": "histograms"},
        {"parameters": {**TASK.parameters, "remedies": {"explosion": 1}}},
    ],
)
def test_a_task_that_departs_from_the_plan_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(PeerError):
        contribute(TASK.model_copy(update=change), MODEL, ROWS, PLAN)


def test_an_encoding_with_other_settings_than_the_plan_is_refused() -> None:
    document = TASK.parameters["encoding"]
    finer = {**document, "settings": {**document["settings"], "numeric_codes": 256}}
    with pytest.raises(PeerError, match="other settings"):
        contribute(TASK.model_copy(update={"parameters": {"encoding": finer}}), MODEL, ROWS, PLAN)


def test_kinds_that_the_recipe_does_not_ask_for_are_refused() -> None:
    with pytest.raises(PeerError, match="training"):
        contribute(TASK, MODEL, ROWS, small_plan("marginals"))
    with pytest.raises(PeerError, match="mixture"):
        contribute(TASK.model_copy(update={"kind": "expectation"}), MODEL, ROWS, small_plan("adversarial"))


@pytest.mark.parametrize(
    "subsets",
    [None, [], [[]], [[1, 0]], [[0, 0]], [[-1, 2]], [[0, 7]], [["0", 1]], [[0.5]], "01", [[0, 1, 2, 3, 4, 5, 6]]],
)
def test_subsets_that_are_none_are_refused(subsets: object) -> None:
    with pytest.raises(PeerError):
        contribute(marginals_task(subsets, 4), b"", ROWS, PLAN)


def test_bytes_that_are_no_model_are_refused() -> None:
    junk = b"not a model"
    with pytest.raises(PeerError, match="unusable"):
        contribute(TASK.model_copy(update={"model_digest": sha256_hex(junk)}), junk, ROWS, PLAN)


def test_rows_of_another_schema_are_refused() -> None:
    other = SCHEMA.model_copy(update={"name": "others"})
    with pytest.raises(InputError, match="another schema"):
        contribute(first_task(), b"", Table(other, ROWS.columns, ROWS.rows), PLAN)


def test_more_rows_than_the_value_bits_hold_are_refused() -> None:
    plan = small_plan(value_bits=10)
    with pytest.raises(InputError, match="value_bits"):
        contribute(first_task(plan), b"", small_table(1500), plan)
