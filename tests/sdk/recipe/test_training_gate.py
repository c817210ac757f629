"""Rounds that are not taken: what is seen in the aggregate, what is asked for next, and how a run ends."""

import json
import math
from collections.abc import Mapping

import numpy as np
import pytest

from headwater.agreement.plan import AggregationTerms, Plan
from headwater.contribution.allowed import check_task, update_settings
from headwater.contribution.contribute import contribute
from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.recipe import Aggregate, Done, Fit, Merge, ModelReport, Recipe, build_recipe
from headwater.recipe.fixed_point import largest_magnitude
from headwater.recipe.health import HealthSettings, Watch
from headwater.recipe.remedies import Remedies
from headwater.recipe.settings import UpdateSettings
from support.recipes import small_plan, small_table

ROWS = small_table(400)
WEIGHTS = 5
CLIP = 10.0
# The rows of one table stand for those of three organisations, each of which has as much weight as one may have.
UPDATE = {"tolerance": 0.05, "clip": CLIP, "row_cap": 100}
WELL = {
    "entropy_ratio": 0.95,
    "top_share_gap": 0.02,
    "duplicates": 0.01,
    "nearest_distance": 0.3,
    "tvd1": 0.01,
    "latent_sensitivity": 0.05,
    "gradient_norm": 0.2,
}


def begun(kind: str = "hybrid", rounds: int = 6, **health: object) -> Recipe:
    """A recipe that waits for its first training round."""
    return begun_of(small_plan(kind, rounds=rounds, update=UPDATE, health=health))


def begun_of(plan: Plan) -> Recipe:
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Fit):
        assert isinstance(action, Aggregate)
        recipe.add_sum(contribute(action.task, b"", ROWS, plan), 3)
    recipe.add_model(b"base", ModelReport(0.1, WEIGHTS, WELL))
    return recipe


def send(
    recipe: Recipe,
    mean: float = 1.0,
    *,
    weight: float = 3.0,
    clipped: int = 0,
    turned: bool = False,
    accuracy: float = 0.5,
) -> None:
    """One sum of three organisations whose mean update has this norm."""
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.task.kind == "update"
    vector = np.zeros(action.task.length, np.int64)
    vector[0] = round((-1 if turned else 1) * mean * weight * action.task.scale)
    vector[WEIGHTS] = round(weight * largest_magnitude(action.task.value_bits))
    vector[WEIGHTS + 2] = clipped
    vector[WEIGHTS + 4] = round(3 * accuracy * largest_magnitude(action.task.value_bits))
    recipe.add_sum(vector.astype(np.uint32), 3)


def round_of(
    recipe: Recipe, name: str = "m", loss: float = 0.1, mean: float = 1.0, **signs: float
) -> Mapping[str, object]:
    """A whole round; returns what the history says of it."""
    turned = bool(signs.pop("turned", False))
    send(recipe, mean, turned=turned)
    seen = len(recipe.history)
    recipe.add_model(name.encode(), ModelReport(loss, WEIGHTS, WELL | signs))
    while isinstance(action := recipe.next(), Merge):
        assert action.restart
        recipe.add_model(action.model + b"'s average", ModelReport(loss, WEIGHTS, WELL))
    return recipe.history[seen]


def model_of(recipe: Recipe) -> bytes:
    action = recipe.next()
    assert isinstance(action, Aggregate | Done)
    return action.model


SICK = {
    "entropy": ({"entropy_ratio": 0.3}, "collapse"),
    "top share": ({"top_share_gap": 0.6}, "collapse"),
    "templates": ({"nearest_distance": 0.02}, "collapse"),
    "repeats": ({"duplicates": 0.7}, "collapse"),
    "deaf": ({"latent_sensitivity": 1e-4}, "collapse"),
    "jump": ({"mean": 6.0}, "explosion"),
    "worse": ({"loss": 0.12}, "worse"),
    "nan": ({"loss": math.nan}, "not finite"),
    "inf": ({"gradient_norm": math.inf}, "not finite"),
}


@pytest.mark.parametrize(("signs", "flag"), SICK.values(), ids=SICK)
def test_a_sick_round_is_not_taken_and_says_why(signs: dict[str, float], flag: str) -> None:
    recipe = begun()
    assert round_of(recipe, "good")["accepted"] is True
    record = round_of(recipe, "sick", **signs)
    assert record["accepted"] is False
    assert flag in record["flags"]  # type: ignore[operator]
    assert record["reason"]
    assert b"sick" not in model_of(recipe)


@pytest.mark.parametrize(("kind", "left"), [("hybrid", b"base"), ("adversarial", b"good")])
def test_two_sick_rounds_in_a_row_end_a_hybrid_run_on_its_base_and_others_on_their_checkpoint(
    kind: str, left: bytes
) -> None:
    recipe = begun(kind)
    round_of(recipe, "good")
    for _ in range(2):
        round_of(recipe, "sick", mean=4.0)
    done = recipe.next()
    assert isinstance(done, Done)
    assert done.model == left
    assert recipe.history[-1] == {"kind": "ended", "on": "base" if kind == "hybrid" else "checkpoint", "refused": 2}


