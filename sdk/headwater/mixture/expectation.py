"""What an organisation's rows say of a mixture: sums by responsibility, and how its log-densities lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.density import UNKNOWN_DENSITY, Natural, chunks, feature_count
from headwater.mixture.form import RowFeatures
from headwater.mixture.parameters import Mixture

__all__ = ["DENSITY_BINS", "DENSITY_REACH", "Statistics", "expect", "log_densities"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DENSITY_BINS = 512
"""Bins of the log-densities' histograms."""

DENSITY_REACH = 1000.0
"""A row's log-density counts in the sum as no further from 0 than this."""


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

    Guarantee: equal arguments give equal values on one machine. Sums over a partition of rows are, but for the last
        bits of float32, the sums over all rows: federated EM is the pooled EM.
    """
    natural, cells = Natural(mixture), mixture.form.cells
    sums = np.zeros((mixture.components, 1 + feature_count(mixture.form)))
    densities = np.full(len(train.classes), 0.0)
    for number, positions in chunks(train, mixture.form.classes):
        part = mixture.class_slices[number]
        if part.start == part.stop:
            # Nobody had this class when the mixture was made.
            densities[positions] = UNKNOWN_DENSITY
            continue
        features = natural.features(train, positions)
        shares, densities[positions] = natural.responsibilities(features, part)
        sums[part, 0] += shares.sum(axis=0, dtype=np.float64)
        sums[part, 1 : 1 + cells] += shares.T @ features.codes
        sums[part, 1 + cells :] += shares.astype(np.float64).T @ features.scores
    _tilt(mixture, train, densities)
    return Statistics(
        sums=sums,
        density=float(np.clip(densities, -DENSITY_REACH, DENSITY_REACH).sum()),
        train=_histogram(densities, mixture.span),
        validation=_histogram(log_densities(mixture, validation), mixture.span),
    )


def log_densities(mixture: Mixture, rows: RowFeatures) -> F64:
    """Log-density of each row, in nats: float64, shape (rows,), finite."""
    natural = Natural(mixture)
    densities = np.full(len(rows.classes), 0.0)
    for number, positions in chunks(rows, mixture.form.classes):
        part = mixture.class_slices[number]
        if part.start == part.stop:
            densities[positions] = UNKNOWN_DENSITY
            continue
        _, densities[positions] = natural.responsibilities(natural.features(rows, positions), part)
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
