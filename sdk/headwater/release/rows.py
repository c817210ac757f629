"""How rows lie in a release's Parquet files."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.schema.table import Table

__all__ = ["ROW_GROUP_ROWS", "candidate_bytes", "write_rows"]

ROW_GROUP_ROWS = 65_536
"""Rows in a row group: what a reader over HTTP fetches at once."""


def candidate_bytes(table: Table) -> bytes:
    """The bytes that data.parquet of these rows will have: what is audited before it is published.

    The same table gives the same bytes with the same version of pyarrow, which wrote its own name into them.
    """
    target = io.BytesIO()
    write_rows(table, target)
    return target.getvalue()


def write_rows(table: Table | pa.Table, target: Path | io.BytesIO) -> None:
    """Write rows as every Parquet file of a release has them: zstd, row groups of `ROW_GROUP_ROWS`, statistics.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    pq.write_table(
        table.to_arrow() if isinstance(table, Table) else table,
        target,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_statistics=True,
        write_page_index=True,
    )
