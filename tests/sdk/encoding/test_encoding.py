"""Tables to codes and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.encoding import column_codes
from headwater.encoding.bins import interval_codes
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import Histograms, IntervalGrid, column_grids
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.schema import CategoricalColumn, DateColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.recipes import SCHEMA, small_table

SETTINGS = EncodingSettings(grid_cells=256)


def fitted(table: Table, settings: EncodingSettings = SETTINGS) -> Encoding:
    return Encoding.fit(table.schema, Histograms.of(table.schema, settings).count(table), settings)


def one_column(values: np.ndarray, **changes: object) -> Table:
    column = NumericColumn.model_validate({"name": "x", "lower": 0, "upper": 1000, **changes})
    return Table(Schema(name="s", columns=(column,)), {"x": values.astype(float)}, len(values))


def test_categories_missing_and_special_values_survive_the_round_trip_exactly() -> None:
    table = small_table(3000)
    encoding = fitted(table)
    back = encoding.decode(encoding.encode(table), np.random.default_rng(1))
    for name in ("ward", "floor", "smoker", "outcome"):
        assert np.array_equal(back.columns[name], table.columns[name])
    income, returned = table.columns["income"], back.columns["income"]
    assert np.array_equal(np.isnan(income), np.isnan(returned))
    assert np.array_equal(income == -1, returned == -1)
    assert np.array_equal(income == 0, returned == 0)


def test_drawn_rows_have_the_codes_they_were_drawn_from() -> None:
    table = small_table(2000)
    encoding = fitted(table)
    codes = encoding.encode(table)
    assert np.array_equal(encoding.encode(encoding.decode(codes, np.random.default_rng(2))), codes)


def test_integers_stay_whole_and_dates_stay_days() -> None:
    encoding = fitted(small_table(2000))
    codes = encoding.encode(small_table(500, seed=4))
    back = encoding.decode(codes, np.random.default_rng(0))
    for name in ("age", "seen"):
        assert np.array_equal(back.columns[name], np.rint(back.columns[name]))


def test_a_frequent_value_is_an_atom_and_comes_back_exactly() -> None:
    random = np.random.default_rng(0)
    values = np.where(random.random(5000) < 0.2, 40.0, np.rint(random.uniform(0, 1000, 5000)))
    table = one_column(values, integer=True)
    back = fitted(table, EncodingSettings(grid_cells=1024)).decode(
        fitted(table, EncodingSettings(grid_cells=1024)).encode(table), random
    )
    assert np.array_equal(back.columns["x"] == 40, values == 40)


def test_bins_hold_equal_mass_where_there_are_no_atoms() -> None:
    table = one_column(np.random.default_rng(0).uniform(0, 1000, 32_000) ** 2 / 1000)
    counts = fitted(table, EncodingSettings()).counts[0]
    assert len(counts) == 32
    assert counts.min() > 0.8 * 1000
    assert counts.max() < 1.2 * 1000


def test_decoded_values_follow_the_fine_histogram_inside_a_bin() -> None:
    # One code for everything: all shape comes from the histogram.
    values = np.repeat([10.0, 700.0], [900, 100])
    table = one_column(values, integer=True)
    encoding = fitted(table, EncodingSettings(numeric_codes=2, grid_cells=1024))
    merged = Encoding.from_document(table.schema, {**encoding.to_document(), "columns": [{
        "codes": [[0, encoding.columns[0].grid.cells]], "masses": encoding.columns[0].masses.tolist(),
    }]})  # fmt: skip
    drawn = merged.decode(np.zeros((10_000, 1), np.int32), np.random.default_rng(0)).columns["x"]
    assert set(drawn) == {10.0, 700.0}
    # 10,000 draws of share .9: six standard deviations are .018.
    assert abs((drawn == 10).mean() - 0.9) < 0.018


def test_values_are_the_same_whether_cells_are_listed_or_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    table = one_column(np.random.default_rng(0).uniform(0, 1000, 3000) ** 2 / 1000)
    codes = fitted(table).encode(table)
    listed = fitted(table).decode(codes, np.random.default_rng(1)).columns["x"]
    monkeypatch.setattr(column_codes, "_MOST_LISTED", 100)
    searched = fitted(table).decode(codes, np.random.default_rng(1)).columns["x"]
    assert np.array_equal(listed, searched)


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1e9), (-1e9, 1e9), (0.0, 1e10)])
def test_a_column_with_bounds_far_beyond_its_values_keeps_its_shape(lower: float, upper: float) -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(1, 1, 20_000)
    table = one_column(values, lower=lower, upper=upper)
    encoding = fitted(table, EncodingSettings())
    back = np.sort(encoding.decode(encoding.encode(table), random).columns["x"])
    # Quantiles agree to two per cent of each value, cells are 1.4 % wide.
    levels = np.linspace(0.01, 0.99, 99)
    assert np.abs(np.quantile(back, levels) / np.quantile(values, levels) - 1).max() < 0.02


def visits(rows: int = 6000, *, weekends: float = 0.2) -> tuple[Table, np.ndarray]:
    """Days of two years, few at weekends, and who came: to the emergency room on most of these."""
    random = np.random.default_rng(0)
    days = np.arange(18_262, 18_262 + 730)
    weekend = (days + 3) % 7 >= 5
    seen = random.choice(days, rows, p=(shares := np.where(weekend, weekends, 1.0)) / shares.sum())
    at_weekend = (seen + 3) % 7 >= 5
    emergency = (random.random(rows) < np.where(at_weekend, 0.9, 0.1)).astype(np.int32)
    schema = Schema(
        name="s",
        columns=(
            DateColumn.model_validate({"name": "seen", "lower": "2020-01-01", "upper": "2021-12-30"}),
            CategoricalColumn(name="room", categories=("clinic", "emergency")),
        ),
    )
    return Table(schema, {"seen": seen.astype(float), "room": emergency}, rows), at_weekend


def test_quiet_days_of_the_week_have_codes_of_their_own() -> None:
    table, at_weekend = visits()
    encoding = fitted(table, EncodingSettings())
    codes = encoding.encode(table)
    assert not set(codes[at_weekend, 0]) & set(codes[~at_weekend, 0])
    assert encoding.sizes[0] <= 32
    back = encoding.decode(codes, np.random.default_rng(1)).columns["seen"]
    assert np.array_equal((back + 3) % 7 >= 5, at_weekend)
    again = Encoding.from_document(table.schema, json.loads(json.dumps(encoding.to_document())))
    assert np.array_equal(again.encode(table), codes)


@pytest.mark.parametrize("weekends", [1.0, 0.0])
def test_weeks_without_quiet_days_have_codes_that_ascend(weekends: float) -> None:
    table, _ = visits(weekends=weekends)
    assert (np.diff(fitted(table, EncodingSettings()).columns[0].code_of_cell) >= 0).all()


@pytest.mark.parametrize(("rows", "codes"), [(30, 6), (455, 11), (50_000, 32)])
def test_small_tables_get_fewer_codes(rows: int, codes: int) -> None:
    table = one_column(np.random.default_rng(0).uniform(0, 1000, rows))
    assert fitted(table, EncodingSettings()).sizes == (codes,)


def test_wide_tables_get_fewer_codes_within_the_budget() -> None:
    schema = Schema(name="w", columns=tuple(NumericColumn(name=f"x{i}", lower=0, upper=1) for i in range(100)))
    values = np.random.default_rng(0).random((4000, 100))
    table = Table(schema, {f"x{i}": values[:, i] for i in range(100)}, 4000)
    settings = EncodingSettings(codes_budget=400)
    assert sum(fitted(table, settings).sizes) <= 400


def test_the_rare_of_many_categories_share_buckets_and_decode_by_their_frequency() -> None:
    categories = tuple(f"c{i}" for i in range(500))
    schema = Schema(name="s", columns=(CategoricalColumn(name="x", categories=categories, missing=True),))
    shares = 1 / np.arange(1, 501)
    values = np.random.default_rng(0).choice(500, 40_000, p=shares / shares.sum()).astype(np.int32)
    values[::50] = -1
    table = Table(schema, {"x": values}, len(values))
    encoding = fitted(table)
    assert encoding.sizes[0] <= 101
    back = encoding.decode(encoding.encode(table), np.random.default_rng(1)).columns["x"]
    assert np.array_equal(back == -1, values == -1)
    assert np.array_equal(back == 0, values == 0)
    seen, drawn = np.bincount(values[values >= 0], minlength=500), np.bincount(back[back >= 0], minlength=500)
    assert 0.5 * np.abs(seen - drawn).sum() / len(values) < 0.03
    assert not drawn[seen == 0].any()


def test_the_document_gives_the_same_encoding_back() -> None:
    table = small_table(1000)
    encoding = fitted(table)
    document = json.loads(json.dumps(encoding.to_document()))
    again = Encoding.from_document(SCHEMA, document)
    codes = encoding.encode(table)
    assert again.sizes == encoding.sizes
    assert np.array_equal(again.encode(table), codes)
    first, second = (e.decode(codes, np.random.default_rng(0)).columns for e in (encoding, again))
    assert all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first)


def test_a_task_s_document_holds_no_counts_and_still_encodes() -> None:
    table = small_table(1000)
    encoding = fitted(table)
    document = encoding.to_document(masses=False)
    assert "masses" not in json.dumps(document)
    assert np.array_equal(Encoding.from_document(SCHEMA, document).encode(table), encoding.encode(table))


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 1},
        {"schema_digest": "0" * 64},
        {"columns": []},
        {"columns": [{"codes": [[0, 1]]}] * 7},
        {"columns": None},
        {"settings": {"grid_cells": "many"}},
    ],
)
def test_a_damaged_document_is_refused(damage: dict[str, object]) -> None:
    document = fitted(small_table(100)).to_document() | damage
    with pytest.raises(InputError):
        Encoding.from_document(SCHEMA, document)


# A cell for each of 1,001 whole numbers.
WHOLE = fitted(one_column(np.arange(1001), integer=True), EncodingSettings())


@pytest.mark.parametrize(
    "damage",
    [
        # Each beyond 2^53, or all together: JSON has no canonical form for such a number.
        {"masses": [2**53 + 2] + [0] * 1000},
        {"masses": [2**52] * 1001},
        {"masses": [2**62] * 1001},
        {"masses": [2**64] * 1001},
        {"masses": [1.5] * 1001},
        {"masses": ["1"] * 1001},
        {"masses": [-1] * 1001},
        {"codes": [[0, 1001.0]]},
        {"codes": [["0", "1001"]]},
        {"codes": [[0, 1001, 1]]},
        {"codes": [[1, 1001]]},
        {"codes": [[2**40, 1001]]},
        {"codes": [[0, 1]] * 2002},
        {"codes": []},
        {"codes": 5},
    ],
)
def test_a_column_s_codes_and_masses_are_whole_numbers_that_can_be_written_again(damage: dict[str, object]) -> None:
    document = WHOLE.to_document()
    column = WHOLE.columns[0].to_document(masses=True)
    assert Encoding.from_document(WHOLE.schema, document).to_document() == document
    assert WHOLE.columns[0].grid.cells == 1001
    with pytest.raises(InputError, match="this version's form"):
        Encoding.from_document(WHOLE.schema, document | {"columns": [column | damage]})


@pytest.mark.parametrize("name", list(EncodingSettings.model_fields))
@pytest.mark.parametrize("value", [2**60, 0, "64", 64.5, None])
def test_a_setting_that_no_plan_can_have_is_refused(name: str, value: object) -> None:
    document = WHOLE.to_document()
    changed = {**document, "settings": {**WHOLE.settings.model_dump(), name: value}}
    with pytest.raises(InputError, match="this version's form"):
        Encoding.from_document(WHOLE.schema, changed)


def test_a_table_of_another_schema_is_refused_though_its_columns_have_the_same_names() -> None:
    with pytest.raises(InputError, match="conform it"):
        WHOLE.encode(one_column(np.arange(3), integer=True, upper=999))


def test_negative_sums_are_refused() -> None:
    counts = Histograms.of(SCHEMA, SETTINGS).count(small_table(50))
    counts[0] = -1
    with pytest.raises(InputError, match="negative"):
        Encoding.fit(SCHEMA, counts, SETTINGS)


@pytest.mark.parametrize("codes", [np.full((1, 7), 99), np.full((1, 7), -1), np.zeros((1, 3))])
def test_codes_of_another_encoding_are_refused(codes: np.ndarray) -> None:
    with pytest.raises(InputError):
        fitted(small_table(100)).decode(codes.astype(np.int32), np.random.default_rng(0))


@given(st.lists(st.integers(0, 1000), min_size=60, max_size=60), st.integers(2, 40))
def test_codes_are_few_ascending_and_none_is_skipped(masses: list[int], most: int) -> None:
    column = NumericColumn(name="x", lower=0, upper=59, integer=True)
    grid = column_grids(Schema(name="s", columns=(column,)), EncodingSettings())[0]
    assert isinstance(grid, IntervalGrid)
    codes = interval_codes(grid, np.asarray(masses), most)
    used = np.unique(codes)
    assert np.array_equal(used, np.arange(len(used)))
    # Atoms are at most `most`, and what is left shares one bin more at the least.
    assert len(used) <= most + 1
    held = np.asarray(masses) > 0
    assert len(np.unique(codes[held])) == len(used) or not held.any()
