"""Find the source for what a caller gave: a path, a table, a data frame or a source."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

import pyarrow as pa

from headwater.errors import InputError
from headwater_client.connectors.entities import EntityRows
from headwater_client.connectors.files import CsvSource, ParquetSource
from headwater_client.connectors.memory import ArrowSource, PandasSource
from headwater_client.connectors.source import RowSource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "open_source"]

Rows = Union[RowSource, str, Path, pa.Table, "pd.DataFrame"]
"""Whatever `open_source` takes."""


def open_source(rows: "Rows", entity: str | None = None) -> RowSource:
    """The source that reads `rows`.

    Args:
        rows: a path that ends in .csv, .csv.gz, .tsv, .tsv.gz or .parquet; an Arrow table; a pandas data frame; or
            an object with `read(schema)`.
        entity: column that names whose each row is; plans that protect persons need it.

    Raises:
        InputError: none of these, or a file that does not exist.
    """
    source = _source_of(rows)
    return source if entity is None else EntityRows(source, entity)


def _source_of(rows: "Rows") -> RowSource:
    if isinstance(rows, str | Path):
        file = Path(rows)
        if not file.is_file():
            raise InputError(f"there is no file {file}; give a CSV, CSV.gz or Parquet file")
        return ParquetSource(file) if file.suffix.lower() in {".parquet", ".pq"} else CsvSource(file)
    if isinstance(rows, pa.Table):
        return ArrowSource(rows)
    if isinstance(rows, RowSource):
        return rows
    # Recognised by name: importing pandas for the question would cost a second and an optional package.
    if type(rows).__module__.partition(".")[0] == "pandas" and type(rows).__name__ == "DataFrame":
        return PandasSource(rows)
    raise InputError(
        f"rows of type {type(rows).__name__} cannot be read; give a path, an Arrow table, a pandas data frame "
        "or an object with read(schema)"
    )
