"""What an organisation's rows say of a mixture: sums by responsibility, and how its log-densities lie."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.density import UNKNOWN_DENSITY, Natural, RowParts, chunks, feature_count
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture

__all__ = ["DENSITY_BINS", "DENSITY_REACH", "SPAN_DRAWS", "Statistics", "expect", "log_densities", "spanned"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DENSITY_BINS = 512
"""Bins of the log-densities' histograms."""

DENSITY_REACH = 1000.0
"""A row's log-density counts in the sum as no further from 0 than this."""

SPAN_DRAWS = 512
"""Draws of a mixture that say where the bins of its log-densities shall lie."""

# Bins reach this many deviations of the draws' log-densities below and above their mean.
_SPAN_BELOW, _SPAN_ABOVE = 10.0, 6.0


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over rows; statistics of two sets of rows add up to those of both.

    Attributes:
        sums: float64, shape (components, 1 + features): by responsibility, rows and their features.
        density: sum of the training rows' log-densities.
        train: int64, shape (DENSITY_BINS,): training rows by log-density.
        validation: int64, the same of the validation rows.
    """

    sums: F64
    density: float
    train: I64
    validation: I64


def expect(mixture: Mixture, train: RowFeatures, validation: RowFeatures) -> Statistics:
    """The E-step over one organisation's rows.

    Args:
        mixture: current parameters.
        train: rows that the mixture is fitted to.
        validation: rows that are only measured.

    Raises:
        InputError: a covariance of the mixture has no inverse, or its tilt weighs rows without codes.

    Guarantee: equal arguments give equal values on one machine. Sums over a partition of rows are, but for the last
        bits of float32, the sums over all rows: federated EM is the pooled EM.
    """
    natural, cells = Natural(mixture), mixture.form.cells
    sums = np.zeros((mixture.components, 1 + feature_count(mixture.form)))

    def add(part: slice, shares: F32, features: RowParts) -> None:
        sums[part, 0] += shares.sum(axis=0, dtype=np.float64)
        sums[part, 1 : 1 + cells] += shares.T @ features.codes
        sums[part, 1 + cells :] += shares.astype(np.float64).T @ features.scores

    densities = _densities(mixture, natural, train, add)
    return Statistics(
        sums=sums,
        density=float(np.clip(densities, -DENSITY_REACH, DENSITY_REACH).sum()),
        train=_histogram(densities, mixture.span),
        validation=_histogram(_densities(mixture, natural, validation), mixture.span),
    )


def log_densities(mixture: Mixture, rows: RowFeatures) -> F64:
    """Log-density of each row, in nats: float64, shape (rows,), finite.

    Raises:
        InputError: as `expect`.
    """
    return _densities(mixture, Natural(mixture), rows)


def spanned(mixture: Mixture, draws: RowFeatures) -> Mixture:
    """The mixture with bins for its log-densities where its own draws lie.

    Args:
        mixture: with any span.
        draws: `SPAN_DRAWS` of them, or so.
    """
    densities = log_densities(mixture, draws)
    middle, spread = float(densities.mean()), max(float(densities.std()), 0.1)
    return mixture.with_span(middle - _SPAN_BELOW * spread, middle + _SPAN_ABOVE * spread)


def _densities(
    mixture: Mixture, natural: Natural, rows: RowFeatures, add: Callable[[slice, F32, RowParts], None] | None = None
) -> F64:
    """Log-density of each row; `add` is called with components, their shares in some rows, and the rows' features."""
    densities = np.zeros(len(rows.classes))
    for part, positions in chunks(rows, mixture):
        if part.start == part.stop:
            # Nobody had this class when the mixture was made.
            densities[positions] = UNKNOWN_DENSITY
            continue
        features = natural.features(rows, positions)
        shares, densities[positions] = natural.responsibilities(features, part)
        if add is not None:
            add(part, shares, features)
    _tilt(mixture, rows, densities)
    return densities


def _tilt(mixture: Mixture, rows: RowFeatures, densities: F64) -> None:
    """Add a tilt's share of the log-densities; it is the same for all components."""
    if mixture.tilt is not None and len(densities):
        if not rows.codes:
            raise InputError("a tilt weighs codes and the rows have none; make them by `Form.rows`")
        densities += mixture.tilt.log_factors(rows.codes) - mixture.tilt.log_mean


def _histogram(densities: F64, span: tuple[float, float]) -> I64:
    low, high = span
    bins = np.floor((densities - low) * (DENSITY_BINS / (high - low)))
    return np.bincount(np.clip(bins, 0, DENSITY_BINS - 1).astype(np.int64), minlength=DENSITY_BINS)
