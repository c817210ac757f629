"""Rows of which a column names whose they are: what a plan that protects persons needs to know of them."""

from dataclasses import dataclass

import pyarrow as pa

from headwater.errors import InputError
from headwater.schema import CategoricalColumn, Schema
from headwater_client.connectors.source import RowSource, select_columns

__all__ = ["EntityRows"]


@dataclass(frozen=True, slots=True)
class EntityRows:
    """A source beside the column that says which rows are of one person. A `RowSource`.

    Attributes:
        source: of the rows.
        column: its values are compared with each other alone; they never leave, and nothing is learned from them.
    """

    source: RowSource
    column: str

    def read(self, schema: Schema) -> pa.Table:
        """Read all rows; see `RowSource.read`."""
        return self.source.read(schema)

    def check_column(self) -> pa.ChunkedArray:
        """Look for the column before it is needed.

        Returns:
            Whose each row is.

        Raises:
            InputError: the rows cannot be read, or have no such column.
        """
        return self.read_with_entities(_of_column(self.column))[1]

    def read_with_entities(self, schema: Schema) -> tuple[pa.Table, pa.ChunkedArray]:
        """Read all rows and whose each is, both at once.

        Returns:
            The rows as of `read`, and one entry for each of them; null where a row is nobody's.

        Raises:
            InputError: the rows cannot be read, or have no such column.
        """
        wider = schema if self.column in schema.names else _with_column(schema, self.column)
        table = self.source.read(wider)
        if self.column not in table.column_names:
            raise InputError(
                f"the rows have no column {self.column!r} to tell persons apart by; give --entity one of their columns"
            )
        return select_columns(table, schema), table.column(self.column)


def _with_column(schema: Schema, name: str) -> Schema:
    return schema.model_copy(update={"columns": (*schema.columns, _asked(name))})


def _of_column(name: str) -> Schema:
    return Schema(name="persons", columns=(_asked(name),))


def _asked(name: str) -> CategoricalColumn:
    # A source reads the columns that a schema names; of this one nothing but the name counts.
    return CategoricalColumn(name=name, categories=("a", "b"))
