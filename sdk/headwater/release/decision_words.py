"""What a gate decided, in plain words: the same at the coordinator, at an organisation and on pages."""

from collections.abc import Sequence
from typing import NamedTuple

from headwater.release.policy.decision import Decision, GateResult

__all__ = ["GateLine", "gate_lines", "powerless_in_words", "verdict_in_words"]


class GateLine(NamedTuple):
    """One gate in a table for people.

    Attributes:
        gate: its id.
        title: a few words.
        outcome: what came of it, a waiver said aloud.
        why: its reasons, joined.
    """

    gate: str
    title: str
    outcome: str
    why: str


def gate_lines(decision: Decision) -> Sequence[GateLine]:
    """One line for each gate, in the policy's order."""
    return [
        GateLine(result.gate, result.title, _outcome(result), "; ".join(result.reasons)) for result in decision.gates
    ]


def verdict_in_words(decision: Decision) -> str:
    """The verdict in one line, with the gates behind it."""
    policy = f"policy {decision.policy.name}, version {decision.policy.version}"
    warned = [result.gate for result in decision.gates if result.outcome == "warn"]
    waived = [result.gate for result in decision.gates if result.waived]
    match decision.verdict:
        case "fail" | "inconclusive":
            word = "FAIL" if decision.verdict == "fail" else "INCONCLUSIVE"
            return f"{word} under {policy}: stopped by {', '.join(decision.failing) or 'the want of any evidence'}"
        case _:
            notes = [
                *([f"warned by {', '.join(warned)}"] if warned else []),
                *([f"{', '.join(waived)} waived and NOT passed"] if waived else []),
            ]
            return f"{decision.verdict} under {policy}" + (f": {'; '.join(notes)}" if notes else "")


def powerless_in_words(decision: Decision) -> Sequence[str]:
    """What was not shown to pass, one line each: gates that are inconclusive, waived or not."""
    return [
        f"{result.gate} {result.title.lower()}: {'; '.join(result.reasons)}"
        for result in decision.gates
        if result.outcome == "inconclusive"
    ]


def _outcome(result: GateResult) -> str:
    return f"{result.outcome}, waived" if result.waived else result.outcome
