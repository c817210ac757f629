"""statistics.json: counts that are right, and that nobody can put others in the place of."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headwater.errors import ReleaseRefused
from headwater.release import statistics
from headwater.release.distribution import Bars, Histogram
from headwater.release.rows import write_rows
from headwater.release.statistics import ColumnStatistics, Statistics, check_statistics, statistics_of
from headwater.schema import BooleanColumn, CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.table import Table
from support.releases import make_table


def count(column: Column, values: np.ndarray) -> ColumnStatistics:
    table = Table(Schema(name="t", columns=(column,)), {column.name: values}, len(values))
    return statistics_of(table.to_arrow(), table.schema).columns[0]


def total(counted: ColumnStatistics) -> int:
    match counted.distribution:
        case None:
            return counted.missing
        case Bars() as shown:
            return sum(shown.counts) + shown.others + counted.missing
        case Histogram() as shown:
            return sum(shown.counts) + sum(atom.count for atom in shown.atoms) + shown.beyond + counted.missing


@given(
    arrays.arrays(
        np.float64,
        st.integers(1, 300),
        elements=st.floats(-1e9, 1e9, allow_subnormal=False) | st.just(np.nan) | st.just(0.0) | st.just(-0.0),
    ),
    st.booleans(),
)
def test_every_number_is_counted_once(values: np.ndarray, whole: bool) -> None:
    values = np.rint(values) if whole else values
    counted = count(NumericColumn(name="x", lower=-1e9, upper=1e9, integer=whole, missing=True), values)
    assert total(counted) == len(values)


@given(arrays.arrays(np.int32, st.integers(1, 200), elements=st.integers(-1, 79)))
def test_every_category_is_counted_once_the_frequent_first(codes: np.ndarray) -> None:
    column = CategoricalColumn(name="c", categories=tuple(f"k{index}" for index in range(80)), missing=True)
    counted = count(column, codes)
    assert total(counted) == len(codes)
    assert counted.distinct == len(set(codes.tolist()) - {-1})
    if isinstance(counted.distribution, Bars):
        assert list(counted.distribution.counts) == sorted(counted.distribution.counts, reverse=True)
        assert counted.distribution.other_values == 30


def test_figures_of_numbers_are_those_of_numpy() -> None:
    values = np.concatenate([np.random.default_rng(5).normal(10, 3, 1000), [np.nan]])
    counted = count(NumericColumn(name="x", lower=-100, upper=100, missing=True), values)
    assert counted.quantiles is not None
    assert counted.quantiles.p25 == pytest.approx(np.nanquantile(values, 0.25))
    assert (counted.mean, counted.deviation) == pytest.approx((np.nanmean(values), np.nanstd(values)))
    assert counted.missing == 1


def test_days_are_told_as_days() -> None:
    column = DateColumn(name="d", lower=datetime.date(2020, 1, 1), upper=datetime.date(2025, 1, 1))
    counted = count(column, np.arange(18262, 18662, dtype=np.float64))
    assert counted.quantiles is not None
    assert (counted.quantiles.least, counted.quantiles.largest) == ("2020-01-01", "2021-02-03")
    assert counted.mean is None


def test_preview_is_the_first_rows_as_text() -> None:
    table = make_table()
    counted = statistics_of(table.to_arrow(), table.schema)
    assert len(counted.preview) == 20
    first = table.to_arrow().slice(0, 1).to_pylist()[0]
    assert counted.preview[0][0] == str(first["age"])
    assert counted.preview[0][2] == first["ward"]
    assert counted.preview[0][4] == first["admitted"].isoformat()
    shown = [row[1] is None for row in counted.preview]
    assert shown == table.to_arrow().column(1).slice(0, 20).is_null().to_pylist()


def test_pictures_are_named_and_not_compared() -> None:
    columns = (ImageColumn(name="i", height=2, width=2, levels=4), NumericColumn(name="x", lower=0, upper=9))
    schema = Schema(name="t", columns=columns)
    table = Table(schema, {"i": np.zeros((5, 4), np.uint8), "x": np.arange(5.0)}, 5)
    counted = statistics_of(table.to_arrow(), schema)
    assert counted.preview[0] == ("picture of 4 pixels", "0")
    assert counted.pairs is None


def test_pairs_find_what_hangs_together_and_nothing_else() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=4000)
    columns: dict[str, np.ndarray] = {
        "x": x,
        "falls": -x,
        "alone": random.normal(size=4000),
        "sign": (x > 0).astype(np.int32),
        "dice": random.integers(0, 6, 4000).astype(np.int32),
        "same": np.zeros(4000, np.int32),
    }
    schema = Schema(
        name="t",
        columns=(
            *(NumericColumn(name=name, lower=-9, upper=9) for name in ("x", "falls", "alone")),
            BooleanColumn(name="sign", false="no", true="yes"),
            CategoricalColumn(name="dice", categories=tuple("123456")),
            CategoricalColumn(name="same", categories=("a", "b")),
        ),
    )
    pairs = statistics_of(Table(schema, columns, 4000).to_arrow(), schema).pairs
    assert pairs is not None
    between = {
        (one, other): pairs.matrix[row][column]
        for row, one in enumerate(pairs.columns)
        for column, other in enumerate(pairs.columns)
    }
    assert between["x", "falls"] == -1.0
    # A normal value's sign explains 2/π of its variance.
    assert between["x", "sign"] == pytest.approx(np.sqrt(2 / np.pi), abs=0.01)
    assert between["sign", "x"] == between["x", "sign"]
    for one, other in (("x", "alone"), ("x", "dice"), ("sign", "dice")):
        assert abs(between[one, other] or 0.0) < 0.05
    assert between["x", "same"] is None
    assert between["sign", "same"] is None


def test_cramers_v_is_one_between_copies_and_does_not_rise_by_chance() -> None:
    from headwater.release.associations import association

    random = np.random.default_rng(2)
    codes = random.integers(0, 30, 300)
    assert association(codes, codes) == pytest.approx(1.0)
    # Without the correction 900 cells of 300 rows look like V = .3.
    by_chance = [association(random.integers(0, 30, 300), random.integers(0, 30, 300)) for _ in range(20)]
    assert np.mean([value or 0.0 for value in by_chance]) < 0.12


def test_wide_tables_are_compared_in_part_with_their_target() -> None:
    names = [f"x{index}" for index in range(50)]
    columns = [NumericColumn(name=name, lower=0, upper=1) for name in names]
    columns[49] = NumericColumn(name="x49", lower=0, upper=1, role="target")
    schema = Schema(name="t", columns=tuple(columns))
    values = np.random.default_rng(3).random((50, 30))
    table = Table(schema, dict(zip(names, values, strict=True)), 30)
    pairs = statistics_of(table.to_arrow(), schema).pairs
    assert pairs is not None
    assert pairs.columns == (*names[:39], "x49")


def test_of_a_large_table_the_first_rows_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "COUNTED_ROWS", 70)
    table = make_table(rows=100)
    write_rows(table, tmp_path / "data.parquet")
    rows, number = statistics.first_rows(tmp_path / "data.parquet")
    counted = statistics_of(rows, table.schema, of=number)
    assert (counted.rows, counted.counted, rows.num_rows) == (100, 70, 70)
    assert counted.columns == statistics_of(table.to_arrow().slice(0, 70), table.schema).columns


@pytest.fixture
def written(tmp_path: Path) -> tuple[Statistics, Path, Schema]:
    table = make_table()
    file = tmp_path / "data.parquet"
    write_rows(table, file)
    return statistics_of(table.to_arrow(), table.schema), file, table.schema


def test_what_follows_from_the_rows_is_believed(written: tuple[Statistics, Path, Schema]) -> None:
    counted, file, schema = written
    assert check_statistics(counted.to_bytes(), file, schema) == counted


def test_sums_may_differ_in_their_last_digits(written: tuple[Statistics, Path, Schema]) -> None:
    counted, file, schema = written
    age = counted.columns[0]
    assert age.mean is not None
    near = age.model_copy(update={"mean": age.mean * (1 + 1e-9)})
    told = counted.model_copy(update={"columns": (near, *counted.columns[1:])})
    assert check_statistics(told.to_bytes(), file, schema) == told


def test_other_figures_than_the_rows_come_to_are_refused(written: tuple[Statistics, Path, Schema]) -> None:
    counted, file, schema = written
    other = (("someone", *counted.preview[0][1:]), *counted.preview[1:])
    fewer = counted.columns[2].model_copy(update={"missing": 1})
    changes: dict[str, tuple[dict[str, object], str]] = {
        "preview": ({"preview": other}, r"at preview\[0\]\[0\]"),
        "columns": ({"columns": (*counted.columns[:2], fewer, *counted.columns[3:])}, r"at columns\[2\].missing"),
        "pairs": ({"pairs": None}, "at pairs"),
        "rows": ({"rows": 501}, "at rows"),
    }
    for change, place in changes.values():
        with pytest.raises(ReleaseRefused, match=place):
            check_statistics(counted.model_copy(update=change).to_bytes(), file, schema)
    with pytest.raises(ReleaseRefused, match="cannot be believed"):
        check_statistics(b"{}", file, schema)


def test_rows_of_another_schema_are_refused(written: tuple[Statistics, Path, Schema], tmp_path: Path) -> None:
    counted, _, schema = written
    other = tmp_path / "other.parquet"
    write_rows(pa.table({"age": [1]}), other)
    with pytest.raises(ReleaseRefused, match="does not hold rows of the release's own schema"):
        check_statistics(counted.to_bytes(), other, schema)
