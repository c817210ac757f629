"""What a gate decided, in plain words: the same at the coordinator, at an organisation and on pages."""

from collections.abc import Sequence
from typing import NamedTuple

from headwater.release.policy.decision import Decision, GateResult

__all__ = [
    "UNPROVEN",
    "GateLine",
    "gate_lines",
    "not_to_be_relied_on",
    "powerless_in_words",
    "verdict_in_words",
]

UNPROVEN = "pass, unproven"
"""Outcome, for people, of a gate that passed by checks of which the self-test does not vouch."""

_SELF_TEST = "G0"
_BY_ITSELF = frozenset({"G1", "G2", "G3", "G7", "G8", "G13"})
"""Gates that rest on no estimate from rows: ledgers, canaries with a control of their own, files, terms of use."""


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
    lines = []
    for result in decision.gates:
        warning = not_to_be_relied_on(decision, result)
        reasons = (warning, *result.reasons) if warning else result.reasons
        outcome = UNPROVEN if warning else _outcome(result)
        lines.append(GateLine(result.gate, result.title, outcome, "; ".join(reasons)))
    return lines


def not_to_be_relied_on(decision: Decision, result: GateResult) -> str:
    """Why the pass of a gate says little; empty where it says what it says.

    A check that was not shown to find what it looks for clears nobody by finding nothing.

    Args:
        decision: of a policy.
        result: of one of its gates.
    """
    self_test = decision.result(_SELF_TEST)
    if self_test is None or self_test.outcome not in ("inconclusive", "fail"):
        return ""
    if result.outcome != "pass" or result.gate == _SELF_TEST or result.gate in _BY_ITSELF:
        return ""
    waived = " and waived" if self_test.waived else ""
    said = "inconclusive" if self_test.outcome == "inconclusive" else "failed"
    return f"passed, but not to be relied on: the self-test is {said}{waived}"


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
