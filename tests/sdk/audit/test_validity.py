"""Validity of what is read back: every way in which a value can leave its schema is counted, none is mended."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.audit.validity import Validity, unknown_columns
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema import (
    BooleanColumn,
    CategoricalColumn,
    Column,
    DateColumn,
    ImageColumn,
    NumericColumn,
    Schema,
)
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from headwater.schema.writing import write_csv
from support.releases import make_table

_NONE = np.zeros(0, np.int64)


def _measured(arrow: pa.Table, table: Table) -> Measure:
    (measure,) = Validity(Candidate(table), AuditSettings(), arrow).read(_NONE)
    return measure


def _share(column: Column, values: pa.Array) -> float:
    """The share of these values that a column of this kind takes."""
    schema = Schema(name="one", columns=(column,))
    blank: np.ndarray
    match column:
        case ImageColumn():
            blank = np.zeros((1, column.pixels), np.uint8)
        case CategoricalColumn() | BooleanColumn():
            blank = np.zeros(1, np.int32)
        case _:
            blank = np.zeros(1)
    measure = _measured(pa.table([values], names=[column.name]), Table(schema, {column.name: blank}, 1))
    assert measure.value is not None
    return measure.value


def test_what_a_release_writes_is_valid_as_parquet_and_as_csv(tmp_path: Path) -> None:
    table = make_table(rows=300)
    pq.write_table(table.to_arrow(), tmp_path / "data.parquet")
    write_csv(table, tmp_path / "data.csv")
    for name in ("data.parquet", "data.csv"):
        measure = _measured(read_arrow(tmp_path / name), table)
        assert (measure.value, measure.trials, measure.details) == (1.0, 300, {})
    (own,) = Validity(Candidate(table), AuditSettings()).read(_NONE)
    assert own.value == 1.0


_DAY = datetime.date(2020, 5, 1)


@pytest.mark.parametrize(
    ("column", "values", "share"),
    [
        (NumericColumn(name="x", lower=0, upper=9), pa.array([0.0, 9.0, 9.1, -0.1]), 0.5),
        (NumericColumn(name="x", lower=0, upper=9), pa.array([1.0, None, float("nan"), float("inf")]), 0.25),
        (NumericColumn(name="x", lower=0, upper=9, missing=True), pa.array([1.0, None]), 1.0),
        (NumericColumn(name="x", lower=0, upper=9, missing=True), pa.array(["1", "one", "", None]), 0.75),
        (NumericColumn(name="x", lower=0, upper=9, integer=True), pa.array([1.0, 1.5]), 0.5),
        (NumericColumn(name="x", lower=0, upper=9, decimals=1), pa.array([1.1, 1.25, 0.1 + 0.2, 0.3]), 0.5),
        (NumericColumn(name="x", lower=0, upper=9, special_values=(-1,)), pa.array([-1, -2]), 0.5),
        (CategoricalColumn(name="x", categories=("a", "b")), pa.array(["a", "b", "A", None]), 0.5),
        (CategoricalColumn(name="x", categories=("a",), other="a"), pa.array(["a", "z"]), 0.5),
        (CategoricalColumn(name="x", categories=("a",), missing=True), pa.array(["a", None]), 1.0),
        (CategoricalColumn(name="x", categories=("a",)), pa.array([[1], [2]]), 0.0),
        (BooleanColumn(name="x"), pa.array([True, False]), 1.0),
        (BooleanColumn(name="x", true="yes", false="no"), pa.array(["yes", "true"]), 0.5),
        (
            DateColumn(name="x", lower=_DAY, upper=_DAY),
            pa.array([_DAY, _DAY + datetime.timedelta(days=1), None, _DAY]),
            0.5,
        ),
        (DateColumn(name="x", lower=_DAY, upper=_DAY), pa.array(["2020-05-01", "1.5.2020"]), 0.5),
        (
            ImageColumn(name="x", height=2, width=2, levels=4),
            pa.array([[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2], [0, 1, 2, None]]),
            0.25,
        ),
        (ImageColumn(name="x", height=2, width=2, levels=4), pa.array([1, 2]), 0.0),
    ],
)
def test_values_that_leave_the_schema_are_counted(column: Column, values: pa.Array, share: float) -> None:
    assert _share(column, values) == share


def test_pictures_as_columns_of_pixels_are_read_too() -> None:
    column = ImageColumn(name="x", height=2, width=2, levels=4)
    table = Table(Schema(name="p", columns=(column,)), {"x": np.zeros((1, 4), np.uint8)}, 1)
    pixels = pa.table({f"x_{row}_{place}": pa.array([3, 4]) for row in range(2) for place in range(2)})
    assert _measured(pixels, table).value == 0.5
    assert _measured(pixels.drop_columns(["x_1_1"]), table).value == 0.0


def test_a_row_with_two_faults_is_one_invalid_row_and_each_column_is_named() -> None:
    table = make_table(rows=10)
    arrow = table.to_arrow()
    arrow = arrow.set_column(0, "age", pa.array([-1] + [5] * 9))
    arrow = arrow.set_column(2, "ward", pa.array(["moon", "moon"] + ["surgery"] * 8))
    measure = _measured(arrow, table)
    assert measure.value == 0.8
    assert measure.details == {"invalid in age": 0.1, "invalid in ward": 0.2}
    assert measure.better == "higher"


def test_a_column_that_is_not_there_makes_every_row_invalid() -> None:
    table = make_table(rows=10)
    assert _measured(table.to_arrow().drop_columns(["age"]), table).value == 0.0


def test_columns_beside_the_schemas_are_named() -> None:
    table = make_table(rows=10)
    arrow = table.to_arrow().append_column("name", pa.array(["x"] * 10))
    assert unknown_columns(arrow, table.schema) == ("name",)


def test_a_table_without_rows_is_inconclusive() -> None:
    table = make_table(rows=10)
    assert _measured(table.to_arrow().slice(0, 0), table).status == "inconclusive"


def test_counts_of_another_check_are_refused() -> None:
    with pytest.raises(InputError, match="another check"):
        Validity(Candidate(make_table(rows=10)), AuditSettings()).read(np.zeros(1, np.int64))
