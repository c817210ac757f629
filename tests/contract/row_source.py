"""What every source of rows must do; each implementation runs this suite in test_row_sources.py."""

import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from headwater.schema import Schema
from headwater.schema.conform import load_table
from headwater_client.connectors import RowSource

__all__ = ["ROWS", "SCHEMA", "RowSourceContract"]

SCHEMA = Schema.from_toml(
    """
    version = 1
    name = "visits"

    [[columns]]
    name = "age"
    kind = "numeric"
    lower = 0
    upper = 120
    integer = true

    [[columns]]
    name = "dose"
    kind = "numeric"
    lower = 0.0
    upper = 10.0
    missing = true

    [[columns]]
    name = "ward"
    kind = "categorical"
    categories = ["north", "south"]
    missing = true

    [[columns]]
    name = "seen"
    kind = "date"
    lower = "2020-01-01"
    upper = "2026-12-31"
    """
)

ROWS = pa.table(
    {
        # A column that no schema names and another order than the schema's: both are the source's to sort out.
        "note": pa.array(["a", "b", "c"]),
        "ward": pa.array(["north", None, "south"]),
        "age": pa.array([31, 64, 7], pa.int64()),
        "dose": pa.array([0.5, None, 2.25]),
        "seen": pa.array([datetime.date(2024, 2, 29), datetime.date(2025, 1, 1), datetime.date(2020, 1, 1)]),
    }
)


class RowSourceContract:
    """The suite; a subclass gives `make`."""

    def make(self, table: pa.Table, folder: Path) -> RowSource:
        """A source that holds these rows."""
        raise AssertionError("the subclass makes the source")

    @pytest.fixture
    def source(self, tmp_path: Path) -> RowSource:
        return self.make(ROWS, tmp_path)

    def test_it_is_a_row_source(self, source: RowSource) -> None:
        assert isinstance(source, RowSource)

    def test_the_schemas_columns_come_in_its_order_and_no_other_does(self, source: RowSource) -> None:
        assert source.read(SCHEMA).column_names == ["age", "dose", "ward", "seen"]

    def test_values_and_missing_ones_arrive_as_they_are(self, source: RowSource) -> None:
        expected = load_table(ROWS.select(list(SCHEMA.names)), SCHEMA)
        read = load_table(source.read(SCHEMA), SCHEMA)
        assert read.to_arrow().equals(expected.to_arrow())
        assert read.to_arrow()["dose"].null_count == 1
        assert read.to_arrow()["ward"].null_count == 1

    def test_a_second_read_is_the_same(self, source: RowSource) -> None:
        assert source.read(SCHEMA).equals(source.read(SCHEMA))

    def test_a_missing_column_is_left_for_the_schema_check_to_report(self, tmp_path: Path) -> None:
        source = self.make(ROWS.drop_columns(["dose"]), tmp_path)
        assert source.read(SCHEMA).column_names == ["age", "ward", "seen"]

    def test_row_order_is_kept(self, source: RowSource) -> None:
        assert source.read(SCHEMA)["age"].to_pylist() == [31, 64, 7]
