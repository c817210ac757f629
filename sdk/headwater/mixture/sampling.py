"""Draw rows from a mixture, of all classes or of one."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.mixture.form import RowFeatures
from headwater.mixture.normal import cumulative, quantile
from headwater.mixture.parameters import Mixture
from headwater.schema.table import Table

__all__ = ["Draws", "sample_tables"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

_GRID: F64 = np.linspace(-8.0, 8.0, 4001)


class Draws:
    """Draws from one mixture; what all draws share is worked out once."""

    def __init__(self, mixture: Mixture) -> None:
        """Prepare the tables to draw from."""
        self._mixture = mixture
        form = mixture.form
        self._cumulative = [
            np.cumsum(mixture.shares[:, start:end], axis=1)
            for start, end in zip(form.offsets[:-1], form.offsets[1:], strict=True)
        ]

    @cached_property
    def _below(self) -> list[F64]:
        return _marginals(self._mixture)

    def components(self, rows: int, random: np.random.Generator, label: int | None = None) -> I64:
        """Components of so many rows: int64, shape (rows,).

        Args:
            rows: how many.
            random: the only source of chance.
            label: draw only components of this class.

        Raises:
            InputError: the mixture has no component of this class.
        """
        if label is None:
            start, weights = 0, self._mixture.weights
        else:
            part = self._mixture.class_slices[label] if 0 <= label < self._mixture.form.classes else slice(0, 0)
            if part.start == part.stop:
                raise InputError(f"no row of class {label} was ever counted; ask for a class that the table has")
            start, weights = part.start, self._mixture.weights[part]
        ends = np.cumsum(weights)
        found = np.searchsorted(ends, _stratified(rows, 1, random)[:, 0] * ends[-1], side="right")
        chosen: I64 = start + np.minimum(found, len(ends) - 1)
        return chosen

    def features(self, components: I64, random: np.random.Generator) -> RowFeatures:
        """A row of each component given, its scores as they are in the Gaussians."""
        mixture, rows = self._mixture, len(components)
        units = np.empty((rows, len(self._cumulative)), np.int32)
        order = np.argsort(components, kind="stable")
        kinds, starts = np.unique(components[order], return_index=True)
        scores = np.empty((rows, mixture.means.shape[1]))
        for component, start, end in zip(kinds, starts, np.append(starts[1:], rows), strict=True):
            places = order[start:end]
            shares = _stratified(len(places), len(self._cumulative), random)
            for unit, tables in enumerate(self._cumulative):
                table = tables[component]
                found = np.searchsorted(table, shares[:, unit] * table[-1], side="right")
                units[places, unit] = np.minimum(found, len(table) - 1)
            deviations = np.sqrt(np.square(mixture.factors[component]).sum(axis=1))
            scores[places] = mixture.means[component] + deviations * self._normals(component, len(places), random)
        return RowFeatures(mixture.classes[components], units, scores)

    def _normals(self, component: np.int64, rows: int, random: np.random.Generator) -> F64:
        """Standard normal columns that depend on each other as in a component, each of them stratified.

        Source: Stein 1987, Latin hypercube sampling of dependent variables: the ranks of plain draws are kept.
        """
        factor = self._mixture.factors[component]
        drawn = random.normal(size=(rows, len(factor))) @ factor.T
        ranks = np.argsort(np.argsort(drawn, axis=0, kind="stable"), axis=0, kind="stable")
        return quantile((ranks + random.random(drawn.shape)) / max(rows, 1))

    def calibrated(self, scores: F64) -> F64:
        """Scores whose 1-way distributions are standard normal exactly, ranks kept.

        The mixture's own distribution of a column is only near the standard normal; through its ranks the decoded
        column has the histogram that the organisations counted.
        """
        fitted = np.empty_like(scores)
        for place, below in enumerate(self._below):
            fitted[:, place] = quantile(np.interp(scores[:, place], _GRID, below))
        return fitted


def sample_tables(
    mixture: Mixture, encoding: Encoding, rows: int, seed: int, *, batch_size: int, label: int | None = None
) -> Iterator[Table]:
    """Yield synthetic rows in batches; memory is bounded by the batch.

    Args:
        mixture: fitted.
        encoding: with its counts.
        rows: how many in all.
        seed: equal seeds and batch sizes give equal rows on one machine.
        batch_size: rows of a batch.
        label: code of the label that every row shall have; None draws it too.

    Raises:
        InputError: the encoding is of another mixture, or the mixture has nothing of this class.
    """
    if mixture.form.sizes != encoding.sizes:
        raise InputError("the mixture's columns are not the encoding's; they do not belong together")
    draws, random = Draws(mixture), np.random.default_rng(seed)
    for start in range(0, rows, batch_size):
        components = draws.components(min(batch_size, rows - start), random, label)
        drawn = draws.features(components, random)
        yield mixture.form.table(
            RowFeatures(drawn.classes, drawn.units, draws.calibrated(drawn.scores)), encoding, random
        )


def _stratified(rows: int, columns: int, random: np.random.Generator) -> F64:
    """Shares between 0 and 1, shape (rows, columns): each column has one in each of as many equal strata as rows.

    Each share alone is uniform, so each row alone is a draw from the mixture; the rows of a batch together come closer
    to its distribution than independent ones.

    Source: McKay, Beckman & Conover 1979, Latin hypercube sampling.
    """
    strata = np.tile(np.arange(rows)[:, None], columns)
    return (random.permuted(strata, axis=0) + random.random((rows, columns))) / max(rows, 1)


def _marginals(mixture: Mixture) -> list[F64]:
    """Distribution function of each score on the grid."""
    below = []
    deviations = np.sqrt(np.einsum("kij,kij->ki", mixture.factors, mixture.factors))
    for place in range(mixture.means.shape[1]):
        mean, deviation = mixture.means[:, place, None], deviations[:, place, None]
        below.append(mixture.weights @ cumulative((_GRID[None] - mean) / deviation))
    return below
