"""Of whom membership is asked: all rows, the worst outliers, each declared group."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.neighbourhood import Side
from headwater.errors import InputError
from headwater.evidence.settings import AuditSettings
from headwater.schema import BooleanColumn, CategoricalColumn, Schema

__all__ = ["MOST_CATEGORIES", "Subject", "subjects_of"]

MOST_CATEGORIES = 64
"""A column of more is no column of groups: hardly any of its categories has rows enough."""

_LEAST_ROWS = 100
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """Rows that a figure is about.

    Attributes:
        name: as `Measure.subject`: "", "outliers", "sex=Female".
        least: rows of either side below which nothing can be said.
        column: of a group; "" for the others.
        code: of its category.
    """

    name: str
    least: int
    column: str = ""
    code: int = -1

    @property
    def is_group(self) -> bool:
        """Whether it is a declared group."""
        return bool(self.column)

    def among(self, side: Side) -> NDArray[np.bool_]:
        """Which attacked rows are meant, shape (rows,)."""
        if self.is_group:
            return np.asarray(side.table.columns[self.column] == self.code)
        return side.outlying if self.name else np.ones(side.table.rows, np.bool_)


def subjects_of(schema: Schema, settings: AuditSettings) -> tuple[Subject, ...]:
    """All rows, outliers, then the categories of declared columns in the schema's order.

    Where the settings declare no column, the sensitive ones of at most 64 categories are meant.

    Raises:
        InputError: a declared column is not there, has no categories, or more than 64.
    """
    for name in settings.groups:
        column = next((column for column in schema.columns if column.name == name), None)
        if not isinstance(column, CategoricalColumn | BooleanColumn):
            what = "not a column of the schema" if column is None else f"a {column.kind} column"
            raise InputError(f"the declared group {name!r} is {what}; name a categorical or boolean one")
        if len(column.categories) > MOST_CATEGORIES:
            raise InputError(
                f"the declared group {name!r} has {len(column.categories)} categories, at most {MOST_CATEGORIES} are "
                "judged; declare a coarser column"
            )
    found = [Subject("", _LEAST_ROWS), Subject("outliers", _LEAST_ROWS)]
    for column in schema.columns:
        if not isinstance(column, CategoricalColumn | BooleanColumn) or len(column.categories) > MOST_CATEGORIES:
            continue
        if column.name in settings.groups or (not settings.groups and column.sensitive):
            found += [
                Subject(f"{column.name}={_short(category)}", settings.least_group, column.name, code)
                for code, category in enumerate(column.categories)
            ]
    return tuple(found)


def _short(category: str) -> str:
    return category if len(category) <= _LONGEST else category[: _LONGEST - 1] + "…"
