"""data.csv.gz: the rows of data.parquet and nothing else, for every kind of value."""

import gzip
import io
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import ReleaseRefused
from headwater.release import csv_copy
from headwater.release.csv_copy import check_csv, write_csv_copy
from headwater.release.rows import write_rows
from headwater.schema import CategoricalColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.reading import read_arrow
from headwater.schema.table import Table
from support.releases import make_table

TABLE = make_table(rows=300)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "data.parquet"
    write_rows(TABLE, file)
    return file


@pytest.fixture
def copy(tmp_path: Path, rows: Path) -> Path:
    file = tmp_path / "data.csv.gz"
    write_csv_copy(rows, TABLE.schema, file)
    return file


def repack(file: Path, text: bytes) -> None:
    """The text in the very form that is written here."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=packed, mtime=0) as stream:
        stream.write(text)
    file.write_bytes(packed.getvalue())


def test_copy_has_the_rows_and_is_the_same_again(rows: Path, copy: Path) -> None:
    check_csv(copy, rows, TABLE.schema)
    before = copy.read_bytes()
    write_csv_copy(rows, TABLE.schema, copy)
    assert copy.read_bytes() == before


def test_copy_in_several_pieces_is_the_copy_in_one(
    rows: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_copy, "_BATCH_ROWS", 7)
    write_csv_copy(rows, TABLE.schema, tmp_path / "pieces.csv.gz")
    assert gzip.decompress((tmp_path / "pieces.csv.gz").read_bytes()) == gzip.decompress(copy.read_bytes())
    monkeypatch.setattr(csv_copy, "_PIECE_BYTES", 512)
    check_csv(copy, rows, TABLE.schema)


def test_other_readers_find_the_same_values(rows: Path, copy: Path) -> None:
    assert subprocess.run(["gzip", "--test", str(copy)], check=False).returncode == 0
    read = read_arrow(copy)
    written = pq.read_table(rows)
    for name in written.column_names:
        assert read.column(name).cast(written.column(name).type).equals(written.column(name)), name


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8), min_size=1),
    number=st.floats(-1e100, 1e100),
)
def test_texts_and_numbers_of_every_kind_survive(tmp_path: Path, texts: list[str], number: float) -> None:
    categories = tuple(dict.fromkeys(text.strip() or "x" for text in texts))
    columns = (
        CategoricalColumn(name='a,"b"', categories=categories, missing=True),
        NumericColumn(name="n", lower=-1e100, upper=1e100, missing=True),
    )
    schema = Schema(name="t", columns=columns)
    codes = np.array([*range(len(categories)), -1], np.int32)
    numbers = np.array([number] * len(categories) + [np.nan])
    write_rows(Table(schema, {'a,"b"': codes, "n": numbers}, len(codes)), tmp_path / "r.parquet")
    write_csv_copy(tmp_path / "r.parquet", schema, tmp_path / "r.csv.gz")
    check_csv(tmp_path / "r.csv.gz", tmp_path / "r.parquet", schema)


def test_pictures_are_a_column_for_each_pixel(tmp_path: Path) -> None:
    schema = Schema(name="t", columns=(ImageColumn(name="i", height=2, width=2, levels=4),))
    table = Table(schema, {"i": np.arange(8, dtype=np.uint8).reshape(2, 4) % 4}, 2)
    write_rows(table, tmp_path / "r.parquet")
    write_csv_copy(tmp_path / "r.parquet", schema, tmp_path / "r.csv.gz")
    check_csv(tmp_path / "r.csv.gz", tmp_path / "r.parquet", schema)
    assert gzip.decompress((tmp_path / "r.csv.gz").read_bytes()).splitlines()[1] == b"0,1,2,3"


def test_missing_values_alone_on_their_line_survive(tmp_path: Path) -> None:
    schema = Schema(name="t", columns=(NumericColumn(name="x", lower=0, upper=9, missing=True),))
    write_rows(Table(schema, {"x": np.array([np.nan, 1.0, np.nan])}, 3), tmp_path / "r.parquet")
    write_csv_copy(tmp_path / "r.parquet", schema, tmp_path / "r.csv.gz")
    check_csv(tmp_path / "r.csv.gz", tmp_path / "r.parquet", schema)


def lines(copy: Path) -> list[bytes]:
    return gzip.decompress(copy.read_bytes()).splitlines(keepends=True)


def test_any_other_row_is_refused(rows: Path, copy: Path) -> None:
    kept = lines(copy)
    changes = {
        "one value": [*kept[:5], b"1" + kept[5], *kept[6:]],
        "a row more": [*kept, kept[-1]],
        "a row less": kept[:-1],
        "two rows the other way round": [kept[0], kept[2], kept[1], *kept[3:]],
        "another header": [kept[0].replace(b"ward", b"word"), *kept[1:]],
        "a column more": [line.rstrip(b"\n") + b",1\n" for line in kept],
        "no row": kept[:1],
        "nothing": [],
        "text for a number": [*kept[:5], b"x" + kept[5], *kept[6:]],
    }
    for what, changed in changes.items():
        repack(copy, b"".join(changed))
        with pytest.raises(ReleaseRefused, match=r"does not hold the rows of data\.parquet"):
            check_csv(copy, rows, TABLE.schema)
        assert what


def test_an_empty_text_is_no_missing_value(rows: Path, copy: Path) -> None:
    kept = lines(copy)
    place = next(index for index, line in enumerate(kept) if b",," in line)
    repack(copy, b"".join([*kept[:place], kept[place].replace(b",,", b',"",', 1), *kept[place + 1 :]]))
    with pytest.raises(ReleaseRefused):
        check_csv(copy, rows, TABLE.schema)


def test_what_is_hidden_beside_the_text_is_refused(rows: Path, copy: Path) -> None:
    packed = copy.read_bytes()
    named = io.BytesIO()
    with gzip.GzipFile("patients.csv", "wb", fileobj=named, mtime=0) as stream:
        stream.write(gzip.decompress(packed))
    for hidden in (
        packed + b"more",
        packed + gzip.compress(b"more"),
        named.getvalue(),
        packed[:4] + b"\x01" + packed[5:],
        packed[:-9],
        b"",
    ):
        copy.write_bytes(hidden)
        with pytest.raises(ReleaseRefused):
            check_csv(copy, rows, TABLE.schema)


def test_a_copy_of_another_table_is_refused(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(ReleaseRefused, match="does not hold the columns of the release's own schema"):
        check_csv(copy, other, TABLE.schema)
