"""Figures of synthetic rows: right shares, safe drawings, words that say the same."""

import datetime
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn, Schema
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_columns
from headwater_server.figures.distribution import Bars, Histogram, describe, distribution
from headwater_server.figures.drawing import draw
from support.releases import make_table

SVG = "{http://www.w3.org/2000/svg}"


def table_of(column: Column, values: np.ndarray) -> Table:
    return Table(Schema(name="t", columns=(column,)), {column.name: values}, len(values))


def total(shown: Bars | Histogram) -> float:
    if isinstance(shown, Bars):
        return sum(shown.shares) + shown.missing
    return sum(shown.shares) + sum(share for _, share in shown.atoms) + shown.beyond + shown.missing


def test_every_column_is_drawn_once_in_order() -> None:
    table = make_table()
    drawn = draw_columns(table)
    assert [figure.figure.column for figure in drawn] == list(table.schema.names)
    assert len({figure.figure.path for figure in drawn}) == len(drawn)
    assert drawn == draw_columns(table)


def test_drawing_is_valid_and_carries_its_words() -> None:
    for drawn in draw_columns(make_table()):
        root = ElementTree.fromstring(drawn.content)
        assert root.findtext(f"{SVG}title") == drawn.figure.column
        assert root.findtext(f"{SVG}desc") == drawn.figure.description
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "desc", "style", "text", "rect", "line",
        }  # fmt: skip


@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_no_name_or_category_breaks_a_drawing(name: str) -> None:
    column = CategoricalColumn(name=name, categories=(name, name + "<"))
    table = table_of(column, np.array([0, 1, 1], dtype=np.int32))
    shown = distribution(table, column)
    ElementTree.fromstring(draw(name, "category", shown, describe(table, column, shown)))


@given(
    arrays.arrays(
        np.float64,
        st.integers(1, 300),
        elements=st.floats(-1e9, 1e9, allow_subnormal=False) | st.just(np.nan) | st.just(0.0),
    ),
    st.booleans(),
)
def test_shares_of_numbers_sum_to_one(values: np.ndarray, whole: bool) -> None:
    values = np.rint(values) if whole else values
    column = NumericColumn(name="x", lower=-1e9, upper=1e9, integer=whole, missing=True)
    table = table_of(column, values)
    shown = distribution(table, column)
    assert total(shown) == pytest.approx(1.0)
    ElementTree.fromstring(draw("x", "number", shown, describe(table, column, shown)))


@given(arrays.arrays(np.int32, st.integers(1, 200), elements=st.integers(-1, 29)))
def test_shares_of_categories_sum_to_one(codes: np.ndarray) -> None:
    column = CategoricalColumn(name="c", categories=tuple(f"k{index}" for index in range(30)), missing=True)
    shown = distribution(table_of(column, codes), column)
    assert isinstance(shown, Bars)
    assert total(shown) == pytest.approx(1.0)
    assert shown.labels[-1] == "22 others"
    assert list(shown.shares[:-1]) == sorted(shown.shares[:-1], reverse=True)


def test_ninth_category_is_named_not_called_others() -> None:
    column = CategoricalColumn(name="c", categories=tuple("abcdefghi"))
    shown = distribution(table_of(column, np.arange(9, dtype=np.int32)), column)
    assert isinstance(shown, Bars)
    assert sorted(shown.labels) == list("abcdefghi")


def test_frequent_single_value_stands_apart() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    column = NumericColumn(name="gain", lower=0, upper=100, integer=True)
    table = table_of(column, values)
    shown = distribution(table, column)
    assert isinstance(shown, Histogram)
    assert shown.atoms == (("0", 0.9),)
    assert max(shown.shares) < 0.02
    assert "90.0 % are exactly 0" in describe(table, column, shown)


def test_few_numbers_are_bars_with_their_values() -> None:
    column = NumericColumn(name="x", lower=0, upper=9, integer=True)
    shown = distribution(table_of(column, np.array([3.0, 3.0, 9.0, 1.0])), column)
    assert shown == Bars(labels=("1", "3", "9"), shares=(0.25, 0.5, 0.25), missing=0.0)


def test_dates_read_as_dates() -> None:
    column = DateColumn(name="d", lower=datetime.date(2020, 1, 1), upper=datetime.date(2025, 1, 1))
    table = table_of(column, np.arange(18262, 18662, dtype=np.float64))
    shown = distribution(table, column)
    assert "from 2020-01-01 to 2021-02-03" in describe(table, column, shown)


def test_yes_and_no_keep_their_order() -> None:
    column = BooleanColumn(name="b", false="no", true="yes", missing=True)
    table = table_of(column, np.array([1, 1, 0, -1], dtype=np.int32))
    shown = distribution(table, column)
    assert shown == Bars(labels=("no", "yes"), shares=(0.25, 0.5), missing=0.25)
    assert describe(table, column, shown) == "b: 4 synthetic values. no 25.0 %, yes 50.0 %. 25.0 % missing."
