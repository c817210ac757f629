"""Whether the decision in audit.json follows from the policy that it names, offline."""

import math
from collections.abc import Mapping, Sequence

from headwater.agreement.documents import Instant
from headwater.audit.expected import Expected, contradicted, lacking
from headwater.errors import InputError, ReleaseRefused
from headwater.evidence.measure import Measure
from headwater.release.attempts import check_attempts
from headwater.release.audit_file import PublicFigure, PublishedAudit
from headwater.release.evidence import FACTS, PUBLIC, facts_as_measures, is_apart
from headwater.release.policy.decision import Finding, compose, is_left, stands_aside
from headwater.release.policy.document import Policy, Rule, matches
from headwater.release.policy.gate import covered
from headwater.release.policy.judging import outcome_by_value
from headwater.release.policy.reading import load_policy
from headwater.release.verdict import publishable

__all__ = ["check_audit", "policy_of"]


def policy_of(audit: PublishedAudit) -> Policy:
    """The policy that judged, as this software has it.

    Raises:
        ReleaseRefused: this software does not have it, or has another one under its name.
    """
    named = audit.decision.policy
    try:
        policy = load_policy(named.name, named.version)
    except InputError as error:
        raise ReleaseRefused(f"the release was judged by a policy that is not known here: {error}") from error
    if policy.digest != named.sha256:
        raise ReleaseRefused(
            f"the release was judged by another policy than {policy.label} ({named.sha256[:16]}… and not "
            f"{policy.digest[:16]}…): somebody edited it; do not use the release"
        )
    return policy


def check_audit(
    audit: PublishedAudit, keys: Mapping[str, str], released: Instant, expected: Sequence[Expected] = ()
) -> None:
    """Check that the decision follows from what is published, and allows a release.

    Figures that are not published are believed as they were judged, which is what the organisations sign; all else is
    done again: public figures against their thresholds, waivers, what is missing, gates and verdict.

    Args:
        audit: as read.
        keys: Ed25519 keys of the charter's members by id.
        released: when the release was made.
        expected: figures that schema and settings say there are; one that is missing must be told and judged so.

    Raises:
        ReleaseRefused: the first thing that is off, in one line.
    """
    decision, policy = audit.decision, policy_of(audit)
    if decision.candidate != audit.candidate:
        raise ReleaseRefused("the decision in audit.json is on another table than its figures; do not use the release")
    if not audit.ended <= decision.decided <= released:
        raise ReleaseRefused("the decision was made before the audit ended or after the release; do not use it")
    facts = [figure for figure in audit.figures if figure.check.startswith(FACTS)]
    stated = facts_as_measures(audit.privacy, audit.licence_stated)
    if facts != sorted((PublicFigure.of(m, "public") for m in stated), key=lambda figure: figure.check):
        raise ReleaseRefused("the figures of audit.json on ledger and licence are not its own facts; do not use it")
    _check_log(audit)
    _check_findings(audit, policy, expected)
    # A waiver must hold when the release is made, not only when it was decided.
    waived, refused = covered(audit.waivers, policy, audit.candidate, released, keys)
    if set(refused) - set(decision.refused_waivers):
        raise ReleaseRefused(f"{min(set(refused) - set(decision.refused_waivers))}; do not use the release")
    files, private = audit.source == "one holder of files", audit.privacy != "none"
    apart = is_apart(audit.source, audit.privacy)
    gates, verdict = compose(policy, decision.findings, files=files, private=private, apart=apart, waived=waived)
    for said, follows in zip(decision.gates, gates, strict=False):
        if said != follows:
            raise ReleaseRefused(
                f"gate {said.gate} in audit.json does not follow from its findings: it says {said.outcome}, they come "
                f"to {follows.outcome}; do not use the release"
            )
    if len(decision.gates) != len(gates) or decision.verdict != verdict:
        words = f"the verdict in audit.json is {decision.verdict!r}, its findings come to {verdict!r}"
        raise ReleaseRefused(f"{words}; do not use the release")
    if not publishable(verdict):
        raise ReleaseRefused(f"the verdict is {verdict!r}: it stopped at {', '.join(decision.failing)}; do not use it")


def _check_log(audit: PublishedAudit) -> None:
    check_attempts(audit.attempts)
    last, decision = audit.attempts[-1], audit.decision
    told = (last.candidate, last.policy, last.verdict, last.failing, last.when)
    if told != (
        decision.candidate,
        decision.policy.sha256,
        decision.verdict,
        decision.failing,
        decision.decided,
    ):
        raise ReleaseRefused("the last attempt in audit.json is not the decision that it shows; do not use the release")


