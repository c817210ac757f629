"""Rows and parts of rows as single numbers, so that equal ones are found by sorting."""

import numpy as np
from numpy.typing import NDArray

from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn
from headwater.schema.table import Table

__all__ = ["code_hashes", "value_hashes"]

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15


def value_hashes(table: Table) -> U64:
    """A hash of every value, so that sums over columns tell rows apart by these columns.

    Equal values of one column have equal hashes in every table of the schema; missing is a value. Two different sums
    are equal by a chance of 2^-64.

    Returns:
        uint64, shape (rows, columns), in the schema's order.
    """
    parts = np.empty((table.rows, len(table.schema.columns)), np.uint64)
    for place, column in enumerate(table.schema.columns):
        values = table.columns[column.name]
        match column:
            case ImageColumn():
                weights = _mixed(np.arange(1, values.shape[1] + 1, dtype=np.uint64))
                bits = (_mixed(values.astype(np.uint64) + np.uint64(1)) * weights).sum(axis=1, dtype=np.uint64)
            case CategoricalColumn() | BooleanColumn():
                bits = values.astype(np.int64).view(np.uint64)
            case _:
                # One zero and one missing value, whatever their bits.
                number = np.where(np.isnan(values), np.nan, values + 0.0)
                bits = np.where(np.isnan(number), np.uint64(2**64 - 1), number.view(np.uint64))
        parts[:, place] = _of_column(bits, place)
    return parts


def code_hashes(codes: I64) -> U64:
    """The same of whole numbers, shape (rows, columns)."""
    parts = np.empty(codes.shape, np.uint64)
    for place in range(codes.shape[1]):
        parts[:, place] = _of_column(codes[:, place].astype(np.uint64), place)
    return parts


def _of_column(bits: U64, place: int) -> U64:
    # One more step of SplitMix64 for every column: equal values in two columns are told apart.
    return _mixed(bits + np.uint64((place + 1) * _STEP % 2**64))


def _mixed(bits: U64) -> U64:
    """SplitMix64's finaliser: near inputs become unrelated outputs."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
