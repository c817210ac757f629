"""Scores of a mixture's rows when some of them must lie in ranges."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.allowed import AllowedCodes
from headwater.mixture.normal import cumulative, quantile
from headwater.mixture.parameters import Mixture
from headwater.mixture.sampling import Draws

__all__ = ["RangedScores"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

_GRID: F64 = np.linspace(-8.0, 8.0, 8001)
_FAR = 1e6
# Rows × scores² of double precision at once.
_MOST_VALUES = 4_000_000


@dataclass(frozen=True, eq=False)
class RangedScores:
    """The Gaussians of a mixture, with the ranges that a condition sets.

    Attributes:
        mixture: whose scores are drawn.
        edges: for each ranged place among the scores, the intervals of raw scores: shape (intervals, 2).
        chances: for the same places, each component's probability of its range alone: shape (components,).
        order: all places, the ranged ones in front, the rarest first.
        stated: places with a unit of states.
    """

    mixture: Mixture
    edges: Mapping[int, F64]
    chances: Mapping[int, F64]
    order: tuple[int, ...]
    stated: frozenset[int]

    @classmethod
    def of(cls, mixture: Mixture, draws: Draws, coded: Mapping[int, AllowedCodes]) -> "RangedScores":
        """Ranges of values as ranges of raw scores, through the calibration that decoding uses."""
        form = mixture.form
        stated = frozenset(form.stated)
        wanted = {
            place: coded[score.column]
            for place, score in enumerate(form.scores)
            if score.column in coded and coded[score.column].allowed.intervals
        }
        edges: dict[int, F64] = {}
        if wanted:
            below = cumulative(draws.calibrated_scores(np.tile(_GRID[:, None], len(form.scores))))
            for place, allowed in wanted.items():
                starts, ends = allowed.shares()
                edges[place] = np.stack([_raw(starts, below[:, place]), _raw(ends, below[:, place])], axis=1)
        deviations = np.sqrt(np.square(mixture.factors).sum(axis=2))
        chances = {
            place: _masses(edge, mixture.means[:, place], deviations[:, place])[0][:, -1]
            for place, edge in edges.items()
        }
        ranged = sorted(edges, key=lambda place: (float(mixture.weights @ chances[place]), place))
        order = (*ranged, *(place for place in range(len(form.scores)) if place not in edges))
        return cls(mixture, edges, chances, order, stated)

    @property
    def rejects(self) -> bool:
        """Whether a drawn row may have to be given up: with two ranges or more."""
        return len(self.edges) > 1

    @property
    def unstated_first(self) -> tuple[int, ...]:
        """The first ranged place, where every row has its score; its chance weighs components."""
        return tuple(place for place in self.order[: min(1, len(self.edges))] if place not in self.stated)

    def known_chance(self, place: int) -> F64:
        """Chance that a row whose score counts lies in the range, as far as it is not decided later: (components,)."""
        if place not in self.edges:
            return np.zeros(self.mixture.components)
        first = place == self.order[0]
        return self.chances[place] if first else (self.chances[place] > 0).astype(np.float64)

    def draw(self, components: I64, known: Mask, random: np.random.Generator) -> tuple[I64, F64, dict[int, I64]]:
        """Scores of rows of given components.

        Args:
            components: shape (rows,).
            known: whether each score counts, shape (rows, scores); a range binds only these.
            random: the only source of chance.

        Returns:
            Places of the rows that were kept; their raw scores, shape (kept, scores); for each ranged place the
            interval that a row lies in, 0 where its score does not count.
        """
        scores = known.shape[1]
        step = max(256, _MOST_VALUES // max(1, scores * scores))
        kept, drawn, pieces = [], [], []
        for start in range(0, len(components), step):
            part = slice(start, start + step)
            some, values, inside = self._draw(components[part], known[part], random)
            kept.append(some + start)
            drawn.append(values)
            pieces.append(inside)
        together = {place: np.concatenate([inside[place] for inside in pieces]) for place in self.edges}
        return np.concatenate(kept), np.concatenate(drawn), together

    def _draw(self, components: I64, known: Mask, random: np.random.Generator) -> tuple[I64, F64, dict[int, I64]]:
        order = list(self.order)
        means, factors = self.mixture.means[:, order], self._ordered_factors
        kept = np.arange(len(components))
        normals = np.zeros((len(components), len(order)))
        pieces: dict[int, I64] = {}
        for number, place in enumerate(self.order[: len(self.edges)]):
            component = components[kept]
            factor = factors[component, number]
            middle = means[component, number] + (factor[:, :number] * normals[:, :number]).sum(axis=1)
            spread = factor[:, number]
            bound = known[kept, place]
            ends, starts = _masses(self.edges[place], middle, spread)
            chance = random.random((len(kept), 2))
            position = chance[:, 0] * ends[:, -1]
            piece = np.minimum((ends <= position[:, None]).sum(axis=1), ends.shape[1] - 1)
            rows = np.arange(len(kept))
            before = np.where(piece > 0, ends[rows, np.maximum(piece - 1, 0)], 0.0)
            inside = quantile(np.clip(starts[rows, piece] + position - before, 0.0, 1.0))
            edge = (self.edges[place][piece] - middle[:, None]) / spread[:, None]
            normal = np.where(bound, np.clip(inside, edge[:, 0], edge[:, 1]), quantile(chance[:, 0]))
            stays = np.ones(len(kept), np.bool_)
            if number:
                stays = ~bound | (chance[:, 1] < ends[:, -1])
            normals[:, number] = normal
            pieces[place] = np.where(bound, piece, 0)
            kept, normals = kept[stays], normals[stays]
            pieces = {name: values[stays] for name, values in pieces.items()}
        free = len(order) - len(self.edges)
        normals[:, len(self.edges) :] = random.normal(size=(len(kept), free))
        component = components[kept]
        drawn = np.empty_like(normals)
        drawn[:, order] = means[component] + np.einsum("rij,rj->ri", factors[component], normals)
        return kept, drawn, pieces

    @cached_property
    def _ordered_factors(self) -> F64:
        """Lower Cholesky factors of the covariances with the columns in `order`."""
        order, factors = list(self.order), self.mixture.factors
        if order == sorted(order):
            return factors
        covariances = factors @ np.swapaxes(factors, 1, 2)
        lower: F64 = np.linalg.cholesky(covariances[:, order][:, :, order]).astype(np.float64, copy=False)
        return lower


def _masses(edges: F64, means: F64, deviations: F64) -> tuple[F64, F64]:
    """Cumulative probabilities of the intervals, shape (rows, intervals), and the probability below each's start."""
    low = cumulative((edges[:, 0] - means[:, None]) / deviations[:, None])
    high = cumulative((edges[:, 1] - means[:, None]) / deviations[:, None])
    return np.cumsum(np.maximum(high - low, 0.0), axis=1), low


def _raw(shares: F64, below: F64) -> F64:
    """The raw score at each share of a distribution function on the grid; the ends of the line at 0 and 1."""
    found = np.interp(shares, below, _GRID)
    # Calibrated scores are cut off far out; what lies beyond belongs to the outermost range.
    found = np.where(shares <= below[0], -_FAR, found)
    raw: F64 = np.where(shares >= below[-1], _FAR, found)
    return raw