def test_a_sign_that_is_not_finite_is_not_told_to_the_history() -> None:
    recipe = begun()
    record = round_of(recipe, "sick", gradient_norm=math.inf)
    assert record["flags"] == ["not finite"]
    assert "gradient_norm" not in record["health"]  # type: ignore[operator]
    json.dumps(recipe.history, allow_nan=False)


def test_after_a_round_that_moved_nothing_the_next_is_judged_like_a_first_one() -> None:
    recipe = begun()
    assert round_of(recipe, "still", mean=0.0)["accepted"] is True
    assert round_of(recipe, "moved", mean=1.0)["accepted"] is True


def test_a_well_round_between_two_sick_ones_keeps_a_run_going() -> None:
    recipe = begun()
    round_of(recipe, "good")
    for _ in range(2):
        round_of(recipe, "sick", loss=0.5)
        assert round_of(recipe, "better")["accepted"] is True
    assert model_of(recipe) == b"better"
    assert isinstance(recipe.next(), Aggregate)


def test_after_a_collapse_training_goes_on_from_the_average_with_half_the_rate_and_three_times_the_penalty() -> None:
    recipe, plan = begun(), small_plan(rounds=6, update={"clip": CLIP})
    round_of(recipe, "good")
    record = round_of(recipe, "sick", entropy_ratio=0.1)
    assert record["remedies"] == {"collapse": 1}
    assert recipe.history[-1]["kind"] == "restart"
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.model == b"good's average"
    changed = update_settings(action.task, plan)
    assert changed.generator_rate == plan.recipe.update.generator_rate / 2
    assert changed.penalty == plan.recipe.update.penalty * 3
    check_task(action.task, action.model, plan)


def test_after_an_explosion_the_clip_is_halved_and_the_organisation_accepts_exactly_that() -> None:
    recipe, plan = begun(), small_plan(rounds=6, update={"clip": CLIP})
    round_of(recipe, "good")
    round_of(recipe, "sick", mean=9.0)
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.model == b"good"
    assert action.task.clip == CLIP / 2
    check_task(action.task, action.model, plan)
    others: list[object] = [
        {},
        [],
        {"explosion": 2},
        {"explosion": 9},
        {"explosion": True},
        {"explosion": -1},
        {"clip": 1},
    ]
    for remedies in others:
        parameters = {**action.task.parameters, "remedies": remedies}
        with pytest.raises(PeerError):
            check_task(action.task.model_copy(update={"parameters": parameters}), action.model, plan)


def test_a_strong_critic_calls_for_a_remedy_and_costs_no_round() -> None:
    recipe = begun()
    record = round_of(recipe, "good", gradient_norm=1e-3)
    assert record["accepted"] is True
    assert record["flags"] == ["strong critic"]
    assert record["remedies"] == {"critic": 1}
    # What a generator without a critic does not show raises nothing.
    assert Watch(HealthSettings(), WELL, CLIP).flags({"entropy_ratio": 0.95}) == ()


def test_updates_that_undo_each_other_twice_are_an_oscillation() -> None:
    recipe = begun()
    records = [round_of(recipe, "m", turned=turned > 0) for turned in (0, 1, 0)]
    assert [record["flags"] for record in records] == [[], [], ["oscillation"]]
    assert all(record["accepted"] for record in records)


def test_remedies_climb_step_by_step_and_never_past_the_plan() -> None:
    recipe = begun(rounds=12, remedies=2, refusals=50)
    records = [round_of(recipe, "sick", entropy_ratio=0.1) for _ in range(5)]
    assert [record["remedies"] for record in records] == [{"collapse": steps} for steps in (1, 2, 2, 2, 2)]
    with pytest.raises(InputError, match="2 steps"):
        Remedies.from_document({"collapse": 3}, 2)


def test_each_remedy_changes_what_it_says_and_nothing_else() -> None:
    settings = UpdateSettings(critic_steps=4, beta1=0.5)
    assert Remedies().applied(settings) == settings
    assert Remedies(critic=1).applied(settings).critic_steps == 2
    assert Remedies(critic=2).applied(settings).instance_noise == pytest.approx(settings.instance_noise + 0.2)
    assert Remedies(critic=3).applied(settings).critic_rate == settings.critic_rate / 2
    assert Remedies(oscillation=1).applied(settings).beta1 == 0.25
    assert Remedies(oscillation=1).applied(UpdateSettings(beta1=0)).generator_rate == settings.generator_rate / 2
    assert Remedies(explosion=2).applied(settings).clip == settings.clip / 4


