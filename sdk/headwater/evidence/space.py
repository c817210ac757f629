"""Rows as points, and which of them are nearest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema import BooleanColumn, CategoricalColumn, Column, ImageColumn, Schema
from headwater.schema.table import Table

__all__ = ["Points", "Space", "nearest"]

Points = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_REACH = 5.0
_WIDEST = 64
_HASH = 2_654_435_761
_BLOCK = 1 << 17
_CELLS = 1 << 24


@dataclass(frozen=True, slots=True)
class Space:
    """How rows become points: numbers standardised and halved, categories one-hot, scaled so that each differing
    category adds 1 to the squared distance.

    Missing is a place of its own: a number's is its mean with a flag, a category's one more category. Columns of more
    than 64 categories go to 64 hashed places: two categories may share one, a row never loses its own.

    Attributes:
        schema: of the rows.
        centres, scales: by numeric column's name.
    """

    schema: Schema
    centres: dict[str, float]
    scales: dict[str, float]

    @classmethod
    def of(cls, table: Table) -> "Space":
        """Scaled by the rows of a table."""
        centres, scales = {}, {}
        for column in table.schema.columns:
            if _is_number(column):
                values = table.columns[column.name]
                known = values[~np.isnan(values)]
                centres[column.name] = float(known.mean()) if len(known) else 0.0
                spread = float(known.std()) if len(known) else 0.0
                scales[column.name] = spread if spread > 0 else 1.0
        return cls(table.schema, centres, scales)

    def points(self, table: Table, columns: tuple[str, ...] | None = None) -> Points:
        """Rows as points.

        Args:
            table: rows of this space's schema.
            columns: only these, in the schema's order; None for all.

        Returns:
            float32, shape (rows, dimensions).

        Raises:
            InputError: rows of another schema, or no column.
        """
        if table.schema != self.schema:
            raise InputError("rows of another schema have no place in this space; conform them to one schema")
        parts = [
            self._part(column, table.columns[column.name])
            for column in self.schema.columns
            if columns is None or column.name in columns
        ]
        if not parts:
            raise InputError("points need at least one column; name one of the schema's")
        return np.concatenate(parts, axis=1)

    def _part(self, column: Column, values: NDArray[np.generic]) -> Points:
        match column:
            case ImageColumn():
                return (values.astype(np.float32) / np.float32(column.levels - 1)).astype(np.float32)
            case CategoricalColumn() | BooleanColumn():
                codes = values.astype(np.int64) + 1
                all_of_them = len(column.categories) + 1
                width = min(all_of_them, _WIDEST)
                places = codes if all_of_them <= _WIDEST else (codes * _HASH >> 7) % width
                part = np.zeros((len(values), width), np.float32)
                part[np.arange(len(values)), places] = np.sqrt(0.5)
                return part
            case _:
                number = values.astype(np.float64)
                missing = np.isnan(number)
                scaled = (number - self.centres[column.name]) / self.scales[column.name]
                scaled = np.where(missing, 0.0, np.clip(scaled, -_REACH, _REACH)) / 2
                if not column.missing:
                    return scaled.astype(np.float32)[:, None]
                return np.stack([scaled, missing.astype(np.float64)], axis=1).astype(np.float32)


def _is_number(column: Column) -> bool:
    return not isinstance(column, CategoricalColumn | BooleanColumn | ImageColumn)


def nearest(queries: Points, points: Points, k: int = 1, *, same: bool = False) -> tuple[F64, I64]:
    """The k nearest points of each query, by Euclidean distance, in bounded memory.

    Args:
        queries: shape (queries, dimensions).
        points: shape (points, dimensions).
        k: how many, at least 1.
        same: the queries are the points themselves, in order: no point is its own neighbour.

    Returns:
        Distances and positions among `points`, each of shape (queries, k), nearest first. Where there are fewer than k
        points, the distances of those that are missing are infinite and their positions -1.
    """
    found = min(k, len(points) - int(same))
    distances = np.full((len(queries), k), np.inf)
    places = np.full((len(queries), k), -1, np.int64)
    if found < 1:
        return distances, places
    squares = np.square(points).sum(axis=1)
    # Queries and points in blocks, so that a block of distances has a fixed size whatever the tables have.
    wide = min(len(points), _BLOCK)
    tall = max(1, _CELLS // wide)
    for start in range(0, len(queries), tall):
        part = queries[start : start + tall]
        best = np.full((len(part), found), np.inf, np.float32)
        where = np.full((len(part), found), -1, np.int64)
        for first in range(0, len(points), wide):
            block = part @ points[first : first + wide].T
            block *= -2
            block += squares[first : first + wide]
            if same:
                own = np.arange(start, start + len(part)) - first
                inside = (own >= 0) & (own < block.shape[1])
                block[np.flatnonzero(inside), own[inside]] = np.inf
            best, where = _merge(best, where, block, first)
        own_squares = np.square(part).sum(axis=1, dtype=np.float64)[:, None]
        order = np.argsort(best, axis=1, kind="stable")
        distances[start : start + tall, :found] = np.sqrt(
            np.maximum(np.take_along_axis(best, order, axis=1) + own_squares, 0)
        )
        places[start : start + tall, :found] = np.take_along_axis(where, order, axis=1)
    return distances, places


def _merge(best: Points, where: I64, block: Points, first: int) -> tuple[Points, I64]:
    """The smallest of what was found and of a new block of distances."""
    k = best.shape[1]
    if k == 1:
        place = block.argmin(axis=1)[:, None]
        new = np.take_along_axis(block, place, axis=1)
        nearer = new < best
        return np.where(nearer, new, best), np.where(nearer, place + first, where)
    few = min(k, block.shape[1])
    place = np.argpartition(block, few - 1, axis=1)[:, :few]
    both = np.concatenate([best, np.take_along_axis(block, place, axis=1)], axis=1)
    places = np.concatenate([where, place + first], axis=1)
    kept = np.argpartition(both, k - 1, axis=1)[:, :k] if both.shape[1] > k else np.arange(k)[None, :]
    kept = np.broadcast_to(kept, (len(best), k))
    return np.take_along_axis(both, kept, axis=1), np.take_along_axis(places, kept, axis=1)
