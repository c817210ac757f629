"""Linkability: does the synthetic table tell that two halves of a record belong to one person?"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.audit.column_subsets import most_values_first
from headwater.audit.controlled import checked, controlled_measure
from headwater.audit.reach import dealt_rows, drawn, nearest_synthetic
from headwater.audit.row_hashes import value_hashes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.intervals import controlled
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["Linkability"]

I64 = NDArray[np.int64]

_NEIGHBOURS = 10


class Linkability:
    """The attacker holds two data sets about the same people, with different columns, and no key between them.

    For each record's two halves the attacker finds the nearest synthetic values of that half, and says "these belong
    together" where a synthetic row has both: rows that agree in all columns of a half are equally near, and any of
    them may join the two. What succeeds as often on holdout rows is the law of the table, not a leak.

    The halves are public: columns in the order of how many different values the candidate has, dealt to either side in
    turn, so that neither half is without distinguishing columns; the seed decides which side gets the first.

    Cost: 2 · attacks · synthetic rows distances for each side.

    Attributes:
        halves: names of the columns of either half; empty where the table has fewer than two columns.

    Source: Giomi et al. 2023 (arXiv:2211.10459), section 5.2.
    """

    name = "linkability"
    federated = True
    size = 6
    about = About(
        title="Linking two halves of a record",
        question="Does the synthetic table help to join two data sets about the same people?",
        knowledge="Two disjoint halves of the columns for the people in question, and the synthetic table.",
        statistic="R = (t - c) / (1 - c): t is the share of training records whose two nearest synthetic halves stand "
        "in one synthetic row, c that of holdout records; 0 where training rows are linked no better than others.",
        misses="Links by other halves than these; links that need knowledge beyond the table's columns.",
        source="Giomi et al. 2023, A Unified Framework for Quantifying Privacy Risk in Synthetic Data, section 5.2",
    )

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate and public settings."""
        self._candidate = candidate
        self._settings = settings
        self.halves = _halves(candidate, settings.seed)

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Successes with 1 and with 10 neighbours and attacks, on training rows and on holdout rows: shape (6,)."""
        if not self.halves:
            return np.zeros(self.size, np.int64)
        dealt = dealt_rows(rows)
        # As many on either side, so that no organisation weighs more in one rate than in the other.
        attacks = min(self._settings.attacks, dealt.train.rows, dealt.holdout.rows)
        counts = [self._attack(drawn(side, attacks, random)) for side in (dealt.train, dealt.holdout)]
        return np.concatenate(counts)

    def _attack(self, rows: Table) -> I64:
        left, right = self._ends
        k = min(_NEIGHBOURS, len(left.first), len(right.first))
        near = [
            end.place[nearest_synthetic(self._candidate, rows, half, k, only=end.first)[1]]
            for end, half in zip(self._ends, self.halves, strict=True)
        ]
        joined = near[0][:, :, None] * len(right.first) + near[1][:, None, :]
        linked = np.isin(joined, self._joins)
        return np.array([linked[:, 0, 0].sum(), linked.any(axis=(1, 2)).sum(), rows.rows], np.int64)

    @cached_property
    def _ends(self) -> tuple["_End", ...]:
        hashes = value_hashes(self._candidate.table)
        names = self._candidate.table.schema.names
        return tuple(_End.of(hashes[:, [names.index(name) for name in half]]) for half in self.halves)

    @cached_property
    def _joins(self) -> I64:
        """Which values of the left half stand beside which of the right, as one number a pair."""
        left, right = self._ends
        return np.unique(left.place * len(right.first) + right.place)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """The risk with one neighbour; with ten among the details.

        Raises:
            InputError: these are no counts of this check.
        """
        hits, several, attacks, control, control_several, controls = checked(
            counts, self.size, self.name, ((0, 2), (1, 2), (3, 5), (4, 5))
        )
        if not self.halves:
            reason = "the table has one column; a record has two halves from two columns on"
            return (Measure(check=self.name, status="not applicable", reason=reason),)
        risk, low, high = controlled((several, attacks, control_several, controls))
        details = {"risk with 10 neighbours": risk, "its lower end": low, "its upper end": high}
        return (controlled_measure(self.name, "", (hits, attacks, control, controls), details),)


@dataclass(frozen=True, slots=True)
class _End:
    """Different values of one half: the first row that has each, ascending, and for each row which it has."""

    first: I64
    place: I64

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> "_End":
        _, first, place = np.unique(hashes.sum(axis=1, dtype=np.uint64), return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return cls(first[order].astype(np.int64), rank[place])


def _halves(candidate: Candidate, seed: int) -> tuple[tuple[str, ...], ...]:
    names = candidate.table.schema.names
    if len(names) < 2:
        return ()
    first = int(np.random.default_rng(seed).integers(2))
    # Dealt 0 1 1 0 0 1 1 0 …: the sides stay as even as can be.
    sides: list[list[int]] = [[], []]
    for turn, place in enumerate(most_values_first(candidate.table)):
        sides[(first + (turn + 1) // 2) % 2].append(place)
    return tuple(tuple(names[place] for place in sorted(side)) for side in sides)
