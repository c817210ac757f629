"""The section of the card on the audit: every gate, what was waived, and how many attempts there were."""

from collections.abc import Callable

from headwater.release.attempts import Attempt
from headwater.release.audit_check import policy_of
from headwater.release.audit_file import PublishedAudit
from headwater.release.decision_words import not_to_be_relied_on
from headwater.release.evidence import Source
from headwater.release.policy.decision import LEFT, Decision, GateResult, Outcome, left_in
from headwater.release.policy.waiver import SignedWaiver

__all__ = ["audit_section"]

_WORDS: dict[Outcome, str] = {
    "pass": "passed",
    "warn": "WARNS",
    "fail": "FAILED",
    "inconclusive": "INCONCLUSIVE",
    "not applicable": "",
}

_WHERE: dict[Source, str] = {
    "pooled sums of organisations": "Each organisation counted on its own rows; only sums over all of them were read",
    "one holder of files": "One holder of all rows audited plain files",
    "each organisation for itself": "Each organisation audited on its own rows, and no figure of them left it",
    "one organisation for itself": "One organisation audited on its own rows",
}

_TOLD = 6
"""Reasons of one gate that are told; audit.json has all."""


def audit_section(audit: PublishedAudit, text: Callable[[str], str]) -> str:
    """What an audit found, in Markdown.

    Args:
        audit: as published.
        text: escapes Markdown in what people wrote, and in names of columns.

    Raises:
        ReleaseRefused: this software does not have the policy that judged.
    """
    decision, policy = audit.decision, policy_of(audit)
    gates = ["| gate | what it asks | what came of it |", "| --- | --- | --- |"]
    for gate, result in zip(policy.gates, decision.gates, strict=True):
        gates.append(f"| {gate.id} {text(gate.title)} | {text(gate.question)} | {text(_came(decision, result))} |")
    tests = (
        f" {decision.tests} statistical tests share one error of {policy.error:.0%} (Holm)." if decision.tests else ""
    )
    parts = [
        "## What the audit found",
        f"Verdict under policy *{text(policy.label)}* ({text(policy.title)}): **{decision.verdict}**. "
        f"{_WHERE[audit.source]}.{tests} `audit.json` has every check with its outcome, and what may be told of its "
        "figure.",
        "\n".join(gates),
    ]
    if waived := [signed for signed in audit.waivers if _holds(signed, audit)]:
        parts.append("### Waived, not passed\n\n" + "\n".join(_waiver(signed, text) for signed in waived))
    if left := left_in(decision):
        parts.append(
            f"### Judged where the rows are\n\n{', '.join(left)}: judged by each of the signing organisations on its "
            "own rows, before it signed and by the same policy. Under ε no figure of real rows leaves them, so the "
            "signatures in `attestation.json` are all that shows it; `headwater verify` counts and names them."
        )
    parts.append("### Attempts\n\n" + "\n".join(_attempt(attempt) for attempt in audit.attempts))
    return "\n\n".join(parts)


def _holds(signed: SignedWaiver, audit: PublishedAudit) -> bool:
    result = audit.decision.result(signed.waiver.gate)
    refused = any(f"the waiver of {signed.waiver.gate} " in line for line in audit.decision.refused_waivers)
    return result is not None and result.waived and not refused


def _came(decision: Decision, result: GateResult) -> str:
    reasons = result.reasons[:_TOLD]
    more = len(result.reasons) - len(reasons)
    said = "; ".join(reasons) + (f"; and {more} more" if more else "")
    if result.outcome == "not applicable":
        return "judged by each signing organisation on its own rows" if LEFT in result.reasons else said
    waived = "NOT PASSED, waived; " if result.waived else ""
    outcome = not_to_be_relied_on(decision, result) or _WORDS[result.outcome]
    return f"{waived}{outcome}: {said}"


def _waiver(signed: SignedWaiver, text: Callable[[str], str]) -> str:
    waiver = signed.waiver
    who = " and ".join(signed.approvers)
    return f"- **{waiver.gate}**, {waiver.outcome}, by {text(who)} until {waiver.expires}: {text(waiver.reason)}"


def _attempt(attempt: Attempt) -> str:
    stopped = f", stopped at {', '.join(attempt.failing)}" if attempt.failing else ""
    return f"{attempt.number}. {attempt.when}, run {attempt.run[:8]}: {attempt.verdict}{stopped}"
