"""The table that may be published, with what every check asks of it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np

from headwater.errors import InputError
from headwater.evidence.space import Points, Space, nearest
from headwater.schema.table import Table

__all__ = ["Candidate"]

Shared = TypeVar("Shared")

_PROBED = 1000


@dataclass(frozen=True, eq=False)
class Candidate:
    """A candidate; what checks share about it is computed once.

    Attributes:
        table: synthetic rows, all of them.

    Raises:
        InputError: there are no rows.
    """

    table: Table = field(repr=False)
    _shared: WeakKeyDictionary[object, dict[Hashable, object]] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def __post_init__(self) -> None:
        """Refuse an empty one."""
        if not self.table.rows:
            raise InputError("the synthetic table has no rows; there is nothing to audit")

    @cached_property
    def space(self) -> Space:
        """Where distances are measured: scaled by the candidate itself, so that the scale says nothing of real rows."""
        return Space.of(self.table)

    @cached_property
    def points(self) -> Points:
        """Every synthetic row as a point."""
        return self.space.points(self.table)

    @cached_property
    def spacing(self) -> float:
        """Median distance of synthetic rows to the nearest other one; 1 where that is 0 or there is no other.

        A thousand of them, evenly spaced, tell it: the same for all who take part.
        """
        probed = np.unique(np.linspace(0, len(self.points) - 1, min(_PROBED, len(self.points))).astype(np.int64))
        distances, places = nearest(self.points[probed], self.points, 2)
        # A row with copies may find two of them and not itself: the nearest other one is at no distance then.
        itself = places[:, 0] == probed
        others = np.where(itself, distances[:, 1], distances[:, 0])
        known = others[np.isfinite(others)]
        median = float(np.median(known)) if len(known) and len(self.points) > 1 else 0.0
        return median if median > 0 else 1.0

    def shared(self, rows: object, key: Hashable, make: Callable[[], Shared]) -> Shared:
        """What several checks work out of the same rows, made by the first that asks and forgotten with the rows.

        Args:
            rows: the very object that the checks count, an `AuditRows`; equal rows in another object are others.
            key: what it is; always of one type.
            make: makes it. What it returns may not hold `rows` itself, or neither is ever forgotten.
        """
        kept = self._shared.setdefault(rows, {})
        if key not in kept:
            kept[key] = make()
        return cast(Shared, kept[key])
