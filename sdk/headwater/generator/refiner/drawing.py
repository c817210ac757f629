"""Draw rows from a refined mixture: moved by the refiner, kept or replaced by weight."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.refiner.model import RefinedMixture
from headwater.generator.refiner.passes import CriticPass, RefinerPass
from headwater.mixture.form import RowFeatures
from headwater.mixture.normal import quantile
from headwater.mixture.sampling import Draws
from headwater.schema.table import Table

__all__ = ["MOST_WEIGHT", "RefinedDraws", "sample_refined", "table_terms"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
F32 = NDArray[np.float32]

MOST_WEIGHT = 3.0
"""No draw weighs more than this many: the rest of its weight is left to others."""

_CHUNK = 1024
_MOST_LOGIT = 1e4
# Fresh draws for each row, as far as a batch's weights ask for them; small batches ask for the most.
_LEAST_FRESH, _MOST_FRESH = 0.5, 2.0
_SMALL = 1024


class RefinedDraws:
    """Draws of one refined mixture; what all draws share is worked out once."""

    def __init__(self, model: RefinedMixture) -> None:
        """Prepare mixture and networks."""
        self.model = model
        self.base = Draws(model.mixture)
        self._refiner = RefinerPass(model.build_refiner()) if len(model.refiner) else None
        self._critic = CriticPass(model.build_critic(), model.features) if len(model.critic) else None

    def drawn(self, rows: int, random: np.random.Generator, label: int | None = None) -> RowFeatures:
        """Refined draws, not yet weighed; their scores are near standard normal.

        Args:
            rows: how many.
            random: the only source of chance.
            label: class of them all; None draws it too.

        Raises:
            InputError: the mixture has nothing of this class.
        """
        features = self.base.features(self.base.components(rows, random, label), random)
        return self.refined(self.base.calibrated(features), random)

    def refined(self, rows: RowFeatures, random: np.random.Generator) -> RowFeatures:
        """Draws as the refiner moves them; as they are where there is none."""
        if self._refiner is None or not len(rows.classes):
            return rows
        parts = [self._refiner(part, random) for part in _chunks(rows)]
        return RowFeatures(
            rows.classes,
            np.concatenate([part.units for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def logits(self, rows: RowFeatures) -> F64:
        """The critic's opinion of each row: float64, shape (rows,); zeros without a critic."""
        if self._critic is None or not len(rows.classes):
            return np.zeros(len(rows.classes))
        opinions = np.concatenate([self._critic(part) for part in _chunks(rows)])
        # A peer's weights may leave float32: an opinion that is not finite is none.
        finite: F64 = np.clip(np.nan_to_num(opinions), -_MOST_LOGIT, _MOST_LOGIT)
        return finite

    def weights(self, rows: RowFeatures) -> F64:
        """Density of what is sampled over density of what is drawn, at most `MOST_WEIGHT`; ones before a weighing."""
        weighing = self.model.weighing
        if weighing is None:
            return np.ones(len(rows.classes))
        logs = table_terms(self.model, weighing.tables, rows) - weighing.normals[rows.classes]
        if weighing.strength:
            logs += weighing.strength * self.logits(rows)
        return np.minimum(np.exp(np.minimum(logs, 10.0)), MOST_WEIGHT)

    def sampled(self, rows: int, random: np.random.Generator, label: int | None = None) -> RowFeatures:
        """Weighed draws, their scores standard normal.

        A draw of weight w stays with probability min(1, w); one that does not gives its place to a fresh draw of its
        class, chosen by what its weight has above 1. So each row alone is a draw by weight, and a batch keeps almost
        all of the base's even spread, which a choice among draws would lose.

        Source: maximal coupling, Thorisson 2000, section 1.4.
        """
        kept = self.drawn(rows, random, label)
        if self.model.weighing is None:
            return kept
        weights = self.weights(kept)
        stays = random.random(rows) < weights
        if not stays.all():
            fresh = self.drawn(_fresh_rows(weights), random, label)
            kept = _replaced(kept, stays, fresh, self.weights(fresh) - 1.0, random)
        return RowFeatures(kept.classes, kept.units, _calibrated(kept.scores, self.model.weighing.knots, random))


