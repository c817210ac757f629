"""Replaying the ε of a release from its signed events: exactly with an accountant, by arithmetic alone without."""

from dataclasses import dataclass
from functools import lru_cache

from headwater.errors import ReleaseRefused
from headwater.privacy.accountant import epsilon_of_zcdp, spent
from headwater.privacy.words import rounded_up
from headwater.release.privacy_claim import PrivacyClaim

__all__ = ["Replay", "replay"]

_ACCOUNTANT = "dp_accounting"
# Accountants on two machines differ in the last digits of float64.
_FLOAT_ERROR = 1e-6


@dataclass(frozen=True, slots=True)
class Replay:
    """What the events of a release come to, beside what it states.

    Attributes:
        stated: ε of the claim.
        delta: at which all hold.
        events: how many there are.
        epsilon: by privacy loss distributions; None where the accountant is not installed.
        epsilon_zcdp: an upper bound by arithmetic alone.
    """

    stated: float
    delta: float
    events: int
    epsilon: float | None
    epsilon_zcdp: float

    @property
    def exact(self) -> bool:
        """Whether the stated ε is shown to hold, and not only not to be refuted."""
        return self.epsilon is not None or self.stated >= self.epsilon_zcdp

    @property
    def in_words(self) -> str:
        """What was replayed, and what was not."""
        said = f"{self.events} signed events, δ = {self.delta:g}"
        bound = f"{rounded_up(self.epsilon_zcdp):g}"
        if self.epsilon is not None:
            return (
                f"ε replayed from {said}: {rounded_up(self.epsilon):g} by privacy loss distributions, so the "
                f"{self.stated:g} that is stated holds; a coarser bound by arithmetic alone (zCDP) is {bound}"
            )
        if self.exact:
            return (
                f"ε replayed from {said}: at most {bound} by arithmetic alone (zCDP), so the {self.stated:g} that is "
                "stated holds"
            )
        return (
            f"ε NOT REPLAYED EXACTLY: from {said} it is at most {bound} by arithmetic alone (zCDP), a coarse bound "
            f"that neither confirms nor refutes the {self.stated:g} that is stated; pip install headwater[privacy] "
            "brings the accountant, then verify again"
        )


def replay(claim: PrivacyClaim) -> Replay:
    """Account for a claim's events once more, and compare.

    Args:
        claim: signed, as the manifest has it.

    Raises:
        ReleaseRefused: less is stated than the events cost.
        HeadwaterError: two accountants contradict each other on these events.

    Guarantee: a stated ε that is accepted with the accountant installed is at least what it finds, but for the last
        digits of float64. Without it a stated ε may be up to a tenth too small and pass, which `Replay.exact` says.
    """
    found = _replayed(claim)
    if found.epsilon is not None and claim.epsilon < found.epsilon * (1 - _FLOAT_ERROR):
        raise ReleaseRefused(
            f"the release states ε = {claim.epsilon:g} at δ = {claim.delta:g}, and its own signed events come to "
            f"{rounded_up(found.epsilon):g}: it promises more than it keeps; do not rely on it, tell the consortium"
        )
    return found


@lru_cache(maxsize=64)
def _replayed(claim: PrivacyClaim) -> Replay:
    # Cached: a loader verifies a dataset at each call, and an accountant takes a second.
    rho = sum(event.zcdp for event in claim.noisy_sums)
    return Replay(
        stated=claim.epsilon,
        delta=claim.delta,
        events=len(claim.events),
        epsilon=_by_accountant(claim),
        epsilon_zcdp=epsilon_of_zcdp(rho, claim.delta),
    )


def _by_accountant(claim: PrivacyClaim) -> float | None:
    try:
        return spent(claim.noisy_sums, claim.delta).epsilon
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != _ACCOUNTANT:
            raise
        return None
