"""One organisation lies in a round of counts or statistics: what its lie breaks in the sum, and what it does not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.encoding.marginals import Marginal
from headwater.errors import InputError
from headwater.mixture.parameters import Mixture
from headwater.mixture.vector import StatisticsCode
from headwater.recipe import Aggregate, Done, Recipe, build_recipe
from headwater.recipe.actions import Refine
from headwater.recipe.plausibility import differing_margins
from headwater.secagg.crypto.ring import RingVector, to_signed
from support.mixtures import SETTINGS
from support.recipes import small_plan, small_table

PARTS = [small_table(200, seed) for seed in range(3)]
Lie = Callable[[np.ndarray], np.ndarray]


def summed(action: Aggregate, plan: Plan, lie: Lie | None = None) -> RingVector:
    """The sum of three organisations' vectors; the last one passes what it sends through `lie`."""
    vectors = [contribute(action.task, action.model, part, plan).astype(np.int64) for part in PARTS]
    if lie is not None:
        vectors[-1] = lie(vectors[-1].copy())
    total: RingVector = np.add.reduce(vectors).astype(np.uint32)
    return total


def at(kind: str, plan: Plan, earlier: int = 0) -> tuple[Recipe, Aggregate]:
    """A recipe that waits for a sum of this kind, `earlier` honest sums of the kind behind it."""
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert isinstance(action, Aggregate)
        if action.task.kind == kind and not earlier:
            return recipe, action
        earlier -= action.task.kind == kind
        recipe.add_sum(summed(action, plan), 3)


def cell(change: int, weight: bool = False) -> Lie:
    def lie(vector: np.ndarray) -> np.ndarray:
        vector[0] += change
        if weight:
            vector[-2] += change
        return vector

    return lie


def moves(first: int, second: int, units: int) -> Lie:
    def lie(vector: np.ndarray) -> np.ndarray:
        vector[first] += units
        vector[second] -= units
        return vector

    return lie


@pytest.mark.parametrize("kind", ["histograms", "marginals"])
@pytest.mark.parametrize(
    "lie",
    [cell(1), cell(2**20), cell(2**20, weight=True), cell(-5000), cell(-5000, weight=True), cell(2**31)],
    ids=["one more", "a cell of 2^20", "and as many rows", "negative", "and fewer rows", "wrapped"],
)
def test_a_count_that_others_contradict_is_refused_in_one_line_and_changes_nothing(kind: str, lie: Lie) -> None:
    plan = small_plan()
    recipe, action = at(kind, plan)
    before = recipe.history
    with pytest.raises(InputError, match=r"look for a faulty organisation") as refused:
        recipe.add_sum(summed(action, plan, lie), 3)
    assert "\n" not in str(refused.value)
    assert recipe.history == before
    assert recipe.next() is action


def test_rows_moved_between_the_cells_of_one_table_alone_are_refused_although_its_total_is_right() -> None:
    plan = small_plan()
    recipe, action = at("marginals", plan)

    honest = summed(action, plan)
    full, other = np.flatnonzero(honest[:-2] > 1)[:2]

    with pytest.raises(InputError, match="disagree on how many rows have which codes of column"):
        recipe.add_sum(summed(action, plan, moves(other, full, 1)), 3)


def test_tables_of_other_rows_than_the_histograms_counted_are_refused() -> None:
    # Consistent in itself: every table counts the same rows; but they are not those of the round before.
    plan = small_plan()
    recipe, action = at("marginals", plan)
    mine = contribute(action.task, b"", PARTS[-1], plan).astype(np.int64)
    others = (contribute(action.task, b"", small_table(200, seed), plan).astype(np.int64) for seed in range(3, 60))
    other = next(vector for vector in others if vector[-2] == mine[-2])
    with pytest.raises(InputError, match="disagree on how many rows"):
        recipe.add_sum(summed(action, plan, lambda _: other), 3)


