"""Sums over an organisation's pictures: of each pixel, and of the product of each pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import ImageColumn
from headwater.schema.table import Table

__all__ = ["PixelSums", "pixel_cells", "pixel_sums", "read_pixel_sums"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PixelSums:
    """What all organisations' pictures of one column add up to.

    Attributes:
        sums: int64, shape (pixels,): of each pixel's levels.
        products: int64, shape (pixels, pixels): of the products of two pixels' levels, symmetric.
    """

    sums: I64
    products: I64


def pixel_cells(columns: Sequence[ImageColumn]) -> int:
    """Integers of a vector of pixel sums: each sum in two limbs."""
    return 2 * sum(_sums_of(column) for column in columns)


def pixel_sums(table: Table, value_bits: int) -> I64:
    """One organisation's sums, as integers below 2^value_bits.

    Args:
        table: training rows.
        value_bits: of the plan. A sum may need twice as many: it is cut into two limbs, and sums of limbs are put
            together again.

    Raises:
        InputError: so many rows that a sum does not fit two limbs.
    """
    parts = []
    for column in table.schema.images:
        levels = table.columns[column.name].astype(np.float64)
        # Whole numbers: float64 adds them without an error below 2^53.
        products = levels.T @ levels
        parts += [levels.sum(axis=0), products[np.tril_indices(column.pixels)]]
    sums = np.concatenate(parts)
    if sums.size and sums.max() >= 2.0 ** min(2 * value_bits, 53):
        raise InputError("the pictures' sums pass the plan's value bits; raise recipe.value_bits, or give fewer rows")
    whole = sums.astype(np.int64)
    return np.concatenate([whole >> value_bits, whole & ((1 << value_bits) - 1)])


def read_pixel_sums(summed: I64, columns: Sequence[ImageColumn], value_bits: int, rows: int) -> list[PixelSums]:
    """Each image's sums from the summed integers.

    Args:
        summed: of all organisations.
        columns: the images.
        value_bits: of the plan.
        rows: that the sums are over.

    Raises:
        InputError: of another length, or no sums of levels: a pixel or a product is above what so many rows allow.
    """
    if summed.shape != (pixel_cells(columns),):
        raise InputError("a sum of pixels has not the length of its images; they do not belong together")
    high, low = np.split(summed, 2)
    whole = (high << value_bits) + low
    found, start = [], 0
    for column in columns:
        end = start + _sums_of(column)
        sums, lower = whole[start : start + column.pixels], whole[start + column.pixels : end]
        products = np.zeros((column.pixels, column.pixels), np.int64)
        first, second = np.tril_indices(column.pixels)
        products[first, second] = lower
        products[second, first] = lower
        # A pixel is at most the highest level, a product of two at most either times it, its square no less than it.
        top = column.levels - 1
        most = np.minimum.outer(sums, sums).astype(np.float64) * top
        beyond = (sums > rows * top).any() or (products > most).any()
        if beyond or (products < 0).any() or (np.diagonal(products) < sums).any():
            raise InputError(
                f"the sums of column {column.name!r} cannot be of levels below {column.levels}; do not use them, look "
                "for a faulty organisation"
            )
        found.append(PixelSums(sums, products))
        start = end
    return found


def _sums_of(column: ImageColumn) -> int:
    return column.pixels + column.pixels * (column.pixels + 1) // 2
