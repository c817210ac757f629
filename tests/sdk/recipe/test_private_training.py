"""A hybrid under a budget: only noisy sums touch rows, all else follows from them (privacy.md 1 to 3, 6, 14 to 18)."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from headwater.agreement.charge import charge_of, plan_events, possible_charges
from headwater.agreement.plan import Plan
from headwater.contribution.execution import execute
from headwater.errors import InputError
from headwater.generator.private_step import noisy_sum as noisy_step
from headwater.privacy.accountant import spent
from headwater.privacy.discrete_gaussian import Entropy as Chance
from headwater.privacy.discrete_gaussian import discrete_gaussian
from headwater.privacy.events import Event, NoisyGradients, event_of
from headwater.recipe.actions import Aggregate, Done, StepCritic, WeighNoisy
from headwater.recipe.layout import layout_of_counts
from headwater.recipe.machine import Recipe, build_recipe
from headwater.recipe.private_steps import critic_event, private_rounds, private_steps
from headwater.schema.table import Table
from headwater.secagg.crypto.ring import to_signed
from support.private import assert_sums_alone_give_the_release, clear_sum, followed, hybrid_plan, private_plan, released
from support.recipes import small_table

PARTS = [small_table(300, seed=seed) for seed in range(3)]
PLAN = hybrid_plan(8.0)
SEED = 5
STEPS = PLAN.recipe.private.critic.steps


def to_first_gradient(plan: Plan) -> tuple[Recipe, Aggregate]:
    """A recipe that asks for its first sum of gradients."""
    recipe = build_recipe(plan)
    while True:
        action = recipe.next()
        assert not isinstance(action, Done)
        if isinstance(action, Aggregate):
            if action.task.kind == "gradient":
                return recipe, action
            recipe.add_sum(clear_sum(action.task, plan, PARTS, SEED), len(PARTS))
        else:
            recipe.add_model(*execute(action, device="cpu"))


RECIPE, FIRST = to_first_gradient(PLAN)


def test_rows_in_another_order_change_no_bit_where_every_row_is_in_every_sum() -> None:
    # privacy.md 1: what a step makes of a sum does not depend on rows; with a sample, another order is another sample.
    plan = hybrid_plan(8.0, critic={"rate": 1.0})
    others = [rows.take(np.random.default_rng(seed).permutation(rows.rows)) for seed, rows in enumerate(PARTS)]
    assert released(*followed(plan, PARTS, SEED)) == released(*followed(plan, others, SEED))


def test_one_more_row_changes_a_sum_so_the_test_above_can_fail() -> None:
    plan = hybrid_plan(8.0, critic={"rate": 1.0})
    _, asked = to_first_gradient(plan)
    more = Table.concat([PARTS[0], PARTS[0].take(np.arange(PARTS[0].rows) == 0)])
    first, second = (
        clear_sum(asked.task, plan, parts, SEED, model=asked.model) for parts in (PARTS, [more, *PARTS[1:]])
    )
    assert not np.array_equal(first, second)


def test_the_sums_alone_give_the_release_where_no_row_is() -> None:
    # privacy.md 16, 17: optimiser, averages, history and verdict see noisy values only.
    assert_sums_alone_give_the_release(PLAN, PARTS)


def test_no_row_at_all_still_gives_noise_on_every_value() -> None:
    # privacy.md 2: an empty sample is one like any other, and its round is charged alike.
    nobody = [rows.take(np.zeros(rows.rows, bool)) for rows in PARTS]
    values = to_signed(clear_sum(FIRST.task, PLAN, nobody, model=FIRST.model))[: -layout_of_counts(0).length]
    event = critic_event(PLAN)
    assert event is not None
    assert (values != 0).mean() > 0.9
    # T(3) − 1 = 2 honest shares hold the variance, so three hold 1.5 times as much.
    assert values.var() == pytest.approx(1.5 * event.variance, rel=6 * math.sqrt(2 / len(values)))


def test_how_many_rows_were_sampled_does_not_leave() -> None:
    layout = layout_of_counts(FIRST.task.length - layout_of_counts(0).length)
    summed = layout.split(clear_sum(FIRST.task, PLAN, PARTS, model=FIRST.model))
    assert (summed.weight, summed.metrics) == (0, {"skipped_rows": 0})


@pytest.mark.parametrize("parts", [PARTS, PARTS[:1] * 3, [rows.take(np.zeros(300, bool)) for rows in PARTS]])
def test_a_sum_is_divided_by_public_numbers_whatever_was_sampled(parts: list[Table]) -> None:
    # privacy.md 3: the rate is the plan's, the rows are those of the noisy counts.
    recipe, asked = to_first_gradient(PLAN)
    recipe.add_sum(clear_sum(asked.task, PLAN, parts, model=asked.model), len(parts))
    step, rows = recipe.next(), [record["rows"] for record in recipe.history if "rows" in record]
    assert isinstance(step, StepCritic)
    assert step.gradient is not None
    event = critic_event(PLAN)
    assert event is not None
    assert step.gradient.rows == event.share * rows[-1]  # type: ignore[operator]


def test_noise_is_drawn_once_a_step_for_every_value_and_each_is_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    # privacy.md 6: calls equal events.
    drawn: list[int] = []

    def counting(count: int, variance: int, entropy: Chance) -> NDArray[np.int64]:
        drawn.append(count)
        return discrete_gaussian(count, variance, entropy)

    monkeypatch.setattr(noisy_step, "discrete_gaussian", counting)
    recipe, charges, lengths = build_recipe(PLAN), [], []
    while not isinstance(action := recipe.next(), Done):
        if isinstance(action, Aggregate):
            charges.append(event_of(json.loads(charge_of(PLAN, action.task))))
            lengths += [action.task.length] * len(PARTS) if action.task.kind == "gradient" else []
            recipe.add_sum(clear_sum(action.task, PLAN, PARTS, model=action.model), len(PARTS))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    gradients = [event for event in charges if isinstance(event, NoisyGradients)]
    assert len(lengths) == len(PARTS) * STEPS
    assert drawn == [length - layout_of_counts(0).length for length in lengths]
    assert len(gradients) == STEPS == sum(event.steps for event in gradients)
    assert spent(charges, 1e-6) == spent(plan_events(PLAN), 1e-6)


def test_all_rounds_together_spend_the_budget_and_no_more() -> None:
    whole = spent(plan_events(PLAN), 1e-6).epsilon
    assert 0.99 * 8.0 < whole <= 8.0
    assert spent([step.event for step in private_steps(PLAN)], 1e-6).epsilon < 0.95 * whole
    assert private_steps(private_plan(8.0)) != private_steps(PLAN)


def test_an_aborted_sum_that_the_budget_pays_for_is_inside_it() -> None:
    plan = hybrid_plan(3.0, retries=1)
    gradient = private_rounds(plan)[-1].event
    assert isinstance(gradient, NoisyGradients)
    without: list[Event] = [event for each in private_rounds(plan) for event in [each.event]]
    assert spent(plan_events(plan), 1e-6).epsilon <= 3.0
    assert spent([*without, gradient], 1e-6).epsilon <= 3.0


def test_every_round_s_charge_is_one_that_the_plan_names() -> None:
    assert charge_of(PLAN, FIRST.task) in possible_charges(PLAN)
    assert json.loads(charge_of(PLAN, FIRST.task))["steps"] == 1


def test_as_many_sums_are_asked_for_whatever_they_show() -> None:
    # privacy.md 18: nothing stops early and no step is chosen by a look at rows; the verdict follows the last sum.
    recipe, _ = to_first_gradient(PLAN)
    kinds: list[str] = []
    huge = np.full(FIRST.task.length, 1 << 20, np.uint32)
    huge[-layout_of_counts(0).length :] = 0
    while not isinstance(action := recipe.next(), Done):
        kinds.append(action.task.kind if isinstance(action, Aggregate) else type(action).__name__)
        if isinstance(action, Aggregate):
            recipe.add_sum(huge, len(PARTS))
        else:
            recipe.add_model(*execute(action, device="cpu"))
    assert kinds == [*("gradient", "StepCritic") * STEPS, "WeighNoisy"]
    assert recipe.history[-1]["kind"] == "weighed"


def test_records_say_nothing_but_what_follows_from_sums_and_plan() -> None:
    # privacy.md 17: an allow-list.
    recipe, _ = followed(PLAN, PARTS)
    gradients = [set(record) for record in recipe.history if record["kind"] == "gradient"]
    told = {"step", "kind", "contributors", "done", "of", "parameters", "gradient_deviation"}
    assert gradients == [told] * STEPS
    (weighed,) = [set(record) for record in recipe.history if record["kind"] == "weighed"]
    assert weighed == {"kind", "accepted", "reason", "gain", "gain_deviation", "base_misfit", "misfit"}


def test_noise_of_a_cohort_that_shrank_is_told_by_the_session_that_sized_it() -> None:
    # privacy.md 14: shares are those of the session's five, four of which came.
    plan = hybrid_plan(8.0)
    recipe, asked = to_first_gradient(plan)
    four = [*PARTS, PARTS[0]]
    recipe.add_sum(clear_sum(asked.task, plan, four, members=5, model=asked.model), 4, 5)
    event = critic_event(plan)
    assert event is not None
    # T(5) − 1 = 3 honest shares of five.
    assert recipe.history[-1]["gradient_deviation"] == pytest.approx(math.sqrt(4 * math.ceil(event.variance / 3)))


@pytest.mark.parametrize("members", [0, 1, 2])
def test_too_few_members_contribute_nothing(members: int) -> None:
    with pytest.raises(InputError, match="honest"):
        clear_sum(FIRST.task, PLAN, PARTS[: members or 1], members=members or -1, model=FIRST.model)


def test_a_person_with_more_records_than_a_sample_is_accounted_for_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="records 40, expected 1 to 32"):
        plan_events(hybrid_plan(8.0, unit="entity", records=40))


def test_the_verdict_sees_no_row() -> None:
    asked: list[object] = []

    def watch(action: object) -> None:
        if isinstance(action, StepCritic | WeighNoisy):
            asked.append(action)

    _driven(watch)
    held = {type(getattr(action, name)) for action in asked for name in action.__slots__}  # type: ignore[attr-defined]
    assert Table not in held
    assert isinstance(asked[-1], WeighNoisy)


def _driven(watch: Callable[[object], None]) -> None:
    recipe = build_recipe(PLAN)
    while not isinstance(action := recipe.next(), Done):
        watch(action)
        if isinstance(action, Aggregate):
            recipe.add_sum(clear_sum(action.task, PLAN, PARTS, model=action.model), len(PARTS))
        else:
            recipe.add_model(*execute(action, device="cpu"))
