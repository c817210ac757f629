"""A table that holds to its schema, as plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn
from headwater.schema.schema import Schema

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Rows in the form that every later step takes.

    Attributes:
        schema: what the columns mean.
        columns: by name, each of shape (rows,), an image's (rows, pixels). Numeric: float64, missing is NaN. Date:
            float64 days since 1970-01-01, missing is NaN. Categorical and boolean: int32 index into
            `column.categories`, missing is -1. Image: uint8 levels, row of pixels by row of pixels.
        rows: how many.

    Raises:
        InputError: a column is missing, too many, of another type or not of `rows` values.
    """

    schema: Schema
    columns: Mapping[str, NDArray[Any]]
    rows: int

    def __post_init__(self) -> None:
        """Check shapes and freeze the mapping."""
        if set(self.columns) != set(self.schema.names):
            raise InputError(f"a table of schema {self.schema.name!r} needs exactly its columns; conform it first")
        for column in self.schema.columns:
            values = self.columns[column.name]
            expected, shape = _form(column, self.rows)
            if values.shape != shape or values.dtype != expected:
                raise InputError(
                    f"column {column.name!r} is {values.dtype} of shape {values.shape}; the table has {self.rows} rows "
                    f"and keeps a {column.kind} column as {np.dtype(expected)}"
                )
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def take(self, indices: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> "Table":
        """The rows at these positions, or where this mask is true, in that order."""
        columns = {name: values[indices] for name, values in self.columns.items()}
        rows = int(np.count_nonzero(indices)) if indices.dtype == np.bool_ else len(indices)
        return Table(self.schema, columns, rows)

    @classmethod
    def concat(cls, tables: Sequence["Table"]) -> "Table":
        """All rows of tables of one schema, in order.

        Raises:
            InputError: no table, or two schemas.
        """
        if not tables:
            raise InputError("there is no table to concatenate; give at least one")
        schema = tables[0].schema
        if any(table.schema != schema for table in tables):
            raise InputError("tables of different schemas cannot be concatenated; conform them to one schema")
        columns = {name: np.concatenate([table.columns[name] for table in tables]) for name in schema.names}
        return cls(schema, columns, sum(table.rows for table in tables))

    def to_arrow(self, *, dictionaries: bool = False) -> pa.Table:
        """The rows for people and files: int64, float64, date32, text, or lists of pixels; missing is null.

        Args:
            dictionaries: leave categories as codes beside their texts: the same values, in a tenth of the time.
        """
        arrays = [_to_arrow(column, self.columns[column.name], dictionaries) for column in self.schema.columns]
        return pa.table(arrays, names=list(self.schema.names))


def _form(column: Column, rows: int) -> tuple[type[np.generic], tuple[int, ...]]:
    """Type and shape of a column's values."""
    match column:
        case ImageColumn():
            return np.uint8, (rows, column.pixels)
        case CategoricalColumn() | BooleanColumn():
            return np.int32, (rows,)
        case _:
            return np.float64, (rows,)


def _to_arrow(column: Column, values: NDArray[Any], dictionaries: bool) -> pa.Array:
    if isinstance(column, CategoricalColumn | BooleanColumn):
        indices = pa.array(values, type=pa.int32(), mask=values < 0)
        coded = pa.DictionaryArray.from_arrays(indices, pa.array(column.categories, pa.string()))
        return coded if dictionaries else coded.cast(pa.string())
    if isinstance(column, ImageColumn):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), pa.uint8()), column.pixels)
    missing = np.isnan(values)
    if isinstance(column, DateColumn):
        days = np.where(missing, 0, np.rint(values)).astype(np.int32)
        return pa.array(days, type=pa.int32(), mask=missing).cast(pa.date32())
    if column.integer:
        return pa.array(np.where(missing, 0, np.rint(values)).astype(np.int64), mask=missing)
    return pa.array(values, type=pa.float64(), mask=missing)
