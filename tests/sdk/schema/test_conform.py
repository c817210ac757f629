"""Conforming: what is clipped, mapped or refused, counted to the row and never quoted."""

import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.conform import Problem, check, conform, load_table

AGE = NumericColumn(name="age", lower=0, upper=120, integer=True, special_values=(-9,))
DOSE = NumericColumn(name="dose", lower=0, upper=1, missing=True)
WARD = CategoricalColumn(name="ward", categories=("north", "south", "other"), other="other")
CODE = CategoricalColumn(name="code", categories=(" 7", "007", "?"), missing=True)
ILL = BooleanColumn(name="ill", false="N", true="Y", role="target")
SEEN = DateColumn(name="seen", lower=datetime.date(2020, 1, 1), upper=datetime.date(2020, 12, 31))
SCHEMA = Schema(name="visits", columns=(AGE, DOSE, WARD, CODE, ILL, SEEN))
GOOD: dict[str, list[Any]] = {
    "age": [31, -9, 0],
    "dose": [0.5, None, 1.0],
    "ward": ["north", "south", "north"],
    "code": ["007", " 7", None],
    "ill": ["N", "Y", "Y"],
    "seen": ["2020-02-29", "2020-01-01", "2020-12-31"],
}


def rows(**changes: list[Any]) -> pa.Table:
    return pa.table({**GOOD, **changes})


def counted(arrow: pa.Table) -> list[tuple[str, str, int]]:
    return [(problem.column, problem.severity, problem.count) for problem in check(arrow, SCHEMA)]


def test_a_table_that_holds_to_its_schema_becomes_arrays() -> None:
    table, problems = conform(rows(), SCHEMA)
    assert problems == ()
    np.testing.assert_array_equal(table.columns["age"], [31.0, -9, 0])
    np.testing.assert_array_equal(table.columns["dose"], [0.5, math.nan, 1])
    assert table.columns["ward"].tolist() == [0, 1, 0]
    assert table.columns["code"].tolist() == [1, 0, -1]
    assert table.columns["ill"].tolist() == [0, 1, 1]
    assert table.columns["seen"].tolist() == [18321, 18262, 18627]


@pytest.mark.parametrize(
    ("column", "values", "expected", "count"),
    [
        ("age", [-1, 121, -9], [0, 120, -9], 2),
        ("age", ["30.4", "30.5", "31"], [30, 30, 31], 2),
        ("dose", [-1, 2, 0.5], [0, 1, 0.5], 2),
        ("ward", ["east", "north", "NORTH"], [2, 0, 2], 2),
        ("seen", ["2019-12-31", "2020-01-01", "2031-01-01"], [18262, 18262, 18627], 2),
    ],
)
def test_values_out_of_bounds_are_changed_and_counted(
    column: str, values: list[Any], expected: list[float], count: int
) -> None:
    table, problems = conform(rows(**{column: values}), SCHEMA)
    assert table.columns[column].tolist() == expected
    assert [(problem.column, problem.severity, problem.count) for problem in problems] == [(column, "changed", count)]


@pytest.mark.parametrize(
    ("column", "values", "count"),
    [
        ("age", ["31", "many", "?"], 2),
        ("age", [31, None, 5], 1),
        ("age", [math.nan, math.inf, 5.0], 1),
        ("age", ["nan", "", "5"], 2),
        ("dose", [-math.inf, math.inf, math.nan], 2),
        ("dose", [[1], [2], None], 2),
        ("code", ["7", "8", " 7"], 2),
        ("code", [[1], [2], None], 2),
        ("ward", [None, None, "north"], 2),
        ("ill", ["n", "Y", "Y"], 1),
        ("ill", [True, False, True], 3),
        ("seen", ["2020-02-30", "soon", "2020-01-01"], 2),
        ("seen", [None, "2020-01-01", "2020-01-01"], 1),
    ],
)
def test_values_that_cannot_take_part_are_refused_and_counted(column: str, values: list[Any], count: int) -> None:
    arrow = rows(**{column: values})
    refused = [problem for problem in check(arrow, SCHEMA) if problem.severity == "refused"]
    assert (column, count) in [(problem.column, problem.count) for problem in refused]
    with pytest.raises(InputError, match=f"column '{column}'"):
        load_table(arrow, SCHEMA)


def test_more_decimals_than_the_schemas_are_rounded_and_counted() -> None:
    column = NumericColumn(name="n", lower=0, upper=2.5, decimals=2, special_values=(-1.2345, 1e300), missing=True)
    schema = Schema(name="x", columns=(column,))
    values = [1.234, 1.236, 1.23, 0.1 + 0.2, -1.2345, 1e300, 7.777, 2.4999, None]
    table, problems = conform(pa.table({"n": values}), schema)
    expected = [1.23, 1.24, 1.23, 0.3, -1.2345, 1e300, 2.5, 2.5, math.nan]
    np.testing.assert_array_equal(table.columns["n"], expected)
    # The last digit of .1 + .2 is nobody's; what is clipped needs no rounding.
    assert [(problem.severity, problem.what) for problem in problems] == [
        ("changed", "1 value is outside 0 to 2.5; clipped"),
        ("changed", "3 values are of more than 2 decimals; rounded"),
    ]
    again = conform(table.to_arrow(), schema)
    assert again[1] == ()


