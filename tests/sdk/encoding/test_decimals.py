"""Columns with decimals: every drawn value is one that the column can have, each as likely as counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.encoding.allowed import AllowedCodes
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms, IntervalGrid, column_grids
from headwater.encoding.settings import EncodingSettings
from headwater.mixture.normal import quantile
from headwater.mixture.scores import ScoreColumn
from headwater.schema import NumericColumn, Schema
from headwater.schema.condition import Between, Condition, Value
from headwater.schema.decimals import rounded
from headwater.schema.table import Table

SETTINGS = EncodingSettings(grid_cells=64)


def schema_of(**changes: object) -> Schema:
    column = {"name": "x", "lower": 0, "upper": 100, "decimals": 1, **changes}
    return Schema(name="s", columns=(NumericColumn.model_validate(column),))


def grid_of(**changes: object) -> IntervalGrid:
    grid = column_grids(schema_of(**changes), SETTINGS)[0]
    assert isinstance(grid, IntervalGrid)
    return grid


def encoding_of(schema: Schema, rows: int = 4000) -> Encoding:
    values = rounded(np.random.default_rng(0).gamma(2.0, 12.0, rows).clip(0, 100), 1)
    table = Table(schema, {"x": values}, rows)
    return Encoding.fit(schema, Histograms.of(schema, SETTINGS).count(table), SETTINGS)


@given(
    st.integers(0, 6),
    st.integers(-1000, 1000),
    st.integers(1, 10**6),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
def test_a_value_is_drawn_in_its_own_cell_and_of_the_columns_decimals(
    decimals: int, low: int, width: int, shares: list[float]
) -> None:
    scale = 10.0**decimals
    grid = grid_of(lower=low / scale, upper=(low + width) / scale, decimals=decimals)
    values = np.rint(low + np.asarray(shares) * width) / scale
    cells = grid.locate(values)
    drawn = grid.draw(cells, np.random.default_rng(0))
    np.testing.assert_array_equal(grid.locate(drawn), cells)
    np.testing.assert_array_equal(rounded(drawn, decimals), drawn)


def test_every_cell_draws_within_bounds_even_where_it_holds_no_such_value() -> None:
    grid = grid_of(decimals=0)
    firsts, lasts = grid.units
    assert (lasts < firsts).any()
    drawn = grid.draw(np.tile(np.arange(grid.cells), 50), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.rint(drawn))
    assert 0 <= drawn.min() <= drawn.max() <= 100


def test_all_values_of_a_cell_are_equally_likely() -> None:
    grid = grid_of(upper=1000)
    cell = int(grid.locate(np.asarray([700.05]))[0])
    drawn = grid.draw(np.full(60_000, cell), np.random.default_rng(1))
    values, counts = np.unique(drawn, return_counts=True)
    firsts, lasts = grid.units
    assert len(values) == lasts[cell] - firsts[cell] + 1 > 100
    # Five standard deviations of a count: one false alarm in about 10,000 runs over 300 values.
    expected = 60_000 / len(values)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("changes", [{}, {"decimals": None, "integer": True}, {"upper": 0.3}])
def test_the_ends_of_a_cell_are_its_first_and_last_value(changes: dict[str, object]) -> None:
    grid = grid_of(**{"upper": 9000, **changes})
    scale, (firsts, lasts) = grid.scale, grid.units
    assert scale is not None
    held = np.flatnonzero(firsts <= lasts)
    assert (firsts < lasts).any() or "upper" in changes
    np.testing.assert_array_equal(grid.inside(held, np.zeros(len(held))), firsts[held] / scale)
    np.testing.assert_array_equal(grid.inside(held, np.ones(len(held))), lasts[held] / scale)


def test_every_single_value_can_be_asked_for() -> None:
    # .29 and .57 are a little less than 29 and 57 hundredths.
    schema, values = schema_of(upper=1, decimals=2), np.arange(101) / 100.0
    table = Table(schema, {"x": values}, len(values))
    encoding = Encoding.fit(schema, Histograms.of(schema, SETTINGS).count(table), SETTINGS)
    for value in values.tolist():
        coded = AllowedCodes(encoding, 0, Condition.parse(schema, {"x": value}).columns[0])
        codes = np.flatnonzero(coded.codes).astype(np.int32)
        assert len(codes) == 1
        assert coded.decode(codes, np.random.default_rng(0)).tolist() == [value]


def test_special_values_stay_as_they_are_and_are_drawn_only_from_their_cells() -> None:
    grid = grid_of(special_values=(-9.0, 50.5, 33.333))
    random = np.random.default_rng(0)
    np.testing.assert_array_equal(grid.draw(np.arange(3), random), [-9.0, 50.5, 33.333])
    assert grid.locate(np.asarray([-9.0, 50.5, 33.333])).tolist() == [0, 1, 2]
    drawn = np.concatenate([grid.draw(np.arange(3, grid.cells), random) for _ in range(300)])
    assert 50.5 not in drawn
    assert 50.4 in drawn
    assert 50.6 in drawn


def test_bounds_and_zero_that_are_special_are_drawn_from_their_cells_alone() -> None:
    grid = grid_of(lower=-2, special_values=(-2.0, 0.0, 100.0))
    firsts, lasts = grid.units
    # No table is counted into a cell between two values.
    held = np.flatnonzero(firsts <= lasts) + 3
    drawn = np.concatenate([grid.draw(held, np.random.default_rng(seed)) for seed in range(300)])
    assert not np.isin(drawn, (-2.0, 0.0, 100.0)).any()
    assert -1.9 <= drawn.min() < 0 < drawn.max() <= 99.9


def test_grids_of_columns_without_decimals_are_what_they_were() -> None:
    plain = grid_of(decimals=None, special_values=(50.5,))
    with_decimals = grid_of()
    np.testing.assert_array_equal(plain.lows, with_decimals.lows)
    assert 50.5 not in plain.lows


def test_decoded_tables_hold_to_the_decimals() -> None:
    encoding = encoding_of(schema_of())
    codes = np.random.default_rng(2).integers(0, encoding.sizes[0], (5000, 1)).astype(np.int32)
    values = encoding.decode(codes, np.random.default_rng(3)).columns["x"]
    np.testing.assert_array_equal(rounded(values, 1), values)


CONDITIONS: list[list[Value]] = [
    [Between(10.25, 20.0)],
    [Between(0.0, 0.7), Between(33.3, None)],
    [12.5],
    [0.0, 100.0],
    [Between(None, None)],
]


@pytest.mark.parametrize("wanted", CONDITIONS)
def test_a_conditioned_column_is_what_rejection_would_leave(wanted: list[Value]) -> None:
    schema = schema_of()
    encoding, condition = encoding_of(schema), Condition.parse(schema, {"x": wanted})
    coded = AllowedCodes(encoding, 0, condition.columns[0])
    codes = np.random.default_rng(4).integers(0, encoding.sizes[0], (200_000, 1)).astype(np.int32)
    table = encoding.decode(codes, np.random.default_rng(5))
    kept = condition.matches(table)
    chances = coded.codes[codes[:, 0]]
    assert kept.sum() > 5
    # Five standard deviations of a count of the kept rows.
    assert abs(kept.sum() - chances.sum()) <= 5 * np.sqrt(chances.sum())
    taken = codes[np.random.default_rng(6).random(len(codes)) < chances, 0]
    drawn = coded.decode(taken, np.random.default_rng(7))
    np.testing.assert_array_equal(rounded(drawn, 1), drawn)
    assert condition.columns[0].matches(schema.columns[0], drawn).all()
    grid = np.unique(np.concatenate([drawn, table.columns["x"][kept]]))
    shares = [
        np.searchsorted(np.sort(values), grid, side="right") / len(values)
        for values in (drawn, table.columns["x"][kept])
    ]
    # Kolmogorov-Smirnov of two samples, one false alarm in 10,000.
    assert np.abs(shares[0] - shares[1]).max() < 2.23 * np.sqrt(1 / len(drawn) + 1 / kept.sum())


@pytest.mark.parametrize("wanted", CONDITIONS)
def test_scores_in_the_shares_of_a_condition_are_those_that_decode_into_it(wanted: list[Value]) -> None:
    schema = schema_of()
    encoding, condition = encoding_of(schema), Condition.parse(schema, {"x": wanted})
    starts, ends = AllowedCodes(encoding, 0, condition.columns[0]).shares()
    share = (np.arange(20_000) + 0.5) / 20_000
    values = ScoreColumn.fit(encoding, 0).decode(encoding, quantile(share))
    np.testing.assert_array_equal(rounded(values, 1), values)
    inside = ((share[:, None] >= starts) & (share[:, None] < ends)).any(axis=1)
    wrong = inside != condition.columns[0].matches(schema.columns[0], values)
    # Scores are there and back to 1e-8; only at an interval's end may that show.
    assert wrong.sum() <= 2 * len(starts)
