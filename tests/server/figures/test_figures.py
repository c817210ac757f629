"""Figures of synthetic rows: safe drawings of every column, words that say the same."""

import datetime
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.release.statistics import statistics_of
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn, Schema
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_charts, draw_columns
from headwater_server.figures.distribution import describe, draw
from support.releases import make_table

SVG = "{http://www.w3.org/2000/svg}"


def table_of(column: Column, values: np.ndarray) -> Table:
    return Table(Schema(name="t", columns=(column,)), {column.name: values}, len(values))


def told(column: Column, values: np.ndarray) -> str:
    """What is said of a column to those who do not see its plot."""
    table = table_of(column, values)
    counted = statistics_of(table.to_arrow(), table.schema)
    return describe(counted.columns[0], counted.rows)


def drawn(column: Column, values: np.ndarray) -> ElementTree.Element:
    table = table_of(column, values)
    counted = statistics_of(table.to_arrow(), table.schema).columns[0]
    return ElementTree.fromstring(draw(counted, table.rows, describe(counted, table.rows)))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_every_column_is_drawn_once_in_order_and_the_same_again() -> None:
    table = make_table()
    figures = draw_columns(table)
    assert [figure.figure.column for figure in figures] == list(table.schema.names)
    assert len({figure.figure.path for figure in figures}) == len(figures)
    assert figures == draw_columns(table)


def test_drawings_hold_nothing_that_acts_or_fetches_and_carry_their_words() -> None:
    table = make_table()
    charts = draw_charts(statistics_of(table.to_arrow(), table.schema), None)
    named = [(each.figure.column, each.figure.description, each.content) for each in draw_columns(table)]
    named += [("How columns hang together", each.chart.description, each.content) for each in charts]
    for name, description, content in named:
        root = ElementTree.fromstring(content)
        assert root.findtext(f"{SVG}title") == name
        assert root.findtext(f"{SVG}desc") == description
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg", "title", "desc", "style", "text", "g", "path", "line", "rect",
        }  # fmt: skip
        assert b"url(" not in content
        assert b"href" not in content
        assert b"font-face" not in content


def test_every_colour_has_its_like_in_the_dark() -> None:
    table = make_table()
    charts = draw_charts(statistics_of(table.to_arrow(), table.schema), None)
    contents = [each.content for each in draw_columns(table)] + [each.content for each in charts]
    for content in contents:
        text = content.decode()
        used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]+)"', text.split("</style>")[1]))
        assert used
        for colour in used:
            assert f'[fill="{colour}"]{{fill:#' in text


@settings(max_examples=10, deadline=None)
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_no_name_or_category_breaks_a_drawing(name: str) -> None:
    column = CategoricalColumn(name=name, categories=(name, name + "<"))
    drawn(column, np.array([0, 1, 1], dtype=np.int32))


@pytest.mark.parametrize("name", ["<script>x</script>", "datum.value", "a\"b'c\\", "]]>&amp;", "{{x}}", "x" * 200])
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    columns = (
        CategoricalColumn(name=name, categories=(name, "other")),
        CategoricalColumn(name="b", categories=("x", name)),
    )
    codes = np.array([0, 1, 1, 0, 1], dtype=np.int32)
    table = Table(Schema(name="t", columns=columns), {name: codes, "b": codes}, 5)
    (chart,) = draw_charts(statistics_of(table.to_arrow(), table.schema), None)
    contents = [*(each.content for each in draw_columns(table)), chart.content]
    roots = [ElementTree.fromstring(content) for content in contents]
    short = name if len(name) <= 20 else name[:19] + "…"
    assert short in texts(roots[2])
    assert {element.tag for root in roots for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "desc", "style", "g", "path", "text")
    }


def test_many_categories_are_drawn_as_eight_and_the_rest_together() -> None:
    column = CategoricalColumn(name="c", categories=tuple(f"k{index}" for index in range(30)))
    assert "22 others" in texts(drawn(column, np.arange(30, dtype=np.int32)))
    nine = CategoricalColumn(name="c", categories=tuple("abcdefghi"))
    assert set("abcdefghi") <= set(texts(drawn(nine, np.arange(9, dtype=np.int32))))


def test_frequent_single_value_stands_apart() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    column = NumericColumn(name="gain", lower=0, upper=100, integer=True)
    assert "90.0 % are exactly 0." in told(column, values)
    assert {"= 0", "90%"} <= set(texts(drawn(column, values)))


def test_dates_read_as_dates() -> None:
    column = DateColumn(name="d", lower=datetime.date(2020, 1, 1), upper=datetime.date(2025, 1, 1))
    values = np.arange(18262, 18662, dtype=np.float64)
    assert "from 2020-01-01 to 2021-02-03" in told(column, values)
    assert "2021" in texts(drawn(column, values))


def test_yes_and_no_keep_their_order_and_missing_values_are_told() -> None:
    column = BooleanColumn(name="b", false="no", true="yes", missing=True)
    values = np.array([1, 1, 0, -1], dtype=np.int32)
    assert told(column, values) == "b: 4 synthetic values. no 25.0 %, yes 50.0 %. 25.0 % missing."
    assert "yes or no · missing 25.0 %" in texts(drawn(column, values))


def test_a_column_without_a_value_is_drawn_all_the_same() -> None:
    column = NumericColumn(name="x", lower=0, upper=1, missing=True)
    values = np.full(3, np.nan)
    assert told(column, values) == "x: 3 synthetic values. No value present. 100.0 % missing."
    assert "number · missing 100.0 %" in texts(drawn(column, values))


def test_an_axis_shows_the_numbers_of_its_bins() -> None:
    column = NumericColumn(name="x", lower=0, upper=400_000)
    shown = texts(drawn(column, np.linspace(0, 400_000, 500)))
    assert {"100k", "200k", "300k"} <= set(shown)
