"""Reading files and frames: what is kept exactly, and one clear line for every broken file."""

import contextlib
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater.schema import utf8
from headwater.schema.reading import read_arrow, rows_of
from headwater.schema.writing import write_csv


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_text_is_kept_exactly_and_the_empty_field_alone_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b'code,word,age\n" 7",?,1\n007,NA,\n,"",30\n"x\ny",null,4\n')
    assert read_arrow(path).to_pydict() == {
        "code": [" 7", "007", None, "x\ny"],
        "word": ["?", "NA", None, "null"],
        "age": [1, None, 30, 4],
    }


@pytest.mark.parametrize("odd", ["07", "+7", "7.0", " 7", "7e0", "1234567890123456789", "-0", "x"])
def test_a_column_is_of_integers_only_if_that_loses_nothing(tmp_path: Path, odd: str) -> None:
    # After the first rows: a glance at the top must not decide.
    rows = ["0", "-7"] * 300 + [odd]
    path = write(tmp_path, "a.csv", "\n".join(["n,m", *(f"{row},1" for row in rows)]).encode())
    table = read_arrow(path)
    assert table["n"].to_pylist() == rows
    assert table["m"].type == pa.int64()


def test_a_byte_order_mark_windows_lines_tabs_and_gzip_are_read(tmp_path: Path) -> None:
    expected = {"a": [1], "b": ["x"]}
    assert read_arrow(write(tmp_path, "a.csv", b"\xef\xbb\xbfa,b\r\n1,x\r\n")).to_pydict() == expected
    assert read_arrow(write(tmp_path, "a.tsv", b"a\tb\n1\tx\n")).to_pydict() == expected
    assert read_arrow(write(tmp_path, "a.CSV.gz", gzip.compress(b"a,b\n1,x\n"))).to_pydict() == expected


def test_a_text_of_megabytes_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"a,b\n" + b"x" * 3_000_000 + b",1\n")
    assert len(read_arrow(path)["a"][0].as_py()) == 3_000_000


SECRET = "jane-doe-1234"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n", "is empty"),
        ("a.csv", b"a,b\n", "no row"),
        ("a.csv", b"a,b", "is empty"),
        ("a.csv", f"a,b\n{SECRET}\n1,2\n3,4,{SECRET}\n".encode(), "2 rows with another number of fields"),
        ("a.csv", f"a,b\n{SECRET}é,1\n".encode("latin-1"), "not UTF-8"),
        ("a.csv", "é,b\n1,2\n".encode("latin-1"), "not UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
        ("a.csv", b"age,sex,age\n1,2,3\n", "column 'age' twice"),
        ("a.csv", b",a\n0,1\n", "without a name"),
        ("a.csv", b"a;b\n1;2\n", "separate by commas"),
        ("a.csv.gz", b"a,b\n1,2\n", "cannot be read"),
        # The clock's second stands in a gzip header: without it the test has one name, in whichever process it is.
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 9999, mtime=0)[:90], "cannot be read"),
        ("a.parquet", b"a,b\n1,2\n", "not a readable Parquet file"),
        ("a.xlsx", b"PK", "rename or convert"),
    ],
)
def test_a_broken_file_is_refused_in_one_line_without_its_values(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as refusal:
        read_arrow(write(tmp_path, name, content))
    assert SECRET not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_arrow(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        read_arrow(tmp_path / "absent.csv")


def test_a_parquet_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table([[1], [2], [3]], names=["a", "b", "a"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="has the column 'a' twice"):
        read_arrow(tmp_path / "a.parquet")


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, None], pa.int8()), "b": pa.array(["x", None]).dictionary_encode()})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read_arrow(str(tmp_path / "a.parquet")).schema == table.schema


def test_rows_come_from_paths_arrow_pandas_and_streams(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    path = write(tmp_path, "a.csv", b"a,b\n1,x\n2,\n")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[5, 3])
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    for source in (table, path, str(path), frame, stream):
        assert rows_of(source).to_pydict() == table.to_pydict()


