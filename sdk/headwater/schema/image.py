"""Pictures in a table's files: one column of lists, or a column for each pixel.

A picture named `scan` of 8 × 8 pixels is read from either form:

| form | columns | where |
| --- | --- | --- |
| lists | `scan`: 64 whole numbers a row, row of pixels by row of pixels | Parquet, Arrow; releases are written so |
| pixels | `scan_0_0`, `scan_0_1`, … `scan_7_7`: row of pixels, then place in it | CSV too; as scikit-learn names them |
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.schema.columns import ImageColumn
from headwater.schema.convert import Problem
from headwater.schema.parsing import numbers_of
from headwater.schema.schema import Schema

__all__ = ["convert_image", "image_sources", "pixel_columns", "pixel_names"]

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


def pixel_names(column: ImageColumn) -> tuple[str, ...]:
    """Names of an image's columns where each pixel has one, row of pixels by row of pixels."""
    return tuple(f"{column.name}_{row}_{place}" for row in range(column.height) for place in range(column.width))


def image_sources(arrow: pa.Table, column: ImageColumn) -> set[str]:
    """Names of the table's columns that an image is read from."""
    return set(arrow.column_names) & {column.name, *pixel_names(column)}


def convert_image(arrow: pa.Table, column: ImageColumn) -> tuple[U8, list[Problem]]:
    """The pictures of a table, and what stands in the way.

    Nothing is clipped or scaled: a level out of range says that the pictures are on another scale than the schema's.

    Returns:
        uint8, shape (rows, pixels); a refused picture is black.
    """
    names, there = pixel_names(column), set(arrow.column_names)
    found = [name for name in names if name in there]
    as_lists = column.name in there
    if as_lists and found:
        what = "there as lists and as pixel columns; drop one of the two"
    elif not as_lists and not found:
        what = (
            f"missing from the table; add it as lists of {column.pixels} whole numbers, or as the columns {names[0]} "
            f"to {names[-1]}"
        )
    elif found and len(found) < len(names):
        first = next(name for name in names if name not in there)
        what = (
            f"there with {len(found)} of its {column.pixels} pixel columns; add the others, of which {first} is the "
            "first, or correct height and width"
        )
    else:
        problems: list[Problem] = []
        numbers = _from_lists(arrow.column(column.name), column, problems) if as_lists else _from_pixels(arrow, names)
        return _levels(numbers, column, problems), problems
    return _black(arrow.num_rows, column), [Problem(column.name, "refused", what, 0)]


def pixel_columns(arrow: pa.Table, schema: Schema) -> pa.Table:
    """A table whose images are a column for each pixel: what a CSV, or a classifier of numbers, can take.

    Args:
        arrow: as `Table.to_arrow` gives it, or any table that holds to the schema; other columns stay as they are.
        schema: says which columns are images.
    """
    for column in schema.images:
        place = arrow.schema.get_field_index(column.name)
        if place < 0:
            continue
        pictures, _ = convert_image(arrow.select([column.name]), column)
        arrow = arrow.remove_column(place)
        for offset, name in enumerate(pixel_names(column)):
            arrow = arrow.add_column(place + offset, name, pa.array(pictures[:, offset].astype(np.int64)))
    return arrow


def _from_pixels(arrow: pa.Table, names: tuple[str, ...]) -> F64:
    numbers = np.empty((arrow.num_rows, len(names)))
    for place, name in enumerate(names):
        values, unreadable = numbers_of(arrow.column(name))
        numbers[:, place] = np.where(unreadable, np.inf, values)
    return numbers


def _from_lists(values: pa.ChunkedArray, column: ImageColumn, problems: list[Problem]) -> F64:
    numbers = np.full((len(values), column.pixels), np.nan)
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        what = f"of type {kind}; give lists of {column.pixels} whole numbers"
        problems.append(Problem(column.name, "refused", what, len(values)))
        return np.zeros_like(numbers)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(values), -1))
    wrong = (lengths >= 0) & (lengths != column.pixels)
    if wrong.any():
        what = (
            f"{_counted(wrong)} another length than {column.height} × {column.width} = {column.pixels}; correct "
            "height and width, or the pictures"
        )
        problems.append(Problem(column.name, "refused", what, int(wrong.sum())))
    right = lengths == column.pixels
    flat = pc.list_flatten(values.filter(pa.array(right)))
    pixels, unreadable = numbers_of(flat if isinstance(flat, pa.ChunkedArray) else pa.chunked_array([flat]))
    numbers[right] = np.where(unreadable, np.inf, pixels).reshape(-1, column.pixels)
    numbers[wrong] = 0
    return numbers


def _levels(numbers: F64, column: ImageColumn, problems: list[Problem]) -> U8:
    """Numbers as levels; NaN stands for a missing pixel."""
    missing = np.isnan(numbers)
    whole = np.where(missing, 0, numbers)
    fractional = ~np.isfinite(whole) | (whole != np.floor(whole))
    outside = ~fractional & ((whole < 0) | (whole >= column.levels))
    for bad, what in (
        (missing, "a missing pixel; fill it or leave the picture out"),
        (fractional, f"a pixel that is no whole number; give levels from 0 to {column.levels - 1}"),
        (outside, f"a level outside 0 to {column.levels - 1}; correct levels, or rescale the pictures"),
    ):
        rows = bad.any(axis=1)
        if rows.any():
            problems.append(Problem(column.name, "refused", f"{_counted(rows)} {what}", int(rows.sum())))
    levels: U8 = np.where(fractional | outside, 0, whole).astype(np.uint8)
    return levels


def _counted(rows: Any) -> str:
    count = int(np.count_nonzero(rows))
    return "1 picture has" if count == 1 else f"{count} pictures have"


def _black(rows: int, column: ImageColumn) -> U8:
    return np.zeros((rows, column.pixels), np.uint8)
