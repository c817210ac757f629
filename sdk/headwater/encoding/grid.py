"""The public fine grid of each column, drawn from the schema alone, and counts on it."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.schema import CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.columns import BooleanColumn
from headwater.schema.table import Table

__all__ = ["CategoryGrid", "ColumnGrid", "Histograms", "IntervalGrid", "column_grids"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_LEAST_CELLS = 16
# Distances from the anchor start at this share of the range: finer detail is not resolved. Bounds are often wider than
# the values by many decades; twelve of them leave a default grid 170 cells a decade, each 1.4 % wide.
_FINEST = 1e-12


@dataclass(frozen=True, eq=False)
class CategoryGrid:
    """One cell for each category, and one for missing where the column allows it."""

    column: CategoricalColumn | BooleanColumn

    @property
    def cells(self) -> int:
        """Cells in all."""
        return len(self.column.categories) + int(self.column.missing)

    def locate(self, values: NDArray[Any]) -> I64:
        """Cell of each value, int64 of the same shape."""
        found = values.astype(np.int64)
        return np.where(found < 0, len(self.column.categories), found)

    def draw(self, cells: I64, random: np.random.Generator) -> NDArray[np.int32]:
        """The value of each cell; nothing is left to chance."""
        del random
        return np.where(cells >= len(self.column.categories), -1, cells).astype(np.int32)


@dataclass(frozen=True, eq=False)
class IntervalGrid:
    """Cells of a numeric or date column: special values, then ordered cells, then missing.

    Attributes:
        column: what the values mean.
        special: float64, one cell each, in front.
        lows: float64, ascending; first value of each ordered cell.
        highs: float64; last value of the cell: belongs to it when whole numbers are counted, else only where it
            equals `low`, a cell of one value.
        whole: whether values are whole numbers.
    """

    column: NumericColumn | DateColumn
    special: F64
    lows: F64
    highs: F64
    whole: bool

    @property
    def cells(self) -> int:
        """Cells in all."""
        return len(self.special) + len(self.lows) + int(self.column.missing)

    @cached_property
    def _points(self) -> I64:
        return np.flatnonzero(self.lows == self.highs)

    @cached_property
    def _single(self) -> bool:
        """Whether every ordered cell is one value."""
        return len(self._points) == len(self.lows)

    @cached_property
    def consecutive(self) -> bool:
        """Whether the ordered cells are whole numbers one after the other, a cell each."""
        return self.whole and self._single and bool(self.lows[-1] - self.lows[0] == len(self.lows) - 1)

    def locate(self, values: NDArray[Any]) -> I64:
        """Cell of each value, int64 of the same shape; values out of bounds go to the nearest cell."""
        missing = np.isnan(values)
        known = np.where(missing, self.lows[0], values) if missing.any() else values
        if self.consecutive:
            cells: I64 = np.floor(np.clip(known, self.lows[0], self.lows[-1]) - self.lows[0]).astype(np.int64)
        else:
            cells = np.searchsorted(self.lows, known, side="right") - 1
            np.clip(cells, 0, len(self.lows) - 1, out=cells)
        if not self.whole:
            for point in self._points:
                cells[known == self.lows[point]] = point
        cells += len(self.special)
        for place, value in enumerate(self.special):
            cells[known == value] = place
        if missing.any():
            if not self.column.missing:
                raise InputError(f"column {self.column.name!r} holds missing values, its schema allows none")
            cells[missing] = self.cells - 1
        return cells

    def draw(self, cells: I64, random: np.random.Generator) -> F64:
        """A value from each cell: the value itself where the cell has one, else drawn evenly inside it."""
        ordered = np.clip(cells - len(self.special), 0, len(self.lows) - 1)
        values = self.lows[ordered]
        if not self._single:
            width = self.highs[ordered] - values
            share = random.random(len(cells))
            if self.whole:
                # The last whole number even where the share comes so near to 1 that the sum is rounded up.
                values = np.minimum(values + np.floor(share * (width + 1)), self.highs[ordered])
            else:
                values += share * width
        if len(self.special):
            own = cells < len(self.special)
            values[own] = self.special[cells[own]]
        if self.column.missing:
            values[cells == self.cells - 1] = np.nan
        return values


ColumnGrid = CategoryGrid | IntervalGrid


@dataclass(frozen=True, eq=False)
class Histograms:
    """All columns' counts side by side in one vector.

    Attributes:
        grids: one for each column of the schema, in order.
    """

    grids: tuple[ColumnGrid, ...]

    @classmethod
    def of(cls, schema: Schema, settings: EncodingSettings) -> "Histograms":
        """The histograms that a schema and the settings fix."""
        return cls(column_grids(schema, settings))

    @property
    def length(self) -> int:
        """Counts in the vector."""
        return sum(grid.cells for grid in self.grids)

    def count(self, table: Table) -> I64:
        """Count a table's rows on the grids: int64, shape (length,); each column's part sums to the rows."""
        parts = [np.bincount(grid.locate(table.columns[grid.column.name]), minlength=grid.cells) for grid in self.grids]
        return np.concatenate(parts).astype(np.int64, copy=False)

    def split(self, counts: NDArray[Any]) -> list[NDArray[Any]]:
        """The vector cut into each column's part.

        Raises:
            InputError: not of shape (length,).
        """
        if counts.shape != (self.length,):
            raise InputError(f"a histogram vector has shape {counts.shape}, expected ({self.length},)")
        return list(np.split(counts, np.cumsum([grid.cells for grid in self.grids])[:-1]))


def column_grids(schema: Schema, settings: EncodingSettings) -> tuple[ColumnGrid, ...]:
    """The grid of each column; numeric ones share what the budget leaves after categories.

    Raises:
        InputError: the table is too wide for the budget.
    """
    numeric = [column for column in schema.columns if isinstance(column, NumericColumn | DateColumn)]
    categories = sum(
        len(column.categories) + 1 for column in schema.columns if isinstance(column, CategoricalColumn | BooleanColumn)
    )
    cells = settings.grid_cells
    if numeric:
        cells = min(cells, (settings.histogram_budget - categories) // len(numeric))
    if cells < _LEAST_CELLS or categories > settings.histogram_budget:
        raise InputError(
            f"{len(schema.columns)} columns with {categories} categories leave under {_LEAST_CELLS} cells a numeric "
            f"column in a budget of {settings.histogram_budget}; raise recipe.encoding.histogram_budget in the plan"
        )
    return tuple(_grid(column, cells) for column in schema.columns)


@functools.lru_cache(maxsize=256)
def _grid(column: Column, cells: int) -> ColumnGrid:
    match column:
        case NumericColumn():
            special = np.asarray(column.special_values, dtype=np.float64)
            if column.integer:
                lows, highs = _whole_cells(column.lower, column.upper, cells, column.special_values)
            else:
                lows, highs = _interval_cells(column.lower, column.upper, cells)
            return IntervalGrid(column, special, lows, highs, column.integer)
        case DateColumn():
            lows, highs = _whole_cells(column.lower_day, column.upper_day, cells, ())
            return IntervalGrid(column, np.zeros(0), lows, highs, True)
        case CategoricalColumn() | BooleanColumn():
            return CategoryGrid(column)
        case ImageColumn():
            raise InputError(
                f"column {column.name!r} holds pictures, which are counted as scores; lift the table first"
            )


def _edges(lower: float, upper: float, cells: int, finest: float) -> F64:
    """Even edges, and edges ever finer towards zero (or the bound nearest to it): wide ranges crowd there."""
    anchor = min(max(0.0, lower), upper)
    even = np.linspace(lower, upper, cells // 2 + 1)
    reach = max(upper - anchor, anchor - lower)
    sides = (upper > anchor) + (lower < anchor)
    # Bounds may lie so near each other that the share of their distance is no number of float64 any more.
    distances = np.geomspace(max(finest, reach * _FINEST, np.finfo(np.float64).tiny), reach, cells // 2 // sides)
    crowded = np.concatenate([anchor - distances, anchor + distances])
    return np.concatenate([even, crowded[(crowded > lower) & (crowded < upper)], [anchor]])


def _whole_cells(lower: float, upper: float, cells: int, own: Sequence[float]) -> tuple[F64, F64]:
    """Cells of whole numbers; the bounds and zero are cells of their own, `own` numbers are in none."""
    if upper - lower < cells:
        lows = np.arange(lower, upper + 1, dtype=np.float64)
        return _without(lows, lows, own)
    few = np.asarray([number for number in (lower, 0.0, upper, *own) if lower <= number <= upper])
    round_ones = _round_numbers(lower, upper, cells // 2)
    alone = np.concatenate([few, round_ones])
    # A number alone takes two edges; the even and the crowded ones share what is left.
    starts = np.concatenate([np.rint(_edges(lower, upper, cells - len(round_ones), 1.0)), alone, alone + 1])
    lows = np.unique(np.clip(starts, lower, upper))
    return _without(lows, np.append(lows[1:] - 1, upper), own)


def _round_numbers(lower: float, upper: float, most: int) -> F64:
    """Numbers of two significant digits, or of one, or none where even these are more than `most`: rows pile up there.

    Below 100 every whole number is one.
    """
    reach = max(abs(lower), abs(upper))
    for digits in (np.arange(10.0, 100.0), np.arange(10.0, 100.0, 10.0)):
        scales = 10.0 ** np.arange(0, max(1, math.ceil(math.log10(max(reach, 1.0)))))
        sizes = np.unique(np.multiply.outer(scales, digits).reshape(-1))
        numbers = np.concatenate([-sizes[::-1], sizes])
        numbers = numbers[(numbers >= lower) & (numbers <= upper)]
        if len(numbers) <= most:
            return numbers
    return np.zeros(0)


def _without(lows: F64, highs: F64, own: Sequence[float]) -> tuple[F64, F64]:
    # A special value's cell stands in front; an empty one of the same value would give it a second way to be drawn.
    kept = ~np.isin(lows, own)
    return (lows[kept], highs[kept]) if kept.any() else (lows, highs)


def _interval_cells(lower: float, upper: float, cells: int) -> tuple[F64, F64]:
    """Half-open intervals; the bounds and zero are cells of one value, as values pile up there."""
    if lower == upper:
        return np.asarray([lower]), np.asarray([lower])
    edges = np.unique(np.append(_edges(lower, upper, cells, 0.0), upper))
    alone = np.asarray(sorted({number for number in (lower, 0.0, upper) if lower <= number <= upper}))
    lows = np.concatenate([edges[:-1], alone])
    highs = np.concatenate([edges[1:], alone])
    order = np.lexsort((highs, lows))
    return lows[order], highs[order]
