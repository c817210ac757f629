"""Find the tilt that puts counted pairs of columns right, on draws of the mixture."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.marginals import Subset, cells_of
from headwater.mixture.tilt import Tilt

__all__ = ["Raking"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_SWEEPS = 4
# No step moves a weight by more than this factor, and no weight leaves the range of its logarithm.
_STEP = 10.0
_MOST_LOG = 20.0
# No factor counts as more than so many times their mean, so that one draw in so many is kept at least.
_MOST_FACTOR = 25.0
_CUTS = 8
_LEAST_EXPECTED = 1.0


class Raking:
    """Weights on draws of a mixture, moved until each counted cell is met within a tolerance.

    Each step is the projection onto one table's constraints; a cell within the tolerance is left alone, so that chance
    in the counts is not learnt. It sees draws and sums, never a row.

    Source: Deming & Stephan 1940; Csiszár 1975; Dudík, Phillips & Schapire 2004 for the tolerance.
    """

    def __init__(
        self,
        draw: Callable[[], Sequence[I32]],
        sizes: Sequence[int],
        tables: Mapping[Subset, F64],
        rows: int,
    ) -> None:
        """Begin with the mixture as it is.

        Args:
            draw: gives int32 codes of new draws of the mixture, one array for each column. Each sweep has draws of its
                own: weights found on few would fit their chance.
            sizes: number of codes of each column.
            tables: summed counts of pairs of columns, one at least.
            rows: training rows that were counted.
        """
        self._draw = draw
        self._sizes = tuple(sizes)
        self._tables = dict(sorted(tables.items()))
        self._rows = rows
        self._draws = draw()
        self._weights = np.ones(len(self._draws[0]))
        self._cap = math.inf
        self._logs = {pair: np.zeros(cells_of(sizes, pair)) for pair in self._tables}

    def tighten(self, tolerance: float) -> Tilt:
        """Go on to a tolerance.

        Args:
            tolerance: standard deviations of a count that a cell may be off; 0 or above.
        """
        for _ in range(_SWEEPS):
            self._renew()
            self._cut_off()
            spread = self._noise()
            for pair, counts in self._tables.items():
                place = self._place(pair)
                found = self._expected(place, len(counts))
                reach = tolerance * spread * np.sqrt(np.maximum(found, _LEAST_EXPECTED))
                wanted = np.clip(found, counts - reach, counts + reach)
                self._move(pair, place, _ratio(wanted, found))
            self._single_columns()
        self._renew()
        logs = np.concatenate(list(self._logs.values())).astype(np.float32)
        cap = min(self._cap, float(self._weights.max()))
        log_mean = math.log(np.minimum(self._weights, cap).mean())
        return Tilt(tuple(self._logs), self._sizes, logs, math.log(cap), log_mean)

    def _renew(self) -> None:
        """New draws, with the weights found so far."""
        self._draws = self._draw()
        total = np.zeros(len(self._draws[0]))
        for pair, logs in self._logs.items():
            if logs.any():
                total += logs[self._place(pair)]
        self._weights = np.exp(total)

    def _noise(self) -> float:
        """Standard deviation of a cell's expected rows and its counted ones together, in units of the latter's."""
        weights = np.minimum(self._weights, self._cap)
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        return math.sqrt(1.0 + self._rows / effective)

    def excess(self, tolerance: float) -> float:
        """Share of the rows that stand in cells beyond a tolerance, 0 to 1, on average over the pairs."""
        beyond = 0.0
        for pair, counts in self._tables.items():
            found = self._expected(self._place(pair), len(counts))
            off = np.abs(found - counts) - tolerance * np.sqrt(np.maximum(found, _LEAST_EXPECTED))
            beyond += float(np.maximum(off, 0.0).sum())
        return beyond / (2 * self._rows * len(self._tables))

    def _place(self, pair: Subset) -> I32:
        first, second = pair
        place: I32 = self._draws[first] * np.int32(self._sizes[second]) + self._draws[second]
        return place

    def _expected(self, place: I32, cells: int) -> F64:
        """Rows that each cell would have."""
        weights = np.minimum(self._weights, self._cap)
        expected: F64 = np.bincount(place, weights=weights, minlength=cells) * (self._rows / weights.sum())
        return expected

    def _single_columns(self) -> None:
        """Put the 1-way counts right exactly: they are counted well enough."""
        seen: set[int] = set()
        for pair, counts in self._tables.items():
            shape = (self._sizes[pair[0]], self._sizes[pair[1]])
            for axis, column in enumerate(pair):
                if column in seen:
                    continue
                seen.add(column)
                found = self._expected(self._draws[column], shape[axis])
                ratio = _ratio(counts.reshape(shape).sum(axis=1 - axis), found)
                spread = np.repeat(ratio, shape[1]) if axis == 0 else np.tile(ratio, shape[0])
                self._move(pair, self._place(pair), spread)

    def _move(self, pair: Subset, place: I32, ratio: F64) -> None:
        before = self._logs[pair]
        after = np.clip(before + np.log(ratio), -_MOST_LOG, _MOST_LOG)
        change = after - before
        if change.any():
            self._logs[pair] = after
            self._weights *= np.exp(change)[place]

    def _cut_off(self) -> None:
        """Bound the weights by their mean: a few heavy draws would cost all others, and be drawn again and again.

        Source: Deville & Särndal 1992, calibration within bounds.
        """
        for _ in range(_CUTS):
            self._cap = _MOST_FACTOR * float(np.minimum(self._weights, self._cap).mean())


def _ratio(wanted: F64, found: F64) -> F64:
    """Factors that bring one to the other, within a step; 1 where no draw stands."""
    ratio = np.ones(len(found))
    np.divide(wanted, found, out=ratio, where=found > 0)
    return np.clip(ratio, 1 / _STEP, _STEP)
