"""A candidate as bytes: what coordinator and organisations hold is equal to the last bit, or refused."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["MOST_BYTES", "MOST_ROWS", "candidate_bytes", "most_rows", "read_candidate"]

MOST_ROWS = 1_000_000
"""Rows of a candidate: what a laptop audits in minutes."""

MOST_BYTES = 240 * 2**20
"""Bytes of a candidate that anybody reads: what waits for one slow organisation is at most 256 MiB."""

_PLANNED_BYTES = 120 * 2**20
_NUMBER, _CODE = 8, 4
_MOST_TEXT = 2**24
_ROW_GROUP = 2**20


def most_rows(schema: Schema) -> int:
    """Most rows that a candidate of this schema has, so that its bytes stay within what is read.

    Returns:
        At least 1.
    """
    width = sum(
        _CODE if isinstance(column, CategoricalColumn | BooleanColumn) else _NUMBER for column in schema.columns
    )
    return max(1, min(MOST_ROWS, _PLANNED_BYTES // width))


def candidate_bytes(table: Table) -> bytes:
    """A table's rows as Parquet: categories as codes, numbers and days as float64, nothing compressed.

    Without compression no few bytes can stand for many: whoever reads them needs no more memory than they and the
    rows take.

    Raises:
        InputError: more rows than a candidate has, or pictures.
    """
    if table.rows > most_rows(table.schema):
        raise InputError(f"a candidate of {table.rows:,} rows is too large; at most {most_rows(table.schema):,}")
    arrays = [pa.array(table.columns[name]) for name in _names(table.schema)]
    out = io.BytesIO()
    pyarrow.parquet.write_table(
        pa.table(arrays, names=list(table.schema.names)),
        out,
        version="2.6",
        compression="none",
        use_dictionary=True,
        write_statistics=False,
        store_schema=False,
        row_group_size=_ROW_GROUP,
    )
    return out.getvalue()


def read_candidate(data: bytes, schema: Schema) -> Table:
    """The rows of a candidate, whoever sent the bytes.

    Args:
        data: of `candidate_bytes`.
        schema: of the plan.

    Returns:
        At least one row; every value is one that the schema allows.

    Raises:
        InputError: too many bytes or rows, no Parquet of this form, or a value outside the schema.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"the candidate has {len(data):,} bytes, at most {MOST_BYTES:,} are read; plan fewer rows")
    try:
        with pyarrow.parquet.ParquetFile(
            pa.BufferReader(data),
            pre_buffer=False,
            thrift_string_size_limit=_MOST_TEXT,
            thrift_container_size_limit=_MOST_TEXT,
        ) as file:
            _check_form(file, schema)
            arrow = file.read(use_threads=False)
        columns = {name: _values(arrow.column(name)) for name in schema.names}
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise InputError("the candidate's bytes are no Parquet that this release writes; fetch it again") from error
    table = Table(schema, columns, arrow.num_rows)
    for column in schema.columns:
        if problem := _problem(column, table.columns[column.name]):
            raise InputError(f"the candidate does not hold to its schema: column {column.name!r} {problem}")
    return table


def _check_form(file: pyarrow.parquet.ParquetFile, schema: Schema) -> None:
    """Refuse what another writer wrote, before a row is read."""
    found, names = file.metadata, _names(schema)
    if not 1 <= found.num_rows <= most_rows(schema):
        raise InputError(
            f"the candidate says that it has {found.num_rows:,} rows, expected 1 to {most_rows(schema):,}; "
            "do not use it"
        )
    types = [(field.name, str(field.type)) for field in file.schema_arrow]
    if [name for name, _ in types] != list(names):
        raise InputError("the candidate's columns are not those of the plan's schema; do not use it")
    for column, (_, kind) in zip(schema.columns, types, strict=True):
        expected = "int32" if isinstance(column, CategoricalColumn | BooleanColumn) else "double"
        if kind != expected:
            raise InputError(f"column {column.name!r} of the candidate is {kind}, expected {expected}; do not use it")
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    chunks = (group.column(place) for group in groups for place in range(group.num_columns))
    if sum(group.num_rows for group in groups) != found.num_rows or any(
        chunk.compression != "UNCOMPRESSED" for chunk in chunks
    ):
        raise InputError("the candidate's row groups are not of the form that this release writes; do not use it")


def _names(schema: Schema) -> tuple[str, ...]:
    if schema.images:
        raise InputError(f"pictures have no audit; leave {schema.images[0].name!r} out, or audit nothing")
    return tuple(schema.names)


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    if column.null_count:
        raise InputError("a candidate has codes and numbers for what is missing, and no null; do not use it")
    return np.ascontiguousarray(column.to_numpy())


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
