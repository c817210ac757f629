"""The gate: evidence in, a decision with reasons out."""

from collections.abc import Mapping, Sequence

from headwater.agreement.documents import Instant
from headwater.audit.expected import Expected
from headwater.release.evidence import Evidence, is_apart
from headwater.release.policy.decision import Decision, Outcome, compose
from headwater.release.policy.document import Policy
from headwater.release.policy.judging import judge
from headwater.release.policy.waiver import SignedWaiver
from headwater.release.verdict import PolicyName

__all__ = ["covered", "decide"]


def decide(
    evidence: Evidence,
    policy: Policy,
    waivers: Sequence[SignedWaiver] = (),
    *,
    now: Instant,
    keys: Mapping[str, str] | None = None,
    expected: Sequence[Expected] = (),
) -> Decision:
    """Judge a candidate.

    Args:
        evidence: what was measured of it; in whatever order.
        policy: that the plan names.
        waivers: that were given; each that does not hold is refused by name and changes nothing.
        now: when this is decided.
        keys: Ed25519 keys of the charter's members by id; without them no waiver holds.
        expected: figures that schema and settings say there are, of `headwater.audit.expected`; none where nobody but
            the judge made the evidence.

    Returns:
        A verdict with a reason for each gate. It is never a pass on absent evidence: a gate whose measures are missing
        is inconclusive, and so is a release whose positive controls did not fail as they must. Where no figure of real
        rows may leave, gates that need one are left to the organisations by name, who are kept from signing otherwise.
    """
    judged = judge(evidence, policy, expected)
    files, private = evidence.source == "one holder of files", evidence.privacy != "none"
    apart = is_apart(evidence.source, evidence.privacy)
    waived, refused = covered(waivers, policy, evidence.candidate, now, keys or {})
    gates, verdict = compose(policy, judged.findings, files=files, private=private, apart=apart, waived=waived)
    return Decision(
        policy=PolicyName.of(policy),
        candidate=evidence.candidate,
        decided=now,
        verdict=verdict,
        tests=judged.tests,
        gates=gates,
        findings=judged.findings,
        unjudged=judged.unjudged,
        refused_waivers=refused,
    )


def covered(
    waivers: Sequence[SignedWaiver], policy: Policy, candidate: str, now: Instant, keys: Mapping[str, str]
) -> tuple[dict[str, Outcome], tuple[str, ...]]:
    """What valid waivers cover.

    Returns:
        By gate, the worst outcome that is covered; and why each other waiver is refused, sorted.
    """
    covers: dict[str, Outcome] = {}
    refused = []
    for signed in waivers:
        if problem := signed.problem(policy, candidate, now, keys):
            refused.append(problem)
        elif covers.get(signed.waiver.gate) != "fail":
            covers[signed.waiver.gate] = signed.waiver.outcome
    return covers, tuple(sorted(refused))
