"""Noisy counts: marginals with what is known of their error, and codes that do not follow the noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.bins import category_codes
from headwater.encoding.column_codes import ColumnCodes
from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import CategoryGrid, Histograms, IntervalGrid
from headwater.encoding.marginals import Subset
from headwater.encoding.segments import segments
from headwater.encoding.settings import EncodingSettings
from headwater.schema import Schema

__all__ = ["NoisyMarginal", "coarse_encoding", "grid_encoding", "noisy_encoding", "total_rows"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class NoisyMarginal:
    """Counts with independent noise on every cell.

    Attributes:
        columns: indices into the schema's columns, ascending, no repeats.
        maps: for each of them int32, shape (codes,): the place of each code along the table's axis.
        counts: float64, shape (product of the axes' sizes,), C order; may be negative.
        variance: float64, same shape: of each cell's noise.
    """

    columns: Subset
    maps: tuple[I32, ...]
    counts: F64
    variance: F64

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(int(places.max()) + 1 for places in self.maps)


def total_rows(marginals: Sequence[NoisyMarginal]) -> float:
    """How many rows the tables counted: their totals, weighted by what their noise leaves of them; at least 1."""
    weights = [1.0 / float(marginal.variance.sum()) for marginal in marginals]
    totals = [float(marginal.counts.sum()) for marginal in marginals]
    return max(1.0, float(np.dot(weights, totals) / sum(weights)))


def grid_encoding(schema: Schema, settings: EncodingSettings) -> Encoding:
    """Every cell of every column's public grid as a code of its own: what is counted before anything is known."""
    grids = Histograms.of(schema, settings).grids
    columns = (
        ColumnCodes(grid, np.arange(grid.cells, dtype=np.int32), np.zeros(grid.cells, np.int64)) for grid in grids
    )
    return Encoding(schema, settings, tuple(columns))


def noisy_encoding(
    schema: Schema, counts: Sequence[F64], variance: float, rows: float, settings: EncodingSettings, few: int
) -> Encoding:
    """Choose codes from noisy counts on the public grids.

    Args:
        schema: public bounds and categories.
        counts: of each column float64, shape (cells, classes): rows of each class of the label, or of one class where
            there is no label; may be negative.
        variance: of each count's noise.
        rows: how many were counted, at least nearly.
        settings: of the plan.
        few: numbers and dates of so few cells keep them all as codes, like categories.

    Returns:
        Codes of other numbers and dates are runs of cells that the counts cannot tell apart; inside a code values are
        drawn evenly. Masses are not negative.
    """
    columns = []
    for grid, measured in zip(Histograms.of(schema, settings).grids, counts, strict=True):
        if isinstance(grid, CategoryGrid):
            masses = np.maximum(np.rint(measured.sum(axis=1)), 0).astype(np.int64)
            columns.append(ColumnCodes(grid, category_codes(grid, masses, settings.category_limit), masses))
        elif len(grid.lows) <= few:
            columns.append(ColumnCodes(grid, np.arange(grid.cells, dtype=np.int32), np.ones(grid.cells, np.int64)))
        else:
            codes = _interval_codes(grid, measured, variance, max(rows / settings.numeric_codes, 1.0))
            columns.append(ColumnCodes(grid, codes, np.ones(grid.cells, np.int64)))
    return Encoding(schema, settings, tuple(columns))


def coarse_encoding(encoding: Encoding, shares: Sequence[F64], bins: Sequence[int]) -> tuple[Encoding, tuple[I32, ...]]:
    """Join codes until each column has few.

    Args:
        encoding: fine.
        shares: of each column's codes, not negative.
        bins: most of each column; special values and missing of a numeric column come on top.

    Returns:
        The coarse encoding, without masses, and for each column int32, shape (codes,): the bin of each code.
    """
    maps = [
        _joined_categories(share, most)
        if isinstance(column.grid, CategoryGrid)
        else _joined_intervals(column.grid, share, most)
        for column, share, most in zip(encoding.columns, shares, bins, strict=True)
    ]
    columns = tuple(
        ColumnCodes(column.grid, places[column.code_of_cell], np.zeros_like(column.masses))
        for column, places in zip(encoding.columns, maps, strict=True)
    )
    return Encoding(encoding.schema, encoding.settings, columns), tuple(maps)


def _interval_codes(grid: IntervalGrid, measured: F64, variance: float, largest: float) -> I32:
    """Special values and missing alone, the other cells in runs."""
    special, ordered = len(grid.special), len(grid.lows)
    codes = np.zeros(grid.cells, np.int32)
    codes[:special] = np.arange(special)
    codes[special : special + ordered] = special + segments(measured[special : special + ordered], variance, largest)
    if grid.column.missing:
        codes[-1] = codes[:-1].max() + 1
    return codes


def _joined_categories(share: F64, most: int) -> I32:
    """The most frequent alone, the others in one."""
    if len(share) <= most:
        return np.arange(len(share), dtype=np.int32)
    places = np.full(len(share), most - 1, np.int32)
    places[np.sort(np.argsort(-share, kind="stable")[: most - 1])] = np.arange(most - 1)
    return places


def _joined_intervals(grid: IntervalGrid, share: F64, most: int) -> I32:
    """Codes of much mass alone, the others in runs of equal mass; special values and missing stay alone."""
    special, missing = len(grid.special), int(grid.column.missing)
    inner = share[special : len(share) - missing]
    places = np.arange(len(share), dtype=np.int32)
    if len(inner) > most:
        alone = inner >= inner.sum() / most
        rest = np.where(alone, 0.0, inner)
        left = max(1, most - int(alone.sum()))
        middle = np.cumsum(rest) - rest / 2
        run = np.minimum((middle * left / max(rest.sum(), 1e-9)).astype(np.int64), left - 1)
        key = np.where(alone, most + np.arange(len(inner)), run)
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        ranks = np.argsort(np.argsort(first))
        places[special : len(share) - missing] = special + ranks[inverse]
        if missing:
            places[-1] = places[:-1].max() + 1
    return places
