"""Numeric columns as normal scores, through the summed histogram's distribution function."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.encoding.grid import IntervalGrid
from headwater.errors import InputError
from headwater.mixture.normal import cumulative, quantile
from headwater.mixture.settings import MixtureSettings
from headwater.schema.columns import DateColumn
from headwater.schema.table import Table

__all__ = ["ScoreColumn", "choose_score_columns", "jitter"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_MOST_KNOTS = 256
_LEAST_KNOTS = 4
_ROWS_A_KNOT = 40
_MOST_CELLS = 1 << 17
# An atom is a value alone in its cell that holds this share of the rows.
_ATOMS = 32
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class ScoreColumn:
    """How the values of one column become normal scores.

    The knots are what an organisation gets of the others' distribution: shares of the rows below a few hundred values,
    not the fine counts.

    Attributes:
        column: index into the schema's columns.
        knots: int64, ascending from 0 to the grid's ordered cells: the first cell of each interval, then the end.
        shares: float64, as many: share of the rows below each knot, from 0 to 1, ascending.
        states: codes of the encoding that have no score: special values, missing.
    """

    column: int
    knots: I64
    shares: F64
    states: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check what may come from a peer."""
        knots, shares = self.knots, self.shares
        if knots.ndim != 1 or knots.shape != shares.shape or not 2 <= len(knots) <= 4 * _MOST_KNOTS:
            raise InputError("a score column's knots and shares do not belong together")
        if knots[0] != 0 or knots[-1] > _MOST_CELLS or (np.diff(knots) < 1).any():
            raise InputError("a score column's knots do not ascend from 0")
        if not np.isfinite(shares).all() or shares[0] != 0 or shares[-1] != 1 or (np.diff(shares) < 0).any():
            raise InputError("a score column's shares do not ascend from 0 to 1")
        if self.column < 0 or len(self.states) > 1024 or any(state < 0 for state in self.states):
            raise InputError("a score column names a column or code below 0, or too many states")

    @classmethod
    def fit(cls, encoding: Encoding, column: int) -> "ScoreColumn":
        """Knots of equal mass by the encoding's counts; an atom has an interval of its own."""
        codes = encoding.columns[column]
        special, ordered = _ordered(encoding, column)
        masses = codes.masses[special : special + ordered].astype(np.float64)
        total = float(masses.sum())
        # Every special value has a code of its own in front, missing the last one: these have no score.
        missing = (codes.size - 1,) if codes.grid.column.missing else ()
        states = (*range(special), *missing)
        if total <= 0:
            return cls(column, np.asarray([0, ordered]), np.asarray([0.0, 1.0]), states)
        most = int(np.clip(total / _ROWS_A_KNOT, _LEAST_KNOTS, _MOST_KNOTS))
        heavy = masses * most >= total
        rest = np.where(heavy, 0.0, masses)
        place = np.floor((np.cumsum(rest) - rest / 2) * most / max(rest.sum(), 1e-9))
        starts = (np.diff(place, prepend=-1.0) != 0) | heavy | np.concatenate([[True], heavy[:-1]])
        knots = np.append(np.flatnonzero(starts), ordered)
        below = np.concatenate([[0.0], np.cumsum(masses)]) / total
        shares = below[knots]
        shares[-1] = 1.0
        return cls(column, knots, shares, states)

    def state(self, codes: I32) -> I32:
        """0 where a row's code has a score, else 1 + its place among the states.

        Args:
            codes: int32, shape (rows,), of this column.
        """
        state = np.zeros(len(codes), np.int32)
        for place, code in enumerate(self.states):
            state[codes == code] = place + 1
        return state

    def encode(self, encoding: Encoding, values: F64, chance: F64) -> F64:
        """Normal score of each value; where there is none, a draw from the standard normal.

        Args:
            encoding: counts are not needed.
            values: float64, shape (rows,), as in a table.
            chance: 0 to 1, same shape: where in an atom's interval, or in a whole number's cell, the row stands.

        Raises:
            InputError: the knots are of another grid.
        """
        special, ordered = _ordered(encoding, self.column)
        if self.knots[-1] != ordered:
            raise InputError("a score column's knots are of another grid than the encoding's")
        grid = _grid(encoding, self.column)
        cells = grid.locate(values) - special
        known = (cells >= 0) & (cells < ordered)
        interval = np.searchsorted(self.knots, np.clip(cells, 0, ordered - 1), side="right") - 1
        low = grid.lows[self.knots[:-1]][interval]
        high = grid.highs[self.knots[1:] - 1][interval] + (1.0 if grid.whole else 0.0)
        width = high - low
        value = np.where(known, values, low) + (chance if grid.whole else 0.0)
        inside = np.where(width > 0, (value - low) / np.where(width > 0, width, 1.0), chance)
        start, end = self.shares[interval], self.shares[interval + 1]
        share = np.where(known, start + np.clip(inside, 0.0, 1.0) * (end - start), chance)
        return quantile(share)

    def decode(self, encoding: Encoding, scores: F64) -> F64:
        """The value at each score, through the encoding's fine counts.

        Args:
            encoding: with its counts.
            scores: float64, shape (rows,), finite.
        """
        grid = _grid(encoding, self.column)
        below = self._below(encoding)
        share = np.clip(cumulative(scores), 0.0, 1.0 - 1e-12)
        # A cell without mass has no width and is never found from the right.
        cells = np.clip(np.searchsorted(below, share, side="right") - 1, 0, len(below) - 2)
        width = below[cells + 1] - below[cells]
        inside = np.clip((share - below[cells]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        return grid.inside(cells, inside)

    def codes(self, encoding: Encoding, scores: F64) -> I32:
        """The code of the value that each score decodes to: int32, shape (rows,).

        Args:
            encoding: with its counts.
            scores: as of `decode`.
        """
        special, _ = _ordered(encoding, self.column)
        code_of_cell = encoding.columns[self.column].code_of_cell[special:]
        below = self._below(encoding)
        # A row has the code of the last run of cells that begins at or below its share and holds any mass.
        held = np.flatnonzero(np.diff(below) > 0)
        firsts = held[np.flatnonzero(np.diff(code_of_cell[held], prepend=-1))]
        share = np.clip(cumulative(scores), 0.0, 1.0 - 1e-12)
        found = np.clip(np.searchsorted(below[firsts], share, side="right") - 1, 0, len(firsts) - 1)
        codes: I32 = code_of_cell[firsts][found]
        return codes

    def _below(self, encoding: Encoding) -> F64:
        """Share of the rows with a score below each ordered cell, and 1 at the end."""
        special, ordered = _ordered(encoding, self.column)
        masses = encoding.columns[self.column].masses[special : special + ordered].astype(np.float64)
        if masses.sum() <= 0:
            masses = np.ones(ordered)
        return np.concatenate([[0.0], np.cumsum(masses) / masses.sum()])


def choose_score_columns(encoding: Encoding, label: int | None, settings: MixtureSettings) -> tuple[int, ...]:
    """Columns whose shape codes would lose: more different values than codes, and not most of them on a few atoms.

    Args:
        encoding: with its counts.
        label: never among them.
        settings: of the plan; where there are too many, those with the least on atoms come first.
    """
    found = []
    for column, codes in enumerate(encoding.columns):
        if column == label or not isinstance(codes.grid, IntervalGrid):
            continue
        special, ordered = _ordered(encoding, column)
        masses = codes.masses[special : special + ordered]
        total = int(masses.sum())
        alone = codes.grid.lows == codes.grid.highs
        atoms = int(masses[alone & (masses * _ATOMS >= total)].sum())
        shaped = np.count_nonzero(masses) > encoding.settings.numeric_codes and atoms <= settings.atoms_limit * total
        # Dates whose codes do not ascend are parted by the day of the week. Of numbers, an atom may stand inside a bin.
        if isinstance(codes.grid.column, DateColumn):
            shaped = shaped and bool((np.diff(codes.code_of_cell) >= 0).all())
        if shaped and total >= settings.least_known * int(codes.masses.sum()):
            found.append((atoms / total, column))
    return tuple(sorted(column for _, column in sorted(found)[: settings.score_columns]))


def jitter(table: Table, columns: tuple[int, ...]) -> F64:
    """Chance that a row's own values fix: the same in every round, whichever organisation holds the row.

    Args:
        table: rows.
        columns: one stream for each.

    Returns:
        float64 in [0, 1), shape (rows, len(columns)). Equal rows have equal chance.

    Source: Steele, Lea & Flood 2014, the finalizer of SplitMix64, over the bits of the row's values.
    """
    state = np.zeros(table.rows, np.uint64)
    for name in table.schema.names:
        values = table.columns[name]
        # Missing is one value whatever its bits, and so is zero.
        plain = np.where(np.isnan(values), np.inf, values) + 0.0 if values.dtype.kind == "f" else values
        state = _mixed(state ^ plain.astype(np.float64).view(np.uint64))
    drawn = np.empty((table.rows, len(columns)))
    for place, column in enumerate(columns):
        bits = _mixed(state + np.uint64((column + 1) * 0xD1342543DE82EF95 % 2**64))
        drawn[:, place] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + _GAMMA
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _grid(encoding: Encoding, column: int) -> IntervalGrid:
    grid = encoding.columns[column].grid if column < len(encoding.columns) else None
    if not isinstance(grid, IntervalGrid):
        raise InputError("a score column is no numeric or date column of the schema")
    return grid


def _ordered(encoding: Encoding, column: int) -> tuple[int, int]:
    """Cells of special values in front, and ordered cells after them."""
    grid = _grid(encoding, column)
    return len(grid.special), len(grid.lows)
