"""Whether statistics share rows out among components as the mixture does."""

import math

import numpy as np
from numpy.typing import NDArray

from headwater.mixture.density import UNKNOWN_DENSITY, Natural
from headwater.mixture.expectation import DENSITY_REACH, Statistics
from headwater.mixture.normal import REACH
from headwater.mixture.parameters import Mixture

__all__ = ["shared_otherwise"]

F64 = NDArray[np.float64]

# What sums of float32 logarithms may be off by, as a share of their magnitudes.
_ROUNDING = 1e-5


def shared_otherwise(statistics: Statistics, mixture: Mixture, rows: int, rounding: float) -> bool:
    """Whether no rows can have these sums and this sum of log-densities under the mixture.

    For a row x with responsibilities r and their entropy H, Σ r log(weight × density of the component) is log p(x) − H.
    The left side is linear in the statistics. Summed, it is no more than the log-densities, and less than they are by
    no more than the entropies: per class, that of the mean responsibilities times the rows, as entropy is concave. Who
    moves rows to components that do not fit them changes no total, and lowers the left side by what they do not fit.

    Args:
        statistics: a sum under `mixture`.
        mixture: that was asked about; with a tilt nothing is compared, as its statistics are not used.
        rows: that the sum says it counts.
        rounding: most that one summed count is off by its fixed point, in rows.
    """
    if mixture.tilt is not None:
        return False
    logarithms = Natural(mixture).logarithms
    held, cells = statistics.sums[:, 0], mixture.form.cells
    terms = logarithms * statistics.sums
    unknown = len(mixture.form.unit_sizes) * held.sum() - statistics.sums[:, 1 : 1 + cells].sum()
    # Rows of a class without a component are in no sum.
    together = terms.sum() + UNKNOWN_DENSITY * (unknown + rows - held.sum())
    slack = _ROUNDING * np.abs(terms).sum() + rounding * np.abs(logarithms[:, : 1 + cells]).sum()
    slack += rounding * -UNKNOWN_DENSITY * cells * len(held)
    least = statistics.density - _most_entropy(mixture, held) - _most_clipped(statistics, mixture)
    return bool(together > statistics.density + slack or together < least - slack)


def _most_entropy(mixture: Mixture, held: F64) -> float:
    """Most that the entropies of all rows' responsibilities come to."""
    total = 0.0
    for part in mixture.class_slices:
        mine = np.maximum(held[part], 0.0)
        if (whole := mine.sum()) > 0:
            shares = mine[mine > 0] / whole
            total -= float(whole * (shares * np.log(shares)).sum())
    return total


def _most_clipped(statistics: Statistics, mixture: Mixture) -> float:
    """Most that log-densities may have lost below, where they count as no less than -`DENSITY_REACH`."""
    low, high = mixture.span
    tops = np.linspace(low, high, len(statistics.train) + 1)[1:].clip(-DENSITY_REACH, DENSITY_REACH)
    tops[-1] = DENSITY_REACH
    # Each row that was clipped lowers the sum by so much against the top of the first bin.
    room, each = float(statistics.train @ tops) - statistics.density, tops[0] + DENSITY_REACH
    rows = int(statistics.train[0]) if room >= each * statistics.train[0] else math.floor(room / each)
    return max(rows, 0) * max(_furthest(mixture) - DENSITY_REACH, 0.0) if rows else 0.0


def _furthest(mixture: Mixture) -> float:
    """Least log-density that a row may have in the component of its class that fits all rows best, negated."""
    scores = mixture.means.shape[1]
    furthest = len(mixture.form.unit_sizes) * -np.log(mixture.shares.min(axis=1, initial=1.0)) - np.log(mixture.weights)
    if scores:
        inverse = np.linalg.norm(np.linalg.inv(mixture.factors), ord=2, axis=(1, 2))
        reach = REACH * math.sqrt(scores) + np.linalg.norm(mixture.means, axis=1)
        deviations = np.diagonal(mixture.factors, axis1=1, axis2=2)
        furthest += np.log(deviations).sum(axis=1) + scores * math.log(2 * math.pi) / 2 + (inverse * reach) ** 2 / 2
    present = [part for part in mixture.class_slices if part.stop > part.start]
    return float(max(furthest[part].min() for part in present)) - UNKNOWN_DENSITY * len(mixture.form.unit_sizes)