def test_the_last_digit_of_a_float64_is_no_decimal_however_large_the_number() -> None:
    schema = Schema(name="x", columns=(NumericColumn(name="n", lower=0, upper=2e9, decimals=2),))
    table, problems = conform(pa.table({"n": [np.nextafter(1e9 + 0.12, np.inf)]}), schema)
    assert table.columns["n"].tolist() == [1e9 + 0.12]
    assert problems == ()


def test_a_number_that_is_missing_and_one_that_is_unreadable_are_two_problems() -> None:
    problems = check(rows(age=["31", "many", ""]), SCHEMA)
    assert [(problem.count, problem.what.split(";")[0]) for problem in problems] == [
        (1, "1 value is not numeric"),
        (1, "1 value is missing, the schema allows none"),
    ]


def test_an_infinite_value_is_refused_and_not_clipped_too() -> None:
    assert counted(rows(age=[31.0, math.inf, 5.0])) == [("age", "refused", 1)]


def test_every_problem_is_listed_at_once_in_the_schemas_order() -> None:
    arrow = rows(age=[200, 1, 1], ward=[None, "x", "y"], ill=["?", "?", "Y"], extra=[1, 2, 3]).drop_columns(["code"])
    assert counted(arrow) == [
        ("age", "changed", 1),
        ("ward", "changed", 2),
        ("ward", "refused", 1),
        ("code", "refused", 0),
        ("ill", "refused", 2),
        ("extra", "ignored", 0),
    ]
    with pytest.raises(InputError, match="and 2 more problems: headwater schema check lists them"):
        conform(arrow, SCHEMA)


def test_unknown_columns_and_their_order_do_not_matter() -> None:
    arrow = rows(extra=[[1], [2], [3]])
    shuffled = arrow.select(sorted(arrow.column_names, reverse=True))
    table, problems = conform(shuffled, SCHEMA)
    assert list(table.columns) == list(SCHEMA.names)
    assert problems == (Problem("extra", "ignored", "not in the schema; ignored", 0),)


def test_an_empty_table_and_a_name_twice_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        conform(rows().slice(0, 0), SCHEMA)
    twice = pa.table([[1], [2]], names=["age", "age"])
    with pytest.raises(InputError, match="stands twice"):
        conform(twice, SCHEMA)


def test_no_problem_quotes_a_value() -> None:
    secret = "jane-doe"
    arrow = rows(**{name: [secret] * 3 for name in SCHEMA.names})
    problems = check(arrow, SCHEMA)
    assert {problem.column for problem in problems} == set(SCHEMA.names)
    assert not any(secret in problem.what for problem in problems)


def test_pandas_rows_are_read_with_nan_as_missing() -> None:
    frame = pd.DataFrame(GOOD)
    assert load_table(frame, SCHEMA).to_arrow().equals(load_table(rows(), SCHEMA).to_arrow())


def test_a_float_column_may_hold_categories() -> None:
    schema = Schema(name="x", columns=(CategoricalColumn(name="c", categories=("0", "1"), missing=True),))
    assert load_table(pa.table({"c": [0.0, 1.0, math.nan]}), schema).columns["c"].tolist() == [0, 1, -1]


@settings(deadline=None)
@given(st.lists(st.floats(width=32) | st.none(), min_size=1), st.floats(-1e6, 0), st.floats(0, 1e6), st.booleans())
def test_numbers_always_end_within_bounds_or_special_or_missing(
    values: list[float | None], lower: float, upper: float, integer: bool
) -> None:
    bounds = (math.ceil(lower), math.floor(upper)) if integer else (lower, upper)
    column = NumericColumn(
        name="n", lower=bounds[0], upper=bounds[1], integer=integer, special_values=(-7e6,), missing=True
    )
    finite = [value for value in values if value is None or not math.isinf(value)] or [None]
    arrow = pa.table({"n": pa.array(finite, pa.float64())})
    table, problems = conform(arrow, Schema(name="x", columns=(column,)))
    found = table.columns["n"]
    for before, after in zip(finite, found, strict=True):
        if before is None or math.isnan(before):
            assert math.isnan(after)
            continue
        rounded = round(before) if integer else before
        assert after == (before if before == -7e6 else min(max(rounded, bounds[0]), bounds[1]))
    changed = int(np.sum([b is not None and b == b and b != a for b, a in zip(finite, found, strict=True)]))
    assert changed <= sum(problem.count for problem in problems) <= 2 * changed
