"""The table that may be published, with what every check asks of it."""

from dataclasses import dataclass, field
from functools import cached_property

from headwater.errors import InputError
from headwater.evidence.space import Points, Space
from headwater.schema.table import Table

__all__ = ["Candidate"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A candidate; what checks share about it is computed once.

    Attributes:
        table: synthetic rows, all of them.

    Raises:
        InputError: there are no rows.
    """

    table: Table = field(repr=False)

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
