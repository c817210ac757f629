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
# Queries that are looked for together, and the block of distances that is held at a time: 32 MiB.
_QUERIES = 1 << 16
_TALL = 256
_WIDE = 1 << 15
_GROUP = 64


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
        taken = [column for column in self.schema.columns if columns is None or column.name in columns]
        if not taken:
            raise InputError("points need at least one column; name one of the schema's")
        widths = [self._part(column, table.columns[column.name][:0]).shape[1] for column in taken]
        points = np.empty((table.rows, sum(widths)), np.float32)
        ends = np.cumsum(widths)
        # One column at a time: a million rows as points are large enough once.
        for column, width, end in zip(taken, widths, ends, strict=True):
            points[:, end - width : end] = self._part(column, table.columns[column.name])
        return points

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

    Products of matrices find them; their distances are then taken from differences, so that a copy's is exactly 0.

    Args:
        queries: shape (queries, dimensions).
        points: shape (points, dimensions).
        k: how many, at least 1.
        same: the queries are the points themselves, in order: no point is its own neighbour.

    Returns:
        Distances and positions among `points`, each of shape (queries, k), nearest first. Where
        there are fewer than k points, the distances of those that are missing are infinite and their positions -1.
    """
    found = min(k, len(points) - int(same))
    distances = np.full((len(queries), k), np.inf)
    places = np.full((len(queries), k), -1, np.int64)
    if found < 1:
        return distances, places
    for start in range(0, len(queries), _QUERIES):
        part = queries[start : start + _QUERIES]
        near = _found(part, points, found, start if same else None)
        exact = np.empty(near.shape)
        for rank in range(found):
            gaps = (part - points[near[:, rank]]).astype(np.float64)
            exact[:, rank] = np.sqrt(np.einsum("qd,qd->q", gaps, gaps))
        order = np.lexsort((near, exact), axis=1)
        distances[start : start + len(part), :found] = np.take_along_axis(exact, order, axis=1)
        places[start : start + len(part), :found] = np.take_along_axis(near, order, axis=1)
    return distances, places


def _found(queries: Points, points: Points, k: int, own: int | None) -> I64:
    """Positions of the k nearest, in any order; `own` is the first query's own position among the points."""
    # |q - p|^2 - |q|^2 = (-2 q, 1) . (p, |p|^2): one product, nothing to add.
    doubled = np.concatenate([queries * np.float32(-2), np.ones((len(queries), 1), np.float32)], axis=1)
    best = np.full((len(queries), k), np.inf, np.float32)
    where = np.full((len(queries), k), -1, np.int64)
    room = np.empty(min(_TALL, len(queries)) * min(_WIDE, len(points) + _GROUP), np.float32)
    for first in range(0, len(points), _WIDE):
        tile = _folding(points[first : first + _WIDE])
        for start in range(0, len(queries), _TALL):
            part = slice(start, min(start + _TALL, len(queries)))
            block = room[: (part.stop - start) * len(tile)].reshape(-1, len(tile))
            np.matmul(doubled[part], tile.T, out=block)
            if own is not None:
                itself = np.arange(own + start, own + part.stop) - first
                inside = (itself >= 0) & (itself < len(tile))
                block[np.flatnonzero(inside), itself[inside]] = np.inf
            _merge(best[part], where[part], block, first)
    return where


def _folding(points: Points) -> Points:
    """Points with their squares, as many as fold into whole groups: those added are further than any."""
    whole = -(-len(points) // _GROUP) * _GROUP
    tile = np.zeros((whole, points.shape[1] + 1), np.float32)
    tile[: len(points), :-1] = points
    tile[: len(points), -1] = np.square(points).sum(axis=1)
    tile[len(points) :, -1] = np.inf
    return tile


def _merge(best: Points, where: I64, tile: Points, first: int) -> None:
    """Take the smallest of what was found and of a new tile, in place.

    The k smallest of a row lie in the k groups of columns whose least is smallest: all else is looked at once.
    """
    k = best.shape[1]
    folded = tile.reshape(len(tile), _GROUP, -1)
    least = folded.min(axis=1)
    rows = np.flatnonzero(least.min(axis=1) < best.max(axis=1))
    if not len(rows):
        return
    groups = _smallest(least[rows], k)
    members = np.arange(_GROUP)[None, :, None] * folded.shape[2] + groups[:, None, :]
    members = members.reshape(len(rows), -1)
    values = np.concatenate([best[rows], tile[rows[:, None], members]], axis=1)
    places = np.concatenate([where[rows], members + first], axis=1)
    kept = _smallest(values, k)
    best[rows] = np.take_along_axis(values, kept, axis=1)
    where[rows] = np.take_along_axis(places, kept, axis=1)


def _smallest(values: Points, k: int) -> I64:
    """Positions of the k smallest of each row, in any order; of all where there are fewer."""
    if k == 1:
        return np.asarray(values.argmin(axis=1)[:, None], np.int64)
    if values.shape[1] <= k:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.asarray(np.argpartition(values, k - 1, axis=1)[:, :k], np.int64)
