"""One column's cells as codes, with a draw for the way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.grid import ColumnGrid

__all__ = ["ColumnCodes"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

# A cell for every counted row is found without a search; of more rows the table would crowd out the cache.
_MOST_LISTED = 1 << 18
# Larger whole numbers have no canonical JSON.
_MOST_ROWS = 2**53 - 1


@dataclass(frozen=True, eq=False)
class ColumnCodes:
    """Cells of one column to codes, and back by chance according to the cells' masses.

    Attributes:
        grid: of the column.
        code_of_cell: int32, shape (cells,), none skipped.
        masses: int64, shape (cells,), not negative; zeros where they were left out.
    """

    grid: ColumnGrid
    code_of_cell: I32
    masses: I64

    @cached_property
    def size(self) -> int:
        """Number of codes."""
        return int(self.code_of_cell.max()) + 1

    def decode(self, codes: I32, random: np.random.Generator) -> NDArray[Any]:
        """A value for each code, shape (rows,): of a cell drawn by its mass, then inside the cell.

        Args:
            codes: int32, shape (rows,), 0 to size − 1.
            random: the only source of chance.
        """
        if self.size == len(self.code_of_cell):
            return self.grid.draw(self._order[codes], random)
        starts = self._starts
        position = random.random(len(codes))
        position *= (starts[1:] - starts[:-1])[codes]
        places = position.astype(np.int64) + starts[codes]
        if self._listed is not None:
            return self.grid.draw(self._listed[places], random)
        return self.grid.draw(self._order[np.searchsorted(self._ends, places, side="right")], random)

    @cached_property
    def _order(self) -> I64:
        """Cells by code."""
        return np.argsort(self.code_of_cell, kind="stable")

    @cached_property
    def _weights(self) -> I64:
        """Mass of each cell of `_order`; a code without mass draws evenly among its cells."""
        codes = self.code_of_cell[self._order]
        masses = self.masses[self._order]
        held = np.bincount(codes, weights=masses, minlength=self.size) > 0
        return np.where(held[codes], masses, 1)

    @cached_property
    def _ends(self) -> I64:
        return np.cumsum(self._weights)

    @cached_property
    def _starts(self) -> I64:
        """Mass below each code's first cell, then the whole: shape (size + 1,)."""
        first = np.searchsorted(self.code_of_cell[self._order], np.arange(self.size + 1))
        return np.concatenate([[0], self._ends])[first]

    @cached_property
    def _listed(self) -> I64 | None:
        return np.repeat(self._order, self._weights) if self._ends[-1] <= _MOST_LISTED else None

    def to_document(self, *, masses: bool) -> dict[str, object]:
        """JSON values that `from_document` reads back; the masses where asked for."""
        return {"codes": _runs(self.code_of_cell)} | ({"masses": self.masses.tolist()} if masses else {})

    @classmethod
    def from_document(cls, grid: ColumnGrid, entry: Mapping[str, Any]) -> "ColumnCodes":
        """Read the codes of a column.

        Raises:
            ValueError: they do not cover the grid, or skip a code. A wrong type raises TypeError or KeyError.
        """
        runs = _whole_numbers(entry["codes"])
        # Neither more runs nor longer ones than cells: their sum cannot wrap around to the right number.
        if runs.ndim != 2 or runs.shape[1] != 2 or not 1 <= len(runs) <= grid.cells:
            raise ValueError("the codes are no runs")
        lengths = runs[:, 1]
        if lengths.min() < 1 or lengths.max() > grid.cells or int(lengths.sum()) != grid.cells:
            raise ValueError("the runs do not cover the grid")
        if runs[:, 0].min() != 0 or len(np.unique(runs[:, 0])) != runs[:, 0].max() + 1:
            raise ValueError("codes are skipped")
        codes = np.repeat(runs[:, 0].astype(np.int32), lengths)
        masses = _whole_numbers(entry["masses"]) if "masses" in entry else np.zeros(grid.cells, np.int64)
        if masses.shape != (grid.cells,) or masses.min() < 0 or masses.sum(dtype=np.float64) > _MOST_ROWS:
            raise ValueError("the masses do not cover the grid, or are more rows than JSON can write")
        return cls(grid, codes, masses)


def _whole_numbers(entry: object) -> I64:
    numbers = np.asarray(entry)
    if numbers.dtype.kind != "i":
        raise TypeError("a number of the codes is not whole")
    return numbers.astype(np.int64)


def _runs(codes: I32) -> list[list[int]]:
    """[code, length] of each run of equal codes."""
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    lengths = np.diff(np.append(starts, len(codes)))
    return [[int(code), int(length)] for code, length in zip(codes[starts], lengths, strict=True)]
