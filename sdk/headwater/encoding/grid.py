"""The public fine grid of each column, drawn from the schema alone, and counts on it."""

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.cells import interval_cells, whole_cells
from headwater.encoding.settings import EncodingSettings
from headwater.errors import InputError
from headwater.schema import CategoricalColumn, Column, DateColumn, ImageColumn, NumericColumn, Schema
from headwater.schema.columns import BooleanColumn
from headwater.schema.decimals import first_unit, last_unit
from headwater.schema.table import Table

__all__ = ["CategoryGrid", "ColumnGrid", "Histograms", "IntervalGrid", "column_grids"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_LEAST_CELLS = 16


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

    @cached_property
    def _decimals(self) -> int | None:
        """Digits after the point; None where a value may have any number of them."""
        if self.whole:
            return 0
        return self.column.decimals if isinstance(self.column, NumericColumn) else None

    @cached_property
    def scale(self) -> float | None:
        """How many units one is: values are whole numbers of units. None where they may be any number."""
        return None if self._decimals is None else 10.0**self._decimals

    @cached_property
    def units(self) -> tuple[F64, F64]:
        """First and last number of units in each ordered cell, both included; the last is below the first in none.

        Raises:
            InputError: values have no units.
        """
        if self.whole:
            return self.lows, self.highs
        decimals = self._decimals
        if decimals is None:
            raise InputError(f"column {self.column.name!r} holds any numbers, not units; give it decimals")
        scale = 10.0**decimals
        firsts, lasts = first_unit(self.lows, decimals), last_unit(self.highs, decimals)
        # An interval ends before its upper end, and begins after a value that has a cell of its own.
        alone = self.lows == self.highs
        elsewhere = np.concatenate([self.lows[alone], self.special])
        lasts -= ~alone & (lasts / scale == self.highs)
        firsts += ~alone & (firsts / scale == self.lows) & np.isin(self.lows, elsewhere)
        return firsts, lasts

    @cached_property
    def _reach(self) -> tuple[F64, F64]:
        """First unit of each ordered cell, and how many there are; one where there is none."""
        firsts, lasts = self.units
        return firsts, np.maximum(lasts - firsts + 1, 1)

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
        values = self.lows[ordered] if self._single else self.inside(ordered, random.random(len(cells)))
        if len(self.special):
            own = cells < len(self.special)
            values[own] = self.special[cells[own]]
        if self.column.missing:
            values[cells == self.cells - 1] = np.nan
        return values

    def inside(self, ordered: I64, share: F64) -> F64:
        """The value that stands at a share of each ordered cell.

        Args:
            ordered: numbers of cells among the ordered ones, shape (rows,).
            share: 0 to 1, same shape; each value of a cell has an equal part of them.
        """
        scale = self.scale
        if scale is None:
            values = self.lows[ordered]
            values += share * (self.highs[ordered] - values)
            return values
        firsts, numbers = self._reach
        last = numbers[ordered]
        values = share * last
        np.floor(values, out=values)
        last -= 1
        # The last unit even where the share comes so near to 1 that the product is rounded up.
        np.minimum(values, last, out=values)
        values += firsts[ordered]
        if not self.whole:
            values /= scale
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
                lows, highs = whole_cells(column.lower, column.upper, cells, column.special_values)
            else:
                # Among values of so many decimals a special one would be drawn, unless cells part there.
                own = () if column.decimals is None else column.special_values
                lows, highs = interval_cells(column.lower, column.upper, cells, own)
            return IntervalGrid(column, special, lows, highs, column.integer)
        case DateColumn():
            lows, highs = whole_cells(column.lower_day, column.upper_day, cells, ())
            return IntervalGrid(column, np.zeros(0), lows, highs, True)
        case CategoricalColumn() | BooleanColumn():
            return CategoryGrid(column)
        case ImageColumn():
            raise InputError(
                f"column {column.name!r} holds pictures, which are counted as scores; lift the table first"
            )
