"""Rows as a plan has them: plans that protect persons need to know whose each row is."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from headwater.errors import InputError
from headwater.schema import NumericColumn, Schema
from headwater_client.cli import app
from headwater_client.connectors import EntityRows, open_source
from headwater_client.plan_rows import read_rows
from support.private import private_plan
from support.recipes import small_plan, small_table

ROWS = small_table(60).to_arrow()
PEOPLE = pa.array(np.arange(60) % 20)
NAMED = ROWS.append_column("person", PEOPLE)
PERSONS = private_plan(1.0, unit="entity", records=2)


def test_at_most_the_budgets_records_of_a_person_take_part() -> None:
    rows = read_rows(open_source(NAMED, "person"), PERSONS)
    assert rows.problems() == ()
    assert rows.table().rows == 2 * 20
    assert read_rows(open_source(NAMED, "person"), private_plan(1.0)).table().rows == 60


def test_a_plan_for_persons_is_refused_without_a_column_that_names_them() -> None:
    with pytest.raises(InputError, match="--entity COLUMN"):
        read_rows(open_source(NAMED), PERSONS)
    with pytest.raises(InputError, match="no column 'patient'"):
        read_rows(open_source(NAMED, "patient"), PERSONS)


def test_other_plans_ask_nothing_of_persons() -> None:
    source = open_source(NAMED, "person")
    assert isinstance(source, EntityRows)
    rows = read_rows(source, small_plan())
    assert rows.entities is None
    assert rows.arrow.column_names == ROWS.column_names


def test_a_column_of_the_schema_may_name_persons() -> None:
    rows = read_rows(open_source(ROWS, "floor"), PERSONS)
    assert rows.table().rows == 2 * 3


def test_more_rows_than_the_public_bound_take_no_part() -> None:
    assert read_rows(open_source(ROWS), private_plan(1.0, most_rows=60)).table().rows == 60
    with pytest.raises(InputError, match="more rows here than the 59"):
        read_rows(open_source(ROWS), private_plan(1.0, most_rows=59)).table()


def test_the_column_of_persons_is_looked_for_before_any_run() -> None:
    source = open_source(NAMED, "person")
    assert isinstance(source, EntityRows)
    assert source.check_column().to_pylist() == PEOPLE.to_pylist()
    with pytest.raises(InputError, match="no column 'nosuch'"):
        EntityRows(open_source(NAMED), "nosuch").check_column()


def test_check_counts_persons_and_their_records_and_shows_no_value(tmp_path: Path) -> None:
    rows, schema = tmp_path / "rows.csv", tmp_path / "schema.toml"
    rows.write_text("age,person\n31,anna\n32,anna\n33,bert\n34,\n")
    schema.write_text(Schema(name="s", columns=(NumericColumn(name="age", lower=0, upper=99),)).to_toml())
    given = ["check", "--data", str(rows), "--schema", str(schema), "--entity"]
    result = CliRunner().invoke(app, [*given, "person"])
    assert "column 'person' names 2 persons with 1 to 2 records each; 1 rows name nobody" in result.output
    assert "anna" not in result.output
    assert "no column 'nosuch'" in str(CliRunner().invoke(app, [*given, "nosuch"]).exception)
