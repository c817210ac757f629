"""Distances between rows: an obvious oracle, scales from public rows, and bounded blocks."""

import numpy as np
import pytest

from headwater.errors import InputError
from headwater.evidence import space as space_module
from headwater.evidence.candidate import Candidate
from headwater.evidence.space import Space, nearest
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table

_SCHEMA = Schema(
    name="people",
    columns=(
        NumericColumn(name="age", lower=0, upper=100, missing=True),
        NumericColumn(name="height", lower=0, upper=3),
        CategoricalColumn(name="town", categories=("a", "b", "c"), missing=True),
        BooleanColumn(name="ill"),
    ),
)


def _table(age: list[float], height: list[float], town: list[int], ill: list[int]) -> Table:
    columns = {
        "age": np.array(age, float),
        "height": np.array(height, float),
        "town": np.array(town, np.int32),
        "ill": np.array(ill, np.int32),
    }
    return Table(_SCHEMA, columns, len(age))


def _squared(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.square(left - right).sum())


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("tile", [(256, 1 << 15, 1 << 16), (7, 128, 20), (16, 64, 50)])
def test_the_nearest_are_those_that_sorting_all_distances_finds(
    k: int, tile: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in zip(("_TALL", "_WIDE", "_QUERIES"), tile, strict=True):
        monkeypatch.setattr(space_module, name, size)
    random = np.random.default_rng(3)
    queries, points = (random.normal(size=(rows, 6)).astype(np.float32) for rows in (50, 301))
    distances, places = nearest(queries, points, k)
    all_distances = np.sqrt(np.square(queries[:, None].astype(float) - points[None]).sum(axis=2))
    expected = np.argsort(all_distances, axis=1)[:, :k]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(distances, np.take_along_axis(all_distances, expected, axis=1), atol=1e-5)


def test_a_copy_is_at_no_distance_at_all_and_of_equals_the_first_counts() -> None:
    # Far from the origin, where products of matrices lose the digits that tell a copy from a near row.
    points = (np.random.default_rng(5).normal(size=(300, 4)) + 5).astype(np.float32)
    distances, places = nearest(points[:40], np.concatenate([points, points]), 2)
    np.testing.assert_array_equal(distances, 0.0)
    np.testing.assert_array_equal(places, np.arange(40)[:, None] + [0, 300])


def test_no_query_finds_nothing() -> None:
    distances, places = nearest(np.zeros((0, 3), np.float32), np.zeros((5, 3), np.float32), 2)
    assert distances.shape == places.shape == (0, 2)


def test_no_point_is_its_own_neighbour_where_queries_are_the_points() -> None:
    points = np.random.default_rng(4).normal(size=(90, 3)).astype(np.float32)
    _, places = nearest(points, points, 2, same=True)
    assert not (places == np.arange(90)[:, None]).any()


def test_points_that_are_missing_are_infinitely_far() -> None:
    points = np.zeros((2, 3), np.float32)
    distances, places = nearest(points[:1], points, 4)
    assert np.isinf(distances[0, 2:]).all()
    np.testing.assert_array_equal(places[0, 2:], [-1, -1])
    distances, places = nearest(points[:1], points[:1], 1, same=True)
    assert (np.isinf(distances[0, 0]), places[0, 0]) == (True, -1)


def test_each_differing_category_adds_one_and_a_number_half_its_deviations() -> None:
    scaled_by = _table([20, 40, 60, 80], [1, 1, 1, 1], [0, 1, 2, 0], [0, 1, 0, 1])
    space = Space.of(scaled_by)
    rows = space.points(_table([40, 40, 40, 60], [1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 1, 0]))
    assert _squared(rows[0], rows[1]) == pytest.approx(1.0)
    assert _squared(rows[0], rows[2]) == pytest.approx(2.0)
    deviation = np.std([20, 40, 60, 80])
    assert _squared(rows[0], rows[3]) == pytest.approx((20 / deviation / 2) ** 2)


def test_missing_is_a_place_of_its_own() -> None:
    space = Space.of(_table([20, 60], [1, 2], [0, 1], [0, 1]))
    rows = space.points(_table([40, np.nan], [1, 1], [0, -1], [0, 0]))
    # The number is its mean with a flag, the category one more category.
    assert _squared(rows[0], rows[1]) == pytest.approx(2.0)


def test_a_constant_or_empty_column_moves_nothing() -> None:
    space = Space.of(_table([np.nan, np.nan], [1, 1], [0, 0], [1, 1]))
    assert np.isfinite(space.points(_table([np.nan, 30], [1, 1], [0, 0], [1, 1]))).all()


def test_some_columns_give_their_own_dimensions_only() -> None:
    table = _table([20, 60], [1, 2], [0, 1], [0, 1])
    space = Space.of(table)
    assert space.points(table, ("height", "ill")).shape == (2, 1 + 3)
    with pytest.raises(InputError, match="at least one column"):
        space.points(table, ())


def test_rows_of_another_schema_have_no_place() -> None:
    other = Schema(name="other", columns=(NumericColumn(name="age", lower=0, upper=1),))
    with pytest.raises(InputError, match="another schema"):
        Space.of(_table([1], [1], [0], [0])).points(Table(other, {"age": np.zeros(1)}, 1))


def test_hundreds_of_categories_take_a_bounded_number_of_places() -> None:
    schema = Schema(name="codes", columns=(CategoricalColumn(name="code", categories=tuple(map(str, range(900)))),))
    table = Table(schema, {"code": np.arange(900, dtype=np.int32)}, 900)
    points = Space.of(table).points(table)
    assert points.shape == (900, 64)
    np.testing.assert_allclose(np.square(points).sum(axis=1), 0.5)
    # Spread over the places, not heaped: no place has more than a few times its share.
    assert (points > 0).sum(axis=0).max() < 3 * 900 / 64


def test_pixels_are_shares_of_the_top_level() -> None:
    schema = Schema(name="pictures", columns=(ImageColumn(name="picture", height=2, width=2, levels=17),))
    table = Table(schema, {"picture": np.array([[0, 16, 4, 8]], np.uint8)}, 1)
    assert Space.of(table).points(table).tolist() == [[0.0, 1.0, 0.25, 0.5]]


def test_a_candidate_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        Candidate(_table([], [], [], []))
