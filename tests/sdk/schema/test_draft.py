"""Drafts: what is guessed from rows, that it is marked, and that the rows then hold to it."""

import datetime
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn, Schema
from headwater.schema.conform import conform, load_table
from headwater.schema.draft import draft, draft_with_odd_cells
from headwater.schema.reading import read_arrow
from headwater.schema.writing import write_csv

SHARED = Path(__file__).parents[4] / "shared" / "data"
UNCONFIRMED_ALWAYS = {"kind", "missing", "sensitive"}


def guess(values: list[Any], *, target: bool = False) -> Column:
    return draft(pa.table({"c": values}), "c" if target else None, "t").columns[0]


def test_numbers_get_the_bounds_of_the_rows_and_every_guess_is_marked() -> None:
    column = guess([3, -1, 7, None])
    assert isinstance(column, NumericColumn)
    assert (column.lower, column.upper, column.integer, column.missing) == (-1, 7, True, True)
    assert set(column.unconfirmed) == UNCONFIRMED_ALWAYS | {"lower", "upper", "integer", "special_values"}


@pytest.mark.parametrize(
    ("values", "integer", "missing"),
    [
        ([0, 1, 0], True, False),
        ([1.0, 2.0, math.nan], True, True),
        ([0.5, 2.0], False, False),
        ([" 7", "+8", "9"], True, False),
        (["0.50", "1", ""], False, True),
        (["1e3", "-2"], True, False),
        (["nan", "1"], True, True),
        ([math.inf, 1.0, 2.0], True, False),
        ([5, 5, 5], True, False),
    ],
)
def test_what_reads_as_numbers_is_numeric(values: list[Any], integer: bool, missing: bool) -> None:
    column = guess(values)
    assert isinstance(column, NumericColumn)
    assert (column.integer, column.missing) == (integer, missing)
    assert math.isfinite(column.lower)
    assert math.isfinite(column.upper)


@pytest.mark.parametrize(
    ("counts", "kind", "writable"),
    [
        ((-719_162, 2_932_896), pa.int32(), pa.date32()),
        ((0, 253_402_300_799_999_999), pa.int64(), pa.timestamp("us")),
    ],
)
def test_dates_that_the_calendar_has_no_year_for_are_refused_by_column(
    counts: tuple[int, int], kind: pa.DataType, writable: pa.DataType
) -> None:
    column = draft(pa.table({"seen": pa.array(counts, kind).cast(writable)}), None, "t").columns[0]
    assert isinstance(column, DateColumn)
    assert column.upper == datetime.date.max
    for beyond in (counts[1] + 1, 2 ** (kind.bit_width - 2), -(2 ** (kind.bit_width - 2))):
        table = pa.table({"seen": pa.array([*counts, beyond], kind).cast(writable)})
        with pytest.raises(InputError, match="column 'seen' holds dates outside the years 1 to 9999"):
            draft(table, None, "t")


@pytest.mark.parametrize("values", [["007", "12"], ["?", "1"], [str(2**53 + 2), "1"], ["1", "a"], ["1,5", "2"]])
def test_codes_and_mixtures_stay_text_exactly(values: list[str]) -> None:
    column = guess(values)
    assert isinstance(column, CategoricalColumn)
    assert set(column.categories) == set(values)


@pytest.mark.parametrize(
    ("values", "categories"),
    [([0, 1, 1], ("0", "1")), (["2.0", "1.0"], ("1.0", "2.0")), ([3, 1, 2], ("1", "2", "3")), (["g", "h"], ("g", "h"))],
)
def test_a_target_of_few_values_is_categorical_with_their_text(values: list[Any], categories: tuple[str, ...]) -> None:
    column = guess(values, target=True)
    assert isinstance(column, CategoricalColumn)
    assert column.categories == categories
    assert column.role == "target"


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        (["0.50", "1", ""], 1),
        (["28.7967", "-3.1", "100"], 4),
        (["1e-7", "2.5"], 7),
        ([0.25, math.nan, 1.5, math.inf], 2),
        (["3", "4"], None),
        ([1 / 3, 0.5], None),
        ([1e9 + 0.5, 1e-9], None),
    ],
)
def test_decimals_are_those_of_the_value_with_the_most(values: list[Any], decimals: int | None) -> None:
    column = guess(values)
    assert isinstance(column, NumericColumn)
    assert column.decimals == decimals
    assert ("decimals" in column.unconfirmed) == (decimals is not None)


