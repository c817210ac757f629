"""Where an organisation's rows come from: files, tables in memory, or anything that implements `RowSource`."""

from headwater_client.connectors.entities import EntityRows
from headwater_client.connectors.files import CsvSource, ParquetSource
from headwater_client.connectors.memory import ArrowSource, PandasSource
from headwater_client.connectors.opening import open_source
from headwater_client.connectors.source import RowSource, select_columns

__all__ = [
    "ArrowSource",
    "CsvSource",
    "EntityRows",
    "PandasSource",
    "ParquetSource",
    "RowSource",
    "open_source",
    "select_columns",
]
