"""The likelihood attack: does a row's log-density tell whether the mixture was fitted to it?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNTESTED", "AttackResult", "likelihood_attack", "mean_of_histogram"]

I64 = NDArray[np.int64]

UNTESTED = "no organisation has a validation row to attack with"
"""Why a rung, or a tilt, did not pass: its AUC of .5 is no finding."""

_REMEMBERS = "the likelihood attack could pass the plan's limit"


@dataclass(frozen=True, slots=True)
class AttackResult:
    """How well training and validation rows are told apart.

    Attributes:
        auc: probability that a training row is the likelier one of a training and a validation row; .5 is chance.
        error: its standard error by chance alone; infinite where one of the parts has no row.
    """

    auc: float
    error: float

    def within(self, limit: float) -> bool:
        """Whether the attack's AUC, one standard error added, is at most `limit`."""
        return self.auc + self.error <= limit

    def decided(self, limit: float) -> dict[str, float]:
        """What the history keeps beside the AUC where `within` decided; no error where nothing was attacked."""
        known = {"attack_error": round(self.error, 5)} if math.isfinite(self.error) else {}
        return {**known, "attack_limit": limit}

    def verdict(self, limit: float) -> dict[str, object]:
        """The same with what was decided on a rung or tilt, and why."""
        passed = self.within(limit)
        reason = "" if passed else (_REMEMBERS if math.isfinite(self.error) else UNTESTED)
        return {**self.decided(limit), "passed": passed, "reason": reason}


def likelihood_attack(train: I64, validation: I64) -> AttackResult:
    """AUC of the attack from two histograms over the same ascending bins.

    Args:
        train: rows that the mixture was fitted to, by log-density.
        validation: rows that it never saw.

    Source: Mann & Whitney 1947, ties count half; the error is that of two equal distributions.
    """
    rows, others = int(train.sum()), int(validation.sum())
    if not rows or not others:
        return AttackResult(0.5, math.inf)
    below = np.cumsum(validation) - validation
    wins = float((train * (below + validation / 2)).sum())
    return AttackResult(wins / (rows * others), math.sqrt((rows + others + 1) / (12 * rows * others)))


def mean_of_histogram(counts: I64, span: tuple[float, float]) -> float:
    """Mean of what a histogram of even bins counted, NaN-free: the span's middle where it is empty."""
    low, high = span
    middles = low + (np.arange(len(counts)) + 0.5) * ((high - low) / len(counts))
    total = int(counts.sum())
    return float((counts * middles).sum() / total) if total else (low + high) / 2
