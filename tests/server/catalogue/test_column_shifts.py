"""How far columns moved between two versions, by what statistics.json counts."""

import json

import numpy as np
import pytest

from headwater_server.catalogue.column_shifts import Spread, column_shifts, read_spreads


def numbers(values: np.ndarray, bins: int = 20) -> Spread:
    counts, edges = np.histogram(values, bins=bins)
    return Spread(len(values), 0, {}, tuple(map(float, edges)), tuple(map(int, counts)), "0")


def test_the_distance_of_categories_is_the_share_that_must_change() -> None:
    before = {"ward": Spread(100, 0, {"a": 50, "b": 50})}
    after = {"ward": Spread(200, 0, {"a": 60, "c": 140})}
    (shift,) = column_shifts(before, after)
    assert shift.distance == pytest.approx(0.7)
    assert shift.size == "large"
    assert (shift.before, shift.after) == ("a 50.0%", "c 70.0%")


def test_missing_values_count_as_a_value() -> None:
    (shift,) = column_shifts({"x": Spread(100, 0, {"a": 100})}, {"x": Spread(100, 30, {"a": 70})})
    assert shift.distance == pytest.approx(0.3)
    assert shift.after == "a 70.0%, 30.0% missing"


def test_the_distance_of_numbers_is_the_largest_gap_of_shares_whatever_the_bins() -> None:
    random = np.random.default_rng(1)
    one, other = random.normal(0, 1, 20_000), random.normal(1, 1, 20_000)
    (shift,) = column_shifts({"x": numbers(one)}, {"x": numbers(other, bins=31)})
    # The largest gap of two normal laws one deviation apart: Φ(1/2) − Φ(−1/2).
    assert shift.distance == pytest.approx(0.3829, abs=0.02)


def test_samples_of_one_source_are_within_chance_and_others_are_not() -> None:
    random = np.random.default_rng(2)
    within = [
        column_shifts({"x": numbers(random.normal(size=2000))}, {"x": numbers(random.normal(size=2000))})[0].size
        for _ in range(60)
    ]
    assert within.count("within chance") >= 54
    moved = column_shifts({"x": numbers(random.normal(size=2000))}, {"x": numbers(random.normal(0.3, 1, 2000))})[0]
    assert moved.size != "within chance"


def test_the_farthest_column_comes_first_and_strangers_are_left_out() -> None:
    before = {"a": Spread(10, 0, {"x": 10}), "b": Spread(10, 0, {"x": 10}), "gone": Spread(10, 0, {"x": 10})}
    after = {"a": Spread(10, 0, {"x": 10}), "b": Spread(10, 0, {"y": 10}), "new": Spread(10, 0, {"x": 10})}
    assert [shift.name for shift in column_shifts(before, after)] == ["b", "a"]


def test_a_single_value_beside_bins_keeps_its_place() -> None:
    said = {
        "counted": 100,
        "columns": [
            {
                "name": "gain",
                "missing": 0,
                "quantiles": {"median": 0.0},
                "distribution": {
                    "kind": "histogram",
                    "edges": [0, 10, 20],
                    "counts": [10, 10],
                    "atoms": [{"label": "0", "count": 80}],
                },
            },
            {"name": "picture", "missing": 0, "distribution": None},
        ],
    }
    spreads = read_spreads(json.dumps(said).encode())
    assert list(spreads) == ["gain"]
    assert sum(spreads["gain"].counts) == 100
    assert column_shifts(spreads, spreads)[0].distance == 0
    assert column_shifts(spreads, spreads)[0].before == "median 0"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"counted": 1, "columns": [1]}', b'{"counted": "x", "columns": []}']
)
def test_what_is_no_statistics_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_spreads(data)
