"""Write a table as CSV that reads back with the same types."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from headwater.schema.columns import DateColumn
from headwater.schema.image import pixel_columns
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["as_written", "csv_lines", "write_csv"]


def write_csv(table: Table | pa.Table, target: str | Path | BinaryIO) -> None:
    """Write UTF-8 CSV with a header: integers without a point, missing as the empty field, text as it is.

    Args:
        table: dates of a `Table` are written in their schema's format, of an Arrow table as YYYY-MM-DD; pictures of a
            `Table` as a column for each pixel, as `headwater.schema.image` names them.
        target: a file, which appears whole or not at all, or an open binary stream.

    Raises:
        OSError: the file cannot be written; what stood there before still does.
    """
    arrow = as_written(table.to_arrow(), table.schema) if isinstance(table, Table) else table
    arrow = _quoted_alone(arrow)
    if not isinstance(target, str | Path):
        pyarrow.csv.write_csv(arrow, target, _options(header=True))
        return
    path = Path(target)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        pyarrow.csv.write_csv(arrow, unfinished, _options(header=True))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def csv_lines(rows: pa.Table, *, header: bool) -> bytes:
    """The CSV text of rows that `as_written` gave: one part of a file that is written in parts."""
    target = io.BytesIO()
    pyarrow.csv.write_csv(_quoted_alone(rows), target, _options(header=header))
    return target.getvalue()


def _options(*, header: bool) -> pyarrow.csv.WriteOptions:
    return pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed")


def _quoted_alone(arrow: pa.Table) -> pa.Table:
    if arrow.num_columns == 1 and arrow.column(0).null_count:
        # A missing value alone on its line would be an empty line, which readers skip; quoted it is a row.
        return pa.table([pc.fill_null(arrow.column(0).cast(pa.string()), "")], names=arrow.column_names)
    return arrow


def as_written(arrow: pa.Table, schema: Schema) -> pa.Table:
    """Rows of a schema as CSV shows them: dates are text in their schema's format, pictures a column for each pixel."""
    for index, column in enumerate(schema.columns):
        if isinstance(column, DateColumn):
            moments = arrow.column(index).cast(pa.timestamp("s"))
            arrow = arrow.set_column(index, column.name, pc.strftime(moments, format=column.format))
    return pixel_columns(arrow, schema)
