"""Which rows of a table hold nothing that cannot be counted."""

import numpy as np
from numpy.typing import NDArray

from headwater.schema.columns import DateColumn, ImageColumn, NumericColumn
from headwater.schema.table import Table

__all__ = ["finite_part", "finite_rows"]


def finite_rows(table: Table) -> NDArray[np.bool_]:
    """Rows without an infinite value, and without a missing one where the schema allows none (protocol 2.3).

    Returns:
        bool, shape (rows,).
    """
    good = np.ones(table.rows, dtype=np.bool_)
    for column in table.schema.columns:
        values = table.columns[column.name]
        if isinstance(column, ImageColumn):
            # Whole levels, none of them missing.
            continue
        if isinstance(column, NumericColumn | DateColumn):
            good &= ~np.isinf(values)
            if not column.missing:
                good &= ~np.isnan(values)
        elif not column.missing:
            good &= values >= 0
    return good


def finite_part(table: Table) -> Table:
    """The rows that `finite_rows` names; the table itself where it names all."""
    finite = finite_rows(table)
    return table if finite.all() else table.take(finite)