def test_a_consistent_lie_within_the_head_room_is_data_like_any_other() -> None:
    # An organisation that counts its rows a hundred times over, in every round alike, cannot be told from a larger one.
    plan = small_plan()
    recipe, action = at("histograms", plan)
    recipe.add_sum(summed(action, plan, lambda vector: vector * 100), 3)
    action = recipe.next()  # type: ignore[assignment]
    recipe.add_sum(summed(action, plan, lambda vector: vector * 100), 3)
    assert int(str(recipe.history[0]["rows"])) > 90 * PARTS[0].rows


def test_an_organisation_with_another_distribution_entirely_is_data_too() -> None:
    plan = small_plan()
    recipe = build_recipe(plan)
    strange = small_table(200, seed=3)
    columns = dict(strange.columns)
    columns["age"] = np.full(200, 120.0)
    columns["outcome"] = np.zeros(200, np.int32)
    parts = [*PARTS[:2], type(strange)(strange.schema, columns, 200)]
    while isinstance(action := recipe.next(), Aggregate) and action.task.kind != "update":
        recipe.add_sum(
            np.add.reduce([contribute(action.task, action.model, part, plan) for part in parts], dtype=np.uint32), 3
        )
    assert [record["kind"] for record in recipe.history][:2] == ["histograms", "marginals"]


CLIMB = small_plan("mixture", mixture={**SETTINGS.model_dump()})


def first_of(action: Aggregate) -> tuple[Mixture, StatisticsCode]:
    return Mixture.from_bytes(action.model), StatisticsCode(int(action.task.parameters["rows"]), action.task.value_bits)


@pytest.mark.parametrize("earlier", [0, 2])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("rows of a class", "of a class are not as many"),
        ("codes", "codes of a column are not as many"),
        ("scores", "another total"),
        ("products", "another total"),
        ("squares", "squares of scores"),
        ("log-density", "beyond their bound"),
        ("bin", "log-densities and rows"),
    ],
)
def test_statistics_that_do_not_add_up_are_refused(what: str, said: str, earlier: int) -> None:
    if what in ("scores", "products") and not earlier:
        earlier = 1  # Only rounds before say what they come to.
    recipe, action = at("expectation", CLIMB, earlier)
    mixture, code = first_of(action)
    form = mixture.form
    cells, scores = 1 + form.cells, len(form.scores)
    statistics = code.statistics(to_signed(summed(action, CLIMB))[:-2], form, mixture.components)
    sums = statistics.sums
    if what == "rows of a class":
        first, last = (int(np.argmax(np.where(mixture.classes == number, sums[:, 0], 0))) for number in (0, 1))
        sums[first] += sums[last] * 0.2
        sums[last] *= 0.8
    elif what == "codes":
        full, other = np.argsort(-sums[0, 1 : 1 + form.unit_sizes[0]])[:2] + 1
        sums[0, full] -= 3
        sums[0, other] += 3
    elif what == "scores":
        sums[:, cells] += 0.1 * sums[:, 0]
    elif what == "products":
        sums[:, cells + scores] *= 1.1
    elif what == "squares":
        sums[:, cells + scores] = -1.0
    elif what == "log-density":
        statistics = replace(statistics, density=-1e4 * sums[:, 0].sum())
    else:
        statistics.train[7] += 1
    lying = np.concatenate([code.integers(statistics, form), to_signed(summed(action, CLIMB))[-2:]])
    with pytest.raises(InputError, match=said):
        recipe.add_sum(lying.astype(np.uint32), 3)
    assert recipe.next() is action


def risen(plan: Plan, until: str) -> tuple[Recipe, Aggregate]:
    """A recipe whose climb has just written `until` into its history, waiting for the next sum."""
    recipe = build_recipe(plan)
    while not any(record.get(until) for record in recipe.history):
        action = recipe.next()
        assert isinstance(action, Aggregate)
        recipe.add_sum(summed(action, plan), 3)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    return recipe, action


