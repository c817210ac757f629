"""Rows from a file, read anew each time."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headwater.schema import Schema
from headwater.schema.reading import read_arrow
from headwater_client.connectors.source import select_columns

__all__ = ["CsvSource", "ParquetSource"]


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV or TSV file, plain or gzipped; the empty field is missing, nothing else is.

    Attributes:
        path: ends in .csv, .csv.gz, .tsv or .tsv.gz.
    """

    path: Path

    def read(self, schema: Schema) -> pa.Table:
        """Read all rows; see `RowSource.read`."""
        return select_columns(read_arrow(self.path), schema)


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file.

    Attributes:
        path: ends in .parquet.
    """

    path: Path

    def read(self, schema: Schema) -> pa.Table:
        """Read all rows; see `RowSource.read`."""
        return select_columns(read_arrow(self.path), schema)
