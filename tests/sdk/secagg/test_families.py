"""Cohorts of one family: protocol 4.10."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.secagg.families import Family, cohort_conflict

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
    sizes = (len(recorded - asked), len(asked - recorded))
    assert (conflict is None) == all(size == 0 or size >= tolerance for size in sizes)


def test_every_recorded_cohort_counts() -> None:
    recorded = [("a", "b", "c"), ("a", "b", "c", "d", "e", "f")]
    conflict = cohort_conflict(Family("updates/main/run", 3), recorded, ("a", "b", "c", "d"))
    assert conflict is not None
    assert "differencing" in conflict


def test_a_family_without_a_record_bears_any_cohort() -> None:
    assert cohort_conflict(Family("counts/main/train"), [], ("a", "b", "c")) is None
