"""Public cells: where values go, which groups of columns are chosen, that counts add up."""

import datetime
import itertools
from typing import Any

import numpy as np
import pytest

from headwater.evaluation.cells import Cells, choose
from headwater.evaluation.public_edges import public_edges, snapped
from headwater.schema import BooleanColumn, CategoricalColumn, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table

SCHEMA = Schema(
    name="cells",
    columns=(
        NumericColumn(name="age", lower=0, upper=200, missing=True),
        CategoricalColumn(name="town", categories=tuple(f"t{place}" for place in range(30)), missing=True),
        BooleanColumn(name="ill", missing=True),
        DateColumn(name="day", lower=datetime.date(1970, 1, 1), upper=datetime.date(1971, 1, 1)),
        ImageColumn(name="picture", height=2, width=2),
    ),
)


def table(rows: int = 400, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    age = random.normal(50, 10, rows)
    age[random.random(rows) < 0.1] = np.nan
    columns: dict[str, np.ndarray[Any, Any]] = {
        "age": age,
        "town": np.minimum(random.geometric(0.2, rows) - 2, 29).astype(np.int32),
        "ill": random.integers(-1, 2, rows).astype(np.int32),
        "day": random.integers(0, 300, rows).astype(np.float64),
        "picture": random.integers(0, 256, (rows, 4)).astype(np.uint8),
    }
    return Table(SCHEMA, columns, rows)


def test_bins_of_a_number_end_near_the_candidate_s_quantiles_and_missing_has_a_cell() -> None:
    rows = table(4000)
    cells = Cells.of(rows, 20, 10)
    counts = np.bincount(cells.of_column(rows, 0), minlength=cells.sizes[0])
    assert counts[0] == np.isnan(rows.columns["age"]).sum()
    # Bounds of 0 to 200 in steps of 2.5, of which values around 50 reach a third.
    assert 14 <= cells.sizes[0] <= 21
    assert counts[1:].max() <= 3 * counts[1:].mean()
    public = public_edges(SCHEMA.columns[0], 20)
    assert np.isin(cells.edges["age"], public).all()
    wanted = np.nanquantile(rows.columns["age"], np.linspace(0, 1, 21)[1:-1])
    assert np.abs(cells.edges["age"][:, None] - wanted).min(axis=1).max() <= 1.25


def test_a_made_up_candidate_draws_no_cell_around_one_person_s_values() -> None:
    rows, known = table(4000), 50.123
    fence = np.where(np.arange(4000) % 2, known - 1e-6, known + 1e-6)
    made_up = Table(SCHEMA, {**rows.columns, "age": fence, "day": np.full(4000, 201.0)}, 4000)
    for bins in (3, 12, 20):
        cells = Cells.of(made_up, bins, 10, beyond=True)
        for place, name, value, reach in ((0, "age", known, 200.0), (3, "day", 201.0, 365.0)):
            edges = cells.edges[name]
            narrowest = reach / (4 * bins)
            assert np.diff(edges).min() >= narrowest * (1 - 1e-9)
            people = rows.columns[name]
            # Whoever shares the known person's cell is everybody in a whole part of the bounds.
            mine = np.searchsorted(edges, value, side="right") + 1
            inside = (people >= value - narrowest / 2) & (people < value + narrowest / 2)
            assert (cells.of_column(rows, place) == mine).sum() >= 0.4 * inside.sum() > 10


def test_public_edges_follow_from_the_schema_alone() -> None:
    wide = NumericColumn(name="gain", lower=0, upper=100_000, integer=True, special_values=(-1,))
    edges = public_edges(wide, 20)
    assert list(edges[:2]) == [-1.0, np.nextafter(-1.0, np.inf)]
    # Near zero, where wide columns crowd, they halve down to the last whole number.
    assert 0.0 in edges
    assert 1.0 <= edges[edges > 0].min() < 2.0
    assert np.diff(edges[2:]).max() <= 1250.0
    assert np.array_equal(public_edges(NumericColumn(name="one", lower=3, upper=3), 20), [3.0])
    assert not len(public_edges(SCHEMA.columns[1], 20))
    assert not len(snapped(np.zeros(3), np.zeros(0)))
    assert list(snapped(np.array([0.2, 0.9, 7.0, -3.0]), np.array([0.0, 1.0, 2.0]))) == [0.0, 1.0, 2.0]


def test_values_beyond_the_candidate_have_cells_of_their_own() -> None:
    rows = table()
    cells = Cells.of(rows, 10, 40, beyond=True)
    known = rows.columns["age"][~np.isnan(rows.columns["age"])]
    # A part of the bounds is 5 wide: what is further out than that is told apart.
    asked = np.array([known.min() - 5, known.min(), known.max(), known.max() + 5])
    other = rows.take(np.arange(4))
    found = cells.of_column(Table(SCHEMA, {**other.columns, "age": asked}, 4), 0)
    own = cells.of_column(rows, 0)
    assert found[0] not in own
    assert found[3] not in own
    assert set(found[1:3]) <= set(own)


def test_the_most_frequent_categories_have_cells_and_all_others_share_one() -> None:
    rows = table()
    cells = Cells.of(rows, 10, 5)
    found = cells.of_column(rows, 1)
    codes = rows.columns["town"]
    frequent = np.argsort(-np.bincount(codes[codes >= 0], minlength=30), kind="stable")[:5]
    assert cells.sizes[1] == 7
    assert set(found[codes == -1]) == {0}
    assert {int(found[codes == code][0]) for code in frequent} == {1, 2, 3, 4, 5}
    assert set(found[~np.isin(codes, [-1, *frequent])]) == {6}
    # A category that the candidate lacks has a cell all the same.
    assert Cells.of(rows.take(codes == 0), 10, 40).sizes[1] == 31


def test_counts_are_those_of_an_obvious_loop_and_add_up() -> None:
    rows, other = table(60), table(80, 1)
    cells = Cells.of(rows, 4, 3)
    groups = [(0, 1), (2, 3), (0, 4)]
    found = cells.split(cells.counts(rows, groups), groups)
    for group, counts in zip(groups, found, strict=True):
        oracle = np.zeros([cells.sizes[place] for place in group], np.int64)
        for cell in zip(*(cells.of_column(rows, place) for place in group), strict=True):
            oracle[cell] += 1
        np.testing.assert_array_equal(counts, oracle.reshape(-1))
    both = cells.counts(Table.concat([rows, other]), groups)
    np.testing.assert_array_equal(both, cells.counts(rows, groups) + cells.counts(other, groups))


def test_columns_without_a_value_have_a_cell() -> None:
    rows = table(10)
    empty = Table(SCHEMA, {**rows.columns, "age": np.full(10, np.nan), "ill": np.full(10, -1, np.int32)}, 10)
    cells = Cells.of(empty, 20, 20)
    assert set(cells.of_column(empty, 0)) == {0}
    assert cells.counts(rows, [(0, 2)]).sum() == 10


def test_all_groups_are_chosen_where_there_is_room() -> None:
    chosen = choose([3, 4, 5, 6], 2, 10_000, 0)
    assert chosen.groups == tuple(itertools.combinations(range(4), 2))
    assert chosen.share == 1.0


@pytest.mark.parametrize("columns", [60, 2000])
def test_a_choice_keeps_to_its_room_and_only_the_seed_makes_it(columns: int) -> None:
    sizes = np.random.default_rng(0).integers(2, 40, columns).tolist()
    chosen = choose(sizes, 3, 50_000, 1)
    assert chosen == choose(sizes, 3, 50_000, 1)
    assert chosen != choose(sizes, 3, 50_000, 2)
    cells = sum(sizes[one] * sizes[two] * sizes[three] for one, two, three in chosen.groups)
    assert 45_000 <= cells <= 50_000
    assert 0 < chosen.share < 0.1


def test_there_is_no_pair_of_one_column() -> None:
    assert choose([4], 2, 100, 0).groups == ()
    assert choose([4], 2, 100, 0).share == 0.0
