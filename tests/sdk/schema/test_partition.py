"""Sharing rows out: each way as the benchmark's rules define it, against a plain reading of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.schema import CategoricalColumn, NumericColumn, Schema
from headwater.schema.conform import load_table
from headwater.schema.partition import partition
from headwater.schema.table import Table

WORDS = ("a", "b", "c", "d", "e", "missing")


def table_of(labels: list[str], wards: list[str | None] | None = None) -> Table:
    # Categories against the alphabet: the order of labels, not of categories, counts.
    schema = Schema(
        name="t",
        columns=(
            CategoricalColumn(name="y", categories=WORDS[::-1], role="target"),
            CategoricalColumn(name="ward", categories=WORDS[::-1], missing=True),
            NumericColumn(name="n", lower=0, upper=10_000),
        ),
    )
    wards = wards or list(labels)
    return load_table(pa.table({"y": labels, "ward": pa.array(wards, pa.string()), "n": range(len(labels))}), schema)


def drawn(rows: int, seed: int = 0) -> list[str]:
    return [str(word) for word in np.random.default_rng(seed).choice(list(WORDS[:3]), rows, p=[0.6, 0.3, 0.1])]


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.sampled_from(["iid", "label:0.5", "label:5", "column:ward"]), st.integers(0, 99))
def test_every_row_goes_to_exactly_one_part(parts: int, how: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    wards = [None if word == "f" else str(word) for word in random.choice([*WORDS, "f"], 600)]
    shares = partition(table_of(drawn(600, seed), wards), how, parts)
    assert len(shares) == parts
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), np.arange(600))
    for share in shares:
        assert (np.diff(share) > 0).all()


def test_iid_parts_are_equal_and_in_order() -> None:
    shares = partition(table_of(drawn(31)), "iid", 3)
    assert [share.tolist() for share in shares] == [list(range(11)), list(range(11, 21)), list(range(21, 31))]


def test_label_parts_follow_the_dirichlet_draws_of_the_rules() -> None:
    labels = drawn(400)
    rng = np.random.default_rng(7)
    while True:
        expected: list[list[int]] = [[] for _ in range(4)]
        for label in sorted(set(labels)):
            rows = [row for row, value in enumerate(labels) if value == label]
            edges = np.round(np.cumsum(rng.dirichlet([0.5] * 4)) * len(rows)).astype(int)
            for part, (start, end) in enumerate(zip([0, *edges[:-1]], edges, strict=True)):
                expected[part] += rows[start:end]
        if min(map(len, expected)) >= 30:
            break
    shares = partition(table_of(labels), "label:0.5", 4)
    assert [share.tolist() for share in shares] == [sorted(part) for part in expected]


def test_levels_are_dealt_largest_first_and_missing_ones_row_by_row() -> None:
    wards = ["a", "b", "b", "c", "c", "c", "d", "missing", None, "missing", None, "missing"]
    shares = partition(table_of(["a"] * len(wards), wards), "column:ward", 3)
    # c, b, then a and d by name; rows 7 to 11 one by one.
    assert [share.tolist() for share in shares] == [[3, 4, 5, 6, 7, 10], [1, 2, 8, 11], [0, 9]]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("label:0", "no concentration above 0"),
        ("label:x", "no concentration above 0"),
        ("label:nan", "no concentration above 0"),
        ("label", "no concentration above 0"),
        ("column:", "no way to share"),
        ("column:nope", "no column 'nope'"),
        ("column:n", "is numeric"),
        ("random", "no way to share"),
        ("iid:3", "no way to share"),
    ],
)
def test_other_ways_are_refused(how: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        partition(table_of(drawn(300)), how, 3)


def test_more_parts_than_rows_or_levels_are_refused() -> None:
    with pytest.raises(InputError, match="use fewer"):
        partition(table_of(["a", "b"]), "iid", 3)
    with pytest.raises(InputError, match="fewer than 30"):
        partition(table_of(drawn(80)), "label:1", 3)
    with pytest.raises(InputError, match="too few levels"):
        partition(table_of(["a", "b"] * 9), "column:ward", 3)
    with pytest.raises(InputError, match="no draw of label:0"):
        partition(table_of(["a"] * 90), "label:0.001", 3)


def test_label_parts_need_a_target() -> None:
    schema = Schema(name="t", columns=(NumericColumn(name="n", lower=0, upper=1000),))
    with pytest.raises(InputError, match="marks no target"):
        partition(load_table(pa.table({"n": range(300)}), schema), "label:1", 3)
