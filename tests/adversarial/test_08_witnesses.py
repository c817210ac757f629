"""Protocol 7, item 8: a coordinator asks other members to confirm each sum, so that nobody saw all that it combines."""

from collections.abc import Sequence
from itertools import product

import pytest

from headwater.agreement.families import family_of
from headwater.secagg.protocol.families import Cohort, Family, cohort_conflict
from headwater.secagg.protocol.terms import largest_collusion, threshold

WEIGHTS = (1, 1, 1, -1, -1, -1)
"""The sums, added and subtracted so, give the victim's vector alone."""

VICTIM = "victim"
_VICTIMS_SUMS = (1, 1, 0, 1, 0, 0)
_TELLING = (0, 1, 4, 5)
"""Whoever knows these four cohorts knows that they show the victim."""


def cohorts_that_show_one() -> tuple[list[Cohort], int]:
    """Six cohorts whose sums combine to one vector, and the size of the session."""
    places: dict[str, tuple[int, ...]] = {VICTIM: _VICTIMS_SUMS}
    for pattern in product((0, 1), repeat=len(WEIGHTS)):
        if any(pattern) and sum(weight * bit for weight, bit in zip(WEIGHTS, pattern, strict=True)) == 0:
            for index in range(160 if all(pattern) else 3):
                places["m" + "".join(map(str, pattern)) + f"-{index:03}"] = pattern
    cohorts = [tuple(sorted(m for m, bits in places.items() if bits[row])) for row in range(len(WEIGHTS))]
    return cohorts, len(places)


def quorums_without_a_witness(cohorts: Sequence[Cohort], quorum: int) -> list[set[str]]:
    """T confirmers of each cohort, so that no member confirms all the telling ones."""
    confirmers = [set(cohort) for cohort in cohorts]
    everywhere = sorted(set[str].intersection(*(confirmers[row] for row in _TELLING)))
    for row in _TELLING:
        spare = len(confirmers[row]) - quorum
        confirmers[row] -= set(everywhere[:spare])
        everywhere = everywhere[spare:]
    # Who is left confirms all four, and works with the coordinator.
    assert len(everywhere) <= 1
    return confirmers


def released(family: Family, cohorts: Sequence[Cohort], confirmers: Sequence[set[str]], quorum: int) -> list[int]:
    """Which of the sums find a quorum, each member going by its own records alone."""
    records: dict[str, list[Cohort]] = {}
    opened = []
    for row, cohort in enumerate(cohorts):
        willing = {m for m in confirmers[row] if cohort_conflict(family, records.get(m, ()), cohort) is None}
        for member in willing:
            records.setdefault(member, []).append(cohort)
        if len(willing) >= quorum:
            opened.append(row)
    return opened


def test_a_family_that_bears_differences_is_combined_to_one_vector_where_nobody_saw_all_sums() -> None:
    cohorts, count = cohorts_that_show_one()
    quorum = threshold(count)
    assert largest_collusion(count) >= 1
    assert min(map(len, cohorts)) >= quorum
    shown: dict[str, int] = {}
    for weight, cohort in zip(WEIGHTS, cohorts, strict=True):
        for member in cohort:
            shown[member] = shown.get(member, 0) + weight
    assert {member for member, weight in shown.items() if weight} == {VICTIM}
    confirmers = quorums_without_a_witness(cohorts, quorum)
    assert released(Family("any", 3), cohorts, confirmers, quorum) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["histograms", "marginals", "update"])
def test_no_kind_of_sum_of_a_strict_run_can_be_combined_so(kind: str) -> None:
    cohorts, count = cohorts_that_show_one()
    quorum = threshold(count)
    confirmers = quorums_without_a_witness(cohorts, quorum)
    family = family_of(kind, "main", "0f" * 16)  # type: ignore[arg-type]
    assert released(family, cohorts, confirmers, quorum) == [0]
