"""What a training round's signs say about it: flags with a rule each, and whether it may be taken."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FLAG_WORDS", "REFUSING", "Flag", "HealthSettings", "Watch", "direction", "in_words"]

F64 = NDArray[np.float64]

Flag = Literal["not finite", "worse", "collapse", "explosion", "strong critic", "oscillation"]
"""What can be wrong with a round."""

FLAG_WORDS: Mapping[Flag, str] = {
    "not finite": "the merged model is not finite",
    "worse": "it worsens the marginal loss by more than the plan allows",
    "collapse": "the generator collapses: it makes far less variety than before",
    "explosion": "the update is far larger than those before",
    "strong critic": "the critic is too strong: it teaches the generator hardly anything",
    "oscillation": "updates undo each other from round to round",
}
"""Each flag as a sentence for people."""

REFUSING: frozenset[Flag] = frozenset({"not finite", "worse", "collapse", "explosion"})
"""Flags of a round that is not taken; the others only call for a remedy."""

_WINDOW = 5


class HealthSettings(BaseModel):
    """When a training round is sick, and how long a run goes on with sick rounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    variety: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="least variety, as a share of its running median: entropy, distance of nearest draws; honest "
        "training from scratch was seen at 0.65, on a column that nearly always has one value",
    )
    repeats: float = Field(default=0.25, gt=0, le=1, description="most that the share of repeated draws may rise by")
    top_share: float = Field(default=0.25, gt=0, le=1, description="most that a column's most frequent code may gain")
    sensitivity: float = Field(
        default=0.2, ge=0, lt=1, description="least effect of the noise, as a share of its running median"
    )
    gradient: float = Field(
        default=0.1, ge=0, lt=1, description="least gradient of the generator, as a share of its running median"
    )
    critic_accuracy: float = Field(
        default=0.95,
        gt=0.5,
        le=1,
        description="most pairs of a row and a draw that critics tell apart, as a share, the mean over organisations; "
        "honest training on 5,000 rows was seen at up to 0.60",
    )
    norm: float = Field(default=2.5, gt=1, le=1e9, description="most norm of the mean update, in its running medians")
    first_norm: float = Field(
        default=0.5, gt=0, le=1, description="most norm of the first mean update, in clip norms, where few were clipped"
    )
    cosine: float = Field(default=-0.3, gt=-1, lt=0, description="least cosine of a mean update with the one before")
    refusals: int = Field(default=2, ge=1, le=1000, description="rounds in a row not taken after which the run ends")
    remedies: int = Field(default=3, ge=0, le=8, description="most steps of each remedy")


class Watch:
    """Remembers the rounds that were taken, and judges the next one against them. Pure."""

    def __init__(self, settings: HealthSettings, first: Mapping[str, float], clip: float) -> None:
        """Begin with what was measured on the model before the first round.

        Args:
            settings: of the plan.
            first: signs of that model.
            clip: norm that an organisation's update is clipped to.
        """
        self._settings = settings
        self._taken: list[Mapping[str, float]] = [first]
        self._clip = clip
        self._reversals = 0

    def flags(self, signs: Mapping[str, float]) -> tuple[Flag, ...]:
        """What is wrong with a round, the worst first.

        Args:
            signs: by name; those that are missing raise no flag.
        """
        self._reversals = self._reversals + 1 if signs.get("cosine", 0.0) < self._settings.cosine else 0
        if not all(math.isfinite(value) for value in signs.values()):
            return ("not finite",)
        found: list[Flag] = []
        if self._collapsed(signs):
            found.append("collapse")
        if self._exploded(signs):
            found.append("explosion")
        if self._critic_too_strong(signs):
            found.append("strong critic")
        if self._reversals >= 2:
            found.append("oscillation")
        return tuple(found)

    def take(self, signs: Mapping[str, float]) -> None:
        """Remember a round that was taken."""
        self._taken = [*self._taken[-_WINDOW + 1 :], signs]

    def _usual(self, name: str) -> float | None:
        values = [signs[name] for signs in self._taken if name in signs]
        return median(values) if values else None

    def _below(self, signs: Mapping[str, float], name: str, share: float) -> bool:
        usual = self._usual(name)
        return usual is not None and signs.get(name, usual) < share * usual

    def _above(self, signs: Mapping[str, float], name: str, more: float) -> bool:
        usual = self._usual(name)
        return usual is not None and signs.get(name, usual) > usual + more

    def _critic_too_strong(self, signs: Mapping[str, float]) -> bool:
        accurate = signs.get("critic_accuracy", 0.0) > self._settings.critic_accuracy
        return accurate or self._below(signs, "gradient_norm", self._settings.gradient)

    def _collapsed(self, signs: Mapping[str, float]) -> bool:
        settings = self._settings
        return (
            self._below(signs, "entropy_ratio", settings.variety)
            or self._below(signs, "nearest_distance", settings.variety)
            or self._above(signs, "duplicates", settings.repeats)
            or self._above(signs, "top_share_gap", settings.top_share)
            or self._below(signs, "latent_sensitivity", settings.sensitivity)
        )

    def _exploded(self, signs: Mapping[str, float]) -> bool:
        norm, usual = signs.get("update_norm", 0.0), self._usual("update_norm")
        if usual:
            return norm > self._settings.norm * usual
        # Nothing to compare with yet, or nothing that moved: an honest update is as large only where most
        # organisations' were clipped.
        return norm > self._settings.first_norm * self._clip and signs.get("clipped_share", 0.0) < 0.5


def direction(update: F64, before: F64 | None) -> dict[str, float]:
    """Norm of a mean update, and its cosine with the one before where both have a direction."""
    norm = float(np.linalg.norm(update))
    signs = {"update_norm": norm}
    if before is not None and norm and (other := float(np.linalg.norm(before))):
        signs["cosine"] = float(update @ before) / (norm * other)
    return signs


def in_words(flags: Sequence[Flag]) -> str:
    """The flags as one sentence for the history, "" without any."""
    return "; ".join(FLAG_WORDS[flag] for flag in flags)
