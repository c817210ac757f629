"""What measured numbers say: medians, ratios of them, and whether a target was reached."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Target", "Verdict", "failed", "judge", "median_of", "ratio"]


@dataclass(frozen=True)
class Target:
    """A number to reach.

    Attributes:
        name: what is measured.
        bound: the number.
        at_least: whether more is better; otherwise less is.
    """

    name: str
    bound: float
    at_least: bool = False


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured; None: not measured this time."""

    target: Target
    measured: float | None

    @property
    def word(self) -> str:
        """ "ok", "MISSED" or "not measured"; a figure that is no number is missed."""
        if self.measured is None:
            return "not measured"
        reached = self.measured >= self.target.bound if self.target.at_least else self.measured <= self.target.bound
        return "ok" if reached else "MISSED"


def median_of(repeats: Sequence[Mapping[str, Any]], name: str) -> float:
    """The median of one figure over the repeats; not a number when there is no repeat, or one has none."""
    values = [float(repeat[name]) for repeat in repeats]
    return math.nan if not values or any(math.isnan(value) for value in values) else statistics.median(values)


def ratio(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], name: str) -> float:
    """The ratio of the two medians of one figure, taken in the same run."""
    return median_of(ours, name) / median_of(theirs, name)


def judge(targets: Sequence[Target], measured: Mapping[str, float]) -> list[Verdict]:
    """Put what was measured beside each target."""
    return [Verdict(target, measured.get(target.name)) for target in targets]


def failed(verdicts: Sequence[Verdict]) -> bool:
    """Whether a target that was measured is missed."""
    return any(verdict.word == "MISSED" for verdict in verdicts)
