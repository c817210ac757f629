"""Log-densities and responsibilities of rows, by one matrix product each."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import LEAST_SHARE, Mixture

__all__ = ["UNKNOWN_DENSITY", "Natural", "chunks", "feature_count", "moment_places"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_CHUNK = 2048

UNKNOWN_DENSITY = math.log(LEAST_SHARE)
"""Log-share of a code in a place where none was counted: a combination, or a whole class."""


def moment_places(scores: int) -> tuple[I64, I64]:
    """Row and column of each product in a row's features: the lower triangle."""
    rows, columns = np.tril_indices(scores)
    return rows.astype(np.int64), columns.astype(np.int64)


def feature_count(form: Form) -> int:
    """Features of a row: an indicator for each cell, the scores, their products."""
    scores = len(form.scores)
    return form.cells + scores + scores * (scores + 1) // 2


class Natural:
    """A mixture in its natural parameters: a row's log-densities are its features times a matrix.

    The joint density is of the exponential family, so the same features serve the densities and, summed by
    responsibility, the sufficient statistics.
    """

    def __init__(self, mixture: Mixture) -> None:
        """Work out the matrix once for all rows."""
        self._mixture = mixture
        scores = mixture.means.shape[1]
        rows, columns = moment_places(scores)
        self._constant = np.log(mixture.weights)
        linear, quadratic = np.empty((mixture.components, 0)), np.empty((mixture.components, 0))
        if scores:
            inverse = np.linalg.inv(mixture.factors)
            precision = np.swapaxes(inverse, 1, 2) @ inverse
            linear = np.einsum("kij,kj->ki", precision, mixture.means)
            # An off-diagonal product stands once for its two places.
            quadratic = -precision[:, rows, columns] * np.where(rows == columns, 0.5, 1.0)
            deviations = np.diagonal(mixture.factors, axis1=1, axis2=2)
            self._constant = (
                self._constant
                - np.log(deviations).sum(axis=1)
                - 0.5 * scores * math.log(2 * math.pi)
                - 0.5 * np.einsum("ki,ki->k", linear, mixture.means)
            )
        self._matrix = np.concatenate([np.log(mixture.shares), linear, quadratic], axis=1)

    def features(self, rows: RowFeatures, chosen: I64) -> F64:
        """Features of some rows: float64, shape (rows, feature_count)."""
        form = self._mixture.form
        units, scores = rows.units[chosen], rows.scores[chosen]
        features = np.zeros((len(chosen), feature_count(form)))
        number = np.arange(len(chosen))
        for place, offset in enumerate(form.offsets[:-1]):
            held = units[:, place] >= 0
            features[number[held], offset + units[held, place]] = 1.0
        cells, width = form.cells, scores.shape[1]
        features[:, cells : cells + width] = scores
        left, right = moment_places(width)
        np.multiply(scores[:, left], scores[:, right], out=features[:, cells + width :])
        return features

    def responsibilities(self, features: F64, unknown: I64, part: slice) -> tuple[F64, F64]:
        """Each component's share in each row, and the rows' log-densities.

        Args:
            features: of rows of one class.
            unknown: units of each row without a code.
            part: the components of the class, at least one.

        Returns:
            Shape (rows, components of the class), rows sum to 1; and shape (rows,).
        """
        logs = features @ self._matrix[part].T
        logs += self._constant[part]
        top = logs.max(axis=1, keepdims=True)
        np.exp(logs - top, out=logs)
        total = logs.sum(axis=1, keepdims=True)
        logs /= total
        return logs, (top + np.log(total))[:, 0] + unknown * UNKNOWN_DENSITY


def chunks(rows: RowFeatures, classes: int) -> Iterator[tuple[int, I64]]:
    """Positions of rows of one class at a time, a bounded number at once, in their order."""
    for number in range(classes):
        positions = np.flatnonzero(rows.classes == number)
        for start in range(0, len(positions), _CHUNK):
            yield number, positions[start : start + _CHUNK]
