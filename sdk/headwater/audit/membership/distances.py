"""Distances as scores: logarithms in a unit that is the candidate's own."""

import numpy as np
from numpy.typing import NDArray

from headwater.audit.membership.scoring import BINS

__all__ = ["DISTANCE_EDGES", "closeness"]

F64 = NDArray[np.float64]

DISTANCE_EDGES: F64 = np.linspace(-4.0, 7.0, BINS - 1)
"""Grid of scores that are logarithms of distances or of their ratios: a bin is 2 % of a distance."""

# Nearer than this share of the unit is a copy: as near as can be.
_COPY = 1e-3


def closeness(distances: F64, unit: float) -> F64:
    """Minus the logarithm of distances in a unit: at most 6.9, where a row is a copy; NaN where there is no neighbour.

    Args:
        distances: any shape, at least 0, infinite where there is none.
        unit: above 0.
    """
    return np.where(np.isinf(distances), np.nan, -np.log(np.maximum(np.minimum(distances, 1e300) / unit, _COPY)))
