"""The poison benchmark: what it says of a lie is what the recipe does with it."""

from collections import Counter

import numpy as np
import pytest

import run_poison
from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.recipe import Aggregate, Recipe, build_recipe
from headwater.secagg.crypto.ring import to_signed
from poison.counts import ENDS, GOES_ON, LIES, NEXT, TAKEN, Asked, Vector, applies, become_of
from poison.ends import LIARS, run_to_the_end
from poison.updates import Tally
from support.mixtures import MIXTURE_PLAN
from support.poison import ON_MIXTURE
from support.recipes import small_table

PARTS = [small_table(120, seed) for seed in range(3)]


def summed(plan: Plan, action: Aggregate) -> Vector:
    vectors = [contribute(action.task, action.model, part, plan) for part in PARTS]
    total: Vector = np.add.reduce(vectors, dtype=vectors[0].dtype)
    return total


def at(kind: str, plan: Plan = MIXTURE_PLAN) -> tuple[Recipe, Asked]:
    recipe = build_recipe(plan)
    while isinstance(action := recipe.next(), Aggregate) and action.task.kind != kind:
        recipe.add_sum(summed(plan, action), len(PARTS))
    assert isinstance(action, Aggregate)
    own = to_signed(contribute(action.task, action.model, PARTS[0], plan))
    total = summed(plan, action)
    return recipe, Asked(action, own, to_signed(total), own.copy, total.dtype, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("histograms", "own counts twice", TAKEN),
        ("histograms", "own counts in random order", ENDS),
        ("histograms", "one row more in one cell", ENDS),
        ("marginals", "own counts twice", ENDS),
        ("marginals", "sign flipped", ENDS),
        ("expectation", "own counts × 1000", ENDS),
        ("expectation", "rows with other labels, in this round alone", TAKEN),
    ],
)
def test_a_lie_in_counts_comes_out_as_the_table_says(kind: str, name: str, said: str) -> None:
    recipe, asked = at(kind)
    before = recipe.history
    assert become_of(recipe, asked, name, 3, lambda action: summed(MIXTURE_PLAN, action)) == said
    assert recipe.history == before


def test_lies_about_one_kind_of_round_are_told_in_no_other() -> None:
    names = {kind: {name for name in LIES if applies(name, kind)} for kind in ("histograms", "expectation", "evaluate")}
    assert names["histograms"] == names["expectation"] & names["evaluate"]
    assert names["histograms"] != names["expectation"] != names["evaluate"]


def test_a_run_with_a_liar_ends_on_what_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    plan = ON_MIXTURE.model_copy(update={"recipe": ON_MIXTURE.recipe.model_copy(update={"rounds": 2})})
    honest, measure = run_to_the_end(plan, PARTS, LIARS["nobody lies"], None)
    assert (honest.refused, honest.ended) == (0, "")
    assert measure is not None
    end, _ = run_to_the_end(plan, PARTS, LIARS["every update random, at the clip norm"], measure)
    assert end.distance is not None
    outcomes = {("histograms", "sign flipped"): Counter([ENDS, ENDS, GOES_ON])}
    run_poison.show({("nobody lies", 0): Tally(rounds=2)}, outcomes, {"one": end}, 3)
    said = capsys.readouterr().out
    assert "| histograms | sign flipped | 2 | 1 | 0 | 0 |" in said
    assert f"| one | {end.refused} | " in said
    assert NEXT in said
