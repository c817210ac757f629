"""Which sums a coordinator could subtract from each other, and what a Task is charged: laws of every plan."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.agreement.charge import charge_of
from headwater.agreement.families import families_of_run, family_of
from headwater.recipe.actions import Aggregate
from headwater.recipe.machine import build_recipe
from headwater.recipe.task import TaskKind
from headwater.secagg.protocol.families import cohort_conflict
from support.consortium import ConsortiumInMemory

CONSORTIUM = ConsortiumInMemory()
KINDS: tuple[TaskKind, ...] = get_args(TaskKind)
COUNTS: tuple[TaskKind, ...] = ("histograms", "marginals", "expectation", "evaluate")
RUNS = st.binary(min_size=16, max_size=16).map(bytes.hex)
SETS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
COHORTS = st.sets(st.sampled_from([f"org-{number}" for number in range(1, 13)]), min_size=3)


@given(SETS, RUNS, RUNS, st.sampled_from(COUNTS), st.sampled_from(COUNTS))
def test_all_counts_on_a_table_are_one_family_over_all_runs_and_plans(
    data_set: str, run: str, other: str, kind: TaskKind, second: TaskKind
) -> None:
    assert family_of(kind, data_set, run) == family_of(second, data_set, other)


@given(SETS, RUNS, st.sampled_from(KINDS), COHORTS, COHORTS)
def test_every_kind_of_sum_bears_one_cohort_and_no_other(
    data_set: str, run: str, kind: TaskKind, first: set[str], second: set[str]
) -> None:
    family = family_of(kind, data_set, run)
    conflict = cohort_conflict(family, [tuple(sorted(first))], second)
    assert (conflict is None) == (first == second)


@given(SETS, SETS, RUNS, RUNS)
def test_tables_runs_and_kinds_of_sums_do_not_share_a_family(
    data_set: str, other_set: str, run: str, other_run: str
) -> None:
    assert family_of("histograms", data_set, run) != family_of("update", data_set, run)
    for kind in KINDS:
        same = family_of(kind, data_set, run) == family_of(kind, other_set, run)
        assert same == (data_set == other_set)
    updates = {family_of("update", data_set, each) for each in (run, other_run)}
    assert len(updates) == len({run, other_run})


@pytest.mark.parametrize(
    ("kind", "choice", "names"),
    [
        ("hybrid", "strict", ["counts/main/train", f"updates/main/{'ab' * 16}"]),
        ("adversarial", "strict", ["counts/main/train", f"updates/main/{'ab' * 16}"]),
        ("marginals", "strict", ["counts/main/train"]),
        # What a strict run recorded binds this one too.
        ("hybrid", "continue", ["counts/main/train", f"updates/main/{'ab' * 16}"]),
    ],
)
def test_a_run_touches_the_families_of_its_own_tasks(kind: str, choice: str, names: list[str]) -> None:
    plan = CONSORTIUM.plan(recipe={"kind": kind}, aggregation={"on_membership_change": choice})
    families = families_of_run(plan, "main", "ab" * 16)
    assert [family.name for family in families] == names
    assert all(family.tolerance is None for family in families)


def test_a_plan_without_privacy_charges_nothing_and_says_so() -> None:
    plan = CONSORTIUM.plan()
    action = build_recipe(plan).next()
    assert isinstance(action, Aggregate)
    assert json.loads(charge_of(plan, action.task)) == {"mechanism": "none"}