def test_views_become_plain_wherever_rows_come_from(tmp_path: Path) -> None:
    views = pa.table({"a": pa.array(["x", None], pa.string_view()), "b": pa.array([b"y", None], pa.binary_view())})
    pyarrow.parquet.write_table(views, tmp_path / "a.parquet")
    stream = pa.RecordBatchReader.from_batches(views.schema, views.to_batches())
    for source in (tmp_path / "a.parquet", views, stream):
        rows = rows_of(source)
        assert rows.schema.types == [pa.large_string(), pa.large_binary()]
        # As a simulation takes and writes them.
        write_csv(rows.take(pa.array([0])), tmp_path / "a.csv")
        assert (tmp_path / "a.csv").read_text() == '"a","b"\n"x","y"\n'


def test_a_pandas_column_of_mixed_types_is_its_text() -> None:
    frame = pd.DataFrame({"a": [1, "x", None, 2.5]}, dtype=object)
    assert rows_of(frame)["a"].to_pylist() == ["1", "x", None, "2.5"]


def test_pandas_names_must_be_one_of_each() -> None:
    with pytest.raises(InputError, match="'a' twice"):
        rows_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_rows_of_another_kind_are_refused() -> None:
    with pytest.raises(InputError, match="rows come as list"):
        rows_of([1, 2])


LATE = "1,2\n" * 40_000


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"a,b\n{LATE}3,{SECRET}é\n{LATE}", "line 40,002 (byte 160,020"),
        # Ragged rows too: what tells of them must not stumble over their bytes.
        (f"a,b\n{LATE}3\n{SECRET}é,,\n{LATE}", "line 40,003 (byte 160,020"),
        (f"a,{SECRET}é\n{LATE}", "line 1 (byte 16"),
        ("a,b\r\n1,é\r\n", "line 2 (byte 8"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_in_another_encoding_is_refused_with_the_line_and_nothing_else_is_said(
    tmp_path: Path, text: str, place: str, packed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    content = text.encode("latin-1")
    path = write(tmp_path, "a.csv.gz", gzip.compress(content)) if packed else write(tmp_path, "a.csv", content)
    with pytest.raises(InputError) as refusal:
        read_arrow(path)
    assert f"is not UTF-8: {place} of the file)" in str(refusal.value)
    assert "iconv" in str(refusal.value)
    assert SECRET not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


@given(text=st.text(max_size=12), spoilt=st.binary(max_size=2), rest=st.text(max_size=6), block=st.integers(1, 5))
def test_the_first_byte_that_is_not_utf8_is_found_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, text: str, spoilt: bytes, rest: str, block: int
) -> None:
    content = text.encode(errors="replace") + spoilt + rest.encode(errors="replace")
    path = write(tmp_path_factory.getbasetemp(), "a.csv", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utf8, "_BLOCK_BYTES", block)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            with pytest.raises(InputError, match=rf"line {line} \(byte {error.start + 1} "):
                utf8.check_utf8(path)
        else:
            utf8.check_utf8(path)


@pytest.mark.parametrize("content", [f"a,b\n{LATE}3\n{LATE}", f"a,b\n{LATE}é,1\n", f"a,b\n{LATE}"])
def test_no_thread_of_the_parser_ever_calls_back_into_python(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thread that does so while the interpreter ends takes the process along, with exit status 134.
    parse, asked = pyarrow.csv.read_csv, []

    def watched(*given: Any, read_options: Any, parse_options: Any, **more: Any) -> pa.Table:
        asked.append((read_options.use_threads, parse_options.invalid_row_handler is None))
        return parse(*given, read_options=read_options, parse_options=parse_options, **more)

    monkeypatch.setattr(pyarrow.csv, "read_csv", watched)
    with contextlib.suppress(InputError):
        read_arrow(write(tmp_path, "a.csv", content.encode("latin-1")))
    assert asked[0] == (True, True)
    assert set(asked) <= {(True, True), (False, False)}


def test_bytes_that_are_no_text_are_refused_without_a_word_from_the_parser(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, 3000, np.uint8).tobytes()
    with pytest.raises(InputError, match="not UTF-8"):
        read_arrow(write(tmp_path, "a.csv", b"a,b\n" + noise))
    assert capfd.readouterr() == ("", "")
