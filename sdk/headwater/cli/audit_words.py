"""What an audit says to people: the verdict in plain words, what failed and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater.audit.report import GateLine, Judgement, Threshold
from headwater.evidence.measure import Measure
from headwater.release.policy import Decision, Outcome, Policy, Verdict

__all__ = ["HEADLINES", "STATUS", "Told", "gate_lines", "judgement_of", "tell"]

HEADLINES: dict[Verdict, str] = {
    "pass": "Pass: no attack found a leak, and the table does what the policy asks of it.",
    "pass with warnings": "Pass with warnings: nothing forbids publishing the table; read the warnings first.",
    "fail": "Fail: do not publish this table.",
    "inconclusive": "Inconclusive: this audit cannot tell whether the table may be published, so it may not.",
}

STATUS: dict[Verdict, int] = {"pass": 0, "pass with warnings": 0, "fail": 1, "inconclusive": 3}
"""Exit statuses."""

_WORST: tuple[Outcome, ...] = ("fail", "inconclusive", "warn", "pass", "not applicable")
_INTRODUCED: dict[Outcome, str] = {"fail": "Failed", "inconclusive": "Not decided", "warn": "Warned of"}
_MOST_SUBJECTS = 4


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict in words.

    Attributes:
        headline: one sentence.
        words: what failed, was not decided or is warned of, a sentence for each gate; then what to do.
    """

    headline: str
    words: tuple[str, ...]


def tell(decision: Decision, policy: Policy) -> Told:
    """The verdict in plain words.

    Args:
        decision: of the policy.
        policy: that decided.
    """
    words = [sentence for outcome in _INTRODUCED for sentence in _sentences(decision, policy, outcome)]
    if decision.verdict == "fail":
        words.append(
            "Mend the generator, not the table: rows that are only filtered or moved still leak what they saw."
        )
    if decision.verdict == "inconclusive":
        words.append("Give it more rows, or declare what the undecided checks ask for; absent evidence is no pass.")
    return Told(HEADLINES[decision.verdict], tuple(words))


def _sentences(decision: Decision, policy: Policy, outcome: Outcome) -> list[str]:
    found = []
    for result in decision.gates:
        gate = policy.gate(result.gate)
        if gate is None or result.outcome == "not applicable":
            continue
        own = [finding for finding in decision.findings if finding.gate == gate.id and finding.outcome == outcome]
        said: dict[str, list[str]] = {}
        for finding in own:
            # An undecided finding says why by itself; a broken rule has its own plain words.
            words = finding.reason.split(": ", 1)[-1] if outcome == "inconclusive" else gate.rules[finding.rule].says
            name = f"{finding.check} [{finding.subject}]" if finding.subject else finding.check
            said.setdefault(words, []).append(name)
        if said:
            parts = "; ".join(f"{words} ({_listed(names)})" for words, names in said.items())
            found.append(f"{_INTRODUCED[outcome]}: {gate.title.lower()}. {parts[0].upper()}{parts[1:]}.")
    return found


def _listed(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _MOST_SUBJECTS
    return ", ".join(distinct[:_MOST_SUBJECTS]) + (f" and {more} more" if more > 0 else "")


def gate_lines(decision: Decision, policy: Policy) -> tuple[GateLine, ...]:
    """The policy's gates with what came of them."""
    questions = {gate.id: gate.question for gate in policy.gates}
    return tuple(
        GateLine(result.gate, result.title, questions.get(result.gate, ""), result.outcome, result.reasons)
        for result in decision.gates
    )


def judgement_of(decision: Decision, policy: Policy, measures: Sequence[Measure]) -> Judgement:
    """What the policy made of each figure."""
    outcomes: dict[str, Outcome] = {}
    for finding in decision.findings:
        name = f"{finding.check} [{finding.subject}]" if finding.subject else finding.check
        outcomes[name] = min(outcomes.get(name, "not applicable"), finding.outcome, key=_WORST.index)
    thresholds: dict[str, list[Threshold]] = {}
    for measure in measures:
        for gate in policy.gates:
            for rule in gate.rules:
                if rule.takes(measure):
                    asked = Threshold(rule.bad, rule.threshold, rule.upper, rule.by)
                    thresholds.setdefault(measure.name, []).append(asked)
    return Judgement(outcomes, thresholds)
