"""A hybrid on a mixture, round by round: what is asked, what is kept, and what is refused."""

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.contribution.contribute import contribute
from headwater.contribution.execution import execute
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.generator.refiner.model import RefinedMixture, is_refined
from headwater.mixture.parameters import Mixture, is_mixture
from headwater.recipe import Aggregate, Done, Judge, Merge, ModelReport, Recipe, Refine, build_recipe
from headwater.recipe.evaluation import BINS, Evaluation, gain_of, values_of_evaluation
from headwater.schema.table import Table
from support.mixtures import MIXTURE_PLAN
from support.recipes import small_plan, small_table
from support.refined import HYBRID_PLAN, SHAPE

PARTS = [small_table(rows, seed=rows) for rows in (150, 80, 200)]
SHORT = HYBRID_PLAN.recipe.mixture.model_copy(update={"rows_per_component": (100,), "rounds": 2})


def plan_with(**changes: object) -> Plan:
    recipe = HYBRID_PLAN.recipe.model_copy(update={"mixture": SHORT, **changes})
    return HYBRID_PLAN.model_copy(update={"recipe": recipe})


FEW = plan_with()


def advance(recipe: Recipe, plan: object = FEW) -> str:
    """Answer one action as organisations and coordinator do; returns what it was."""
    action = recipe.next()
    if isinstance(action, Aggregate):
        vectors = [contribute(action.task, action.model, rows, plan) for rows in PARTS]  # type: ignore[arg-type]
        recipe.add_sum(np.sum(vectors, axis=0, dtype=vectors[0].dtype), len(PARTS))
        return action.task.kind
    assert not isinstance(action, Done)
    recipe.add_model(*execute(action))
    return type(action).__name__


def until(kind: type, plan: object = FEW) -> Recipe:
    recipe = build_recipe(plan)  # type: ignore[arg-type]
    while not isinstance(recipe.next(), kind):
        advance(recipe, plan)
    return recipe


def waiting_for(kind: str) -> tuple[Recipe, Aggregate]:
    recipe = build_recipe(FEW)
    while not (isinstance(action := recipe.next(), Aggregate) and action.task.kind == kind):
        advance(recipe)
    return recipe, action


def test_a_hybrid_climbs_trains_is_evaluated_and_judged() -> None:
    recipe, kinds = build_recipe(FEW), []
    while not isinstance(recipe.next(), Done):
        kinds.append(advance(recipe))
    start = kinds.index("Refine")
    assert kinds[:2] == ["histograms", "marginals"]
    assert kinds[start - 1] == "expectation"
    assert kinds[start : start + 7] == ["Refine", "update", "Merge", "update", "Merge", "evaluate", "Judge"]
    assert kinds[start + 7 :] in ([], ["evaluate", "Judge"])
    last = recipe.history[-1]
    assert last["kind"] == "judge"
    done = recipe.next()
    assert isinstance(done, Done)
    assert is_refined(done.model) if last["accepted"] else is_mixture(done.model)
    assert len([each for each in recipe.history if "step" in each]) <= FEW.recipe.maximum_rounds


def test_equal_runs_end_with_equal_bytes() -> None:
    first, second = (until(Done) for _ in range(2))
    assert first.history == second.history
    ends = [recipe.next() for recipe in (first, second)]
    assert all(isinstance(end, Done) for end in ends)
    assert ends[0].model == ends[1].model  # type: ignore[union-attr]


def test_without_rounds_a_hybrid_is_its_base() -> None:
    still = plan_with(rounds=0)
    base = plan_with(kind="mixture")
    first, second = until(Done, still).next(), until(Done, base).next()
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.model == second.model


def test_the_base_stays_when_nothing_is_better_and_history_says_why() -> None:
    # No attack on so few validation rows is known well enough to be under this limit.
    plan = plan_with(mixture=SHORT.model_copy(update={"attack_limit": 0.501}))
    recipe = until(Judge, plan)
    action = recipe.next()
    assert isinstance(action, Judge)
    base = RefinedMixture.from_bytes(action.model).mixture.to_bytes()
    while not isinstance(done := recipe.next(), Done):
        advance(recipe, plan)
    judged = [record for record in recipe.history if record["kind"] == "judge"]
    assert not any(record["accepted"] for record in judged)
    assert all(record["reason"] for record in judged)
    assert done.model == base


def test_an_earlier_round_is_asked_where_the_last_remembers_too_much() -> None:
    recipe = until(Judge)
    first = recipe.next()
    assert isinstance(first, Judge)
    recipe.add_model(b"base", ModelReport(0.0, 0, {}, {"accepted": False, "reason": "attack", "remembers": True}))
    last = recipe.history[-1]
    assert (last["again"], last["round"], last["next_round"]) == (True, 2, 1)
    again = recipe.next()
    assert isinstance(again, Aggregate)
    assert again.task.kind == "evaluate"
    # Of two rounds that is the first.
    started = [record for record in recipe.history if record["kind"] == "merge"]
    assert len(started) == 2
    assert again.model != first.model
    advance(recipe)
    recipe.add_model(b"base", ModelReport(0.0, 0, {}, {"accepted": False, "reason": "attack", "remembers": True}))
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == b"base"
    last = recipe.history[-1]
    assert (last["again"], last["round"]) == (False, 1)
    assert "next_round" not in last


