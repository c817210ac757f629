"""Numbers to reach beside the numbers that were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Target", "Verdict", "failed", "judge", "verdict_documents"]


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


def judge(targets: Sequence[Target], measured: Mapping[str, float]) -> list[Verdict]:
    """Put what was measured beside each target."""
    return [Verdict(target, measured.get(target.name)) for target in targets]


def failed(verdicts: Sequence[Verdict]) -> bool:
    """Whether a target that was measured is missed."""
    return any(verdict.word == "MISSED" for verdict in verdicts)


def verdict_documents(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """The verdicts as JSON values."""
    return [
        {"name": each.target.name, "bound": each.target.bound, "measured": each.measured, "verdict": each.word}
        for each in verdicts
    ]
