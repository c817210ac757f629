"""Rows that a program already holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from headwater.errors import InputError
from headwater.schema import Schema
from headwater_client.connectors.source import select_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArrowSource", "PandasSource"]


@dataclass(frozen=True, slots=True)
class ArrowSource:
    """An Arrow table.

    Attributes:
        table: immutable, so later changes in the program do not reach a run.
    """

    table: pa.Table

    def read(self, schema: Schema) -> pa.Table:
        """The rows; see `RowSource.read`."""
        return select_columns(self.table, schema)


class PandasSource:
    """A pandas data frame, copied when the source is made; its index is dropped."""

    def __init__(self, frame: "pd.DataFrame") -> None:
        """Copy the frame.

        Raises:
            InputError: a column mixes types, a name is not text, or a name stands twice.
        """
        names = list(frame.columns)
        if not all(isinstance(name, str) for name in names):
            raise InputError("a column of the data frame has a name that is not text; rename it to a schema's column")
        if len(set(names)) != len(names):
            raise InputError("two columns of the data frame have one name; rename one")
        try:
            # preserve_index=False: an index is no column of a schema. NaN becomes null, as in every other source.
            # A copy: Arrow would share the memory of numeric columns, and the caller may change them later.
            self._table = pa.Table.from_pandas(frame.copy(), preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            # Arrow's message quotes the value that it tripped over; only the column may be told.
            raise InputError(
                f"column {_mixed_column(frame)!r} of the data frame mixes types; give every column one type"
            ) from error

    def read(self, schema: Schema) -> pa.Table:
        """The rows; see `RowSource.read`."""
        return select_columns(self._table, schema)


def _mixed_column(frame: "pd.DataFrame") -> str:
    for name in frame.columns:
        try:
            pa.Array.from_pandas(frame[name])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            return str(name)
    return ""
