"""Cohorts of one family: protocol 4.10."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from headwater.secagg.protocol.families import Family, cohort_conflict

MEMBERS = st.sets(st.sampled_from("abcdefghij"), min_size=3)


@given(MEMBERS, MEMBERS)
def test_a_count_family_has_one_cohort_for_ever(recorded: set[str], asked: set[str]) -> None:
    conflict = cohort_conflict(Family("counts/main/train"), [tuple(sorted(recorded))], asked)
    assert (conflict is None) == (recorded == asked)


@given(MEMBERS, MEMBERS, st.integers(3, 5))
def test_an_update_family_bears_changes_of_nobody_or_enough(
    recorded: set[str], asked: set[str], tolerance: int
) -> None:
    conflict = cohort_conflict(Family("updates/main/run", tolerance), [tuple(sorted(recorded))], asked)
    both = recorded & asked
    sizes = [len(recorded - asked), len(asked - recorded), *([] if both in (recorded, asked) else [len(both)])]
    assert (conflict is None) == all(size == 0 or size >= tolerance for size in sizes)


def test_cohorts_that_together_show_one_member_are_refused() -> None:
    # Each pair differs by four members or more, and S − (S∖A) − (S∖B) + (S∖A∖B) is the vector of the one in A and B.
    whole, first, second = set("abcdefghijklmnop"), set("abcd"), set("defg")
    recorded = [tuple(sorted(cohort)) for cohort in (whole, whole - first)]
    conflict = cohort_conflict(Family("updates/main/run", 3), recorded, whole - second)
    assert conflict is not None
    assert conflict.endswith("over all its cohorts together would show d")


@given(st.lists(MEMBERS, min_size=1, max_size=4), MEMBERS)
def test_no_combination_of_allowed_sums_weighs_fewer_members_than_tolerated(
    recorded: list[set[str]], asked: set[str]
) -> None:
    family = Family("updates/main/run", 3)
    cohorts: list[tuple[str, ...]] = []
    for cohort in (*recorded, asked):
        if cohort_conflict(family, cohorts, cohort) is None:
            cohorts.append(tuple(sorted(cohort)))
    for weights in product((-2, -1, 0, 1, 2), repeat=len(cohorts)):
        shown = Counter[str]()
        for weight, members in zip(weights, cohorts, strict=True):
            shown.update(dict.fromkeys(members, weight))
        assert sum(value != 0 for value in shown.values()) in (0, *range(3, 11))


def test_every_recorded_cohort_counts() -> None:
    recorded = [("a", "b", "c"), ("a", "b", "c", "d", "e", "f")]
    conflict = cohort_conflict(Family("updates/main/run", 3), recorded, ("a", "b", "c", "d"))
    assert conflict is not None
    assert "differencing" in conflict


def test_a_family_without_a_record_bears_any_cohort() -> None:
    assert cohort_conflict(Family("counts/main/train"), [], ("a", "b", "c")) is None