def test_a_round_that_spoils_the_draws_is_not_kept() -> None:
    recipe = until(Merge)
    action = recipe.next()
    assert isinstance(action, Merge)
    before = action.model
    wild = np.random.default_rng(0).normal(size=len(action.mean_delta))
    spoilt = Merge(before, wild, action.marginals, action.terms, action.measure_seed)
    recipe.add_model(*execute(spoilt))
    assert recipe.history[-1]["accepted"] is False
    while not isinstance(again := recipe.next(), Aggregate):
        advance(recipe)
    # After a collapse the refiner begins anew; the critic stays.
    first, second = (RefinedMixture.from_bytes(model) for model in (before, again.model))
    assert np.abs(second.refiner - first.refiner).max() < 1
    np.testing.assert_array_equal(second.critic, first.critic)


def test_a_training_that_ends_on_its_base_is_told_from_one_of_which_nothing_was_taken() -> None:
    plan, rounds = plan_with(rounds=4), 0
    recipe = until(Merge, plan)
    while not isinstance(action := recipe.next(), Done):
        # The first round is taken, the two after it are not.
        if isinstance(action, Merge) and rounds:
            broken = np.full(len(action.mean_delta), 1e39)
            recipe.add_model(*execute(Merge(action.model, broken, action.marginals, action.terms, action.measure_seed)))
        else:
            advance(recipe, plan)
        rounds += isinstance(action, Merge)
    merges = [record["accepted"] for record in recipe.history if record["kind"] == "merge"]
    assert merges == [True, False, False]
    assert recipe.history[-1] == {
        "kind": "judge",
        "accepted": False,
        "reason": "training ended early, and of such a training no round is kept",
    }


def test_an_update_that_is_not_finite_is_not_kept() -> None:
    recipe = until(Merge)
    action = recipe.next()
    assert isinstance(action, Merge)
    broken = Merge(
        action.model, np.full(len(action.mean_delta), 1e39), action.marginals, action.terms, action.measure_seed
    )
    model, report = execute(broken)
    assert model == action.model
    assert not np.isfinite(report.marginal_loss)


def test_evaluations_of_parts_add_up_to_that_of_all_rows() -> None:
    _, action = waiting_for("evaluate")
    parts = [contribute(action.task, action.model, rows, FEW).astype(np.int64) for rows in PARTS]
    whole = contribute(action.task, action.model, Table.concat(PARTS), FEW).astype(np.int64)
    classes = RefinedMixture.from_bytes(action.model).features.classes
    size = values_of_evaluation(classes)
    added, together = (Evaluation.of(vector[:size], classes) for vector in (np.sum(parts, axis=0), whole))
    np.testing.assert_array_equal(added.densities[0], together.densities[0])
    assert int(np.abs(added.logits - together.logits).sum()) <= 4
    assert added.logits.sum() == together.logits.sum()


def test_answers_out_of_order_are_refused() -> None:
    recipe = until(Refine)
    with pytest.raises(OutOfOrder, match="first model"):
        recipe.add_sum(np.zeros(3, np.uint32), 3)
    recipe = until(Judge)
    with pytest.raises(OutOfOrder, match="released"):
        recipe.add_sum(np.zeros(3, np.uint32), 3)
    recipe, _ = waiting_for("evaluate")
    with pytest.raises(OutOfOrder, match="a sum"):
        recipe.add_model(b"", ModelReport(0.0, 0, {}))


@pytest.mark.parametrize("kind", ["update", "evaluate"])
def test_an_organisation_refuses_a_model_that_is_none_or_of_another_plan(kind: str) -> None:
    _, action = waiting_for(kind)
    from headwater.canonical import sha256_hex

    mixture = RefinedMixture.from_bytes(action.model).mixture.to_bytes()
    for model in (b"nothing", mixture):
        task = action.task.model_copy(update={"model_digest": sha256_hex(model)})
        with pytest.raises(PeerError, match="unusable"):
            contribute(task, model, PARTS[0], FEW)
    with pytest.raises(PeerError, match=r"has none|not the plan's"):
        contribute(action.task, action.model, PARTS[0], MIXTURE_PLAN)
    with pytest.raises(PeerError):
        contribute(action.task, action.model, PARTS[0], small_plan())


def test_a_gain_is_measured_on_the_same_rows() -> None:
    rows = np.zeros((2, BINS), np.int64)
    rows[:, 300:340] = 5
    far, near = np.zeros((2, BINS)), rows.astype(np.float64)
    far[:, 200:240] = 5.0
    first, second, error = gain_of(rows, far, near, 10_000)
    assert first == 1.0
    assert second == pytest.approx(0.5)
    assert 0 < error < 0.05
    assert gain_of(rows[:, :0], far[:, :0], near[:, :0], 10)[2] == np.inf


def test_a_mixture_stays_as_it_stood_through_all_rounds() -> None:
    recipe = until(Refine)
    action = recipe.next()
    assert isinstance(action, Refine)
    while not isinstance(judged := recipe.next(), Judge):
        advance(recipe)
    assert RefinedMixture.from_bytes(judged.model).mixture.to_bytes() == Mixture.from_bytes(action.mixture).to_bytes()


def test_a_tilted_mixture_is_released_as_it_is() -> None:
    tilted = {"tilt_tolerances": (0.5,), "tilt_excess": 0.0, "tilt_draws": 2000, "attack_limit": 1.0}
    recipe = until(Done, plan := plan_with(mixture=SHORT.model_copy(update=tilted)))
    done = recipe.next()
    assert isinstance(done, Done)
    assert plan.recipe.refines
    mixture = Mixture.from_bytes(done.model)
    assert mixture.tilt is not None
    assert recipe.history[-1]["kind"] == "judge"
    assert "tilted" in str(recipe.history[-1]["reason"])
    assert not any(record["kind"] == "update" for record in recipe.history)
    with pytest.raises(InputError, match="no tilt"):
        RefinedMixture.begin(mixture, SHAPE, 1)
