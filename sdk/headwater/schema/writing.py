"""Write a table as CSV that reads back with the same types."""

import os
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from headwater.schema.columns import DateColumn
from headwater.schema.image import pixel_columns
from headwater.schema.table import Table

__all__ = ["as_written", "write_csv"]


def write_csv(table: Table | pa.Table, target: str | Path | BinaryIO) -> None:
    """Write UTF-8 CSV with a header: integers without a point, missing as the empty field, text as it is.

    Args:
        table: dates of a `Table` are written in their schema's format, of an Arrow table as YYYY-MM-DD; pictures of a
            `Table` as a column for each pixel, as `headwater.schema.image` names them.
        target: a file, which appears whole or not at all, or an open binary stream.

    Raises:
        OSError: the file cannot be written; what stood there before still does.
    """
    arrow = as_written(table) if isinstance(table, Table) else table
    if arrow.num_columns == 1 and arrow.column(0).null_count:
        # A missing value alone on its line would be an empty line, which readers skip; quoted it is a row.
        arrow = pa.table([pc.fill_null(arrow.column(0).cast(pa.string()), "")], names=arrow.column_names)
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    if not isinstance(target, str | Path):
        pyarrow.csv.write_csv(arrow, target, options)
        return
    path = Path(target)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        pyarrow.csv.write_csv(arrow, unfinished, options)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def as_written(table: Table) -> pa.Table:
    """The rows as CSV shows them: dates are text in their schema's format."""
    arrow = table.to_arrow()
    for index, column in enumerate(table.schema.columns):
        if isinstance(column, DateColumn):
            moments = arrow.column(index).cast(pa.timestamp("s"))
            arrow = arrow.set_column(index, column.name, pc.strftime(moments, format=column.format))
    return pixel_columns(arrow, table.schema)