def _check_findings(audit: PublishedAudit, policy: Policy, wanted: Sequence[Expected]) -> None:
    """Each rule has a finding for each figure that it takes, and no other."""
    files, private = audit.source == "one holder of files", audit.privacy != "none"
    apart = is_apart(audit.source, audit.privacy)
    for figure in audit.figures:
        _check_class(figure)
    names = {(figure.check, figure.subject): figure.status for figure in audit.figures}
    left_out, lying = lacking(wanted, names), contradicted(wanted, names)
    found = {(f.gate, f.rule, f.check, f.subject): f for f in audit.decision.findings}
    expected = set()
    for gate in policy.gates:
        if stands_aside(gate, files=files, private=private):
            continue
        for number, rule in enumerate(gate.rules):
            own = [figure for figure in audit.figures if rule.takes(_measure(figure))]
            for figure in own:
                key = (gate.id, number, figure.check, figure.subject)
                expected.add(key)
                if (figure.check, figure.subject) in lying:
                    _check_told(found.get(key), "inconclusive", f"{figure.check} is there and called not applicable")
                else:
                    _check_figure(found.get(key), rule, figure, audit)
            missed = _missed(rule, own)
            for each in () if is_left(gate, apart=apart) else left_out:
                name = (each.check, each.subject)
                if rule.asks_for(*name) and name not in missed:
                    key = (gate.id, number, *name)
                    expected.add(key)
                    outcome = "inconclusive" if rule.missing == "skip" else rule.missing
                    _check_told(found.get(key), outcome, f"{' of '.join(filter(None, name))} was not measured")
            for check, subject in missed:
                key = (gate.id, number, check, subject)
                expected.add(key)
                expects: str = "not applicable" if is_left(gate, apart=apart) else rule.missing
                _check_told(found.get(key), expects, f"{check} was not measured")
    if len(found) != len(audit.decision.findings) or set(found) != expected:
        raise ReleaseRefused("audit.json holds findings that no rule of its policy makes; do not use the release")


def _check_told(finding: Finding | None, outcome: str, what: str) -> None:
    if finding is None or finding.outcome != outcome:
        raise ReleaseRefused(f"{what} and audit.json does not say so; do not use the release")


def _check_class(figure: PublicFigure) -> None:
    """What is published of a figure is its check's to say: else a figure that fails would be called a secret."""
    public = figure.check.split(".")[0] in PUBLIC
    hidden = figure.status == "measured" and (figure.disclosure != "public" or figure.value is None)
    if public and hidden:
        raise ReleaseRefused(
            f"audit.json hides the figure of {figure.check}, behind which no row is; do not use the release"
        )
    if not public and (figure.disclosure == "public" or figure.value is not None):
        raise ReleaseRefused(
            f"audit.json publishes the figure of {figure.check}, which is of real rows; tell the consortium"
        )


def _missed(rule: Rule, own: list[PublicFigure]) -> list[tuple[str, str]]:
    if rule.missing == "skip":
        return []
    return [
        (check, subject)
        for check in rule.checks
        for subject in rule.subjects
        if not any(matches(check, figure.check) and matches(subject, figure.subject) for figure in own)
    ]


def _check_figure(finding: Finding | None, rule: Rule, figure: PublicFigure, audit: PublishedAudit) -> None:
    name = f"{figure.check} [{figure.subject}]" if figure.subject else figure.check
    if finding is None:
        raise ReleaseRefused(f"{name} was measured and not judged; do not use the release")
    allowed: set[str] = {"pass", rule.then}
    if figure.status == "not applicable":
        allowed = {rule.inapplicable}
    elif figure.status == "inconclusive":
        allowed = {rule.unclear}
    elif figure.disclosure == "public" and figure.value is not None and rule.by == "value":
        threshold = rule.threshold
        if rule.above_null and threshold is not None:
            threshold += figure.null or 0.0
        if rule.times_epsilon and threshold is not None:
            threshold = None if audit.privacy == "none" else threshold * audit.privacy.epsilon
        unclear = threshold is None or (figure.trials or 0) < rule.least_trials
        allowed = {rule.unclear} if unclear else {outcome_by_value(rule, figure.value, threshold)}
    elif figure.between is not None and rule.by == "value" and not (rule.least_trials or rule.above_null):
        # Where the bucket is on one side of the threshold the outcome is known.
        allowed = {_outcome_of_bucket(rule, figure.between)} - {""} or allowed
    else:
        # What is not published is believed as the organisations signed it.
        allowed |= {rule.unclear}
    if finding.outcome not in allowed:
        raise ReleaseRefused(
            f"{name} was judged {finding.outcome!r}, by its policy it is {' or '.join(sorted(allowed))}; "
            "do not use the release"
        )


def _outcome_of_bucket(rule: Rule, between: tuple[float | None, float | None]) -> str:
    low = -math.inf if between[0] is None else between[0]
    high = math.inf if between[1] is None else between[1]
    if any(end is not None and low < end < high for end in (rule.threshold, rule.upper)):
        return ""
    # A value between two steps is at neither; beyond the ladder it is beyond its last step.
    inside = (low + high) / 2
    if math.isinf(inside):
        inside = math.nextafter(low, high) if math.isinf(high) else math.nextafter(high, low)
    return outcome_by_value(rule, inside, rule.threshold)


def _measure(figure: PublicFigure) -> Measure:
    return Measure(check=figure.check, subject=figure.subject, status="not applicable", reason="published")
