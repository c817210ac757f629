"""The public set R that a canary's secret is drawn from: values of a few columns, fixed by the schema alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, Schema
from headwater.schema.decimals import rounded
from headwater.schema.table import Table

__all__ = ["SecretSpace", "public_values"]

I64 = NDArray[np.int64]

_NUMBERS = 32
_CATEGORIES = 64
_ENOUGH = 512
"""Members of R after which no column is added: an exposure of 9 bits and more."""


def public_values(column: Column) -> NDArray[Any]:
    """Values of a column that the schema names: categories, or points evenly between the bounds.

    Args:
        column: no image.

    Returns:
        Ascending, each once, in the form that tables keep the column in: at most 32 numbers or days, 64 categories.

    Raises:
        InputError: it is an image.
    """
    match column:
        case ImageColumn():
            raise InputError(
                f"column {column.name!r} holds pictures, and canaries are rows of numbers and categories; "
                "plan no canaries: canaries = 0"
            )
        case CategoricalColumn() | BooleanColumn():
            count = len(column.categories)
            return np.unique(np.linspace(0, count - 1, min(count, _CATEGORIES)).astype(np.int32))
        case DateColumn():
            return np.unique(np.rint(np.linspace(column.lower_day, column.upper_day, _NUMBERS)))
        case _:
            points = np.linspace(column.lower, column.upper, _NUMBERS)
            if column.integer:
                points = np.rint(points)
            elif column.decimals is not None:
                points = rounded(points, column.decimals)
            return np.unique(points)


@dataclass(frozen=True, eq=False)
class SecretSpace:
    """R: every combination of public values of some columns.

    Columns that the schema calls sensitive come first, since they are what must not be learned about a person; then
    those of most values, the target last. At most half of the columns are secret: the others identify.

    Attributes:
        schema: of the rows.
        columns: the secret ones, in the order in which combinations are numbered.
        values: of each, its public values.
    """

    schema: Schema
    columns: tuple[str, ...]
    values: tuple[NDArray[Any], ...] = field(repr=False)

    @classmethod
    def of(cls, schema: Schema) -> "SecretSpace":
        """The set of a schema.

        Raises:
            InputError: it has images, a single column, or no column with two values.
        """
        named = [(column, public_values(column)) for column in schema.columns]
        if len(named) < 2:
            raise InputError("a canary needs a column that identifies it and one that is secret; plan canaries = 0")
        named.sort(key=lambda pair: (pair[0].role == "target", not pair[0].sensitive, -len(pair[1])))
        chosen: list[tuple[str, NDArray[Any]]] = []
        for column, values in named[: len(named) // 2]:
            if len(values) > 1 and prod(len(each) for _, each in chosen) < _ENOUGH:
                chosen.append((column.name, values))
        if not chosen:
            raise InputError("no column of the schema has two values that a canary could hide; plan canaries = 0")
        return cls(schema, tuple(name for name, _ in chosen), tuple(values for _, values in chosen))

    @cached_property
    def size(self) -> int:
        """|R|."""
        return prod(len(values) for values in self.values)

    @cached_property
    def identifying(self) -> tuple[str, ...]:
        """The other columns: a canary's quasi-identifier, in the schema's order."""
        return tuple(name for name in self.schema.names if name not in self.columns)

    def combination(self, members: I64) -> dict[str, NDArray[Any]]:
        """Values of members of R.

        Args:
            members: numbers from 0 to |R| − 1, shape (members,).

        Returns:
            By column, each of shape (members,).
        """
        places = np.unravel_index(members, [len(values) for values in self.values])
        return {name: values[place] for name, values, place in zip(self.columns, self.values, places, strict=True)}

    def member(self, rows: Mapping[str, NDArray[Any]] | Table) -> I64:
        """Which member of R each row has.

        Args:
            rows: by column, or a table.

        Returns:
            int64, shape (rows,).

        Raises:
            InputError: a value is none of R's.
        """
        columns = rows.columns if isinstance(rows, Table) else rows
        places = []
        for name, values in zip(self.columns, self.values, strict=True):
            place = np.searchsorted(values, columns[name]).clip(0, len(values) - 1)
            if not np.array_equal(values[place], columns[name]):
                raise InputError(f"a canary has a value in {name!r} that no canary is given; plant them anew")
            places.append(place)
        return np.ravel_multi_index(tuple(places), [len(values) for values in self.values]).astype(np.int64)
