"""Families of sums, and which cohorts may be summed for one of them: protocol 4.10."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Cohort", "Family", "cohort_conflict"]

Cohort = tuple[str, ...]
"""Sorted ids of the members whose vectors one sum holds: U."""


@dataclass(frozen=True, slots=True)
class Family:
    """Sums over the same rows of one member, which a coordinator could subtract from each other (protocol 4.10 iii).

    Attributes:
        name: names the member's table, the split and what is summed; the same over all runs that ask for the same.
        tolerance: None when there is one cohort for ever; else another cohort is allowed if whoever left it, and
            whoever came into it, are each nobody or at least this many members (c + 2).
    """

    name: str
    tolerance: int | None = None

    def allows(self, recorded: Collection[str], asked: Collection[str]) -> bool:
        """Whether a sum over `asked` may follow one over `recorded`."""
        left, came = set(recorded) - set(asked), set(asked) - set(recorded)
        if self.tolerance is None:
            return not left and not came
        return all(not group or len(group) >= self.tolerance for group in (left, came))


def cohort_conflict(family: Family, recorded: Iterable[Cohort], asked: Collection[str]) -> str | None:
    """Say why a sum over `asked` would tell members apart, or None when it may be confirmed.

    Any whole-number combination of the sums weighs members alike that are in the very same cohorts. Each such group
    must be large: then no combination, of two sums or of more, shows fewer members than the family tolerates. Pairs
    alone do not tell: four cohorts that differ from each other by four members each can overlap in a single one.

    Args:
        family: what is summed.
        recorded: every cohort that this organisation confirmed for the family.
        asked: U of the round at hand.
    """
    cohorts = list(recorded)
    for cohort in cohorts:
        if not family.allows(cohort, asked):
            changed = ", ".join(sorted(set(cohort) ^ set(asked)))
            return (
                f"differencing: the family '{family.name}' was summed over another cohort before, and the difference "
                f"would show {changed}"
            )
    whole = [set(cohort) for cohort in (*cohorts, asked)]
    small = [group for group in _alike(whole) if len(group) < (family.tolerance or 0) and group not in whole]
    if small:
        return (
            f"differencing: the sums of the family '{family.name}' over all its cohorts together would show "
            f"{', '.join(sorted(small[0]))}"
        )
    return None


def _alike(cohorts: Sequence[set[str]]) -> list[set[str]]:
    """The groups of members that are in the very same cohorts."""
    groups: dict[tuple[bool, ...], set[str]] = {}
    for member in sorted(set[str]().union(*cohorts)):
        groups.setdefault(tuple(member in cohort for cohort in cohorts), set()).add(member)
    return list(groups.values())
