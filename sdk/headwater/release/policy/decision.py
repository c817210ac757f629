"""What a gate decides, and how the outcomes of its rules come to one verdict."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from headwater.agreement.documents import Document, HexDigest, Instant
from headwater.release.policy.document import Gate, Policy
from headwater.release.verdict import PolicyName, Verdict

__all__ = [
    "LEFT",
    "Decision",
    "Finding",
    "GateResult",
    "Outcome",
    "compose",
    "is_left",
    "left_in",
    "stands_aside",
]

Outcome = Literal["pass", "warn", "fail", "inconclusive", "not applicable"]

LEFT = "each organisation judges this on its own rows before it signs; under ε no figure of them leaves"
"""Why a gate under a privacy budget has nothing to show of what needs real rows."""

_WORST: tuple[Outcome, ...] = ("fail", "inconclusive", "warn", "pass", "not applicable")


class Finding(Document):
    """One rule on one measure.

    Attributes:
        gate: id of the gate.
        rule: its position in the gate, from 0.
        check: of the measure, or the pattern that nothing was measured for.
        subject: of the measure.
        outcome: what came of it.
        reason: in plain words, without a figure, so that it may be published.
        detail: the figures behind it; empty in what is published.
    """

    gate: str
    rule: int = Field(ge=0)
    check: str = Field(max_length=100)
    subject: str = Field(default="", max_length=500)
    outcome: Outcome
    reason: str = Field(max_length=2000)
    detail: str = Field(default="", max_length=2000)


class GateResult(Document):
    """What one gate came to.

    Attributes:
        gate: id.
        title: of the gate.
        outcome: of its worst rule; a waiver leaves it as it is.
        waived: two approvers took the responsibility for it; it was not passed.
        reasons: at least one; those of the worst outcome first, else by the alphabet.
    """

    gate: str
    title: str
    outcome: Outcome
    waived: bool = False
    reasons: tuple[str, ...] = Field(min_length=1)


class Decision(Document):
    """What a policy says of a candidate.

    Attributes:
        policy: that judged.
        candidate: SHA-256 of what was judged.
        decided: when.
        verdict: of all gates together.
        tests: that shared the policy's error.
        gates: in the policy's order.
        findings: in the order of gates, rules, checks and subjects.
        unjudged: measures that no rule asked for, by name.
        refused_waivers: why, in a line each.
    """

    policy: PolicyName
    candidate: HexDigest
    decided: Instant
    verdict: Verdict
    tests: int = Field(ge=0)
    gates: tuple[GateResult, ...]
    findings: tuple[Finding, ...]
    unjudged: tuple[str, ...] = ()
    refused_waivers: tuple[str, ...] = ()

    def result(self, gate: str) -> GateResult | None:
        """What a gate came to, or None where the policy does not have it."""
        return next((result for result in self.gates if result.gate == gate), None)

    @property
    def failing(self) -> tuple[str, ...]:
        """Gates that stop the release: failed or inconclusive, and not waived; in order."""
        stops = ("fail", "inconclusive")
        return tuple(result.gate for result in self.gates if result.outcome in stops and not result.waived)

    def public(self) -> "Decision":
        """The same without figures."""
        return self.model_copy(
            update={"findings": tuple(found.model_copy(update={"detail": ""}) for found in self.findings)}
        )


def stands_aside(gate: Gate, *, files: bool, private: bool) -> str:
    """Why a gate has nothing to ask of this kind of release; empty where it has.

    Args:
        gate: of the policy.
        files: one person audits plain files.
        private: the run claims an ε.
    """
    if files and gate.files == "not applicable":
        return "not applicable: plain files, no federation"
    if not private and gate.without_privacy == "not applicable":
        return "not applicable: no DP"
    return ""


def is_left(gate: Gate, *, apart: bool) -> bool:
    """Whether what a gate misses is each organisation's to judge.

    Args:
        gate: of the policy.
        apart: no figure of real rows may leave an organisation.
    """
    return apart and gate.within_budget == "organisations"


def left_in(decision: Decision) -> tuple[str, ...]:
    """Gates of a decision of which something was left to the organisations, in order."""
    return tuple(result.gate for result in decision.gates if LEFT in result.reasons)


def compose(
    policy: Policy,
    findings: Sequence[Finding],
    *,
    files: bool,
    private: bool,
    apart: bool = False,
    waived: Mapping[str, Outcome],
) -> tuple[tuple[GateResult, ...], Verdict]:
    """The gates and the verdict that findings come to; in whatever order they are given.

    Args:
        policy: that was asked.
        findings: of all its rules.
        files: one person audited plain files.
        private: the run claims an ε.
        apart: no figure of real rows may leave an organisation.
        waived: by gate, the worst outcome that a valid waiver covers.

    Returns:
        One result for each gate of the policy, and the verdict. A gate without a finding is inconclusive, and so is a
        release of which no gate passed: nothing passes on absent evidence. A gate that is each organisation's to judge
        does not apply where nothing of it was measured, and so never passes here.
    """
    results = []
    for gate in policy.gates:
        aside = stands_aside(gate, files=files, private=private)
        own = [] if aside else [finding for finding in findings if finding.gate == gate.id]
        if not own and is_left(gate, apart=apart):
            aside = aside or LEFT
        results.append(_result(gate, aside, own, waived.get(gate.id)))
    return tuple(results), _verdict(policy, results)


def _result(gate: Gate, aside: str, findings: Sequence[Finding], covers: Outcome | None) -> GateResult:
    if aside:
        return GateResult(gate=gate.id, title=gate.title, outcome="not applicable", reasons=(aside,))
    if not findings:
        why: tuple[str, ...] = ("nothing was measured for this gate",)
        outcome: Outcome = "inconclusive"
    else:
        outcome = min((finding.outcome for finding in findings), key=_WORST.index)
        why = _reasons(outcome, findings)
    waived = covers is not None and outcome in _WORST[_WORST.index(covers) : 2]
    return GateResult(gate=gate.id, title=gate.title, outcome=outcome, waived=waived, reasons=why)


def _reasons(outcome: Outcome, findings: Sequence[Finding]) -> tuple[str, ...]:
    # What went well is one line; everything else is told, the worst first.
    told = {(_WORST.index(finding.outcome), finding.reason) for finding in findings if finding.outcome != "pass"}
    if outcome == "pass":
        passed = sum(finding.outcome == "pass" for finding in findings)
        told.add((_WORST.index("pass"), f"{passed} {'figure' if passed == 1 else 'figures'} within bounds"))
    return tuple(reason for _, reason in sorted(told))


def _verdict(policy: Policy, results: Sequence[GateResult]) -> Verdict:
    open_gates = [result.outcome for result in results if not result.waived]
    if "fail" in open_gates:
        return "fail"
    if "inconclusive" in open_gates or not {"pass", "warn"} & set(open_gates):
        return "inconclusive"
    if "warn" in open_gates or any(result.waived for result in results):
        return "pass with warnings"
    return policy.best
