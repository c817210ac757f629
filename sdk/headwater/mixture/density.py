"""Log-densities and responsibilities of rows, by two matrix products each: of codes, and of scores."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.form import Form, RowFeatures
from headwater.mixture.parameters import LEAST_SHARE, Mixture

__all__ = ["UNKNOWN_DENSITY", "Natural", "RowParts", "chunks", "feature_count", "moment_places"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Sums over a chunk are float32 where they count codes, and chunks add up in float64.
_CHUNK = 1024
# Values of a chunk's features, or of its responsibilities: some hundred megabytes, whatever a mixture asks for.
_MOST_VALUES = 1 << 24
# With larger ones a log-density could leave float32.
_MOST_PRECISION = 1e20

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


@dataclass(frozen=True, slots=True, eq=False)
class RowParts:
    """Features of some rows of one class.

    Attributes:
        codes: float32, shape (rows, cells): an indicator for each cell.
        scores: float64, shape (rows, scores + products): the scores, then the lower triangle of their products.
        unknown: int64, shape (rows,): units of each row without a code.
    """

    codes: F32
    scores: F64
    unknown: I64


class Natural:
    """A mixture in its natural parameters: a row's log-densities are its features times a matrix.

    The joint density is of the exponential family, so the same features serve the densities and, summed by
    responsibility, the sufficient statistics. Most features are indicators of codes. Their part is float32, which costs
    half: a sum of a few logarithms is off by some 1e-6 of itself. Scores stay float64, since the squares of a narrow
    Gaussian cancel.
    """

    def __init__(self, mixture: Mixture) -> None:
        """Work out the matrices once for all rows.

        Raises:
            InputError: a covariance has no inverse in double precision, though each of its numbers is within bounds.
        """
        self._form = mixture.form
        scores = mixture.means.shape[1]
        rows, columns = moment_places(scores)
        constant = np.log(mixture.weights)
        linear, quadratic = np.empty((mixture.components, 0)), np.empty((mixture.components, 0))
        if scores:
            precision = _precisions(mixture.factors)
            linear = np.einsum("kij,kj->ki", precision, mixture.means)
            # An off-diagonal product stands once for its two places.
            quadratic = -precision[:, rows, columns] * np.where(rows == columns, 0.5, 1.0)
            deviations = np.diagonal(mixture.factors, axis1=1, axis2=2)
            constant = (
                constant
                - np.log(deviations).sum(axis=1)
                - 0.5 * scores * math.log(2 * math.pi)
                - 0.5 * np.einsum("ki,ki->k", linear, mixture.means)
            )
        self._constant = constant
        self._of_codes = np.log(mixture.shares).astype(np.float32)
        self._of_scores = np.concatenate([linear, quadratic], axis=1)

    @property
    def logarithms(self) -> F64:
        """What each sum of a component counts for in its joint log-density: shape (components, 1 + features)."""
        return np.concatenate([self._constant[:, None], self._of_codes.astype(np.float64), self._of_scores], axis=1)

    def features(self, rows: RowFeatures, chosen: I64) -> RowParts:
        """Features of some rows."""
        units, scores, cells = rows.units[chosen], rows.scores[chosen], self._form.cells
        # A unit without a code marks a cell beyond the last, which is then left off.
        marked = np.zeros((len(chosen), cells + 1), np.float32)
        places = np.where(units >= 0, units + self._form.offsets[:-1], cells)
        np.put_along_axis(marked, places, np.float32(1), axis=1)
        left, right = moment_places(scores.shape[1])
        return RowParts(
            codes=np.ascontiguousarray(marked[:, :cells]),
            scores=np.concatenate([scores, scores[:, left] * scores[:, right]], axis=1),
            unknown=(units < 0).sum(axis=1),
        )

    def responsibilities(self, features: RowParts, part: slice) -> tuple[F32, F64]:
        """Each component's share in each row, and the rows' log-densities.

        Args:
            features: of rows of one class.
            part: the components of the class, at least one.

        Returns:
            Float32, shape (rows, components of the class), rows sum to 1; and float64, shape (rows,).
        """
        logs = features.codes @ self._of_codes[part].T
        logs += features.scores @ self._of_scores[part].T + self._constant[part]
        top = logs.max(axis=1, keepdims=True)
        logs -= top
        shares = np.exp(logs, out=logs)
        total = shares.sum(axis=1, keepdims=True)
        shares /= total
        densities = top.astype(np.float64) + np.log(total.astype(np.float64))
        return shares, densities[:, 0] + features.unknown * UNKNOWN_DENSITY


def chunks(rows: RowFeatures, mixture: Mixture) -> Iterator[tuple[slice, I64]]:
    """The components of one class at a time, with positions of its rows in their order, so many as memory is for."""
    widest = max(feature_count(mixture.form), mixture.components)
    step = min(_CHUNK, _MOST_VALUES // widest)
    for number, part in enumerate(mixture.class_slices):
        positions = np.flatnonzero(rows.classes == number)
        for start in range(0, len(positions), step):
            yield part, positions[start : start + step]


def _precisions(factors: F64) -> F64:
    """Inverses of the covariances with these Cholesky factors."""
    try:
        with np.errstate(all="ignore"):
            inverse = np.linalg.inv(factors)
            precisions: F64 = np.swapaxes(inverse, 1, 2) @ inverse
    except np.linalg.LinAlgError:
        precisions = np.full((1, 1, 1), np.inf)
    # The comparison is false for what is not a number.
    if not np.abs(precisions).max() <= _MOST_PRECISION:
        raise InputError("a covariance of the mixture has no inverse in double precision; it must not be used")
    return precisions
