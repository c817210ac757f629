"""Public grids: fixed by the schema, exact where values pile up, within the budget."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.encoding.grid import Histograms, IntervalGrid, column_grids
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from support.recipes import SCHEMA, small_table

SETTINGS = EncodingSettings(grid_cells=64)


def interval(lower: float, upper: float, **changes: object) -> IntervalGrid:
    column = NumericColumn.model_validate({"name": "x", "lower": lower, "upper": upper, **changes})
    grid = column_grids(Schema(name="s", columns=(column,)), SETTINGS)[0]
    assert isinstance(grid, IntervalGrid)
    return grid


def test_each_integer_of_a_short_range_has_its_own_cell() -> None:
    grid = interval(-3, 20, integer=True)
    values = np.arange(-3, 21, dtype=float)
    assert len(set(grid.locate(values).tolist())) == 24
    assert np.array_equal(grid.draw(grid.locate(values), np.random.default_rng(0)), values)


@pytest.mark.parametrize("integer", [True, False])
def test_bounds_and_zero_of_a_wide_range_are_cells_of_one_value(integer: bool) -> None:
    grid = interval(-1000, 99_999, integer=integer)
    points = np.array([-1000.0, 0.0, 99_999.0])
    near = points + np.array([1.0, 1.0, -1.0])
    assert not set(grid.locate(points).tolist()) & set(grid.locate(near).tolist())
    assert np.array_equal(grid.draw(grid.locate(points), np.random.default_rng(0)), points)


def test_special_values_never_share_a_cell_even_inside_the_bounds() -> None:
    grid = interval(0, 50_000, integer=True, special_values=(999.0, -9.0))
    random = np.random.default_rng(0)
    assert grid.locate(np.array([999.0, -9.0])).tolist() == [0, 1]
    ordered = np.arange(2, grid.cells)
    drawn = np.concatenate([grid.draw(ordered, random) for _ in range(200)])
    assert 999.0 not in drawn


def test_values_near_zero_are_resolved_more_finely_than_those_far_out() -> None:
    grid = interval(0, 100_000, integer=True)
    small, large = grid.locate(np.arange(1.0, 9.0)), grid.locate(np.arange(60_000.0, 60_008.0))
    assert len(set(small.tolist())) > len(set(large.tolist()))


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1e-315), (0.0, 5e-324), (-1e-310, 1e-310), (1.0, 1.0 + 2**-52)])
def test_bounds_nearer_to_each_other_than_float64_resolves_give_a_grid_all_the_same(lower: float, upper: float) -> None:
    grid = interval(lower, upper)
    cells = grid.locate(np.array([lower, upper]))
    assert cells[0] != cells[1]
    assert np.array_equal(grid.draw(cells, np.random.default_rng(0)), [lower, upper])


def test_a_column_of_one_possible_value_has_one_cell() -> None:
    assert interval(5, 5).cells == interval(5, 5, integer=True).cells == 1


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
    st.booleans(),
)
def test_a_drawn_value_lies_in_the_cell_it_was_drawn_from(
    lower: float, width: float, shares: list[float], integer: bool
) -> None:
    low, high = (np.floor(lower), np.floor(lower) + np.ceil(width)) if integer else (lower, lower + width)
    grid = interval(float(low), float(high), integer=integer)
    values = np.array([low + share * (high - low) for share in shares]).clip(low, high)
    cells = grid.locate(np.rint(values) if integer else values)
    drawn = grid.draw(cells, np.random.default_rng(0))
    assert np.array_equal(grid.locate(drawn), cells)
    assert (drawn >= low).all()
    assert (drawn <= high).all()


def test_every_column_counts_every_row_once() -> None:
    table = small_table(123)
    histograms = Histograms.of(SCHEMA, SETTINGS)
    counts = histograms.count(table)
    assert counts.shape == (histograms.length,)
    assert [int(part.sum()) for part in histograms.split(counts)] == [123] * len(SCHEMA.columns)


def test_counts_of_parts_sum_to_the_count_of_the_whole() -> None:
    table = small_table(100)
    histograms = Histograms.of(SCHEMA, SETTINGS)
    halves = [table.take(np.arange(37)), table.take(np.arange(37, 100))]
    assert np.array_equal(sum(histograms.count(half) for half in halves), histograms.count(table))


def test_wide_tables_get_fewer_cells_a_column_within_the_budget() -> None:
    columns = tuple(NumericColumn(name=f"x{i}", lower=0, upper=1e9) for i in range(50))
    histograms = Histograms.of(Schema(name="wide", columns=columns), EncodingSettings(histogram_budget=5000))
    assert histograms.length < 1.3 * 5000


def test_a_table_too_wide_for_the_budget_is_refused() -> None:
    columns = tuple(CategoricalColumn(name=f"x{i}", categories=("a", "b")) for i in range(600))
    with pytest.raises(InputError, match="histogram_budget"):
        column_grids(Schema(name="wide", columns=columns), EncodingSettings(histogram_budget=1024))


def test_a_missing_value_where_none_is_allowed_is_refused() -> None:
    with pytest.raises(InputError, match="missing"):
        interval(0, 1).locate(np.array([np.nan]))


def test_a_histogram_vector_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        Histograms.of(SCHEMA, SETTINGS).split(np.zeros(3))
