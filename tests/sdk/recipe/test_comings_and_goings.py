"""Organisations that come and go between rounds, and sums that pass what so many organisations can send."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.encoding.marginals import Marginal, count
from headwater.errors import InputError
from headwater.recipe import Aggregate, Done, Recipe, build_recipe
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.sums import HeadRoom, Known, read_tables
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import RingVector, from_signed
from support.mixtures import SETTINGS
from support.recipes import small_plan, small_table

PARTS = [small_table(200, seed) for seed in range(3)]
CLIMB = small_plan("mixture", mixture={**SETTINGS.model_dump(), "attack_limit": 1.0, "rounds": 2})


def going_on(plan: Plan) -> Plan:
    """The plan, under which a run goes on without an organisation that left."""
    aggregation = plan.aggregation.model_copy(update={"on_membership_change": "continue"})
    return plan.model_copy(update={"aggregation": aggregation})


def summed(action: Aggregate, plan: Plan, parts: list[Table]) -> RingVector:
    vectors = [contribute(action.task, action.model, part, plan) for part in parts]
    total: RingVector = np.add.reduce(vectors, dtype=vectors[0].dtype)
    return total


def asked(recipe: Recipe) -> Aggregate:
    action = recipe.next()
    assert isinstance(action, Aggregate)
    return action


@pytest.mark.parametrize("tilts", [(), (0.03,)], ids=["super-columns", "tilted"])
def test_an_organisation_that_misses_the_tables_alone_costs_no_run(tilts: tuple[float, ...]) -> None:
    mixture = {**CLIMB.recipe.mixture.model_dump(), "tilt_tolerances": tilts, "tilt_excess": 0.0}
    plan = going_on(small_plan("mixture", mixture=mixture))
    recipe = build_recipe(plan)
    recipe.add_sum(summed(asked(recipe), plan, PARTS), 3)
    recipe.add_sum(summed(asked(recipe), plan, PARTS[1:]), 2)
    assert recipe.history[-1]["super_columns"] == [["ward", "floor"]]
    while not isinstance(recipe.next(), Done):
        recipe.add_sum(summed(asked(recipe), plan, PARTS), 3)
    assert not any(record["kind"] == "ended" for record in recipe.history)


def test_tables_are_held_to_earlier_ones_over_as_many_rows_and_to_no_others() -> None:
    sizes, codes = (2, 3), np.random.default_rng(0).integers(0, (2, 3), (50, 2)).astype(np.int32)
    counts = count(codes, sizes, [(0, 1)])[0]
    vector = layout_of_counts(6).join(counts, 50, {"skipped_rows": 0}, largest=2**20)
    room, ones = HeadRoom(1, 20), counts.reshape(2, 3).sum(axis=1).astype(np.float64)
    # Of the same rows, of fewer, and of as many others.
    for known in (ones, ones - [3, 0]):
        (found,), _ = read_tables(vector, [(0, 1)], sizes, room, Known({(0,): known}, 50))
        assert isinstance(found, Marginal)
    with pytest.raises(InputError, match="of column 1"):
        read_tables(vector, [(0, 1)], sizes, room, Known({(0,): ones - [3, -3]}, 50))


@pytest.mark.parametrize("kind", ["histograms", "marginals", "expectation"])
def test_cells_that_wrap_around_in_a_wide_ring_are_refused(kind: str) -> None:
    wide = CLIMB.aggregation.model_copy(update={"ring_bits": 64})
    plan = CLIMB.model_copy(update={"aggregation": wide})
    recipe = build_recipe(plan)
    while asked(recipe).task.kind != kind:
        recipe.add_sum(summed(asked(recipe), plan, PARTS), 3)
    action = asked(recipe)
    total = summed(action, plan, PARTS).view(np.int64).copy()
    # Four times 2^62 are nothing modulo 2^64: every total stays what it was. In a climb they stand in a histogram.
    start = len(total) - 100 if kind == "expectation" else 0
    total[start : start + 4] += 2**62
    before = recipe.history
    with pytest.raises(InputError, match="larger than so many contributions"):
        recipe.add_sum(from_signed(total, 64), 3)
    assert recipe.history == before
    recipe.add_sum(summed(action, plan, PARTS), 3)


def test_rows_are_no_more_than_so_many_organisations_can_count() -> None:
    plan = small_plan()
    recipe = build_recipe(plan)
    total = summed(asked(recipe), plan, PARTS).astype(np.int64)
    # Consistent in itself, and more than three organisations may send.
    scale = 3 * 2**plan.recipe.value_bits // int(total[-2]) + 1
    with pytest.raises(InputError, match="larger than so many contributions"):
        recipe.add_sum(from_signed(total * scale), 3)
