"""What a plan costs, told before anything runs."""

import json

import pytest

from headwater.agreement.charge import plan_events
from headwater.agreement.cost import plan_cost
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.recipe.private_steps import most_cells, private_steps
from support.private import followed, private_plan
from support.recipes import small_plan, small_table


def test_the_rounds_end_at_what_the_accountant_says_of_the_whole_plan() -> None:
    plan = private_plan(1.0)
    cost = plan_cost(plan, 5)
    assert [each.step for each in cost.rounds] == ["columns", "label", "pairs"]
    spent_after = [each.epsilon for each in cost.rounds]
    assert spent_after == sorted(spent_after)
    assert cost.epsilon == spent_after[-1] == spent(plan_events(plan), 1e-6).epsilon <= 1.0
    assert sum(each.share for each in cost.rounds) == pytest.approx(1.0)
    assert sum(each.rho for each in cost.rounds) == pytest.approx(cost.rho)


def test_two_runs_and_an_aborted_sum_are_composed_and_not_added() -> None:
    plan = private_plan(1.0)
    cost = plan_cost(plan, 5)
    assert cost.epsilon_twice == spent([*plan_events(plan), *plan_events(plan)], 1e-6).epsilon
    assert cost.epsilon < cost.epsilon_aborted < cost.epsilon_twice < 2 * cost.epsilon


def test_what_is_held_back_for_aborted_sums_is_inside_the_budget() -> None:
    cost = plan_cost(private_plan(1.0, retries=1), 5)
    assert cost.reserve_share > 0
    assert cost.rounds[-1].epsilon < cost.epsilon <= 1.0
    assert cost.reserve_share + sum(each.share for each in cost.rounds) == pytest.approx(1.0)


@pytest.mark.parametrize(("mode", "honest"), [("joint", 3), ("local", 1)])
def test_noise_is_told_for_the_sum_for_each_organisation_and_for_all_of_them(mode: str, honest: int) -> None:
    # Five members open a sum by four, one of whom may collude.
    for each in plan_cost(private_plan(1.0, mode=mode), 5).rounds:
        assert each.deviation_each == pytest.approx(each.deviation / honest**0.5, rel=1e-2)
        assert each.deviation_sum == pytest.approx(each.deviation * (5 / honest) ** 0.5, rel=1e-2)


def test_no_round_asks_for_more_cells_than_were_told() -> None:
    plan = private_plan(20.0)
    recipe, _ = followed(plan, [small_table(200, seed) for seed in range(3)])
    asked = [record["cells"] for record in recipe.history if "cells" in record]
    told = [most_cells(plan, step.name) for step in private_steps(plan)]
    assert len(asked) == len(told)
    assert all(int(str(cells)) <= most for cells, most in zip(asked, told, strict=True))


def test_a_plan_without_budget_has_no_cost_that_a_number_tells() -> None:
    with pytest.raises(InputError, match="no privacy budget"):
        plan_cost(small_plan("marginals"), 5)


def test_organisations_that_are_too_few_to_share_the_noise_are_refused() -> None:
    plan = private_plan(1.0)
    terms = plan.aggregation.model_copy(update={"colluders": 2})
    with pytest.raises(InputError, match="at least 2 must share the noise"):
        plan_cost(plan.model_copy(update={"aggregation": terms}), 3)


def test_the_cost_is_json() -> None:
    document = json.loads(json.dumps(plan_cost(private_plan(1.0), 5).to_document()))
    assert document["budget"]["epsilon"] == 1.0
    assert document["rounds"][0]["step"] == "columns"