RISING = {**SETTINGS.model_dump(), "attack_limit": 1.0}
TILTING = {**RISING, "tilt_tolerances": (0.03, 0.003), "tilt_excess": 0.0}


@pytest.mark.parametrize("lie", [cell(1 << 23), cell(-(1 << 28))], ids=["responsibilities", "negative"])
@pytest.mark.parametrize(("settings", "until"), [(RISING, "passed"), (TILTING, "tolerance")], ids=["climb", "tilt"])
def test_once_a_rung_stands_a_sum_that_cannot_be_one_ends_the_climb_on_it(
    settings: dict[str, object], until: str, lie: Lie
) -> None:
    plan = small_plan("mixture", mixture=settings)
    recipe, action = risen(plan, until)
    standing = next(record for record in reversed(recipe.history) if record.get("passed"))

    recipe.add_sum(summed(action, plan, lie), 3)

    done = recipe.next()
    assert isinstance(done, Done)
    refused, ended = recipe.history[-2:]
    assert refused["kind"] == "expectation"
    assert refused["accepted"] is False
    assert "look for a faulty organisation" in str(refused["reason"])
    assert ended == {
        "kind": "ended", "on": "rung", "refused": 1, "components": standing["components"]
    }  # fmt: skip
    mixture = Mixture.from_bytes(done.model)
    assert mixture.components == standing["components"]
    assert (mixture.tilt is not None) == (until == "tolerance")


def test_a_hybrid_whose_climb_was_ended_is_refined_from_the_rung_that_stands() -> None:
    plan = small_plan("hybrid", base="mixture", mixture={**RISING, "tilt_tolerances": ()})
    recipe, action = risen(plan, "passed")
    recipe.add_sum(summed(action, plan, cell(1 << 23)), 3)
    refine = recipe.next()
    assert isinstance(refine, Refine)
    assert Mixture.from_bytes(refine.mixture).components == recipe.history[-1]["components"]


def test_rows_moved_between_the_components_of_a_class_are_not_found() -> None:
    # What the rows come to in total is right: this is the lie that is left, and the threat model says so.
    recipe, action = at("expectation", CLIMB)
    mixture, code = first_of(action)
    statistics = code.statistics(to_signed(summed(action, CLIMB))[:-2], mixture.form, mixture.components)
    same = np.flatnonzero(mixture.classes == mixture.classes[0])[:2]
    moved = 0.05 * statistics.sums[same[0]]
    statistics.sums[same[0]] -= moved
    statistics.sums[same[1]] += moved
    lying = np.concatenate([code.integers(statistics, mixture.form), to_signed(summed(action, CLIMB))[-2:]])
    recipe.add_sum(lying.astype(np.uint32), 3)
    assert recipe.history[-1]["kind"] == "expectation"


def test_honest_climbs_pass_every_check_to_their_end() -> None:
    recipe = build_recipe(CLIMB)
    while isinstance(action := recipe.next(), Aggregate):
        recipe.add_sum(summed(action, CLIMB), 3)
    assert recipe.history[-1]["kind"] == "expectation"


def test_tables_agree_or_the_first_columns_that_they_count_differently_are_named() -> None:
    sizes = (2, 3, 2)
    codes = np.random.default_rng(0).integers(0, (2, 3, 2), (50, 3))
    table = np.zeros(sizes)
    np.add.at(table, tuple(codes.T), 1)
    pairs = [Marginal((0, 1), table.sum(2).reshape(-1)), Marginal((1, 2), table.sum(0).reshape(-1))]
    assert differing_margins(pairs, sizes) is None
    assert differing_margins(pairs, sizes, {(0,): table.sum((1, 2)), (1, 2): pairs[1].counts}) is None
    assert differing_margins(pairs, sizes, {(0,): table.sum((1, 2)) + [1, -1]}) == (0,)
    pairs[1].counts[[0, 2]] += [1, -1]
    assert differing_margins(pairs, sizes) == (1,)
