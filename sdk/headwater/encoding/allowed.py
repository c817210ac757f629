"""What of a column's cells, codes and normal shares a condition allows, with draws that keep to it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import CategoryGrid, IntervalGrid
from headwater.schema.condition import Allowed

__all__ = ["AllowedCodes"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class AllowedCodes:
    """One conditioned column of an encoding.

    Attributes:
        encoding: with its counts.
        column: index into the schema's columns.
        allowed: what the condition lets it be.
    """

    encoding: Encoding
    column: int
    allowed: Allowed

    @cached_property
    def cells(self) -> F64:
        """Chance that a value drawn from each cell is allowed: float64 in [0, 1], shape (cells,)."""
        grid = self.encoding.columns[self.column].grid
        chances = np.zeros(grid.cells)
        if isinstance(grid, CategoryGrid):
            chances[sorted(self.allowed.codes)] = 1.0
        else:
            for place, value in enumerate(grid.special):
                chances[place] = float(value in self.allowed.special)
            sizes = self._sizes
            # Nothing is drawn from a cell between two values of so many decimals.
            overlaps = self._overlaps[2].sum(axis=1) / np.where(sizes > 0, sizes, 1.0)
            chances[len(grid.special) : len(grid.special) + len(grid.lows)] = overlaps
        if grid.column.missing:
            chances[-1] = float(self.allowed.missing)
        return chances

    @cached_property
    def _masses(self) -> F64:
        """What decoding draws cells by: counts, or one for each cell of a code without any."""
        column = self.encoding.columns[self.column]
        held = np.bincount(column.code_of_cell, weights=column.masses, minlength=column.size) > 0
        return np.where(held[column.code_of_cell], column.masses, 1).astype(np.float64)

    @cached_property
    def codes(self) -> F64:
        """Chance that a value decoded from each code is allowed: float64 in [0, 1], shape (codes,)."""
        column = self.encoding.columns[self.column]
        total = np.bincount(column.code_of_cell, weights=self._masses, minlength=column.size)
        kept = np.bincount(column.code_of_cell, weights=self._masses * self.cells, minlength=column.size)
        # A rounding above one would be a chance that no draw has.
        return np.minimum(kept / total, 1.0)

    @cached_property
    def splits(self) -> bool:
        """Whether some code holds allowed values and others, so that decoding has to look."""
        return bool(((self.codes > 0) & (self.codes < 1)).any())

    @cached_property
    def _order(self) -> tuple[NDArray[np.intp], F64, F64]:
        """Cells by code, the ends of their allowed masses in that order, and each code's start."""
        column = self.encoding.columns[self.column]
        order = np.argsort(column.code_of_cell, kind="stable")
        ends = np.cumsum((self._masses * self.cells)[order])
        first = np.searchsorted(column.code_of_cell[order], np.arange(column.size + 1))
        return order, ends, np.concatenate([[0.0], ends])[first]

    def decode(self, codes: I32, random: np.random.Generator) -> NDArray[Any]:
        """Allowed values inside codes, each as likely as decoding makes it.

        Args:
            codes: int32, shape (rows,), each with a chance above 0 in `codes`.
            random: the only source of chance.
        """
        order, ends, starts = self._order
        position = starts[codes] + random.random(len(codes)) * (starts[codes + 1] - starts[codes])
        cells = order[np.minimum(np.searchsorted(ends, position, side="right"), len(order) - 1)]
        # A position rounded up to its code's end would fall into the next cell, which may be another code's.
        last = order[np.searchsorted(ends, starts[codes + 1], side="left")]
        column = self.encoding.columns[self.column]
        cells = np.where(column.code_of_cell[cells] == codes, cells, last)
        grid = column.grid
        values = grid.draw(cells.astype(np.int64), random)
        if isinstance(grid, CategoryGrid) or not self.allowed.intervals:
            return values
        ordered = cells - len(grid.special)
        inside = (ordered >= 0) & (ordered < len(grid.lows))
        values[inside] = self._inside(ordered[inside], random)
        return values

    def _inside(self, ordered: NDArray[np.intp], random: np.random.Generator) -> F64:
        lows, _, sizes = self._overlaps
        ends = np.cumsum(sizes[ordered], axis=1)
        position = random.random(len(ordered)) * ends[:, -1]
        piece = np.minimum((ends <= position[:, None]).sum(axis=1), ends.shape[1] - 1)
        rows = np.arange(len(ordered))
        low, size = lows[ordered, piece], sizes[ordered, piece]
        offset = np.minimum(position - (ends[rows, piece] - size), size)
        grid = self._grid
        if grid.scale is not None:
            units: F64 = low + np.minimum(np.floor(offset), size - 1)
            return units / grid.scale
        # The size of a cell of one value is a count, not a width.
        values: F64 = np.where(grid.lows[ordered] == grid.highs[ordered], low, low + offset)
        return values

    @property
    def _grid(self) -> IntervalGrid:
        grid = self.encoding.columns[self.column].grid
        if not isinstance(grid, IntervalGrid):
            raise TypeError("only a numeric or date column has intervals")
        return grid

    @property
    def _ends(self) -> tuple[F64, F64]:
        """First and last of each ordered cell: in units where values have them, as everything here that has a size."""
        grid = self._grid
        return (grid.lows, grid.highs) if grid.scale is None else grid.units

    @cached_property
    def _sizes(self) -> F64:
        """How much each ordered cell holds."""
        return _sizes(*self._ends, counted=self._grid.scale is not None)

    @cached_property
    def _overlaps(self) -> tuple[F64, F64, F64]:
        """Of each ordered cell with each interval: first, last, size; shape (cells, intervals)."""
        scale = self._grid.scale
        edges = np.asarray(self.allowed.intervals, dtype=np.float64).reshape(-1, 2)
        if scale is not None:
            # The ends of a condition's intervals are values of the column.
            edges = np.rint(edges * scale)
        first, last = self._ends
        low = np.maximum(first[:, None], edges[:, 0])
        high = np.minimum(last[:, None], edges[:, 1])
        sizes = _sizes(low, high, counted=scale is not None, alone=(first == last)[:, None])
        return low, high, np.where(low <= high, sizes, 0.0)

    def shares(self) -> tuple[F64, F64]:
        """Start and end of each interval as shares of the ordered values by the counts: each shape (intervals,).

        Normal scores are decoded through these shares.
        """
        grid = self._grid
        masses = self.encoding.columns[self.column].masses[len(grid.special) : len(grid.special) + len(grid.lows)]
        below = np.concatenate([[0.0], np.cumsum(masses.astype(np.float64))])
        below = below / below[-1] if below[-1] > 0 else np.linspace(0.0, 1.0, len(below))
        low, _, sizes = self._overlaps
        firsts, all_sizes = self._ends[0], self._sizes
        starts, ends = np.zeros(sizes.shape[1]), np.zeros(sizes.shape[1])
        for place in range(sizes.shape[1]):
            held = np.flatnonzero(sizes[:, place] > 0)
            if not len(held):
                continue
            first, last = held[0], held[-1]
            step = below[first + 1] - below[first]
            starts[place] = below[first] + step * (low[first, place] - firsts[first]) / all_sizes[first]
            before = low[last, place] - firsts[last]
            reach = (before + sizes[last, place]) / all_sizes[last]
            ends[place] = below[last] + (below[last + 1] - below[last]) * reach
        return starts, ends


def _sizes(low: F64, high: F64, *, counted: bool, alone: NDArray[np.bool_] | None = None) -> F64:
    """How much a piece of a cell holds: units, none maybe, or a width, or one where the cell is a single value."""
    if counted:
        return np.maximum(high - low + 1.0, 0.0)
    return np.where(low == high if alone is None else alone, 1.0, high - low)
