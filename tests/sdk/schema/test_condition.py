"""Conditions on rows: read from Python and from text, matched exactly, refused with a clear line."""

import datetime

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.schema import NumericColumn, Schema
from headwater.schema.condition import Allowed, Between, Condition, Where
from headwater.schema.condition_text import read_condition
from support.recipes import SCHEMA, small_table

TABLE = small_table(2000)


def test_every_kind_of_value_matches_what_it_names() -> None:
    where: Where = {
        "age": Between(30, 40.5),
        "income": [Between(1, None), -1, None],
        "ward": ["a", None],
        "smoker": True,
        "seen": Between(datetime.date(2021, 1, 1), datetime.date(2021, 12, 31)),
    }
    found = Condition.parse(SCHEMA, where).matches(TABLE)
    columns = TABLE.columns
    income, seen = columns["income"], columns["seen"]
    expected = (columns["age"] >= 30) & (columns["age"] <= 40) & np.isin(columns["ward"], [-1, 0])
    expected &= (income >= 1) | (income == -1) | np.isnan(income)
    expected &= (columns["smoker"] == 1) & (seen >= 18628) & (seen <= 18992)
    assert 0 < found.sum() < 200
    np.testing.assert_array_equal(found, expected)


def test_a_range_holds_no_special_value() -> None:
    matched = Condition.parse(SCHEMA, {"income": Between(None, 10)}).matches(TABLE)
    assert matched.any()
    assert not matched[TABLE.columns["income"] == -1].any()


@pytest.mark.parametrize(
    ("texts", "where"),
    [
        (["ward=a|c"], {"ward": ["a", "c"]}),
        (["ward=a|"], {"ward": ["a", None]}),
        (["age=30..40", "smoker=yes"], {"age": Between(30, 40), "smoker": True}),
        (["age=..17|65.."], {"age": [Between(None, 17), Between(65, None)]}),
        (["income=-1"], {"income": -1}),
        (["income=-5..5"], {"income": Between(-5, 5)}),
        (["seen=2021-03-04"], {"seen": datetime.date(2021, 3, 4)}),
    ],
)
def test_text_says_what_python_says(texts: list[str], where: dict[str, object]) -> None:
    condition = read_condition(SCHEMA, texts)
    assert condition == Condition.parse(SCHEMA, where)  # type: ignore[arg-type]
    again = read_condition(SCHEMA, str(condition).split(", "))
    assert again == condition


def test_intervals_of_decimals_are_rounded_inwards() -> None:
    column = NumericColumn(name="x", lower=0, upper=1, decimals=2)
    schema = Schema(name="s", columns=(column,))
    allowed = Condition.parse(schema, {"x": [Between(0.281, 0.299), 0.57, Between(0.9999, None)]}).columns[0]
    assert allowed.intervals == ((0.29, 0.29), (0.57, 0.57), (1.0, 1.0))
    with pytest.raises(InputError, match="'x' holds numbers of at most 2 decimals"):
        Condition.parse(schema, {"x": 0.575})


def test_intervals_of_whole_numbers_are_rounded_inwards_and_joined() -> None:
    allowed = Condition.parse(SCHEMA, {"age": [Between(3.2, 7.9), Between(6, 12)]}).columns[0]
    assert allowed == Allowed(intervals=((4.0, 12.0),))


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (["wards=a"], "did you mean 'ward'"),
        (["ward=z"], "has no category 'z'"),
        (["floor="], "never missing"),
        (["age=forty"], "is no value of 'age'"),
        (["age=40..30"], "turn it round"),
        (["age=200..300"], "between its schema's bounds"),
        (["age=30.2..30.8"], "'age' holds whole numbers"),
        (["age=17.5"], "'age' holds whole numbers"),
        (["age=inf"], "between its schema's bounds"),
        (["age=..-inf"], "between its schema's bounds"),
        (["seen=yesterday"], "YYYY-MM-DD"),
        (["ward=a", "ward=b"], "two conditions"),
        (["ward"], "no condition"),
    ],
)
def test_what_cannot_hold_is_refused_in_one_line(texts: list[str], line: str) -> None:
    with pytest.raises(InputError, match=line):
        read_condition(SCHEMA, texts)


def test_a_condition_reads_back_to_the_last_digit() -> None:
    schema = Schema(name="s", columns=(NumericColumn(name="x", lower=-1e30, upper=1e30, special_values=(0.1,)),))
    condition = Condition.parse(schema, {"x": [Between(1 / 3, 1e6 + 1 / 3), 0.1, 2**70]})
    assert read_condition(schema, [str(condition)]) == condition


@pytest.mark.parametrize(
    "where",
    [
        {"ward": []},
        {"age": "30"},
        {"seen": 5},
        {"ward": 3},
        {"age": float("nan")},
        {"age": 10**400},
        {"age": Between(-(10**400), -(10**400))},
        # Never a special value by being equal to one.
        {"flag": True},
    ],
)
def test_values_of_the_wrong_kind_are_refused(where: dict[str, object]) -> None:
    flag = NumericColumn(name="flag", lower=2, upper=9, special_values=(1.0,))
    schema = Schema(name="s", columns=(*SCHEMA.columns, flag))
    with pytest.raises(InputError):
        Condition.parse(schema, where)  # type: ignore[arg-type]
