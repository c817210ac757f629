"""Whether a release's Parquet files hold rows of the schema, every cell of them, and nothing beside."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.audit.parquet_extent import UnreadableFooter, unnamed_bytes
from headwater.errors import ReleaseRefused
from headwater.schema import Schema

__all__ = ["check_cells", "check_extent"]

_BATCH_ROWS = 65_536


def check_extent(file: Path, path: str) -> None:
    """Refuse a Parquet file with bytes that no column, index or footer names.

    Args:
        file: where it is.
        path: as the manifest names it.

    Raises:
        ReleaseRefused: there are such bytes, or its footer cannot be read.
    """
    try:
        beside = unnamed_bytes(file)
    except (UnreadableFooter, OSError) as error:
        raise ReleaseRefused(f"{path} is no Parquet file although it was signed; tell the consortium") from error
    if beside:
        raise ReleaseRefused(
            f"{path} has {beside:,} bytes between its columns that no part of it names, so anything may stand there; "
            "do not use the release, tell the consortium"
        )


def check_cells(file: Path, path: str, schema: Schema) -> None:
    """Hold every cell to the schema's bounds, categories and decimals; memory is that of a few thousand rows.

    Args:
        file: where it is.
        path: as the manifest names it.
        schema: of the release; columns that it does not know are not looked at.

    Raises:
        ReleaseRefused: a column is missing, a value is none that the schema allows, or the file cannot be read.
    """
    from headwater.audit.validity import invalid_cells

    try:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_BATCH_ROWS):
                rows = pa.Table.from_batches([batch])
                for column in schema.columns:
                    if invalid_cells(rows, column).any():
                        raise ReleaseRefused(
                            f"{path} has values in column {column.name!r} that the schema does not allow; do not use "
                            "the release, tell the consortium"
                        )
    except (pa.ArrowException, OSError) as error:
        raise ReleaseRefused(f"{path} is no Parquet file although it was signed; tell the consortium") from error
