"""Empirical ε of one run: a lower bound, from guesses which canaries were planted."""

import math

import numpy as np
from numpy.typing import NDArray

from headwater.audit.canaries.ranks import ranks_of
from headwater.errors import InputError
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import About, AuditRows
from headwater.evidence.guesses import epsilon_of_guesses, p_of_guesses
from headwater.evidence.intervals import binomial_at_least
from headwater.evidence.measure import Measure
from headwater.evidence.settings import AuditSettings

__all__ = ["OneRun"]

I64 = NDArray[np.int64]

_GUESSED = 0.2
_NEEDED = 1000
_LEAST = 100


class OneRun:
    """A lower bound on the ε that a release can have, from canaries that are planted once or not at all.

    The attacker holds the release and every canary whole, its secret too, and has to say which a coin planted. It
    guesses "planted" of the fifth of an organisation's canaries whose secrets stand highest among all that they might
    have, and abstains on the others. It never guesses "left out": a secret that is found was hardly found by chance,
    but one that is not found may have been planted and not remembered.

    Why guesses of several organisations may be added: the theorem is about one attacker who sees the output, guesses
    as many coins as it likes of m fair and independent ones, and is right v times. Coins of all organisations are fair
    and independent, each from a secret of its own; each organisation's guesses follow from the release, its canaries
    and fresh chance, and from no coin of anybody. So all together are one such attacker, with m, r and v the sums,
    whatever share of coins each has. Guesses are made before a coin is looked at; and an organisation that drops out
    must not do so because of its coins, which nobody else knows and it has no reason to act upon.

    Canaries that are planted several times are left out: a budget is for one record, and theirs is another.

    Under a budget for persons a canary is a person with one record, which the same bound covers.
    """

    federated = True
    name = "canaries.one-run"
    about = About(
        title="Empirical ε of this run",
        question="How much privacy loss can be proved from the release by guessing which canaries were planted?",
        knowledge="Every canary whole, and the release; not the coins that planted half of them.",
        statistic="Lower bound on ε at 95 % confidence, from right guesses; 0 where guesses are like coins.",
        misses="An attacker who sees more than the release, and rows odder than canaries: the true ε may be larger.",
        source="Steinke, Nasr and Jagielski 2023 (arXiv:2305.08846), theorem 5.2",
        disclosure="public",
    )
    size = 4

    def __init__(self, candidate: Candidate, settings: AuditSettings, delta: float = 1e-5) -> None:
        """Bind to a candidate.

        Args:
            candidate: the release.
            settings: public.
            delta: δ of the ε that is bounded: the budget's, where the plan has one.
        """
        self._candidate, self._settings, self._delta = candidate, settings, delta

    def count(self, rows: AuditRows, random: np.random.Generator) -> I64:
        """Canaries, planted ones, guesses and right ones; see `Check`."""
        planted = rows.canaries
        if planted is None or not (planted.rungs == 1).any():
            return np.zeros(self.size, np.int64)
        single = planted.rungs == 1
        coins = planted.included[single]
        ranks = ranks_of(self._candidate, planted).draw(random)[single]
        # Ties at random, so that no order of canaries enters.
        order = np.lexsort((random.random(len(ranks)), ranks))
        guesses = max(1, math.floor(len(ranks) * _GUESSED))
        return np.array([len(ranks), coins.sum(), guesses, coins[order[:guesses]].sum()], np.int64)

    def read(self, counts: I64) -> tuple[Measure, ...]:
        """One measure; see `Check`."""
        if counts.shape != (self.size,) or (counts < 0).any() or counts[1] > counts[0]:
            raise InputError("counts of guesses are canaries, planted ones, guesses and right ones; count anew")
        canaries, planted, guesses, right = (int(count) for count in counts)
        if not canaries:
            reason = "no canary was planted"
            return (Measure(check=self.name, status="not applicable", reason=reason),)
        if canaries < _LEAST or not guesses:
            reason = (
                f"{canaries} canaries that are planted once or not at all prove next to nothing; {_NEEDED:,} are "
                f"needed for a bound of use"
            )
            return (Measure(check=self.name, status="inconclusive", reason=reason, trials=canaries, needed=_NEEDED),)
        value = epsilon_of_guesses(canaries, guesses, right, self._delta)
        return (
            Measure(
                check=self.name,
                value=value,
                low=value,
                null=0.0,
                law="guesses",
                tally=(canaries, guesses, right),
                p_value=p_of_guesses(canaries, guesses, right, 0.0, self._delta),
                trials=canaries,
                detectable=self._detectable(canaries, guesses),
                details={
                    "delta": self._delta,
                    "planted": float(planted),
                    "largest": epsilon_of_guesses(canaries, guesses, guesses, self._delta),
                },
            ),
        )

    def _detectable(self, canaries: int, guesses: int) -> float | None:
        """Least ε of which guesses as good as it allows are told from coins, with power .8; None if no ε is."""
        needed = next(
            (
                right
                for right in range(guesses // 2, guesses + 1)
                if p_of_guesses(canaries, guesses, right, 0.0, self._delta) < 0.05
            ),
            None,
        )
        if needed is None:
            return None
        low, high = 0.0, 40.0
        for _ in range(40):
            middle = (low + high) / 2
            enough = binomial_at_least(needed, guesses, 1 / (1 + math.exp(-middle))) >= 0.8
            low, high = (low, middle) if enough else (middle, high)
        return high
