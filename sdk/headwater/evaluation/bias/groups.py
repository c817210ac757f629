"""Which groups are judged, and who belongs to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.figures import label
from headwater.evidence.candidate import Candidate
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, Schema
from headwater.schema.table import Table

__all__ = ["NO_GROUPS", "GroupColumn", "alone", "groups_in", "groups_of"]

I64 = NDArray[np.int64]

NO_GROUPS = (
    "no groups are declared, and no sensitive column has from 2 to 20 categories; declare a categorical or boolean "
    "column"
)
"""The reason of every measure of bias where there is none."""

_MOST_BY_DEFAULT = 20
_MOST_DECLARED = 100


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A column whose categories are groups.

    Attributes:
        name: of the column.
        categories: the groups' names, in the order of their codes.
    """

    name: str
    categories: tuple[str, ...]

    def codes(self, table: Table) -> I64:
        """Each row's group, -1 where it is missing: int64, shape (rows,)."""
        return np.asarray(table.columns[self.name], np.int64)

    def counts(self, table: Table) -> I64:
        """Rows of each group: int64, shape (groups,)."""
        codes = self.codes(table)
        return np.bincount(codes[codes >= 0], minlength=len(self.categories)).astype(np.int64)

    def subject(self, code: int) -> str:
        """As a measure names it: "sex=Female"."""
        return f"{label(self.name)}={label(self.categories[code])}"


def groups_of(candidate: Candidate, settings: AuditSettings) -> tuple[GroupColumn, ...]:
    """The declared columns, else sensitive categorical and boolean ones of at most 20 categories.

    Raises:
        InputError: a declared column is none of the schema's, has no categories, or more than 100.
    """
    return groups_in(candidate.table.schema, settings)


def groups_in(schema: Schema, settings: AuditSettings) -> tuple[GroupColumn, ...]:
    """The same, which the schema alone says.

    Raises:
        InputError: as `groups_of`.
    """
    columns = {column.name: column for column in schema.columns}
    found = []
    for name in settings.groups:
        column = columns.get(name)
        if not isinstance(column, CategoricalColumn | BooleanColumn):
            raise InputError(f"the groups' column {name!r} is no categorical or boolean column; declare one that is")
        if len(column.categories) > _MOST_DECLARED:
            raise InputError(
                f"the groups' column {name!r} has {len(column.categories)} categories; declare one of at most "
                f"{_MOST_DECLARED}"
            )
        found.append(GroupColumn(name, column.categories))
    if settings.groups:
        return tuple(found)
    return tuple(
        GroupColumn(column.name, column.categories)
        for column in columns.values()
        if isinstance(column, CategoricalColumn | BooleanColumn)
        and column.sensitive
        and 2 <= len(column.categories) <= _MOST_BY_DEFAULT
    )


def alone(column: GroupColumn, counts: I64) -> str:
    """Why there is nothing to compare, of real rows by group; empty where two groups or more have rows."""
    present = int((counts > 0).sum())
    if not present:
        return f"column {column.name!r} is missing in every real row; there are no groups"
    if present == 1:
        return f"all real rows are of one group of column {column.name!r}; there is none to compare with"
    return ""
