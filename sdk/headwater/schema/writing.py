"""Write a table as CSV that reads back with the same types."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from headwater.schema.table import Table

__all__ = ["write_csv"]


def write_csv(table: Table | pa.Table, path: str | Path) -> None:
    """Write UTF-8 CSV with a header: integers without a point, missing as the empty field, text as it is."""
    arrow = table.to_arrow() if isinstance(table, Table) else table
    pyarrow.csv.write_csv(arrow, Path(path), pyarrow.csv.WriteOptions(quoting_style="needed"))
