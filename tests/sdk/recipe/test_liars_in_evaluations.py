"""One organisation lies about what the critic says of its rows: the base is released, or nobody can tell."""

import copy
import io
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import InputError
from headwater.generator.refiner.model import RefinedMixture
from headwater.recipe import Aggregate, Done, Judge, Recipe, build_recipe
from headwater.recipe.evaluation import BINS
from headwater.secagg.crypto.ring import to_signed
from headwater_server.cli.watching import describe
from headwater_server.runs.round_words import training_outcome
from headwater_server.simulation.narration import Narrator
from support.poison import ON_MIXTURE
from support.recipes import small_table

PARTS = [small_table(150, seed) for seed in range(3)]
PLAN = ON_MIXTURE.model_copy(update={"recipe": ON_MIXTURE.recipe.model_copy(update={"rounds": 1})})
CLASSES = 2
LOGITS = 2 * CLASSES * BINS


def sums(action: Aggregate, plan: Plan) -> np.ndarray:
    total: np.ndarray = np.add.reduce([to_signed(contribute(action.task, action.model, part, plan)) for part in PARTS])
    return total


def waiting(plan: Plan) -> Recipe:
    """A recipe that waits for the sum of its evaluation."""
    recipe = build_recipe(plan)
    while not (isinstance(action := recipe.next(), Aggregate) and action.task.kind == "evaluate"):
        if isinstance(action, Aggregate):
            recipe.add_sum(sums(action, plan).astype(np.uint32), len(PARTS))
        else:
            assert not isinstance(action, Done)
            recipe.add_model(*execute(action))
    return recipe


FIRST = waiting(PLAN)


def moved(start: int) -> Callable[[np.ndarray], np.ndarray]:
    """A row of the fullest bin of a histogram that begins here, in the bin beside it."""

    def lie(total: np.ndarray) -> np.ndarray:
        full = start + int(np.argmax(total[start : start + BINS]))
        other = full + 1 if full + 1 < start + BINS else full - 1
        total[full] -= 1
        total[other] += 1
        return total

    return lie


def turned(start: int) -> Callable[[np.ndarray], np.ndarray]:
    """The histogram that begins here, the other way about."""

    def lie(total: np.ndarray) -> np.ndarray:
        total[start : start + BINS] = total[start : start + BINS][::-1].copy()
        return total

    return lie


def added(*places: int) -> Callable[[np.ndarray], np.ndarray]:
    def lie(total: np.ndarray) -> np.ndarray:
        total[list(places)] += 1
        return total

    return lie


def other_class(total: np.ndarray) -> np.ndarray:
    full = int(np.argmax(total[:BINS]))
    total[full] -= 1
    total[full + BINS] += 1
    return total


def negative(total: np.ndarray) -> np.ndarray:
    full, empty = int(np.argmax(total[:BINS])), int(np.argmin(total[:BINS]))
    total[full] += 1
    total[empty] -= 1
    return total


DENSITIES = [LOGITS + place * BINS for place in range(6)]
SEEN = {
    "a negative bin": (negative, "negative"),
    "one more in a bin": (added(0), "different rows"),
    "and as many rows": (added(0, DENSITIES[0], DENSITIES[2], DENSITIES[4]), "rows are not as many"),
    "one row more in all": (added(0, DENSITIES[0], DENSITIES[2], DENSITIES[4], -2), "more or fewer rows"),
    "one validation row more in all": (
        added(2 * BINS, DENSITIES[1], DENSITIES[3], DENSITIES[5]),
        "lie elsewhere than in the climb",
    ),
    "a row of another class": (other_class, "rows of a class"),
    "densities elsewhere": (turned(DENSITIES[0]), "lie elsewhere than in the climb"),
    "validation rows' densities elsewhere": (turned(DENSITIES[1]), "lie elsewhere than in the climb"),
}


@pytest.mark.parametrize(("lie", "said"), SEEN.values(), ids=SEEN)
def test_an_evaluation_that_cannot_be_one_is_not_taken_and_the_base_is_released(
    lie: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    recipe = copy.deepcopy(FIRST)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    recipe.add_sum(lie(sums(action, PLAN)).astype(np.uint32), len(PARTS))
    refused, ended = recipe.history[-2:]
    assert (refused["kind"], refused["accepted"]) == ("evaluate", False)
    assert said in str(refused["reason"])
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == RefinedMixture.from_bytes(action.model).mixture.to_bytes()
    assert training_outcome(recipe.history) == {"refused_rounds": 1, "ended_on": "base"}
    assert "not taken" in describe(refused)
    assert "base is released" in describe(ended)
    assert "nobody can tell whose" in describe(ended)
    out = io.StringIO()
    Narrator(Console(file=out, width=1000)).ends("evaluate", 0.1, [refused, ended])
    assert "NOT TAKEN" in out.getvalue()
    assert "nobody can tell whose" in out.getvalue()


@pytest.mark.parametrize("start", [0, 2 * BINS, DENSITIES[0], DENSITIES[2], DENSITIES[5]])
def test_opinions_that_were_moved_within_their_totals_are_not_found(start: int) -> None:
    # What the critic says is known to whoever has the rows alone: the threat model says so. Of the base's densities one
    # row may stray, as another machine's arithmetic lets it.
    recipe = copy.deepcopy(FIRST)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    recipe.add_sum(moved(start)(sums(action, PLAN)).astype(np.uint32), len(PARTS))
    assert isinstance(recipe.next(), Judge)


def test_where_organisations_may_come_and_go_other_rows_are_compared_with_nothing() -> None:
    terms = AggregationTerms(on_membership_change="continue")
    plan = PLAN.model_copy(update={"aggregation": terms})
    recipe = waiting(plan)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    fewer = [to_signed(contribute(action.task, action.model, part, plan)) for part in PARTS[:2]]
    recipe.add_sum(np.add.reduce(fewer).astype(np.uint32), 2)
    assert isinstance(recipe.next(), Judge)


def test_a_sum_of_another_length_is_refused_and_changes_nothing() -> None:
    recipe = copy.deepcopy(FIRST)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    with pytest.raises(InputError, match="a sum has shape"):
        recipe.add_sum(sums(action, PLAN)[:-1].astype(np.uint32), len(PARTS))
    assert recipe.next() is action
