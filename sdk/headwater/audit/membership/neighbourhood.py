"""Distances of attacked rows to synthetic ones and to the attacker's reference, measured once for all attacks.

Other checks may read from here what they would measure too: `Neighbourhood.of(candidate, rows, settings, random)` gives
the same object to all that ask with the same rows and `settings.targets`. `.members` and `.others` are the attacked
rows of the training part and of the holdout, each with the distances to its five nearest synthetic rows, and their
positions in the candidate.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.audit.reach import dealt_rows
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.settings import AuditSettings
from headwater.evidence.space import nearest
from headwater.schema.table import Table

__all__ = ["NEIGHBOURS", "Neighbourhood", "Side"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

NEIGHBOURS = 5
"""How many nearest rows are kept of each attacked one."""

# The worst outliers: this share of the rows, and more where so few non-members would fix no false-positive rate of 1 %.
_OUTLYING = 0.01
_LEAST_OUTLYING = 130
_MOST_OUTLYING = 0.25


@dataclass(frozen=True, eq=False)
class Side:
    """Attacked rows of the training part, or of the holdout.

    Attributes:
        table: the rows.
        places: shape (rows,): where they stand in their part of the `dealt_rows`.
        halves: shape (rows,): 0 or 1, the half of the holdout that is the attacker's reference for this row; a row of
            the holdout is in the other one.
        synthetic: shape (rows, 5): distances to the nearest synthetic rows, nearest first; infinite past the last.
        neighbours: shape (rows, 5): positions of those in the candidate, -1 past the last.
        reference: shape (rows, 5): distances to the nearest rows of the reference.
        outlying: shape (rows,): whether it is one of the worst outliers.
    """

    table: Table = field(repr=False)
    places: I64 = field(repr=False)
    halves: I64 = field(repr=False)
    synthetic: F64 = field(repr=False)
    neighbours: I64 = field(repr=False)
    reference: F64 = field(repr=False)
    outlying: Mask = field(repr=False)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Both sides, measured in the candidate's space.

    The holdout is halved by chance. A row of either half is attacked with the other half as what the attacker knows of
    the law; training rows are attacked with one half or the other, by chance. So every holdout row is a non-member, and
    none is its own reference.

    Worst outliers are the rows that lie furthest from their fifth neighbour in the reference: for both sides alike, so
    that what tells one side from the other among them is the candidate alone. They are 1 % of the rows of both sides,
    or as many as leave 130 of the holdout, but never more than a quarter.

    Attributes:
        members: attacked rows that the generator was fitted to.
        others: attacked rows that it never saw.
        reference: the halves of the holdout.
        half_places: where the rows of each half stand in the holdout of the `dealt_rows`.
    """

    members: Side
    others: Side
    reference: tuple[Table, Table] = field(repr=False)
    half_places: tuple[I64, I64] = field(repr=False)

    @classmethod
    def of(
        cls, candidate: Candidate, rows: AuditRows, settings: AuditSettings, random: np.random.Generator
    ) -> "Neighbourhood":
        """The neighbourhood of these rows, measured by the first check that asks.

        Args:
            candidate: whose space and rows are meant.
            rows: one organisation's.
            settings: `targets` bounds the attacked rows of either side; both are thinned alike, so that in a sum over
                organisations none weighs more on one side than on the other.
            random: of the check that asks; the first one's picks rows and halves.
        """
        key = (cls.__name__, settings.targets)
        return candidate.shared(rows, key, lambda: _measured(candidate, rows, settings.targets, random))


def _measured(candidate: Candidate, rows: AuditRows, targets: int, random: np.random.Generator) -> Neighbourhood:
    dealt = dealt_rows(rows)
    train, holdout = dealt.train, dealt.holdout
    half = random.permutation(np.arange(holdout.rows) % 2)
    half_places = (np.flatnonzero(half == 0), np.flatnonzero(half == 1))
    reference = (holdout.take(half_places[0]), holdout.take(half_places[1]))
    share = min(1.0, targets / max(train.rows, holdout.rows, 1))
    picked = [_thinned(part.rows, share, random) for part in (train, holdout)]
    halves = (random.permutation(np.arange(len(picked[0])) % 2), 1 - half[picked[1]])
    near = [
        _distances(candidate, part.take(places), which, reference)
        for part, places, which in zip((train, holdout), picked, halves, strict=True)
    ]
    outlying = _outlying(near[0][2][:, -1], near[1][2][:, -1], random)
    sides = [
        Side(part.take(places), places, which, *measured, worst)
        for part, places, which, measured, worst in zip((train, holdout), picked, halves, near, outlying, strict=True)
    ]
    return Neighbourhood(sides[0], sides[1], reference, half_places)


def _thinned(rows: int, share: float, random: np.random.Generator) -> I64:
    """Positions of a share of the rows, in order."""
    return np.sort(random.permutation(rows)[: round(rows * share)])


def _distances(candidate: Candidate, table: Table, halves: I64, reference: tuple[Table, Table]) -> tuple[F64, I64, F64]:
    """Distances to the nearest synthetic rows, their positions, and distances to the nearest rows of the reference."""
    points = candidate.space.points(table)
    distances, neighbours = nearest(points, candidate.points, NEIGHBOURS)
    known = np.full((table.rows, NEIGHBOURS), np.inf)
    for half, rows in enumerate(reference):
        mine = halves == half
        known[mine] = nearest(points[mine], candidate.space.points(rows), NEIGHBOURS)[0]
    return distances, neighbours, known


def _outlying(members: F64, others: F64, random: np.random.Generator) -> tuple[Mask, Mask]:
    """The furthest rows of both sides together; chance picks among equals."""
    rows = len(members) + len(others)
    if not len(others):
        return np.zeros(len(members), np.bool_), np.zeros(0, np.bool_)
    share = min(max(_OUTLYING, _LEAST_OUTLYING / len(others)), _MOST_OUTLYING)
    order = np.lexsort((random.random(rows), -np.concatenate([members, others])))
    worst = np.zeros(rows, np.bool_)
    worst[order[: round(rows * share)]] = True
    return worst[: len(members)], worst[len(members) :]