def sample_refined(
    draws: RefinedDraws, encoding: Encoding, rows: int, seed: int, *, batch_size: int, label: int | None = None
) -> Iterator[Table]:
    """Yield synthetic rows in batches, as `headwater.mixture.sampling.sample_tables` does.

    Raises:
        InputError: the encoding is of another generator, or it has nothing of this class.
    """
    form = draws.model.mixture.form
    if form.sizes != encoding.sizes:
        raise InputError("the mixture's columns are not the encoding's; they do not belong together")
    random = np.random.default_rng(seed)
    for start in range(0, rows, batch_size):
        yield form.table(draws.sampled(min(batch_size, rows - start), random, label), encoding, random)


def table_terms(model: RefinedMixture, tables: F64, rows: RowFeatures) -> F64:
    """Sum over a row's units of the table's entries: float64, shape (rows,)."""
    terms = np.zeros(len(rows.classes))
    for place, offset in enumerate(model.mixture.form.offsets[:-1]):
        terms += tables[rows.classes, offset + rows.units[:, place]]
    return terms


def _fresh_rows(weights: F64) -> int:
    """So many fresh draws that hardly one is taken twice.

    A fresh draw that weighs 1 + x is taken x · rows / fresh times on average, whatever share of the rows is replaced.
    """
    rows = len(weights)
    share = min(max(float(weights.max()) - 1.0, _LEAST_FRESH), _MOST_FRESH)
    return max(math.ceil(share * rows), int(_MOST_FRESH) * min(rows, _SMALL))


def _replaced(
    rows: RowFeatures, stays: NDArray[np.bool_], fresh: RowFeatures, above: F64, random: np.random.Generator
) -> RowFeatures:
    """Rows that do not stay become fresh ones of their class; where no fresh one weighs more than 1, they stay."""
    units, scores = rows.units.copy(), rows.scores.copy()
    for number in np.unique(rows.classes[~stays]):
        places = np.flatnonzero(~stays & (rows.classes == number))
        found = np.flatnonzero((fresh.classes == number) & (above > 0))
        if not len(found):
            continue
        ends = np.cumsum(above[found])
        # One point in each of equal strata: a replacement is taken twice only where it fills more than one.
        points = random.permutation(np.arange(len(places)) + random.random(len(places))) / len(places) * ends[-1]
        chosen = found[np.minimum(np.searchsorted(ends, points, side="right"), len(found) - 1)]
        units[places], scores[places] = fresh.units[chosen], fresh.scores[chosen]
    return RowFeatures(rows.classes, units, scores)


def _calibrated(scores: F64, knots: F64, random: np.random.Generator) -> F64:
    """Scores as standard normal ones, by the shares of weighted draws below them."""
    shares = (np.arange(knots.shape[1]) + 0.5) / knots.shape[1]
    out = np.empty_like(scores)
    for place, ascending in enumerate(knots):
        inside = np.interp(scores[:, place], ascending, shares)
        # Beyond the outermost knots a share is not known better than by chance.
        edge = 0.5 / knots.shape[1]
        inside = np.where(scores[:, place] <= ascending[0], edge * random.random(len(scores)), inside)
        inside = np.where(scores[:, place] >= ascending[-1], 1 - edge * random.random(len(scores)), inside)
        out[:, place] = quantile(inside)
    return out


def _chunks(rows: RowFeatures) -> Iterator[RowFeatures]:
    """A few rows at a time, whose hidden layers stay inside the cache."""
    for start in range(0, len(rows.classes), _CHUNK):
        yield rows.take(slice(start, start + _CHUNK))
