"""A convolutional generator trained by many: what a round sends, refuses, merges, and what comes of it."""

import dataclasses

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError, PeerError
from headwater.generator.convolutional import train_pictures
from headwater.generator.pictures import ConvolutionSampler
from headwater.generator.sampler import read_sampler
from headwater.images.convolution import Convolution, ConvolutionSpec, first_convolution, is_convolution
from headwater.images.settings import ConvolutionSettings
from headwater.recipe.actions import Aggregate, Done
from headwater.recipe.layout import layout_of_update
from headwater.recipe.lifted import convolution_spec
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.sums import HeadRoom, read_update
from headwater.recipe.vectors import longest_run, longest_vector
from headwater.schema import CategoricalColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.pictures import IMAGE, PICTURES, picture_plan, picture_table

SPEC = ConvolutionSpec(PICTURES, channels=4, latent=4)


def plan_of(**changes: object) -> Plan:
    settings = {"channels": 4, "latent": 4, "rounds": 2, "local_steps": 3, "batch": 16} | changes
    return picture_plan("adversarial", images={"convolution": settings})


def first_update(plan: Plan, parts: list[Table]) -> tuple[Aggregate, list[np.ndarray]]:
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert isinstance(action, Aggregate)
        vectors = [contribute(action.task, action.model, rows, plan) for rows in parts]
        if action.task.kind == "update":
            return action, vectors
        recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), len(vectors))


def driven(plan: Plan, parts: list[Table]) -> tuple[Done, list[Aggregate]]:
    recipe, asked = build_recipe(plan), []
    while not isinstance(action := recipe.next(), Done):
        assert isinstance(action, Aggregate)
        asked.append(action)
        vectors = [contribute(action.task, action.model, rows, plan) for rows in parts]
        recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), len(vectors))
    return action, asked


def parts_of(rows: int) -> list[Table]:
    table = picture_table(rows)
    # By label: the first organisation has bars only, the last has lines only.
    order = np.argsort(table.columns["shape"], kind="stable")
    return [table.take(part) for part in np.array_split(order, 3)]


def test_organisations_with_one_shape_each_bring_a_generator_of_both_nearer_to_theirs() -> None:
    plan = plan_of(channels=8, rounds=4, local_steps=8, batch=16, generator_rate=4e-3, critic_rate=4e-3, ema=0.0)
    table = picture_table(300)
    done, _ = driven(plan, parts_of(300))
    trained = Convolution.from_bytes(done.model)
    begun = dataclasses.replace(first_convolution(trained.spec, 0), shares=trained.shares)
    far = []
    for model in (begun, trained):
        (drawn,) = ConvolutionSampler(model).tables(done.encoding, 400, 1)
        assert 0.4 < drawn.columns["shape"].mean() < 0.6
        far.append(np.abs(drawn.columns["scan"].mean(axis=0) - table.columns["scan"].mean(axis=0)).mean())
    assert far[1] < 0.6 * far[0]


def test_a_run_asks_for_no_more_than_its_plan_says_and_tells_no_class_shares() -> None:
    plan = plan_of()
    done, asked = driven(plan, parts_of(120))
    assert [action.task.kind for action in asked] == ["pixels", "histograms", "update", "update"]
    assert len(asked) == longest_run(plan)
    assert max(action.task.length for action in asked) <= longest_vector(plan)
    for action in asked[2:]:
        assert not len(Convolution.from_bytes(action.model).shares)
        assert not action.task.parameters
    assert is_convolution(done.model)
    assert not len(Convolution.from_bytes(read_sampler(done.model).to_bytes()).critic)


def test_equal_arguments_give_an_equal_contribution_and_the_mean_is_the_weighted_one() -> None:
    plan = plan_of()
    parts = parts_of(150)
    action, vectors = first_update(plan, parts)
    np.testing.assert_array_equal(contribute(action.task, action.model, parts[0], plan), vectors[0])
    room = HeadRoom(3, action.task.value_bits)
    total = np.add.reduce(vectors, dtype=np.uint32)
    mean, summed = read_update(total, SPEC.parameters, room, action.task.scale)
    assert mean is not None
    assert summed.metrics["skipped"] == 0
    assert 0 < np.linalg.norm(mean) <= plan.recipe.update.clip


def trained(rounds: int) -> tuple[Recipe, Aggregate, Plan]:
    """A run of six rounds that waits for an update, so many honest ones behind it."""
    plan, parts = plan_of(rounds=6), parts_of(150)
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert isinstance(action, Aggregate)
        if sum(record["kind"] == "update" for record in recipe.history) == rounds and action.task.kind == "update":
            return recipe, action, plan
        vectors = [contribute(action.task, action.model, rows, plan) for rows in parts]
        recipe.add_sum(np.add.reduce(vectors, dtype=np.uint32), len(vectors))


@pytest.mark.parametrize("lie", ["no sum", "weight", "large", "nobody"])
def test_a_round_that_cannot_be_taken_changes_no_weight_and_two_end_the_run_on_what_was_taken(lie: str) -> None:
    recipe, action, _ = trained(2)
    honest = [float(str(record["update_norm"])) for record in recipe.history if record["kind"] == "update"]
    following: object = action
    for number in (3, 4):
        vector = np.zeros(action.task.length, np.int64)
        weight = len(vector) - 5
        if lie == "no sum":
            vector[0] = 2**31 - 1
        elif lie == "weight":
            vector[weight] = 2**20
        elif lie == "large":
            vector[weight] = 2**15
            vector[0] = round(10 * max(honest) * action.task.scale * 2**15 / 2**action.task.value_bits)
        recipe.add_sum(vector.astype(np.uint32), 3)
        record = next(each for each in reversed(recipe.history) if each["kind"] == "update")
        assert (record["round"], record["accepted"]) == (number, False)
        assert record["reason"]
        following = recipe.next()
        assert isinstance(following, Aggregate if number == 3 else Done)
        if isinstance(following, Aggregate):
            assert following.model == action.model
    assert recipe.history[-1] == {"kind": "ended", "on": "checkpoint", "refused": 2}
    assert isinstance(following, Done)
    assert len(Convolution.from_bytes(following.model).shares) == 2


