"""Tables to codes and back, fitted from public bounds and summed histograms."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.bins import category_codes, date_codes, interval_codes
from headwater.encoding.column_codes import ColumnCodes
from headwater.encoding.grid import CategoryGrid, Histograms
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.schema import DateColumn, Schema
from headwater.schema.table import Table

__all__ = ["Encoding"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_VERSION = 2
_LEAST_CODES = 6


@dataclass(frozen=True, eq=False)
class Encoding:
    """What turns the rows of one schema into codes and codes into rows.

    Use `Encoding.fit` or `Encoding.from_document`.
    """

    schema: Schema
    settings: EncodingSettings
    columns: tuple[ColumnCodes, ...]

    @classmethod
    def fit(cls, schema: Schema, counts: NDArray[Any], settings: EncodingSettings | None = None) -> "Encoding":
        """Choose codes from the sum of all organisations' histograms.

        Args:
            schema: public bounds and categories.
            counts: integers, shape (Histograms.length,), not negative.
            settings: of the plan.

        Raises:
            InputError: the counts are not of these histograms, or negative.
        """
        settings = settings or EncodingSettings()
        histograms = Histograms.of(schema, settings)
        parts = histograms.split(np.asarray(counts, dtype=np.int64))
        if any((part < 0).any() for part in parts):
            raise InputError("a summed histogram holds a negative count; the sum wrapped around, check the head-room")
        most = _numeric_codes(histograms, int(parts[0].sum()), settings)
        columns = []
        for grid, masses in zip(histograms.grids, parts, strict=True):
            if isinstance(grid, CategoryGrid):
                codes = category_codes(grid, masses, settings.category_limit)
            elif isinstance(grid.column, DateColumn):
                codes = date_codes(grid, masses, most)
            else:
                codes = interval_codes(grid, masses, most)
            columns.append(ColumnCodes(grid, codes, masses))
        return cls(schema, settings, tuple(columns))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each column, missing included."""
        return tuple(column.size for column in self.columns)

    @property
    def counts(self) -> tuple[I64, ...]:
        """Rows of each code of each column, by the histogram it was fitted to; zeros where that was left out."""
        return tuple(
            np.bincount(column.code_of_cell, weights=column.masses, minlength=column.size).astype(np.int64)
            for column in self.columns
        )

    @property
    def digest(self) -> str:
        """SHA-256 of what fixes the codes of rows: schema, settings and cells, without counts."""
        hasher = hashlib.sha256(f"{_VERSION}/{self.schema.digest}/{self.settings.model_dump_json()}".encode())
        for column in self.columns:
            hasher.update(np.ascontiguousarray(column.code_of_cell, dtype="<i4").tobytes())
        return hasher.hexdigest()

    def encode(self, table: Table) -> I32:
        """Codes of a table's rows: int32, shape (rows, columns), in the schema's order of columns.

        Raises:
            InputError: the table has another schema.
        """
        if table.schema is not self.schema and table.schema != self.schema:
            raise InputError("the table's columns are not the encoding's; conform it to the plan's schema")
        codes = np.empty((table.rows, len(self.columns)), dtype=np.int32)
        for place, column in enumerate(self.columns):
            cells = column.grid.locate(table.columns[column.grid.column.name])
            codes[:, place] = column.code_of_cell[cells]
        return codes

    def decode(self, codes: I32, random: np.random.Generator) -> Table:
        """Rows for codes: values are drawn inside a code by the fine histogram.

        Exact whatever is drawn: categories (up to the limit), missing, special values, codes of a single value.

        Args:
            codes: int32, shape (rows, columns).
            random: the only source of chance.

        Raises:
            InputError: a code is outside its column's range.
        """
        if codes.ndim != 2 or codes.shape[1] != len(self.columns):
            raise InputError(f"codes have shape {codes.shape}, expected (rows, {len(self.columns)})")
        values = {
            name: self.decode_column(place, codes[:, place], random) for place, name in enumerate(self.schema.names)
        }
        return Table(self.schema, values, len(codes))

    def decode_column(self, place: int, codes: I32, random: np.random.Generator) -> NDArray[Any]:
        """Values of one column for its codes, as in `Table.columns`.

        Args:
            place: index of the column.
            codes: int32, shape (rows,).
            random: the only source of chance.

        Raises:
            InputError: a code is outside the column's range.
        """
        column = self.columns[place]
        if codes.size and (codes.min() < 0 or codes.max() >= column.size):
            raise InputError("a code lies outside its column's range; it was made with another encoding")
        return column.decode(codes, random)

    def to_document(self, *, masses: bool = True) -> dict[str, object]:
        """JSON values that `from_document` reads back.

        Args:
            masses: whether the fine counts go along. They are needed to decode well, not to encode: a task for
                organisations leaves them out.
        """
        return {
            "version": _VERSION,
            "schema_digest": self.schema.digest,
            "settings": self.settings.model_dump(mode="json"),
            "columns": [column.to_document(masses=masses) for column in self.columns],
        }

    @classmethod
    def from_document(cls, schema: Schema, document: Mapping[str, Any]) -> "Encoding":
        """Read an encoding of this schema.

        Raises:
            InputError: not an encoding of this version, or of another schema.
        """
        try:
            if document["version"] != _VERSION or document["schema_digest"] != schema.digest:
                raise InputError("the encoding is of another version or schema; it must be of the plan's schema")
            settings = EncodingSettings.model_validate(document["settings"], strict=True)
            grids = Histograms.of(schema, settings).grids
            columns = tuple(
                ColumnCodes.from_document(grid, entry) for grid, entry in zip(grids, document["columns"], strict=True)
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError("the encoding's document is not of this version's form") from error
        return cls(schema, settings, columns)


def _numeric_codes(histograms: Histograms, rows: int, settings: EncodingSettings) -> int:
    """Most codes of a numeric column: fewer where rows are few or columns many."""
    numeric = [grid for grid in histograms.grids if not isinstance(grid, CategoryGrid)]
    categories = sum(
        min(grid.cells, settings.category_limit + 1) for grid in histograms.grids if isinstance(grid, CategoryGrid)
    )
    share = (settings.codes_budget - categories) // max(1, len(numeric))
    wished = max(_LEAST_CODES, min(rows // settings.rows_per_code, settings.numeric_codes))
    return max(2, min(wished, settings.numeric_codes, share))
