"""Quasi-identifiers of canaries: mixed from pairs of own rows, or drawn from the schema."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.secret_space import public_values
from headwater.audit.canaries.streams import Streams
from headwater.schema import Column, DateColumn, NumericColumn, Schema
from headwater.schema.decimals import rounded
from headwater.schema.table import Table

__all__ = ["Parents", "public_identifiers"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_HOLDERS = 3


@dataclass(frozen=True, eq=False)
class Parents:
    """Own training rows as parents of canaries.

    Each canary has two parents, and takes each column from either by a fair coin. Values of two columns come from one
    row half of the time, so that a canary is about as ordinary as a row: columns drawn one by one from their marginals
    make combinations that nobody has, outliers that a generator remembers more readily than people. A whole own row
    would teach the generator one person's combination up to sixteen times.

    A value that fewer than three own rows hold is not repeated: another row's value, or in a column without common
    values the middle between both parents, takes its place.

    Parents are found by place: each is the row that stands next to a drawn point. So the order of rows does not
    matter, and a row that is added or taken away changes few canaries.

    Attributes:
        rows: training rows, by their place.
        places: of each, ascending; float64, shape (rows,).
        first: where the training part begins.
    """

    rows: Table = field(repr=False)
    places: F64 = field(repr=False)
    first: float

    @classmethod
    def of(cls, rows: Table, places: F64, first: float) -> "Parents":
        """Of training rows in any order, at least one."""
        order = np.argsort(places, kind="stable")
        return cls(rows.take(order), places[order], first)

    def identifiers(
        self, names: tuple[str, ...], streams: Streams, count: int, attempt: int
    ) -> dict[str, NDArray[Any]]:
        """Columns of quasi-identifiers.

        Args:
            names: of the columns.
            streams: of the organisation's secret.
            count: canaries.
            attempt: number of the try.

        Returns:
            By column, each of shape (count,).
        """
        one, other = (self._rows_at(streams, f"parent {which}", count, attempt) for which in (1, 2))
        columns = {}
        for column in self.rows.schema.columns:
            if column.name not in names:
                continue
            coins = streams.coins(f"column {column.name}", count, attempt)
            chosen, rest = np.where(coins, one, other), np.where(coins, other, one)
            values = self.rows.columns[column.name]
            common = _common(values)
            found = values[chosen]
            alone = np.flatnonzero(~common[chosen])
            holders = np.flatnonzero(common)
            if len(holders) and len(alone):
                points = self._points(streams, f"common {column.name}", count, attempt)[alone]
                found[alone] = values[holders[np.searchsorted(self.places[holders], points) % len(holders)]]
            elif len(alone):
                found[alone] = _between(column, found[alone], values[rest[alone]])
            columns[column.name] = found
        return columns

    def _rows_at(self, streams: Streams, purpose: str, count: int, attempt: int) -> NDArray[np.intp]:
        """The row next to each of as many drawn points."""
        return np.searchsorted(self.places, self._points(streams, purpose, count, attempt)) % self.rows.rows

    def _points(self, streams: Streams, purpose: str, count: int, attempt: int) -> F64:
        return self.first + streams.uniform(purpose, count, attempt) * (1 - self.first)


def public_identifiers(
    schema: Schema, names: tuple[str, ...], streams: Streams, count: int, attempt: int
) -> dict[str, NDArray[Any]]:
    """Columns of quasi-identifiers that follow from schema and secret alone: each uniform over its public values.

    Args:
        schema: of the rows.
        names, streams, count, attempt: as `Parents.identifiers`.
    """
    columns = {}
    for column in schema.columns:
        if column.name in names:
            values = public_values(column)
            points = streams.uniform(f"public {column.name}", count, attempt)
            columns[column.name] = values[(points * len(values)).astype(np.int64)]
    return columns


def _common(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each value is held by several rows; missing ones count as one value."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[place.reshape(-1)] >= _HOLDERS)


def _between(column: Column, one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """The middle of two numbers or days; the first where there is none."""
    if not isinstance(column, NumericColumn | DateColumn):
        return one
    middle = (one + other) / 2
    if isinstance(column, DateColumn) or column.integer:
        middle = np.rint(middle)
    elif column.decimals is not None:
        middle = rounded(middle, column.decimals)
    apart = np.isnan(middle)
    if isinstance(column, NumericColumn):
        apart |= np.isin(one, column.special_values) | np.isin(other, column.special_values)
    return np.where(apart, one, middle)
