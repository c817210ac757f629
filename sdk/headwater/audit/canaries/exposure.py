"""Exposure of canaries: how far up its own secret stands among all that it might have had."""

import math

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.planting import RUNGS
from headwater.audit.canaries.ranks import ranks_of
from headwater.audit.canaries.secret_space import SecretSpace
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.measure import Measure
from headwater.evidence.planted import Planted
from headwater.evidence.settings import AuditSettings

__all__ = ["CanaryControl", "CanaryExposure", "critical_mean", "null_mean"]

I64 = NDArray[np.int64]

_BITS = 10
"""An exposure is counted in units of 2^-10, rounded down."""

_WORD = 12
"""A sum goes in two words, of 12 bits and of what is above, so that no count comes near 2^24."""

_WIDTH = 3
_LEAST = 8
_SIGNIFICANCE = 0.01


def null_mean(size: int) -> float:
    """Mean exposure of a secret that the release says nothing of; 1 / ln 2 = 1.4427 in the limit.

    Args:
        size: |R|, at least 1.
    """
    return math.log2(size) - math.lgamma(size + 1) / math.log(2) / size


def critical_mean(canaries: int, significance: float = _SIGNIFICANCE) -> float:
    """Mean exposure above which canaries are remembered, at this false-alarm rate.

    Args:
        canaries: at least 1.
        significance: 0 to 1.

    Source: ln 2 times the sum of exposures is Gamma(canaries, 1) where ranks are uniform.
    """
    from scipy.special import gammainccinv

    return float(gammainccinv(canaries, significance)) / canaries / math.log(2)


class _Exposures:
    """Counts of exposures, group by group: canaries, then their sum in two words."""

    federated = True

    def __init__(self, candidate: Candidate, settings: AuditSettings) -> None:
        """Bind to a candidate; the settings say whether there are canaries."""
        self._candidate, self._settings = candidate, settings

    def _counts(self, planted: Planted | None, groups: list[NDArray[np.bool_]], random: np.random.Generator) -> I64:
        counts = np.zeros((len(groups), _WIDTH), np.int64)
        if planted is None or not planted.rows.rows:
            return counts.reshape(-1)
        ranks = ranks_of(self._candidate, planted)
        exposures = math.log2(ranks.size) - np.log2(ranks.draw(random))
        units = np.floor(exposures * (1 << _BITS)).astype(np.int64)
        for place, group in enumerate(groups):
            total = int(units[group].sum())
            counts[place] = int(group.sum()), total & ((1 << _WORD) - 1), total >> _WORD
        return counts.reshape(-1)

    def _groups(self, counts: I64, groups: int) -> list[tuple[int, float]]:
        """Canaries and sum of exposures of each group."""
        if counts.shape != (groups * _WIDTH,) or (counts < 0).any():
            raise InputError(f"counts of exposures are {groups * _WIDTH} numbers, none negative; count anew")
        if not counts.any():
            return [(0, 0.0)] * groups
        most = math.log2(self._space.size)
        found = []
        for canaries, low, high in counts.reshape(-1, _WIDTH).tolist():
            total = (low + (high << _WORD)) / (1 << _BITS)
            if total > canaries * most:
                raise InputError("counted exposures are larger than any canary can have; count anew")
            found.append((canaries, total))
        return found

    @property
    def _space(self) -> SecretSpace:
        return SecretSpace.of(self._candidate.table.schema)

    def _measure(self, check: str, subject: str, canaries: int, total: float) -> Measure:
        if not canaries:
            reason = "no canary was planted" if not self._settings.canaries else "no canary fell into this group"
            return Measure(check=check, subject=subject, status="not applicable", reason=reason)
        size = self._space.size
        if canaries < _LEAST or math.log2(size) <= critical_mean(canaries):
            return Measure(
                check=check,
                subject=subject,
                status="inconclusive",
                reason=(
                    f"{canaries} canaries with one of {size:,} secrets each cannot show that they are remembered; "
                    f"{_LEAST} canaries are needed at least, and secrets to choose from"
                ),
                trials=canaries,
                needed=_LEAST if canaries < _LEAST else None,
            )
        from scipy.special import gammaincc, gammainccinv

        # Exposures of a real, that is finite, R: rank / |R| is never below the uniform number that it is rounded up
        # from, so that the sum lies below the gamma law's with certainty and the p-value errs upwards.
        p_value = float(gammaincc(canaries, math.log(2) * total))
        # Were exposures exponential of another mean, the sum would be scaled: power .8 at a level of 5 %.
        found = float(gammainccinv(canaries, 0.05) / gammainccinv(canaries, 0.8)) / math.log(2)
        return Measure(
            check=check,
            subject=subject,
            value=total / canaries,
            null=null_mean(size),
            law="test",
            p_value=p_value,
            trials=canaries,
            detectable=min(found, math.log2(size)),
            details={"critical": critical_mean(canaries), "secrets": float(size)},
        )


class CanaryExposure(_Exposures):
    """Exposure of the canaries that were planted: all of them, and each rung of the dose ladder.

    The attacker knows everything about a planted row but its secret, holds the release, and looks among all secrets of
    the public set R for the one that the release comes nearest to.
    """

    name = "canaries.exposure"
    about = About(
        title="Exposure of canaries",
        question="Does the release give away secrets of rows that were planted once, four or sixteen times?",
        knowledge="Everything of a planted row but its secret, the set of possible secrets, and the release.",
        statistic="Mean of log2 |R| - log2 rank, in bits; 1.44 where secrets are not remembered.",
        misses="Rows that are odder than canaries, and what is remembered of several columns without the secret ones.",
        source="Carlini et al. 2019 (arXiv:1802.08232), section 4",
        disclosure="public",
    )
    size = len(RUNGS) * _WIDTH

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Canaries and sum of exposures, rung by rung; see `Check`."""
        planted = rows.canaries
        groups = [] if planted is None else [planted.included & (planted.rungs == rung) for rung in RUNGS]
        return self._counts(planted, groups or [np.zeros(0, np.bool_)] * len(RUNGS), random)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """All canaries together, then each rung; see `Check`."""
        groups = self._groups(counts, len(RUNGS))
        whole = sum(canaries for canaries, _ in groups), sum(total for _, total in groups)
        return (
            self._measure(self.name, "", *whole),
            *(self._measure(self.name, f"dose={rung}", *group) for rung, group in zip(RUNGS, groups, strict=True)),
        )


class CanaryControl(_Exposures):
    """Exposure of the canaries that their coins left out: no release can remember them.

    If this fails, exposures are not what they seem: canaries were planted that should not have been, or secrets are
    known elsewhere. Then nothing that the other check says of planted ones counts, for better or worse.
    """

    name = "canaries.control"
    about = About(
        title="Canaries that were left out",
        question="Do canaries that no training row repeats look as if nothing remembered them?",
        knowledge="As for planted canaries.",
        statistic="Mean of log2 |R| - log2 rank, in bits; 1.44, since nothing can remember them.",
        misses="It says nothing about the release; it tests the test.",
        source="Carlini et al. 2019 (arXiv:1802.08232), section 4",
        disclosure="public",
    )
    size = _WIDTH

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Canaries left out and sum of their exposures; see `Check`."""
        planted = rows.canaries
        return self._counts(planted, [np.zeros(0, np.bool_) if planted is None else ~planted.included], random)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        return (self._measure(self.name, "", *self._groups(counts, 1)[0]),)
