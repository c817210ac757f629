"""A run over pictures: the same whatever the partition, in all kinds, with the questions that a plan allows."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute, sample_table
from headwater.contribution.pictures import lift_question
from headwater.contribution.splits import split_rows
from headwater.errors import InputError, PeerError
from headwater.evaluation.pictures import picture_accuracy
from headwater.generator.pictures import PictureSampler
from headwater.generator.sampler import read_sampler
from headwater.generator.table_generator import RowRequest, TableGenerator
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.picturing import pixels_task
from headwater.recipe.task import Task
from headwater.recipe.vectors import longest_run, longest_vector
from headwater.schema.condition import Condition
from headwater.schema.table import Table
from support.pictures import IMAGE, PICTURES, picture_plan, picture_table
from support.recipes import small_plan, small_table


def thirds(table: Table, by: np.ndarray) -> list[Table]:
    return [table.take(part) for part in np.array_split(by, 3)]


def driven(plan: Plan, parts: list[Table]) -> tuple[Done, Recipe, list[Task]]:
    recipe, tasks = build_recipe(plan), []
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            tasks.append(action.task)
            task = Task.from_bytes(action.task.to_bytes())
            vectors = [contribute(task, action.model, rows, plan) for rows in parts]
            recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), len(vectors))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    return action, recipe, tasks


def test_a_run_over_pictures_draws_pictures_that_teach_their_classes() -> None:
    table = picture_table(600)
    done, recipe, _ = driven(picture_plan(), thirds(table, np.arange(600)))
    drawn = sample_table(done.model, done.encoding, 600, 1)
    assert drawn.schema == PICTURES
    assert drawn.columns["scan"].shape == (600, 16)
    # Where a bar stands is chance, so that no line separates the shapes; the others' answers count.
    assert picture_accuracy(drawn, picture_table(300, seed=9))["svc"] > 0.9
    first = recipe.history[0]
    assert (first["kind"], first["contributors"]) == ("pixels", 3)
    assert build_recipe(picture_plan()).marginals == ()


def test_a_run_by_label_is_the_run_of_equal_parts() -> None:
    table, plan = picture_table(300), picture_plan()
    mixed, _, _ = driven(plan, thirds(table, np.arange(300)))
    skewed, _, _ = driven(plan, thirds(table, np.argsort(table.columns["shape"], kind="stable")))
    tables = [sample_table(done.model, done.encoding, 200, 4) for done in (mixed, skewed)]
    # Sums of floats differ in their last bits, which may tip a level here and there.
    assert (tables[0].columns["scan"] != tables[1].columns["scan"]).mean() < 0.01


@pytest.mark.parametrize("kind", ["marginals", "hybrid"])
def test_networks_take_pictures_too(kind: str) -> None:
    table = picture_table(200)
    plan = picture_plan(kind, rounds=1, update={"local_steps": 2, "batch": 16, "tolerance": 10.0})
    done, recipe, tasks = driven(plan, thirds(table, np.arange(200)))
    assert sample_table(done.model, done.encoding, 30, 1).columns["scan"].max() < IMAGE.levels
    assert len(tasks) <= longest_run(plan)
    assert max(task.length for task in tasks) <= longest_vector(plan)
    assert recipe.history[0]["scores"] == [recipe.history[0]["scores"][0]]  # type: ignore[index]


def test_only_the_label_asked_for_is_drawn() -> None:
    done, _, _ = driven(picture_plan(), thirds(picture_table(300), np.arange(300)))
    drawn = sample_table(done.model, done.encoding, 40, 2, label=1)
    assert set(drawn.columns["shape"].tolist()) == {1}


def test_pictures_are_drawn_under_conditions_balanced_and_in_views() -> None:
    done, _, _ = driven(picture_plan(), thirds(picture_table(300), np.arange(300)))
    generator = TableGenerator(read_sampler(done.model), done.encoding)
    assert generator.schema == PICTURES
    lines = generator.sample(30, where={"shape": "line"}, seed=3)
    assert set(lines.column("shape").to_pylist()) == {"line"}
    assert generator.reader(RowRequest(Condition.parse(PICTURES, {"shape": "line"}))).method == "exact"
    even = generator.sample(4000, balanced="shape", seed=3)
    assert even.column("shape").to_pylist().count("bar") == pytest.approx(2000, abs=150)
    pairs = generator.sample(8, views=2, view_std=0.0, seed=3).column("scan").to_pylist()
    assert pairs[0::2] == pairs[1::2]
    assert len({tuple(picture) for picture in pairs}) > 1
    with pytest.raises(InputError, match="takes no condition"):
        generator.sample(3, where={"scan": 1.0})


def test_a_sampler_of_pictures_refuses_another_run_s_encoding() -> None:
    done, _, _ = driven(picture_plan(), thirds(picture_table(300), np.arange(300)))
    sampler = read_sampler(done.model)
    assert isinstance(sampler, PictureSampler)
    assert read_sampler(sampler.to_bytes()).kind == sampler.kind == "mixture"
    other, _, _ = driven(picture_plan(images={"scores": 2}), thirds(picture_table(300), np.arange(300)))
    with pytest.raises(InputError, match="do not belong"):
        next(sampler.tables(other.encoding, 5, 0))


def test_a_row_is_in_the_same_part_whatever_its_scores() -> None:
    table, plan = picture_table(300), picture_plan()
    chosen = []
    for seed in (0, 1):
        _, _, tasks = driven(plan, thirds(picture_table(300, seed=seed), np.arange(300)))
        _, lifted, terms = lift_question(tasks[1], table, plan)
        chosen.append(split_rows(lifted, terms.splits, "train").columns["shape"])
    np.testing.assert_array_equal(chosen[0], chosen[1])
    np.testing.assert_array_equal(chosen[0], split_rows(table, plan.splits, "train").columns["shape"])


def test_questions_that_no_plan_of_pictures_asks_are_refused() -> None:
    table, plan = picture_table(60), picture_plan()
    task = pixels_task(plan, 1)
    with pytest.raises(PeerError, match="only the first round"):
        contribute(task.model_copy(update={"step": 2}), b"", table, plan)
    with pytest.raises(PeerError, match="the plan's images have"):
        contribute(task.model_copy(update={"length": task.length - 1}), b"", table, plan)
    with pytest.raises(PeerError, match="only the first round"):
        contribute(pixels_task(small_plan(), 1), b"", small_table(50), small_plan())
    _, _, tasks = driven(plan, thirds(table, np.arange(60)))
    wrong: tuple[dict[str, object], ...] = ({}, {"images": []}, {"images": [{"scores": 1}]}, {"images": "x"})
    for parameters in wrong:
        with pytest.raises(PeerError, match="directions of pictures"):
            contribute(tasks[1].model_copy(update={"parameters": parameters}), b"", table, plan)
    fewer = picture_plan(images={"scores": 1})
    with pytest.raises(PeerError, match="more than the plan's 1"):
        contribute(tasks[1], b"", table, fewer)
    with pytest.raises(PeerError, match="in round 1"):
        contribute(tasks[1].model_copy(update={"step": 1}), b"", table, plan)
    with pytest.raises(PeerError, match="before the pixels"):
        lift_question(tasks[-1].model_copy(update={"step": 1}), table, plan)


def test_a_sum_of_no_pictures_is_refused() -> None:
    recipe = build_recipe(picture_plan())
    action = recipe.next()
    assert isinstance(action, Aggregate)
    with pytest.raises(InputError, match="no training row"):
        recipe.add_sum(np.zeros(action.task.length, np.uint32), 3)
    assert recipe.next() is action
