"""Which of several generators is released in the end, judged by sums and public draws alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.recipe.settings import RefinerSettings

__all__ = ["REMEMBERS", "Candidate", "choose", "refused_because"]

# In standard errors: the best of several candidates is better by chance than any one of them.
_NOISE = 3.0


REMEMBERS = "the attack on training rows could pass the plan's limit"
"""Why what is better in all else is not released: its critic remembers too much."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to use refiner and critic, and what was measured on it.

    Attributes:
        refined: whether draws are moved.
        strength: how much the critic's opinion weighs, 0 to 1.
        base_auc: how well the critic tells rows from the base's draws; .5 is not at all.
        auc: the same for this one's draws.
        error: standard error of the difference.
        attack_auc: how well it tells training from validation rows.
        attack_error: its standard error.
        base_distance: mean total variation distance of the base's draws from the counted tables.
        distance: the same for this one's draws.
    """

    refined: bool
    strength: float
    base_auc: float
    auc: float
    error: float
    attack_auc: float
    attack_error: float
    base_distance: float
    distance: float

    @property
    def gain(self) -> float:
        """How much nearer to .5 the critic's AUC comes."""
        return abs(self.base_auc - 0.5) - abs(self.auc - 0.5)


def refused_because(candidate: Candidate, settings: RefinerSettings, attack_limit: float) -> str:
    """Why this one may not take the base's place, "" if it may."""
    if not candidate.gain > _NOISE * candidate.error:
        return "the critic tells it from rows no worse than the base, or not by more than noise"
    if candidate.gain < settings.gain:
        return (
            f"it brings the critic's AUC nearer to .5 by {candidate.gain:.3f}, and the plan asks for {settings.gain:g}"
        )
    if not candidate.distance <= candidate.base_distance + settings.slack:
        return "it is further from the counted tables than the plan allows"
    if not candidate.attack_auc + candidate.attack_error <= attack_limit:
        return REMEMBERS
    return ""


def choose(candidates: Sequence[Candidate], settings: RefinerSettings, attack_limit: float) -> tuple[int | None, str]:
    """Place of the candidate that is released; None and why where the base is.

    Args:
        candidates: at least one.
        settings: of the plan.
        attack_limit: of the plan's mixture.
    """
    reasons = [refused_because(candidate, settings, attack_limit) for candidate in candidates]
    passed = [place for place, reason in enumerate(reasons) if not reason]
    if passed:
        best = max(passed, key=lambda place: candidates[place].gain)
        # Draws that were not moved do as well where they are behind by no more than chance.
        plain = [
            place
            for place in passed
            if not candidates[place].refined
            and candidates[place].gain >= candidates[best].gain - candidates[best].error
        ]
        return max(plain, key=lambda place: candidates[place].gain, default=best), ""
    # What the best of them failed by says most.
    foremost = max(range(len(candidates)), key=lambda place: candidates[place].gain)
    return None, reasons[foremost]
