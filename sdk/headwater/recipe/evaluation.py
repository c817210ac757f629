"""The vector of a round of evaluation: how a critic's opinions of rows lie, and what they tell of membership."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.mixture.attack import AttackResult, likelihood_attack

__all__ = [
    "BINS",
    "STRENGTHS",
    "Evaluation",
    "bins_of",
    "distinguishing",
    "gain_of",
    "histogram",
    "values_of_evaluation",
]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

BINS = 512
"""Bins of each histogram."""

STRENGTHS = (0.0, 0.5, 1.0)
"""How much of a critic's opinion may count: each is attacked by itself."""

_REACH = 6.0


def values_of_evaluation(classes: int) -> int:
    """Integers of an evaluation."""
    return 2 * BINS * (classes + len(STRENGTHS))


def bins_of(values: F64, low: float = -_REACH, high: float = _REACH) -> I64:
    """Bin of each value; what lies outside counts in the outermost bins. By default those of logits."""
    places = np.floor((values - low) * (BINS / (high - low)))
    found: I64 = np.clip(np.nan_to_num(places), 0, BINS - 1).astype(np.int64)
    return found


def histogram(values: F64, low: float = -_REACH, high: float = _REACH) -> I64:
    """Counts of values in `bins_of`: int64, shape (BINS,)."""
    return np.bincount(bins_of(values, low, high), minlength=BINS).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Counts of rows; those of several organisations add up.

    Attributes:
        logits: int64, shape (2, classes, BINS): training and validation rows by class and the critic's logit.
        densities: int64, shape (len(STRENGTHS), 2, BINS): training and validation rows by the mixture's log-density
            plus so much of the logit.
    """

    logits: I64
    densities: I64

    def integers(self) -> I64:
        """The vector's payload."""
        return np.concatenate([self.logits.reshape(-1), self.densities.reshape(-1)])

    @classmethod
    def of(cls, integers: I64, classes: int) -> "Evaluation":
        """From a payload or a sum of payloads.

        Raises:
            InputError: of another length, or the histograms do not count the same rows.
        """
        if integers.shape != (values_of_evaluation(classes),):
            raise InputError("a sum of evaluations has not the length of its task; they do not belong together")
        cut = 2 * classes * BINS
        logits = integers[:cut].reshape(2, classes, BINS)
        densities = integers[cut:].reshape(len(STRENGTHS), 2, BINS)
        rows = logits.sum(axis=(1, 2))
        if integers.min() < 0 or (densities.sum(axis=2) != rows).any():
            raise InputError("histograms of an evaluation count different rows, or fewer than none; do not use them")
        return cls(logits, densities)

    @property
    def judges(self) -> I64:
        """Rows to compare draws with: validation rows, training rows where there are none. Shape (classes, BINS)."""
        train, validation = self.logits
        judges: I64 = validation if validation.sum() else train
        return judges

    def attack(self, strength: float) -> AttackResult:
        """The stronger of the attacks by density with so much of the logit, and by the logit alone if it is released.

        Args:
            strength: one of `STRENGTHS`.
        """
        found = likelihood_attack(*self.densities[STRENGTHS.index(strength)])
        if not strength:
            return found
        alone = likelihood_attack(*self.logits.sum(axis=1))
        return max(found, alone, key=lambda result: result.auc)


def distinguishing(judges: I64, drawn: F64) -> tuple[F64, float]:
    """How well a critic tells rows from draws of the same class shares.

    Args:
        judges: int64, shape (classes, BINS): rows.
        drawn: float64, shape (classes, BINS): weighted draws.

    Returns:
        For each class and bin the share of draws below, ties half; and the AUC over all rows, .5 for no difference.
    """
    totals = drawn.sum(axis=1, keepdims=True)
    below = np.where(totals > 0, (np.cumsum(drawn, axis=1) - drawn / 2) / np.where(totals > 0, totals, 1.0), 0.5)
    rows = int(judges.sum())
    return below, float((judges * below).sum() / rows) if rows else 0.5


def gain_of(judges: I64, former: F64, new: F64, draws: int) -> tuple[float, float, float]:
    """Whether new draws are harder to tell from rows than former ones, under one critic.

    Args:
        judges: rows by class and logit.
        former, new: weighted draws by class and logit.
        draws: how many draws either histogram was made of.

    Returns:
        AUC of former draws, of new draws, and the standard error of their difference: by the rows, and by the draws.
    """
    (before, first), (after, second) = distinguishing(judges, former), distinguishing(judges, new)
    rows = int(judges.sum())
    if rows < 2 or draws < 1:
        return first, second, math.inf
    difference = before - after
    mean = (judges * difference).sum() / rows
    spread = float((judges * np.square(difference - mean)).sum() / rows)
    return first, second, math.sqrt(spread / rows + 1 / (12 * draws))
