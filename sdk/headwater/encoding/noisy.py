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
from headwater.encoding.settings import EncodingSettings
from headwater.schema import Schema

__all__ = ["NoisyMarginal", "coarse_encoding", "noisy_encoding", "total_rows"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

# A bin is worth its noise when it holds so many of its standard deviations.
_LEAST_DEVIATIONS = 4.0
# A cell of a sparse histogram stands out above so many.
_CLEAR_DEVIATIONS = 3.0


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


def noisy_encoding(
    schema: Schema, counts: NDArray[np.integer], variance: float, rows: float, settings: EncodingSettings
) -> Encoding:
    """Choose codes from a noisy sum of histograms.

    Args:
        schema: public bounds and categories.
        counts: integers, shape (Histograms.length,); may be negative.
        variance: of each count's noise.
        rows: how many were counted, at least nearly.
        settings: of the plan.

    Returns:
        Codes that hold several standard deviations of noise each, with masses that are not negative: inside a code
        cells that stand out keep what they have, and the others share the rest evenly.
    """
    histograms = Histograms.of(schema, settings)
    deviation = float(np.sqrt(variance))
    columns = []
    for grid, part in zip(histograms.grids, histograms.split(np.asarray(counts)), strict=True):
        measured = part.astype(np.float64)
        if isinstance(grid, CategoryGrid):
            masses = np.maximum(np.rint(measured), 0).astype(np.int64)
            columns.append(ColumnCodes(grid, category_codes(grid, masses, settings.category_limit), masses))
        else:
            codes = _interval_codes(grid, measured, deviation, rows, settings.numeric_codes)
            columns.append(ColumnCodes(grid, codes, _smoothed(codes, measured, deviation)))
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


def _interval_codes(grid: IntervalGrid, measured: F64, deviation: float, rows: float, most: int) -> I32:
    """Special values and missing alone, cells of much mass alone, the others in runs above the noise."""
    special, inner = len(grid.special), measured[len(grid.special) : len(grid.special) + len(grid.lows)]
    codes = np.zeros(grid.cells, np.int32)
    codes[:special] = np.arange(special)
    codes[special : special + len(inner)] = special + _ordered_codes(inner, deviation, max(rows / most, 1.0))
    if grid.column.missing:
        codes[-1] = codes[special : special + len(inner)].max() + 1
    return codes


def _ordered_codes(inner: F64, deviation: float, share: float) -> I64:
    least = max(share, _LEAST_DEVIATIONS * deviation)
    atoms = inner >= least
    codes = np.full(len(inner), -1, np.int64)
    runs: list[list[int]] = []
    run: list[int] = []
    mass, cells = 0.0, 0
    for place in np.flatnonzero(~atoms):
        run.append(int(place))
        mass, cells = mass + inner[place], cells + 1
        if mass >= max(least, _LEAST_DEVIATIONS * deviation * np.sqrt(cells)):
            runs.append(run)
            run, mass, cells = [], 0.0, 0
    if run and runs:
        runs[-1] += run
    elif run:
        runs.append(run)
    starts = sorted([*([int(place)] for place in np.flatnonzero(atoms)), *runs])
    for number, places in enumerate(starts):
        codes[places] = number
    return codes


def _smoothed(codes: I32, measured: F64, deviation: float) -> I64:
    """Masses by which values inside a code are drawn: even, but where a cell stands out of the noise."""
    clear = np.where(measured > _CLEAR_DEVIATIONS * deviation, measured, 0.0)
    sizes = np.bincount(codes)
    whole = np.maximum(np.bincount(codes, weights=measured), sizes)
    unclear = np.bincount(codes, weights=(clear == 0).astype(np.float64))
    rest = np.maximum(whole - np.bincount(codes, weights=clear), unclear)
    even = (rest / np.maximum(unclear, 1))[codes]
    return np.rint(np.where(clear > 0, clear, even)).astype(np.int64)


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
