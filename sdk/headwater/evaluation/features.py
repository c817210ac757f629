"""What the judge's trees learn from, of a table that holds to a schema: its typed columns as they are."""

import numpy as np
from numpy.typing import NDArray

from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["matrix", "rows_for"]

F32 = NDArray[np.float32]

_MOST_ROWS = 100_000
_MOST_NUMBERS = 30_000_000
_MOST_CATEGORIES = 1000


def matrix(table: Table, without: str | None = None) -> tuple[F32, list[int]]:
    """Columns side by side; missing is NaN, a category its code (of more than 1,000, its remainder).

    Nothing passes through text, and nothing is taken from the rows: two tables of one schema read alike.

    Args:
        table: rows.
        without: the column to be predicted; None for all.

    Returns:
        float32, shape (rows, features), and the places of categorical features.
    """
    parts: list[NDArray[np.generic]] = []
    categorical = []
    place = 0
    for column in table.schema.columns:
        if column.name == without:
            continue
        values = table.columns[column.name]
        if isinstance(column, CategoricalColumn | BooleanColumn):
            codes = np.where(values < 0, np.nan, values % _MOST_CATEGORIES)
            categorical.append(place)
            parts.append(codes.astype(np.float32)[:, None])
        elif isinstance(column, ImageColumn):
            parts.append(values.astype(np.float32))
        else:
            # Centred by public bounds' order of magnitude alone would lose digits; float32 keeps seven of them.
            parts.append(values.astype(np.float32)[:, None])
        place += parts[-1].shape[1]
    if not parts:
        return np.zeros((table.rows, 1), np.float32), []
    return np.concatenate(parts, axis=1).astype(np.float32), categorical


def rows_for(schema: Schema) -> int:
    """Rows that a model is fitted on at most: 100,000, fewer where pictures make them wide."""
    width = sum(column.pixels if isinstance(column, ImageColumn) else 1 for column in schema.columns)
    return max(1000, min(_MOST_ROWS, _MOST_NUMBERS // width))
