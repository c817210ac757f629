"""Draw rows from a mixture, of all classes or of one."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.mixture.form import RowFeatures
from headwater.mixture.normal import cumulative, even_interpolation, quantile
from headwater.mixture.parameters import Mixture
from headwater.schema.table import Table

__all__ = ["Draws", "pick_components", "sample_tables", "stacked_shares"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

_GRID: F64 = np.linspace(-8.0, 8.0, 4001)
_AT_ONCE = 8

# A batch of tilted rows asks for so many more draws than it needs on average.
_SPARE, _SPARE_ROWS = 1.03, 16
_MOST_CANDIDATES = 1 << 17
_MOST_GOES = 1000


class Draws:
    """Draws from one mixture; what all draws share is worked out once."""

    def __init__(self, mixture: Mixture) -> None:
        """Prepare the tables to draw from."""
        self._mixture = mixture
        self._tables = [
            stacked_shares(mixture.shares[:, start:end]).reshape(-1)
            for start, end in itertools.pairwise(mixture.form.offsets)
        ]
        self._deviations = np.sqrt(np.square(mixture.factors).sum(axis=2))

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
        return start + pick_components(weights, random.permutation(_strata(rows, random)))

    def features(self, components: I64, random: np.random.Generator) -> RowFeatures:
        """A row of each component given, its scores as they are in the Gaussians."""
        mixture, strata = self._mixture, _Strata(components)
        units = np.empty((len(components), len(self._tables)), np.int32)
        for unit, (size, table) in enumerate(zip(mixture.form.unit_sizes, self._tables, strict=True)):
            # Shares ascend within a component, so one ascending search serves all components; then they are shuffled.
            found = np.searchsorted(table, strata.components + strata.shares(random), side="right")
            codes = np.clip(found - strata.components * size, 0, size - 1)
            units[strata.shuffled(random), unit] = codes
        scores = np.empty((len(components), mixture.means.shape[1]))
        scores[strata.order] = self._scores(strata, random)
        return RowFeatures(mixture.classes[components], units, scores)

    def _scores(self, strata: "_Strata", random: np.random.Generator) -> F64:
        """Scores of rows in the order of their components; in each component each column is stratified.

        Source: Stein 1987, Latin hypercube sampling of dependent variables: the ranks of plain draws are kept.
        """
        mixture, components = self._mixture, strata.components
        scores = random.normal(size=(len(components), mixture.means.shape[1]))
        for component, start, end in strata.runs:
            scores[start:end] = scores[start:end] @ mixture.factors[component].T
        for place in range(scores.shape[1]):
            ranked = strata.by_rank(scores[:, place] / self._deviations[components, place])
            stratified = quantile(strata.shares(random))
            scores[ranked, place] = mixture.means[components, place] + self._deviations[components, place] * stratified
        return scores

    def calibrated(self, rows: RowFeatures) -> RowFeatures:
        """Rows as decoding takes them, their scores as `calibrated_scores` gives them."""
        return replace(rows, scores=self.calibrated_scores(rows.scores))

    def calibrated_scores(self, scores: F64) -> F64:
        """Scores whose 1-way distributions are standard normal exactly, ranks kept: shape (rows, scores).

        The mixture's own distribution of a column is only near the standard normal; through its ranks the decoded
        column has the histogram that the organisations counted.
        """
        fitted = np.empty_like(scores)
        for place, below in enumerate(self._below):
            fitted[:, place] = quantile(even_interpolation(scores[:, place], _GRID[0], _GRID[-1], below))
        return fitted

    def rows(self, rows: int, encoding: Encoding, random: np.random.Generator, label: int | None = None) -> RowFeatures:
        """So many rows of the mixture, tilted where it has a tilt, their scores calibrated.

        What a thousand batches of draws more than it should take do not bring, of a class that a tilt leaves next to
        nothing of, is drawn without the tilt.

        Args:
            rows: how many.
            encoding: with its counts.
            random: the only source of chance.
            label: as of `components`.
        """
        tilt = self._mixture.tilt
        if tilt is None:
            return self.calibrated(self.features(self.components(rows, random, label), random))
        kept: list[RowFeatures] = []
        missing = rows
        for _ in range(_MOST_GOES + math.ceil(rows / tilt.acceptance / _MOST_CANDIDATES)):
            if not missing:
                break
            asked = min(math.ceil(missing / tilt.acceptance * _SPARE) + _SPARE_ROWS, _MOST_CANDIDATES)
            components = self.components(asked, random, label)
            drawn = self.calibrated(self.features(components, random))
            chances = np.exp(tilt.log_factors(self._mixture.form.codes(drawn, encoding)) - tilt.cap)
            places = _kept(components, chances, random)
            if len(places) > missing:
                places = np.sort(random.choice(places, missing, replace=False))
            kept.append(drawn.take(places))
            missing -= len(places)
        if missing:
            # A class that the tilt leaves next to nothing of: plain draws are better than none.
            kept.append(self.calibrated(self.features(self.components(missing, random, label), random)))
        return self._stratified(_joined(kept), random) if label is None else _joined(kept)

    def _stratified(self, rows: RowFeatures, random: np.random.Generator) -> RowFeatures:
        """Give kept rows strata again: each score column the ranks that it has, and quantiles at even steps.

        A tilt leaves each column's distribution as it was counted: where there is a score, the standard normal.
        """
        form, scores = self._mixture.form, rows.scores.copy()
        states = dict(
            zip(form.stated, range(len(form.unit_sizes) - len(form.stated), len(form.unit_sizes)), strict=True)
        )
        for place in range(scores.shape[1]):
            known = np.flatnonzero(rows.units[:, states[place]] == 0) if place in states else np.arange(len(scores))
            ranked = known[np.argsort(scores[known, place], kind="stable")]
            scores[ranked, place] = quantile(_strata(len(ranked), random))
        return RowFeatures(rows.classes, rows.units, scores)


def pick_components(weights: F64, chance: F64) -> I64:
    """A component for each chance: where in the cumulative weights it falls; never one of weight 0.

    Args:
        weights: shape (components,), not negative, one above 0 at least.
        chance: 0 to 1, shape (rows,).
    """
    ends = np.cumsum(weights)
    found = np.searchsorted(ends, chance * ends[-1], side="right")
    chosen: I64 = np.minimum(found, np.flatnonzero(weights)[-1]).astype(np.int64)
    return chosen


def stacked_shares(shares: F64) -> F64:
    """Each component's cumulative shares, scaled to end at 1 and raised by its number: flat, they ascend.

    Args:
        shares: shape (components, outcomes), not negative; zeros throughout for one that is never drawn.
    """
    ends = np.cumsum(shares, axis=1)
    ends /= np.where(ends[:, -1:] > 0, ends[:, -1:], 1.0)
    ends += np.arange(len(shares))[:, None]
    return ends


def sample_tables(
    mixture: Mixture,
    encoding: Encoding,
    rows: int,
    seed: int,
    *,
    batch_size: int,
    label: int | None = None,
    draws: Draws | None = None,
) -> Iterator[Table]:
    """Yield synthetic rows in batches; memory is bounded by the batch.

    Args:
        mixture: fitted.
        encoding: with its counts.
        rows: how many in all.
        seed: equal seeds and batch sizes give equal rows on one machine.
        batch_size: rows of a batch.
        label: code of the label that every row shall have; None draws it too.
        draws: of this mixture, where they were prepared before; None prepares them.

    Raises:
        InputError: the encoding is of another mixture, or the mixture has nothing of this class.
    """
    if mixture.form.sizes != encoding.sizes:
        raise InputError("the mixture's columns are not the encoding's; they do not belong together")
    draws, random = draws or Draws(mixture), np.random.default_rng(seed)
    for start in range(0, rows, batch_size):
        drawn = draws.rows(min(batch_size, rows - start), encoding, random, label)
        yield mixture.form.table(drawn, encoding, random)


class _Strata:
    """Rows of a batch in the order of their components, with as many equal strata of chance as a component has rows.

    Each share alone is uniform, so each row alone is a draw from the mixture; the rows of a batch together come closer
    to its distribution than independent ones.

    Source: McKay, Beckman & Conover 1979, Latin hypercube sampling.
    """

    def __init__(self, components: I64) -> None:
        # Sorting 16 bits is a radix sort; no mixture has more components (`MOST_COMPONENTS`).
        short = components.astype(np.uint16)
        self.order = np.argsort(short, kind="stable")
        self._short = short[self.order]
        self.components = components[self.order]
        kinds, starts, sizes = np.unique(self._short, return_index=True, return_counts=True)
        self.runs = list(zip(kinds.tolist(), starts.tolist(), (starts + sizes).tolist(), strict=True))
        self._stratum = np.arange(len(components)) - np.repeat(starts, sizes)
        self._width = np.repeat(1.0 / np.maximum(sizes, 1), sizes)

    def shares(self, random: np.random.Generator) -> F64:
        """A draw from each stratum, ascending in each component."""
        shares = random.random(len(self.components))
        shares += self._stratum
        shares *= self._width
        return shares

    def shuffled(self, random: np.random.Generator) -> I64:
        """Rows of the batch, component by component, in an order by chance inside each."""
        permutation = random.permutation(len(self.components))
        shuffled: I64 = self.order[permutation[np.argsort(self._short[permutation], kind="stable")]]
        return shuffled

    def by_rank(self, scores: F64) -> I64:
        """Places in the order of components, component by component, sorted by standard normal scores inside each."""
        # No draw of float64 lies as far out as half of the distance between two components' keys.
        return np.argsort(scores + 64.0 * self.components)


def _kept(components: I64, chances: F64, random: np.random.Generator) -> I64:
    """Draws that are kept, each by its chance; of each component's as many as its chances sum to, but for one.

    Source: Madow 1949, systematic sampling with unequal probabilities.
    """
    order = np.argsort(components.astype(np.uint16), kind="stable")
    passed = np.floor(np.cumsum(chances[order]) + random.random())
    kept: I64 = np.sort(order[np.diff(passed, prepend=0.0) >= 1.0])
    return kept


def _joined(parts: Sequence[RowFeatures]) -> RowFeatures:
    return RowFeatures(
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def _strata(rows: int, random: np.random.Generator) -> F64:
    """A draw from each of as many equal strata of 0 to 1, ascending."""
    shares: F64 = (np.arange(rows) + random.random(rows)) / max(rows, 1)
    return shares


def _marginals(mixture: Mixture) -> list[F64]:
    """Distribution function of each score on the grid."""
    below = np.zeros((mixture.means.shape[1], len(_GRID)))
    deviations = np.sqrt(np.square(mixture.factors).sum(axis=2))
    # A few components at a time stay inside the cache.
    for start in range(0, mixture.components, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        for place, sums in enumerate(below):
            mean, deviation = mixture.means[part, place, None], deviations[part, place, None]
            sums += mixture.weights[part] @ cumulative((_GRID[None] - mean) / deviation)
    return list(below)