def test_a_target_of_many_numbers_stays_numeric() -> None:
    assert isinstance(guess(list(range(21)), target=True), NumericColumn)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["Yes", "No", "No"], ("No", "Yes")),
        (["T", "F"], ("F", "T")),
        ([True, False], ("false", "true")),
        (["y", None, "N"], ("N", "y")),
    ],
)
def test_two_labels_of_yes_and_no_are_boolean_in_their_own_spelling(values: list[Any], labels: tuple[str, str]) -> None:
    column = guess(values)
    assert isinstance(column, BooleanColumn)
    assert column.categories == labels
    assert set(column.unconfirmed) == UNCONFIRMED_ALWAYS | {"false", "true"}


@pytest.mark.parametrize(
    "values", [["Male", "Female"], ["Ch", "No"], ["yes", "yes"], ["yes", "no", "?"], ["Yes", "yes"]]
)
def test_other_labels_are_categories(values: list[str]) -> None:
    assert isinstance(guess(values), CategoricalColumn)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["2020-02-29", None, "2020-03-01"], "%Y-%m-%d"),
        (["29.02.2020", "01.03.2020"], "%d.%m.%Y"),
        (["02/29/2020", "03/01/2020"], "%m/%d/%Y"),
        (["2020-02-29 10:00:00", "2020-03-01 00:00:00"], "%Y-%m-%d %H:%M:%S"),
        ([datetime.date(2020, 2, 29), datetime.date(2020, 3, 1)], "%Y-%m-%d"),
        ([datetime.datetime(2020, 2, 29, 5), datetime.datetime(2020, 3, 1)], "%Y-%m-%d"),
    ],
)
def test_dates_are_found_with_their_format(values: list[Any], pattern: str) -> None:
    column = guess(values)
    assert isinstance(column, DateColumn)
    assert column.format == pattern
    assert (column.lower, column.upper) == (datetime.date(2020, 2, 29), datetime.date(2020, 3, 1))
    assert column.missing == (None in values)


def test_zero_or_an_end_with_a_large_share_of_a_wide_column_is_special() -> None:
    wide = [0] * 50 + [99999] * 50 + list(range(20_000, 21_000, 10))
    narrow = [0] * 50 + list(range(100))
    for values, special in ((wide, (0, 99999)), (narrow, ())):
        column = guess(values)
        assert isinstance(column, NumericColumn)
        assert column.special_values == special


def test_text_that_names_records_is_left_out_and_so_is_an_empty_column() -> None:
    size = 100
    arrow = pa.table(
        {
            "id": [f"p{number}" for number in range(size)],
            "void": pa.nulls(size, pa.string()),
            "nested": [[1]] * size,
            "sex": ["f", "m"] * (size // 2),
        }
    )
    assert draft(arrow, None, "t").names == ("sex",)
    for target in ("id", "void"):
        with pytest.raises(InputError, match=f"column '{target}' holds no value or names records"):
            draft(arrow, target, "t")
    with pytest.raises(InputError, match="every column"):
        draft(arrow.select(["id", "void"]), None, "t")


def test_rare_categories_of_a_long_list_become_other() -> None:
    values = [f"v{number}" for number in range(400) for _ in range(4)] + ["common"] * 9
    column = guess(values)
    assert isinstance(column, CategoricalColumn)
    assert len(column.categories) == 256
    assert column.other == "other"
    assert "common" in column.categories
    # Which of equally rare ones stay does not hang on the order of the rows.
    assert guess(values[::-1]) == column
    table = load_table(pa.table({"c": values}), Schema(name="t", columns=(column,)))
    others = (table.columns["c"] == column.categories.index("other")).sum()
    assert others == 4 * (400 - 254)


@pytest.mark.parametrize("name", ["x" * 201, "x" * 201 + "_0_0"])
def test_a_name_longer_than_a_schema_s_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match=r"has a name of 20[15] characters, at most 200"):
        draft(pa.table({"k": [1, 2], name: [3, 4]}), None, "s")


