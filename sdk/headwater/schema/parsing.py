"""Read one column of any Arrow type as text, as numbers or as days, the same for a draft and for a check."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["days_of", "numbers_of", "text_of", "without_views"]

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SECONDS_A_DAY = 86_400
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$|^(?i:nan)$"


def text_of(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The values as text, exactly as written; missing, NaN and the empty text are null.

    Returns:
        A string column of as many values; None when the type has no text (lists, records, bytes that are not UTF-8).
    """
    values = _plain(values)
    try:
        if pa.types.is_floating(values.type):
            # NaN is how a data frame writes missing; it is no category.
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        text = values.cast(pa.string())
    except pa.ArrowException:
        return None
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def numbers_of(values: pa.ChunkedArray) -> tuple[F64, Mask]:
    """The values as float64, missing and unreadable ones NaN, and which of them are there but are not numbers.

    Text may have spaces around it and uses the decimal point, whatever the locale.
    """
    values = _plain(values)
    present = _valid(values)
    if _is_text(values.type):
        values = pc.utf8_trim_whitespace(values)
        present &= np.asarray(pc.fill_null(pc.not_equal(values, ""), False))
        readable = pc.match_substring_regex(values, _NUMBER)
        numbers = _array(pc.if_else(readable, values, pa.scalar(None, values.type)).cast(pa.float64()))
        return numbers, present & ~np.asarray(pc.fill_null(readable, False))
    try:
        return _array(values.cast(pa.float64(), safe=False)), np.zeros(len(values), np.bool_)
    except pa.ArrowException:
        return np.full(len(values), np.nan), present


def days_of(values: pa.ChunkedArray, pattern: str) -> tuple[F64, Mask]:
    """The values as whole days since 1970-01-01, and which of them are there but are not dates.

    Args:
        values: dates, timestamps (their day is taken), or text.
        pattern: how text is written, in the directives of strptime; only days that exist, written exactly like that.
    """
    values = _plain(values)
    present = _valid(values)
    if not _is_text(values.type):
        try:
            days = values.cast(pa.date32(), safe=False).cast(pa.int32()).cast(pa.float64())
        except pa.ArrowException:
            return np.full(len(values), np.nan), present
        return _array(days), np.zeros(len(values), np.bool_)
    values = pc.utf8_trim_whitespace(values)
    present &= np.asarray(pc.fill_null(pc.not_equal(values, ""), False))
    texts, places = _distinct(values)
    written = pa.array(texts, pa.string())
    moments = pc.strptime(written, format=pattern, unit="s", error_is_null=True)
    # strptime lets 31 February pass as 2 March; only a day that is written back the same is one.
    same = pc.fill_null(pc.equal(pc.strftime(moments, format=pattern), written), False)
    days = np.floor(_array(moments.cast(pa.int64()).cast(pa.float64())) / _SECONDS_A_DAY)
    days = np.append(np.where(np.asarray(same), days, np.nan), np.nan)[places]
    return days, present & np.isnan(days)


def without_views(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values; views of text or bytes, which most of Arrow's functions do not take, as plain ones."""
    kind = _without_views(values.type)
    return values if kind == values.type else values.cast(kind)


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_views(kind.value_type), kind.ordered)
    return kind


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    values = without_views(values)
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    return values


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _valid(values: pa.ChunkedArray) -> Mask:
    return np.array(pc.is_valid(values), dtype=np.bool_)


def _array(values: pa.ChunkedArray | pa.Array) -> F64:
    # A copy: what Arrow hands out is read-only, and the caller clips in place.
    return np.asarray(pc.fill_null(values, np.nan), dtype=np.float64).copy()


def _distinct(text: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct texts, and for each value its place among them; missing has the place after the last."""
    texts = pc.unique(text).drop_null()
    places = pc.fill_null(pc.index_in(text, value_set=texts, skip_nulls=True), len(texts))
    return texts.to_pylist(), np.array(places, dtype=np.int64)
