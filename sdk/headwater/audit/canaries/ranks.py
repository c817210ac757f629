"""How near the release comes to each canary's secret, among all secrets that it might have had."""

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.secret_space import SecretSpace
from headwater.evidence.candidate import Candidate
from headwater.evidence.planted import Planted
from headwater.evidence.space import Points, nearest
from headwater.schema.table import Table

__all__ = ["Ranks", "ranks_of"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_NEIGHBOURS = 64
# Distances of float32 points are equal or not up to their rounding.
_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where each canary's own secret stands in R, in the order of distance.

    Attributes:
        nearer: members of R that the release comes nearer to; int64, shape (canaries,).
        level: members of R at the very same distance, its own among them; int64, shape (canaries,).
        size: |R|.
    """

    nearer: I64
    level: I64
    size: int

    def draw(self, random: np.random.Generator) -> I64:
        """Ranks from 1 to |R|, ties at random; int64, shape (canaries,).

        Guarantee: of a release that does not depend on a canary's secret, the rank is uniform, whatever the release.
        """
        return self.nearer + 1 + random.integers(0, self.level)


_KEPT: "weakref.WeakKeyDictionary[Candidate, tuple[weakref.ref[Planted], Ranks]]" = weakref.WeakKeyDictionary()


def ranks_of(candidate: Candidate, planted: Planted) -> Ranks:
    """Rank every canary's secret by the release; worked out once for a candidate and its last canaries.

    The score of a member r of R is the distance from the canary that is completed with r to the nearest synthetic row,
    among the 64 rows that come nearest to its quasi-identifier.

    Args:
        candidate: the release.
        planted: at least one canary.

    Raises:
        InputError: canaries of another schema, or none that was ever derived for it.
    """
    kept = _KEPT.get(candidate)
    if kept is not None and kept[0]() is planted:
        return kept[1]
    ranks = _rank(candidate, planted)
    _KEPT[candidate] = (weakref.ref(planted), ranks)
    return ranks


def _rank(candidate: Candidate, planted: Planted) -> Ranks:
    space, secrets = candidate.space, SecretSpace.of(planted.rows.schema)
    own = secrets.member(planted.rows)
    rows, identifying = planted.rows, secrets.identifying
    queries, points = space.points(rows, identifying), space.points(candidate.table, identifying)
    _, neighbours = nearest(queries, points, min(_NEIGHBOURS, candidate.table.rows))
    synthetic = [space.points(candidate.table, (name,)) for name in secrets.columns]
    possible = [
        space.points(_filled(rows, name, values), (name,))
        for name, values in zip(secrets.columns, secrets.values, strict=True)
    ]
    nearer, level = np.empty(rows.rows, np.int64), np.empty(rows.rows, np.int64)
    for place in range(rows.rows):
        few = neighbours[place]
        # Squared distances of each neighbour to R's members, built up column by column; last axis: members, as the
        # least of few long rows is found much sooner than that of many short ones.
        total = np.square(points[few] - queries[place]).sum(axis=1)[:, None]
        for values, others in zip(possible, synthetic, strict=True):
            total = (total[:, :, None] + _squares(others[few], values)[:, None, :]).reshape(len(few), -1)
        distances = np.round(np.sqrt(total.min(axis=0)), _DIGITS)
        mine = distances[own[place]]
        nearer[place], level[place] = (distances < mine).sum(), (distances == mine).sum()
    return Ranks(nearer, level, secrets.size)


def _squares(ones: Points, others: Points) -> Points:
    """Squared distances, shape (ones, others); of few points, so that no rounding of a product comes in."""
    squares: Points = np.square(ones[:, None, :] - others[None, :, :]).sum(axis=2)
    return squares


def _filled(rows: Table, name: str, values: NDArray[Any]) -> Table:
    """A table with these values in one column; the others hold whatever a first row has."""
    first = np.zeros(len(values), np.int64)
    columns = {each: column[first] for each, column in rows.columns.items()} | {name: values}
    return Table(rows.schema, columns, len(values))
