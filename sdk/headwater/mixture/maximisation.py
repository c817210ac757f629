"""The M-step: a mixture from summed statistics."""

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.density import moment_places
from headwater.mixture.expectation import Statistics
from headwater.mixture.form import Form
from headwater.mixture.parameters import LEAST_SHARE, Mixture
from headwater.mixture.settings import MixtureSettings

__all__ = ["maximise", "unit_shares"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_LEAST_ROWS = 2.0
# Below it a direction counts as flat: jitter keeps real columns above.
_LEAST_VARIANCE = 1e-4
_LEAST_WEIGHT = 1e-12
# A component's variances lean to those of its class by so many rows.
_PRIOR_ROWS = 1.0


def maximise(mixture: Mixture, statistics: Statistics, settings: MixtureSettings) -> Mixture:
    """The most likely mixture under the responsibilities, leaning to each class's own distribution.

    A component that holds fewer than two rows is dropped, as long as another is left in the whole.

    Args:
        mixture: the parameters that the statistics were taken under.
        statistics: summed over all organisations.
        settings: smoothing and shrinkage.

    Raises:
        InputError: the statistics hold no row.
    """
    rows = statistics.sums[:, 0]
    if rows.sum() < 0.5:
        raise InputError("the organisations' statistics hold no row; check their tables and the plan's splits")
    kept = rows >= min(_LEAST_ROWS, float(rows.max()))
    classes, sums, rows = mixture.classes[kept], statistics.sums[kept], rows[kept]
    form = mixture.form
    cells, scores = form.cells, len(form.scores)
    shares = np.empty((len(rows), cells))
    means, factors = np.empty((len(rows), scores)), np.empty((len(rows), scores, scores))
    everybody = unit_shares(form, sums[:, 1 : 1 + cells].sum(axis=0), np.full(cells, LEAST_SHARE), 1.0)
    for number in np.unique(classes):
        part = np.flatnonzero(classes == number)
        of_class = unit_shares(form, sums[part, 1 : 1 + cells].sum(axis=0), everybody, 1.0)
        shares[part] = unit_shares(form, sums[part, 1 : 1 + cells], of_class, settings.smoothing)
        means[part], factors[part] = _gaussians(sums[part, 1 + cells :], rows[part], scores, settings.shrinkage)
    weights = np.maximum(rows / rows.sum(), _LEAST_WEIGHT)
    return Mixture(form, classes, weights / weights.sum(), shares, means, factors, mixture.span)


def unit_shares(form: Form, counts: F64, prior: F64, smoothing: float) -> F64:
    """Counts as shares of each unit, leaning to a prior by so many rows.

    Args:
        form: where the units stand.
        counts: shape (cells,) or (components, cells), not negative.
        prior: shape (cells,): shares.
        smoothing: rows.

    Returns:
        Same shape as `counts`; above 0, each unit's part sums to 1.
    """
    if not form.cells:
        return counts.copy()
    raised = np.maximum(counts + smoothing * prior, LEAST_SHARE)
    totals = np.add.reduceat(raised, form.offsets[:-1], axis=-1)
    # Once more after the floor: a unit with few rows must not fall below it.
    shares = np.maximum(raised / np.repeat(totals, form.unit_sizes, axis=-1), LEAST_SHARE)
    again: F64 = shares / np.repeat(np.add.reduceat(shares, form.offsets[:-1], axis=-1), form.unit_sizes, axis=-1)
    return again


def _gaussians(sums: F64, rows: F64, scores: int, shrinkage: float) -> tuple[F64, F64]:
    """Means and Cholesky factors of one class's components."""
    means = sums[:, :scores] / rows[:, None]
    left, right = moment_places(scores)
    products = np.zeros((len(rows), scores, scores))
    products[:, left, right] = sums[:, scores:]
    products[:, right, left] = sums[:, scores:]
    scatter = products - rows[:, None, None] * means[:, :, None] * means[:, None, :]
    # What the rows of a class spread within components, with one row's worth of the standard normal.
    within = (scatter.sum(axis=0) + np.eye(scores)) / (rows.sum() + 1.0)
    # Each component's own deviations with the class's correlations: tight components stay tight.
    common = np.sqrt(np.diagonal(within))
    variances = np.diagonal(scatter + _PRIOR_ROWS * within, axis1=1, axis2=2) / (rows + _PRIOR_ROWS)[:, None]
    deviations = np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
    target = deviations[:, :, None] * deviations[:, None, :] * (within / common[:, None] / common[None, :])
    covariances = (scatter + shrinkage * target) / (rows + shrinkage)[:, None, None]
    return means, _factors(covariances)


def _factors(covariances: F64) -> F64:
    """Lower Cholesky factors, after variances too small for arithmetic are raised."""
    if not covariances.shape[1]:
        return covariances
    symmetric = (covariances + np.swapaxes(covariances, 1, 2)) / 2
    values, vectors = np.linalg.eigh(symmetric)
    raised = np.maximum(values, _LEAST_VARIANCE)
    mended = (vectors * raised[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    lower: F64 = np.linalg.cholesky((mended + np.swapaxes(mended, 1, 2)) / 2)
    return lower
