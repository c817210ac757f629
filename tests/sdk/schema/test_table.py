"""The table: shapes, rows taken and joined, and the way back to Arrow."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pytest

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.conform import load_table
from headwater.schema.table import Table

SCHEMA = Schema(
    name="visits",
    columns=(
        NumericColumn(name="age", lower=0, upper=120, integer=True, missing=True),
        NumericColumn(name="dose", lower=0, upper=1, missing=True),
        CategoricalColumn(name="ward", categories=("north", "south"), missing=True),
        BooleanColumn(name="ill", false="N", true="Y", missing=True),
        DateColumn(name="seen", lower=datetime.date(1960, 1, 1), upper=datetime.date(2020, 1, 1), missing=True),
    ),
)
ROWS = pa.table(
    {
        "age": pa.array([31, None, 7], pa.int64()),
        "dose": [0.5, 0.25, None],
        "ward": [None, "south", "north"],
        "ill": ["Y", None, "N"],
        "seen": [datetime.date(1969, 12, 31), None, datetime.date(2020, 1, 1)],
    }
)


def test_arrow_comes_back_as_it_was() -> None:
    assert load_table(ROWS, SCHEMA).to_arrow().equals(ROWS)


def test_rows_are_taken_by_position_or_mask_in_order() -> None:
    table = load_table(ROWS, SCHEMA)
    assert table.take(np.array([2, 0, 2])).to_arrow().equals(ROWS.take([2, 0, 2]))
    assert table.take(np.array([True, False, True])).to_arrow().equals(ROWS.take([0, 2]))
    empty = table.take(np.array([], np.int64))
    assert empty.rows == 0
    assert empty.to_arrow().equals(ROWS.slice(0, 0))


def test_tables_of_one_schema_are_joined() -> None:
    table = load_table(ROWS, SCHEMA)
    joined = Table.concat([table.take(np.array([0])), table.take(np.array([1, 2]))])
    assert joined.rows == 3
    assert joined.to_arrow().equals(ROWS)


def test_tables_of_different_schemas_and_no_tables_are_not_joined() -> None:
    other = load_table(ROWS, SCHEMA.model_copy(update={"name": "others"}))
    with pytest.raises(InputError, match="different schemas"):
        Table.concat([load_table(ROWS, SCHEMA), other])
    with pytest.raises(InputError, match="no table"):
        Table.concat([])


def test_arrays_that_do_not_fit_the_schema_are_refused() -> None:
    table = load_table(ROWS, SCHEMA)
    columns = dict(table.columns)
    with pytest.raises(InputError, match="exactly its columns"):
        Table(SCHEMA, {name: columns[name] for name in SCHEMA.names[1:]}, 3)
    with pytest.raises(InputError, match=r"shape \(2,\)"):
        Table(SCHEMA, {**columns, "age": columns["age"][:2]}, 3)
    with pytest.raises(InputError, match="'ward' is int64"):
        Table(SCHEMA, {**columns, "ward": columns["ward"].astype(np.int64)}, 3)


def test_the_mapping_cannot_be_changed() -> None:
    table = load_table(ROWS, SCHEMA)
    with pytest.raises(TypeError):
        table.columns["age"] = np.array([math.nan] * 3)  # type: ignore[index]
