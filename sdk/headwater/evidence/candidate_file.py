"""A candidate as bytes: what coordinator and organisations hold is equal to the last bit, or refused.

Columns stand one behind the other as plain numbers of widths that the schema fixes. Readers of richer formats trust
sizes and types that stand in the bytes, and one byte of a stranger's can end the process that reads them; here every
size follows from schema and number of rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["MOST_BYTES", "MOST_ROWS", "most_rows", "pack_candidate", "read_candidate"]

MOST_ROWS = 1_000_000
"""Rows of a candidate: what a laptop audits in minutes."""

MOST_BYTES = 240 * 2**20
"""Bytes of a candidate that anybody reads: what waits for one slow organisation is at most 256 MiB."""

_MAGIC = b"headwater-candidate/1\n"
_HEADER = len(_MAGIC) + 32 + 8
_PROBLEM = "the candidate's bytes are none of this schema, or of another release; fetch it again"


def most_rows(schema: Schema) -> int:
    """Most rows that a candidate of this schema has, so that its bytes stay within what is read.

    Returns:
        At least 1.
    """
    width = sum(_type(column).itemsize for column in schema.columns)
    return max(1, min(MOST_ROWS, (MOST_BYTES - _HEADER) // width))


def pack_candidate(table: Table) -> bytes:
    """A table's rows: the schema's digest, how many there are, then column after column.

    A category is its code plus 1, so that 0 is missing, in as many bytes as the schema's categories need; a number or
    a day is a float64, missing is NaN. Least significant byte first.

    Raises:
        InputError: more rows than a candidate has, or none, or pictures.
    """
    _refuse_pictures(table.schema)
    if not 1 <= table.rows <= most_rows(table.schema):
        raise InputError(f"a candidate has 1 to {most_rows(table.schema):,} rows of this schema, not {table.rows:,}")
    head = _MAGIC + bytes.fromhex(table.schema.digest) + table.rows.to_bytes(8, "big")
    return head + b"".join(_packed(column, table.columns[column.name]) for column in table.schema.columns)


def read_candidate(data: bytes, schema: Schema) -> Table:
    """The rows of a candidate, whoever sent the bytes.

    Args:
        data: of `pack_candidate`.
        schema: of the plan.

    Returns:
        At least one row; every value is one that the schema allows.

    Raises:
        InputError: too many bytes or rows, not of this form and schema, or a value that the schema does not allow.

    Guarantee: memory in proportion to the bytes; rows have one spelling.
    """
    _refuse_pictures(schema)
    if len(data) > MOST_BYTES:
        raise InputError(f"the candidate has {len(data):,} bytes, at most {MOST_BYTES:,} are read; plan fewer rows")
    if len(data) < _HEADER or data[: _HEADER - 8] != _MAGIC + bytes.fromhex(schema.digest):
        raise InputError(_PROBLEM)
    rows = int.from_bytes(data[_HEADER - 8 : _HEADER], "big")
    if not 1 <= rows <= most_rows(schema):
        raise InputError(
            f"the candidate says that it has {rows:,} rows, expected 1 to {most_rows(schema):,}; do not use it"
        )
    if len(data) != _HEADER + rows * sum(_type(column).itemsize for column in schema.columns):
        raise InputError(_PROBLEM)
    columns, place = {}, _HEADER
    for column in schema.columns:
        columns[column.name] = _unpacked(column, np.frombuffer(data, _type(column), rows, place))
        place += rows * _type(column).itemsize
        if problem := _problem(column, columns[column.name]):
            raise InputError(f"the candidate does not hold to its schema: column {column.name!r} {problem}")
    table = Table(schema, columns, rows)
    if pack_candidate(table) != data:
        # Zero and missing have one spelling each.
        raise InputError(_PROBLEM)
    return table


def _refuse_pictures(schema: Schema) -> None:
    if schema.images:
        raise InputError(f"pictures have no audit; leave {schema.images[0].name!r} out, or audit nothing")


def _type(column: Column) -> np.dtype[Any]:
    if isinstance(column, CategoricalColumn | BooleanColumn):
        codes = len(column.categories)
        return np.dtype("u1") if codes < 2**8 else np.dtype("<u2") if codes < 2**16 else np.dtype("<u4")
    return np.dtype("<f8")


def _packed(column: Column, values: NDArray[Any]) -> bytes:
    if isinstance(column, CategoricalColumn | BooleanColumn):
        return (values + 1).astype(_type(column)).tobytes()
    missing = np.isnan(values)
    # Not a sum with what is missing: a stranger's bytes may be a NaN that signals.
    return np.where(missing, np.nan, np.where(missing, 0.0, values) + 0.0).astype("<f8").tobytes()


def _unpacked(column: Column, values: NDArray[Any]) -> NDArray[Any]:
    if isinstance(column, CategoricalColumn | BooleanColumn):
        return (values.astype(np.int64) - 1).astype(np.int32)
    return values.astype(np.float64)


def _problem(column: Column, values: NDArray[Any]) -> str:
    """What of a column the schema does not allow, "" where it allows all."""
    match column:
        case CategoricalColumn() | BooleanColumn():
            least, found = (-1 if column.missing else 0), "has categories that are none"
            return found if values.min() < least or values.max() >= len(column.categories) else ""
        case ImageColumn():
            return "holds pictures, which have no audit"
        case _:
            return _number_problem(column, values)


def _number_problem(column: NumericColumn | DateColumn, values: NDArray[np.float64]) -> str:
    missing = np.isnan(values)
    if missing.any() and not column.missing:
        return "has missing values and may not"
    known = values[~missing]
    lower, upper, special = _bounds(column)
    inside = (known >= lower) & (known <= upper)
    if special:
        inside |= np.isin(known, special)
    if not inside.all():
        return "has values outside its bounds"
    whole = isinstance(column, DateColumn) or column.integer
    return "has values that are not whole" if whole and (known != np.floor(known)).any() else ""


def _bounds(column: NumericColumn | DateColumn) -> tuple[float, float, tuple[float, ...]]:
    if isinstance(column, DateColumn):
        # Days since 1970-01-01, as a table keeps them.
        first, last = np.datetime64(column.lower, "D").astype(int), np.datetime64(column.upper, "D").astype(int)
        return float(first), float(last), ()
    return float(column.lower), float(column.upper), tuple(map(float, column.special_values))
