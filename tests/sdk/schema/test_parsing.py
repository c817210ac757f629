"""Text, numbers and days out of any Arrow column, against Python's own reading."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.schema.parsing import days_of, numbers_of, text_of


def column(values: list[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    """In two chunks: a chunk is no border of meaning."""
    half = len(values) // 2
    first = pa.array(values, kind)
    return pa.chunked_array([first.slice(0, half), first.slice(half)])


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False) | st.none()))
def test_numbers_written_as_python_writes_them_are_read_to_the_last_bit(numbers: list[float | None]) -> None:
    texts: list[object] = [None if number is None else repr(number) for number in numbers]
    read, unreadable = numbers_of(column(texts, pa.string()))
    expected = [math.nan if number is None else number for number in numbers]
    np.testing.assert_array_equal(read, np.array(expected, np.float64))
    assert not unreadable.any()


@pytest.mark.parametrize("text", ["7", " 7", "+7", "7.", "07", "7e0", ".7e1", "7\t"])
def test_numbers_may_be_written_in_many_ways(text: str) -> None:
    read, unreadable = numbers_of(column([text, "x"]))
    assert read[0] == 7
    assert unreadable.tolist() == [False, True]


@pytest.mark.parametrize("text", ["1_000", "1,5", "0x10", "٣", "?", "--1", "1 2", "e5", "seven"])
def test_what_is_no_number_is_unreadable_not_missing(text: str) -> None:
    read, unreadable = numbers_of(column(["1", text, "", None, "nan"]))
    np.testing.assert_array_equal(read, [1, math.nan, math.nan, math.nan, math.nan])
    assert unreadable.tolist() == [False, True, False, False, False]


def test_typed_columns_are_numbers_too() -> None:
    for kind in (pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(9, 2)):
        read, _ = numbers_of(column([1, 2, None], kind))
        np.testing.assert_array_equal(read, [1, 2, math.nan])


def test_lists_are_neither_numbers_nor_text_nor_days() -> None:
    nested = column([[1], None, [2, 3]])
    assert numbers_of(nested)[1].tolist() == [True, False, True]
    assert days_of(nested, "%Y-%m-%d")[1].tolist() == [True, False, True]
    assert text_of(nested) is None


def test_text_is_kept_exactly_and_nothing_but_the_empty_text_and_nan_is_missing() -> None:
    def read(values: pa.ChunkedArray) -> list[str | None]:
        text = text_of(values)
        assert text is not None
        found: list[str | None] = text.to_pylist()
        return found

    texts: list[object] = [" 7", "?", "NA", "null", "", None, "007"]
    expected = [" 7", "?", "NA", "null", None, None, "007"]
    assert read(column(texts)) == expected
    assert read(column(texts).dictionary_encode()) == expected
    assert read(column([1.0, math.nan, 2.5])) == ["1", None, "2.5"]


def test_views_read_like_what_they_show() -> None:
    texts: list[object] = ["1", " 2", "x", "", None, "2020-01-05"]
    plain, viewed = column(texts, pa.large_string()), column(texts, pa.string_view())
    # Text is one type, whichever way it came.
    assert text_of(viewed) == text_of(plain)
    for shown in (viewed, viewed.dictionary_encode()):
        for found, expected in zip(numbers_of(shown), numbers_of(plain), strict=True):
            np.testing.assert_array_equal(found, expected)
        for found, expected in zip(days_of(shown, "%Y-%m-%d"), days_of(plain, "%Y-%m-%d"), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert text_of(column([b"a", None], pa.binary_view())) == text_of(column(["a", None]))


@settings(deadline=None)
@given(st.lists(st.dates() | st.none()), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S"]))
def test_days_are_those_of_the_calendar(dates: list[datetime.date | None], pattern: str) -> None:
    written: list[object] = [
        None
        if date is None
        else pattern.replace("%Y", f"{date.year:04}")
        .replace("%m", f"{date.month:02}")
        .replace("%d", f"{date.day:02}")
        .replace("%H:%M:%S", "23:59:59")
        for date in dates
    ]
    read, unreadable = days_of(column(written, pa.string()), pattern)
    expected = [math.nan if date is None else date.toordinal() - 719163 for date in dates]
    np.testing.assert_array_equal(read, np.array(expected, np.float64))
    assert not unreadable.any()


@pytest.mark.parametrize("text", ["2021-02-29", "2020-02-31", "2020-1-5", "2020-01-05x", "05.01.2020", "?", "20200105"])
def test_days_that_do_not_exist_or_are_written_otherwise_are_unreadable(text: str) -> None:
    days, unreadable = days_of(column(["2020-01-05", text, ""]), "%Y-%m-%d")
    np.testing.assert_array_equal(days, [18266, math.nan, math.nan])
    assert unreadable.tolist() == [False, True, False]


def test_timestamps_count_as_their_day() -> None:
    moments = column([datetime.datetime(1969, 12, 31, 23, 59), None, datetime.datetime(1970, 1, 2, 12)])
    np.testing.assert_array_equal(days_of(moments, "%Y-%m-%d")[0], [-1, math.nan, 1])
