"""Where cells of numbers may end: at places that the schema alone fixes, whatever rows choose among them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.schema import Column, DateColumn, ImageColumn, NumericColumn

__all__ = ["public_edges", "snapped"]

F64 = NDArray[np.float64]

_PARTS = 4
"""Even parts of the bounds for each cell that a column may have."""

_HALVINGS = 40


def public_edges(column: Column, cells: int) -> F64:
    """Where a column's cells may end: even parts of its bounds, and distances from zero that halve again and again.

    Args:
        column: of numbers, days or pictures, these by their mean level.
        cells: that the column has at most, 1 or more.

    Returns:
        float64, ascending and different; special values have both their sides among them.

    Guarantee: it follows from the schema and a number of the software alone. However a table chooses among these
        edges, no cell is narrower than a `_PARTS * cells`-th of the bounds, but near zero (or the bound nearest to
        it), where it is as wide as it is far away, and around special values.
    """
    match column:
        case ImageColumn():
            lower, upper, finest = 0.0, float(column.levels - 1), 0.0
        case DateColumn():
            lower, upper, finest = float(column.lower_day), float(column.upper_day), 1.0
        case NumericColumn():
            lower, upper = float(column.lower), float(column.upper)
            finest = 1.0 if column.integer else 10.0 ** -(column.decimals if column.decimals is not None else 300)
        case _:
            return np.zeros(0)
    even = np.linspace(lower, upper, _PARTS * max(cells, 1) + 1)
    parts: list[NDArray[np.floating[Any]]] = [even]
    if isinstance(column, NumericColumn):
        anchor = min(max(0.0, lower), upper)
        distances = (upper - lower) / (_PARTS * max(cells, 1)) * 0.5 ** np.arange(1, _HALVINGS + 1)
        distances = distances[distances >= finest]
        parts += [anchor - distances, np.array([anchor]), anchor + distances]
        special = np.asarray(column.special_values, np.float64)
        parts += [special, np.nextafter(special, np.inf)]
    edges = np.unique(np.concatenate([np.asarray(part, np.float64) for part in parts]))
    inside = (edges >= lower) & (edges <= upper)
    if isinstance(column, NumericColumn):
        inside |= np.isin(edges, np.concatenate(parts[-2:]))
    return edges[inside]


def snapped(wanted: F64, edges: F64) -> F64:
    """The edges nearest to those that are wanted, each once.

    Args:
        wanted: float64, in any order.
        edges: of `public_edges`.

    Returns:
        float64, ascending; none where there are no edges.
    """
    if not len(edges) or not len(wanted):
        return np.zeros(0)
    above = np.clip(np.searchsorted(edges, wanted), 1, max(len(edges) - 1, 1))
    above = np.minimum(above, len(edges) - 1)
    below = np.maximum(above - 1, 0)
    nearer = np.abs(wanted - edges[below]) <= np.abs(edges[above] - wanted)
    return np.asarray(np.unique(np.where(nearer, edges[below], edges[above])), np.float64)
