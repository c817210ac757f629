"""The row-source contract on every implementation, and what `open_source` makes of its argument."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from contract.row_source import ROWS, SCHEMA, RowSourceContract
from headwater.errors import InputError
from headwater.schema import Schema
from headwater_client.connectors import (
    ArrowSource,
    CsvSource,
    PandasSource,
    ParquetSource,
    RowSource,
    open_source,
)


class TestCsvSource(RowSourceContract):
    def make(self, table: pa.Table, folder: Path) -> RowSource:
        pyarrow.csv.write_csv(table, folder / "rows.csv")
        return CsvSource(folder / "rows.csv")


class TestParquetSource(RowSourceContract):
    def make(self, table: pa.Table, folder: Path) -> RowSource:
        pyarrow.parquet.write_table(table, folder / "rows.parquet")
        return ParquetSource(folder / "rows.parquet")


class TestArrowSource(RowSourceContract):
    def make(self, table: pa.Table, folder: Path) -> RowSource:
        return ArrowSource(table)


class TestPandasSource(RowSourceContract):
    def make(self, table: pa.Table, folder: Path) -> RowSource:
        return PandasSource(table.to_pandas())


class Database:
    """A source as a partner would write it, without any base class."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def read(self, schema: Schema) -> pa.Table:
        return self.table.select([name for name in schema.names if name in self.table.column_names])


class TestAnyObjectWithRead(RowSourceContract):
    def make(self, table: pa.Table, folder: Path) -> RowSource:
        return open_source(Database(table))


def test_open_source_knows_files_by_their_ending(tmp_path: Path) -> None:
    for name, kind in (("a.csv", CsvSource), ("a.csv.gz", CsvSource), ("a.parquet", ParquetSource)):
        (tmp_path / name).touch()
        assert isinstance(open_source(tmp_path / name), kind)
        assert isinstance(open_source(str(tmp_path / name)), kind)


def test_open_source_knows_tables_in_memory() -> None:
    assert isinstance(open_source(ROWS), ArrowSource)
    assert isinstance(open_source(ROWS.to_pandas()), PandasSource)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        open_source(tmp_path / "none.csv")


def test_something_else_is_refused_by_its_type() -> None:
    with pytest.raises(InputError, match="rows of type dict cannot be read"):
        open_source({"age": [1]})


def test_a_data_frame_that_changes_later_does_not_change_the_source() -> None:
    frame = ROWS.to_pandas()
    source = PandasSource(frame)
    frame.loc[0, "age"] = 99
    assert source.read(SCHEMA)["age"].to_pylist() == [31, 64, 7]


def test_a_mixed_column_is_named_without_its_values() -> None:
    frame = pd.DataFrame({"age": pd.Series([31, "s3cret-value"], dtype=object)})
    with pytest.raises(InputError) as refusal:
        PandasSource(frame)
    assert "'age'" in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_a_frame_with_one_name_twice_is_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["age", "age"])
    with pytest.raises(InputError, match="one name"):
        PandasSource(frame)