@pytest.mark.parametrize("lie", ["norm", "weight", "metric"])
def test_a_sum_of_updates_that_cannot_be_one_spends_the_round_and_two_end_the_run(lie: str) -> None:
    recipe = begun()
    for _ in range(2):
        action = recipe.next()
        assert isinstance(action, Aggregate)
        vector = np.zeros(action.task.length, np.uint32)
        vector[WEIGHTS] = largest_magnitude(action.task.value_bits)
        vector[{"norm": 0, "weight": WEIGHTS, "metric": -1}[lie]] = 2**31 - 1
        recipe.add_sum(vector, 3)
    assert [record["accepted"] for record in recipe.history if record["kind"] == "merge"] == [False, False]
    assert "look for a faulty organisation" in str(recipe.history[-2]["reason"])
    assert isinstance(done := recipe.next(), Done)
    assert done.model == b"base"


@pytest.mark.parametrize("membership", ["strict", "continue"])
def test_organisations_that_claim_more_rows_than_were_counted_are_refused_where_none_may_come(membership: str) -> None:
    # 360 training rows come to 1.8 of 200 each; a small member that claims to be a large one would be the whole mean.
    plan = small_plan(rounds=6, update={**UPDATE, "row_cap": 200})
    terms = AggregationTerms(on_membership_change=membership)  # type: ignore[arg-type]
    recipe = begun_of(plan.model_copy(update={"aggregation": terms}))
    send(recipe, weight=1.7)
    recipe.add_model(b"good", ModelReport(0.1, WEIGHTS, WELL))
    assert model_of(recipe) == b"good"
    send(recipe, weight=2.5)
    assert isinstance(recipe.next(), Aggregate if membership == "strict" else Merge)
    if membership == "strict":
        assert recipe.history[-1]["accepted"] is False
        assert "the weight is out of range" in str(recipe.history[-1]["reason"])


def test_the_mean_of_what_is_taken_is_within_the_clip_norm_whatever_one_sends() -> None:
    # One of three sends a thousand times as much as it may: refused. As much as all three may together: bounded.
    recipe = begun()
    send(recipe, mean=1000 * CLIP / 3 * 0.05)
    assert recipe.history[-1]["accepted"] is False
    recipe = begun()
    send(recipe, mean=CLIP)
    merge = recipe.next()
    assert isinstance(merge, Merge)
    assert np.linalg.norm(merge.mean_delta) <= CLIP * 1.001


def test_a_first_update_near_the_clip_norm_is_refused_unless_most_were_clipped() -> None:
    assert round_of(begun(), "first", mean=0.8 * CLIP)["accepted"] is False
    recipe = begun()
    send(recipe, 0.8 * CLIP, clipped=3)
    recipe.add_model(b"first", ModelReport(0.1, WEIGHTS, WELL))
    assert recipe.history[-1]["accepted"] is True


def test_a_restart_answers_with_a_model_and_nothing_else() -> None:
    recipe = begun()
    round_of(recipe, "good")
    send(recipe)
    recipe.add_model(b"sick", ModelReport(0.1, WEIGHTS, WELL | {"entropy_ratio": 0.1}))
    assert isinstance(recipe.next(), Merge)
    with pytest.raises(OutOfOrder):
        recipe.add_sum(np.zeros(WEIGHTS + 3, np.uint32), 3)
    recipe.add_model(b"broken", ModelReport(math.inf, WEIGHTS, {}))
    assert model_of(recipe) == b"good"


@pytest.mark.parametrize(("accuracy", "flags"), [(0.9, []), (0.97, ["strong critic"])])
def test_critics_that_tell_nearly_every_row_from_a_draw_are_held_back_and_cost_no_round(
    accuracy: float, flags: list[str]
) -> None:
    recipe = begun()
    send(recipe, accuracy=accuracy)
    assert recipe.history[-1]["critic_accuracy"] == pytest.approx(accuracy, abs=1e-4)
    recipe.add_model(b"good", ModelReport(0.1, WEIGHTS, WELL))
    assert recipe.history[-1]["accepted"] is True
    assert recipe.history[-1]["flags"] == flags
    action = recipe.next()
    assert isinstance(action, Aggregate)
    assert action.task.parameters.get("remedies", {}) == ({"critic": 1} if flags else {})


def test_a_plan_that_trains_no_critic_has_no_accuracy() -> None:
    plan = small_plan("hybrid", update={**UPDATE, "adversarial_weight": 0.0})
    recipe = build_recipe(plan)
    while not isinstance(action := recipe.next(), Fit):
        assert isinstance(action, Aggregate)
        recipe.add_sum(contribute(action.task, b"", ROWS, plan), 3)
    recipe.add_model(b"base", ModelReport(0.1, WEIGHTS, WELL))
    send(recipe)
    assert "critic_accuracy" not in recipe.history[-1]
