"""Settings changed from the command line: what is taken, and what is refused by name."""

import pytest

from headwater.agreement.plan import Plan
from headwater.errors import InputError
from headwater_server.simulation.overrides import override
from support.recipes import small_plan


@pytest.fixture
def plan() -> Plan:
    return small_plan()


def test_settings_are_changed_one_after_the_other_and_the_plan_given_stays(plan: Plan) -> None:
    changed = override(
        plan,
        [
            "recipe.update.loss=classic",
            "recipe.rounds=7",
            "recipe.update.clip = 2.5",
            "recipe.mixture.rows_per_component=[500, 250]",
            "recipe.rounds=8",
        ],
    )

    assert changed.recipe.update.loss == "classic"
    assert changed.recipe.rounds == 8
    assert changed.recipe.update.clip == 2.5
    assert changed.recipe.mixture.rows_per_component == (500, 250)
    assert changed.schema_ == plan.schema_
    assert plan == small_plan()
    assert changed.digest != plan.digest


def test_a_change_to_what_stands_there_already_changes_nothing(plan: Plan) -> None:
    assert override(plan, [f'recipe.kind="{plan.recipe.kind}"']) == plan


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("recipe.rounds", "expected NAME=VALUE"),
        ("recipe.round=3", "no setting 'recipe.round'; recipe has .*rounds"),
        ("rounds=3", "no setting 'rounds'; the plan has .*recipe"),
        ("recipe.rounds.most=3", "recipe has the groups .*update"),
        ("recipes.rounds=3", "the plan has the groups .*recipe"),
        ("recipe.update.loss.name=r3", "update has the groups .none."),
        ("recipe.update=3", "a group of settings; name one of .*loss"),
        ("recipe.rounds=many", "makes no valid plan.*rounds"),
        ("recipe.update.loss=hinge", "makes no valid plan.*loss"),
    ],
)
def test_what_no_plan_has_is_refused_with_what_it_has(plan: Plan, change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        override(plan, [change])
