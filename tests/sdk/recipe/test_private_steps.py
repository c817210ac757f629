"""What a run under a budget costs is fixed by the plan, before any row is read."""

import pytest
from pydantic import ValidationError

from headwater.agreement.charge import charge_of, dearest_charge, plan_events, possible_charges
from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater.privacy.accountant import spent
from headwater.privacy.events import read_charge
from headwater.recipe.private_steps import most_cells, private_bins, private_budget, private_steps
from support.pictures import picture_plan
from support.private import first_task, private_plan
from support.recipes import SCHEMA, small_plan


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0, 8.0])
def test_all_rounds_together_spend_the_budget_and_no_more(epsilon: float) -> None:
    spent_by_plan = spent(plan_events(private_plan(epsilon)), 1e-6)
    # Variances are whole numbers: a large budget leaves a little of itself.
    assert 0.95 * epsilon < spent_by_plan.epsilon <= epsilon


def test_aborted_sums_that_the_budget_pays_for_are_inside_it() -> None:
    plan = private_plan(1.0, retries=2)
    steps, events = private_steps(plan), plan_events(plan)
    assert len(events) == len(steps) + 2
    assert spent(events, 1e-6).epsilon <= 1.0
    dearest = max(step.event.zcdp for step in steps)
    assert all(event.zcdp == dearest for event in events[len(steps) :])


def test_a_person_with_four_records_is_sixteen_times_as_dear() -> None:
    one, four = private_plan(1.0), private_plan(1.0, unit="entity", records=4)
    for single, several in zip(private_steps(one), private_steps(four), strict=True):
        assert several.event.variance == pytest.approx(16 * single.event.variance, rel=1e-2)


def test_each_round_counts_the_tables_that_it_is_charged_for() -> None:
    names = {step.name: step.event.tables for step in private_steps(private_plan())}
    columns = len(SCHEMA.columns)
    assert names == {"columns": columns - 1, "label": columns - 1, "pairs": (columns - 1) * (columns - 2) // 2}


def test_a_table_without_label_or_with_one_column_has_fewer_rounds() -> None:
    def plan(*columns: str, target: bool) -> Plan:
        kept = [column for column in SCHEMA.to_document()["columns"] if column["name"] in columns]  # type: ignore[attr-defined]
        for column in kept:
            if not target:
                column.pop("role", None)
        return private_plan(schema={**SCHEMA.to_document(), "columns": kept})

    assert [step.name for step in private_steps(plan("age", "ward", target=False))] == ["columns", "pairs"]
    assert [step.name for step in private_steps(plan("age", "outcome", target=True))] == ["columns", "label"]
    assert [step.name for step in private_steps(plan("age", target=False))] == ["columns"]


def test_charges_are_the_events_that_the_plan_names() -> None:
    plan = private_plan()
    task = first_task(plan)
    charge = charge_of(plan, task)
    assert charge in possible_charges(plan)
    assert b'"kind":"noisy-counts"' in charge
    assert str(private_steps(plan)[0].event.variance).encode() in charge
    with pytest.raises(InputError, match="without noise"):
        charge_of(plan, task.model_copy(update={"noise": "none"}))


def test_a_plan_without_budget_has_no_events_and_one_charge() -> None:
    plan = small_plan("marginals")
    assert plan_events(plan) == ()
    assert possible_charges(plan) == {b'{"mechanism":"none"}'}
    with pytest.raises(InputError, match="without a privacy budget"):
        private_budget(plan)


@pytest.mark.parametrize("kind", ["mixture", "adversarial"])
def test_a_recipe_without_private_form_is_refused(kind: str) -> None:
    document = private_plan().model_dump(mode="json", by_alias=True)
    document["recipe"]["kind"] = kind
    with pytest.raises(ValidationError, match="no form under a privacy budget"):
        Plan.model_validate(document)


def test_pictures_are_refused_under_a_budget() -> None:
    document = picture_plan("marginals").model_dump(mode="json", by_alias=True)
    document["privacy"] = {"epsilon": 1.0}
    with pytest.raises(ValidationError, match="pictures"):
        Plan.model_validate(document)


def test_a_private_plan_is_the_same_after_toml() -> None:
    plan = private_plan(0.3, retries=1)
    assert Plan.from_toml(plan.to_toml()) == plan
    assert Plan.from_toml(plan.to_toml()).digest == plan.digest


def test_a_number_of_few_values_is_counted_in_all_of_them_with_every_other_column() -> None:
    few = {"name": "stage", "kind": "numeric", "integer": True, "lower": 1, "upper": 12, "missing": True}
    columns = SCHEMA.to_document()["columns"]
    plan = private_plan(schema={**SCHEMA.to_document(), "columns": [few, *columns[1:]]})  # type: ignore[index]
    settings = plan.recipe.private
    assert private_bins(plan)[:2] == [settings.category_bins, settings.numeric_bins]
    # Twelve values and missing; bins, a special value and missing; then the categories, and the label's two classes.
    sizes = [13, settings.numeric_bins + 2, 4, 3, 2, settings.numeric_bins]
    pairs = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
    assert most_cells(plan, "pairs") == 2 * pairs


@pytest.mark.parametrize("epsilon", [0.3, 3.0, 20.0])
def test_no_charge_that_a_round_may_state_is_dearer_than_the_dearest(epsilon: float) -> None:
    plan = private_plan(epsilon)
    costs = {charge: event.zcdp for charge in possible_charges(plan) if (event := read_charge(charge))}
    assert costs[dearest_charge(plan)] == max(costs.values())
    assert len(costs) > 3
