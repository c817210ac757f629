"""Find pictures among a table's columns: a start for a person, with every guess marked."""

import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headwater.schema.columns import MAXIMUM_PIXELS, ImageColumn
from headwater.schema.image import convert_image

__all__ = ["guess_images"]

_PIXEL = re.compile(r"(?P<name>.+)_(?P<row>0|[1-9][0-9]{0,3})_(?P<place>0|[1-9][0-9]{0,3})", re.DOTALL)
_LEAST_SIDE = 2
_LEVELS = 256
_GUESSED = ("height", "width", "levels")


def guess_images(arrow: pa.Table, target: str | None) -> dict[str, ImageColumn]:
    """The images of a table, by the name of the first column that each is read from.

    Args:
        arrow: a table with at least one row.
        target: its column is in no image.
    """
    found: dict[str, ImageColumn] = {}
    blocks: dict[str, dict[tuple[int, int], str]] = {}
    for column in arrow.column_names:
        match = _PIXEL.fullmatch(column)
        if column == target:
            continue
        if match is not None:
            blocks.setdefault(match["name"], {})[int(match["row"]), int(match["place"])] = column
        elif (side := _square_side(arrow.column(column))) is not None:
            _add(found, column, arrow, column, side, side)
    for name, block in blocks.items():
        height, width = (1 + max(place[axis] for place in block) for axis in (0, 1))
        if len(block) == height * width and name not in arrow.column_names:
            _add(found, next(iter(block.values())), arrow, name, height, width)
    return found


def _add(found: dict[str, ImageColumn], first: str, arrow: pa.Table, name: str, height: int, width: int) -> None:
    if min(height, width) < _LEAST_SIDE or height * width > MAXIMUM_PIXELS:
        return
    image = ImageColumn(name=name, height=height, width=width, levels=_LEVELS)
    pictures, problems = convert_image(arrow, image)
    if not problems:
        levels = max(2, int(np.max(pictures)) + 1)
        found[first] = image.model_copy(update={"levels": levels, "unconfirmed": _GUESSED})


def _square_side(values: pa.ChunkedArray) -> int | None:
    """Side of the square pictures that lists of one length could be."""
    kind = values.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return None
    if not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        return None
    lengths = pc.unique(pc.list_value_length(values))
    if len(lengths) != 1 or not lengths[0].is_valid:
        return None
    side = math.isqrt(lengths[0].as_py())
    return side if side * side == lengths[0].as_py() else None
