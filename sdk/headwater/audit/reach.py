"""Which real rows are attacked, and the synthetic rows nearest to them, in bounded memory."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from headwater.audit.row_hashes import value_hashes
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.space import nearest
from headwater.schema.table import Table

__all__ = ["dealt_rows", "drawn", "nearest_synthetic", "pooled"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_CHUNK = 1 << 17


def nearest_synthetic(
    candidate: Candidate, rows: Table, columns: tuple[str, ...], k: int = 1, *, only: I64 | None = None
) -> tuple[F64, I64]:
    """The k synthetic rows nearest to each row by these columns; of rows equally near, the first in the table.

    Points of the synthetic rows are made a part at a time: all of a million rows' would take the memory of another
    candidate for each set of columns.

    Args:
        candidate: whose rows.
        rows: queries, of the same schema.
        columns: what distance is measured by.
        k: how many.
        only: positions of the synthetic rows to look among, ascending; None for all.

    Returns:
        Distances and positions in the candidate's table, shape (rows, k), as `headwater.evidence.space.nearest` gives.
    """
    queries = candidate.space.points(rows, columns)
    distances = np.full((rows.rows, k), np.inf)
    places = np.full((rows.rows, k), -1, np.int64)
    among = candidate.table.rows if only is None else len(only)
    for start in range(0, among, _CHUNK):
        stop = min(start + _CHUNK, among)
        chosen = np.arange(start, stop) if only is None else only[start:stop]
        part = candidate.space.points(candidate.table.take(chosen), columns)
        near, where = nearest(queries, part, k)
        both = np.concatenate([distances, near], axis=1)
        at = np.concatenate([places, np.where(where < 0, -1, chosen[where])], axis=1)
        order = np.argsort(both, axis=1, kind="stable")[:, :k]
        distances, places = np.take_along_axis(both, order, axis=1), np.take_along_axis(at, order, axis=1)
    return distances, places


def dealt_rows(rows: AuditRows) -> AuditRows:
    """The rows that chance dealt to the sides one by one, so that attacks on them are independent trials.

    Where a file was split row by row these are all rows. An organisation parts its rows by their values, equal ones
    going together: there a row that stands many times was dealt once, and many attacks on it would pass for many
    trials. Sides that share no row are taken to be parted so, and each different row is attacked once; where no row
    stands twice either way is the same.
    """
    sides = (rows.train, rows.holdout)
    whole = [value_hashes(side).sum(axis=1, dtype=np.uint64) for side in sides]
    first = [np.sort(np.unique(sums, return_index=True)[1]) for sums in whole]
    repeated = any(len(kept) < side.rows for kept, side in zip(first, sides, strict=True))
    if not repeated or len(np.intersect1d(*whole)):
        return rows
    return replace(rows, train=rows.train.take(first[0]), holdout=rows.holdout.take(first[1]))


def drawn(table: Table, most: int, random: np.random.Generator) -> Table:
    """So many rows at random, without replacement; all of them where there are no more."""
    if table.rows <= most:
        return table
    return table.take(np.sort(random.choice(table.rows, size=most, replace=False)))


def pooled(rows: AuditRows, most: int, random: np.random.Generator) -> tuple[Table, Mask]:
    """As many training rows as holdout rows, and which of them are of the training rows."""
    each = min(rows.train.rows, rows.holdout.rows, most)
    pool = Table.concat([drawn(rows.train, each, random), drawn(rows.holdout, each, random)])
    return pool, np.arange(2 * each) < each