def test_an_organisation_without_pictures_uploads_zeros_and_is_counted() -> None:
    plan = plan_of()
    action, _ = first_update(plan, parts_of(90))
    nobody = contribute(action.task, action.model, picture_table(4).take(np.zeros(4, np.bool_)), plan)
    summed = layout_of_update(SPEC.parameters).split(nobody)
    assert not summed.payload.any()
    assert (summed.weight, summed.metrics["skipped"]) == (0, 1)


def test_networks_of_another_plan_are_refused() -> None:
    action, _ = first_update(plan_of(), parts_of(90))
    with pytest.raises(PeerError, match="not those of the plan"):
        contribute(action.task, action.model, picture_table(90), plan_of(latent=5))
    broken = action.task.model_copy(update={"length": 9})
    with pytest.raises(PeerError, match="not those of the plan"):
        contribute(broken, action.model, picture_table(90), plan_of())


@pytest.mark.parametrize(("height", "width"), [(2, 2), (8, 8), (9, 5), (28, 28), (3, 17)])
def test_pictures_of_any_size_are_drawn_and_scored(height: int, width: int) -> None:
    image = ImageColumn(name="scan", height=height, width=width, levels=4)
    spec = ConvolutionSpec(Schema(name="s", columns=(image,)), channels=2, latent=3)
    model = first_convolution(spec, 1)
    pictures = np.random.default_rng(0).integers(0, 4, (6, height * width)).astype(np.uint8)
    change = train_pictures(
        model, pictures, np.zeros(6, np.int32), ConvolutionSettings(local_steps=1, batch=4), 3
    ).delta
    assert change.shape == (spec.parameters,)
    assert np.isfinite(change).all()
    assert np.count_nonzero(change) > 0.5 * spec.parameters
    sampler = ConvolutionSampler(dataclasses.replace(model.moved(change), shares=np.ones(1)))
    (table,) = sampler.tables(_no_encoding(), 5, 0)
    assert table.columns["scan"].shape == (5, height * width)
    assert table.columns["scan"].max() < 4


def _no_encoding() -> Encoding:
    schema = Schema(name="s", columns=(NumericColumn(name="x", lower=0, upper=1),))
    length = Histograms.of(schema, EncodingSettings(grid_cells=16)).length
    return Encoding.fit(schema, np.ones(length, np.int64), EncodingSettings(grid_cells=16))


def test_rows_of_one_class_on_request_and_of_no_other() -> None:
    model = dataclasses.replace(first_convolution(SPEC, 0), shares=np.asarray([0.25, 0.75]))
    sampler = ConvolutionSampler(model)
    (table,) = sampler.tables(_no_encoding(), 30, 0, label=1)
    assert set(table.columns["shape"].tolist()) == {1}
    with pytest.raises(InputError, match="no class 2"):
        next(sampler.tables(_no_encoding(), 5, 0, label=2))
    with pytest.raises(InputError, match="under way"):
        ConvolutionSampler(first_convolution(SPEC, 0))


def test_tables_with_more_than_pictures_train_the_network_for_tables() -> None:
    number = NumericColumn(name="age", lower=0, upper=9)
    wide = CategoricalColumn(name="c", categories=tuple(map(str, range(65))), role="target")
    maybe = CategoricalColumn(name="c", categories=("a", "b"), role="target", missing=True)
    for columns in ((IMAGE, number), (IMAGE, wide), (IMAGE, maybe), (number,)):
        assert not ConvolutionSpec.fits(Schema(name="s", columns=columns))
    assert convolution_spec(picture_plan("mixture")) is None
    with pytest.raises(InputError, match="takes one image"):
        ConvolutionSpec(Schema(name="s", columns=(number,)), 4, 4)


def test_bytes_that_are_no_networks_are_refused() -> None:
    model = first_convolution(SPEC, 0)
    data = model.to_bytes()
    np.testing.assert_array_equal(Convolution.from_bytes(data).weights, model.weights)
    assert not is_convolution(b"nothing of it")
    for broken in (data[:-4], data[:30], data.replace(b'channels\\":4', b'channels\\":5')):
        with pytest.raises(InputError):
            Convolution.from_bytes(broken)
    with pytest.raises(InputError, match="not finite"):
        model.moved(np.full(SPEC.parameters, np.inf))
    with pytest.raises(InputError, match="no distribution"):
        dataclasses.replace(model, shares=np.asarray([0.9, 0.9]))


@pytest.mark.parametrize("off", [0.0, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6])
def test_class_shares_are_refused_or_can_be_drawn_from(off: float) -> None:
    shares = np.asarray([0.5, 0.5 + off])
    try:
        model = dataclasses.replace(first_convolution(SPEC, 0), shares=shares)
    except InputError:
        assert off > 1e-10
        return
    assert next(ConvolutionSampler(model).tables(_no_encoding(), 3, 0)).rows == 3


def test_a_plan_with_more_scores_of_pictures_than_a_table_has_columns_is_refused_in_one_line() -> None:
    images = tuple(ImageColumn(name=f"scan{number}", height=8, width=8) for number in range(400))
    plan = picture_plan("mixture").model_copy(update={"schema_": Schema(name="scans", columns=images)})
    with pytest.raises(InputError, match="12800 columns"):
        longest_vector(plan)
