"""Whether a classifier tells synthetic rows from real ones."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.evaluation.areas import area, area_variance
from headwater.evaluation.features import matrix, rows_for
from headwater.evaluation.figures import inconclusive, normal
from headwater.evaluation.judged import trees
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings
from headwater.schema.table import Table

__all__ = ["Distinguishable"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_FOLDS = 5
_GRID = 512
_WIDEST_LOGIT = 8.0
_LEAST_ROWS = 100


class Distinguishable:
    """Classifier two-sample test: AUC of the judge's LightGBM, five-fold, holdout against as many synthetic rows.

    At most 100,000 rows are fitted on, of both sides together: more would sharpen the interval, not move the value.
    A classifier needs rows of all organisations in one place, so this is measured by one party on its own rows.
    """

    federated: ClassVar[bool] = False

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind."""
        self._candidate = candidate
        self._settings = settings

    @property
    def name(self) -> str:
        """Dotted name."""
        return "distinguishable"

    @property
    def about(self) -> About:
        """What it is."""
        return About(
            title="Told apart from real rows",
            question="Does a good classifier tell synthetic rows from real ones that it has not seen?",
            knowledge="Reads holdout rows and as many synthetic ones, in one place.",
            statistic="ROC AUC of LightGBM, each row scored by a model that was fitted without it; .5 where the two "
            "cannot be told apart.",
            misses="Copies: a table of training rows, each once, cannot be told apart at all. A single telling detail, "
            "such as digits after the point, can make it 1 where all else is right.",
            source="Lopez-Paz and Oquab 2017 (arXiv:1610.06545); interval by DeLong, DeLong and Clarke-Pearson 1988.",
        )

    @property
    def size(self) -> int:
        """Scores of either side on a public grid."""
        return 2 * _GRID

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Held-out scores of real, then of synthetic rows, on a grid of log-odds; zeros for too few; see `Check`."""
        synthetic = self._candidate.table
        each = min(rows.holdout.rows, synthetic.rows, rows_for(synthetic.schema) // 2)
        if each < _FOLDS * 2:
            return np.zeros(self.size, np.int64)
        real = rows.holdout.take(random.permutation(rows.holdout.rows)[:each])
        drawn = synthetic.take(random.permutation(synthetic.rows)[:each])
        scores = _held_out(Table.concat([real, drawn]), each, random)
        # Clipped away from 0 and 1, where log-odds have no end.
        inside = np.clip(scores, 1e-9, 1 - 1e-9)
        places = np.clip(np.floor((np.log(inside / (1 - inside)) / _WIDEST_LOGIT + 1) / 2 * _GRID), 0, _GRID - 1)
        cells = places.astype(np.int64)
        counts = [np.bincount(part, minlength=_GRID) for part in (cells[:each], cells[each:])]
        return np.concatenate(counts).astype(np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any():
            raise InputError(f"scores are {self.size} counts from 0 on; give what `count` gave for this candidate")
        real, synthetic = counts[:_GRID], counts[_GRID:]
        rows = int(min(real.sum(), synthetic.sum()))
        if rows < _LEAST_ROWS:
            reason = f"{rows} rows of either side could be compared; {_LEAST_ROWS} are needed"
            return (inconclusive(self.name, "", reason, better="lower", trials=rows, needed=_LEAST_ROWS),)
        value = area(synthetic, real)
        # Where nothing overlaps the variance is 0, and a rate of no mistake in so many rows still has an error.
        error = max(math.sqrt(area_variance(synthetic, real)), 1 / rows)
        return (normal(self.name, "", value, error, null=0.5, better="lower", trials=rows),)


def _held_out(table: Table, each: int, random: np.random.Generator) -> F64:
    features, categorical = matrix(table)
    truth = np.repeat([0, 1], each)
    fold = np.concatenate([random.permutation(each) % _FOLDS for _ in range(2)])
    scores = np.zeros(2 * each)
    for held_out in range(_FOLDS):
        inside = fold != held_out
        model = trees().set_params(n_jobs=1)
        model.fit(features[inside], truth[inside], categorical_feature=categorical)
        scores[~inside] = model.booster_.predict(features[~inside])
    return scores