def test_no_rows_and_an_unknown_target_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        draft(pa.table({"a": pa.array([], pa.int64())}), None, "t")
    with pytest.raises(InputError, match="there is no column 'b'; the columns are a"):
        draft(pa.table({"a": [1]}), "b", "t")


cells = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.sampled_from(["yes", "no", "?", " 7", "NA", "other", "x,y", 'say "a"', "two\nlines"]),
)


@settings(deadline=None)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=30))
def test_rows_hold_to_the_schema_drafted_from_them(rows: list[list[str | None]]) -> None:
    # An infinity is refused wherever it stands, which another test holds.
    finite = [[cell if cell not in ("inf", "-inf") else None for cell in row] for row in rows]
    arrow = pa.table(
        {str(index): pa.array(cells, pa.string()) for index, cells in enumerate(zip(*finite, strict=True))}
    )
    try:
        guessed = draft_with_odd_cells(arrow, None, "t")
    except InputError:
        return
    schema = guessed.schema
    assert Schema.from_toml(schema.to_toml()) == schema
    # A cell among many numbers that is none is refused, which another test holds too.
    arrow = arrow.drop_columns([odd.column for odd in guessed.odd_cells if odd.drafted == "numbers"])
    schema = schema.model_copy(update={"columns": tuple(c for c in schema.columns if c.name in arrow.column_names)})
    table, problems = conform(arrow, schema)
    assert {problem.severity for problem in problems} <= {"ignored"}
    for column in schema.columns:
        if isinstance(column, CategoricalColumn | BooleanColumn):
            assert table.to_arrow()[column.name].to_pylist() == [
                cell or None for cell in arrow[column.name].to_pylist()
            ]


def test_the_breast_cancer_table_needs_no_editing(tmp_path: Path) -> None:
    source = load_breast_cancer()
    columns: dict[str, Any] = {str(name): source.data[:, index] for index, name in enumerate(source.feature_names)}
    write_csv(pa.table({**columns, "target": source.target.astype(np.int64)}), tmp_path / "cancer.csv")
    arrow = read_arrow(tmp_path / "cancer.csv")
    schema = draft(arrow, "target", "cancer")
    assert [column.kind for column in schema.columns] == ["numeric"] * 30 + ["categorical"]
    table, problems = conform(arrow, schema)
    assert problems == ()
    for name, values in columns.items():
        np.testing.assert_array_equal(table.columns[name], values)
    assert table.to_arrow()["target"].to_pylist() == [str(value) for value in source.target]


@pytest.mark.parametrize(
    ("file", "target", "numeric"),
    [
        ("adult.csv", "income", 6),
        ("credit.csv", "default", 14),
        ("diabetes130.csv.gz", "readmitted", 8),
        ("magic.csv", "class", 10),
    ],
)
def test_public_tables_need_no_editing(file: str, target: str, numeric: int) -> None:
    if not (SHARED / file).exists():
        pytest.skip(f"the public table {file} is not on this machine")
    arrow = read_arrow(SHARED / file)
    schema = draft(arrow, target, file)
    assert schema.names == tuple(arrow.column_names)
    assert sum(column.kind == "numeric" for column in schema.columns) == numeric
    assert conform(arrow, schema)[1] == ()
