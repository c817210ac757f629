"""What opened canaries show of a candidate, under a budget: arithmetic on release, schema and secrets, at no ε."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headwater.agreement.charter import Charter
from headwater.agreement.plan import Plan
from headwater.audit.canaries.checks import canary_checks
from headwater.contribution.canaries import opened_canaries
from headwater.evidence.candidate import Candidate
from headwater.evidence.check import AuditRows
from headwater.evidence.measure import Measure
from headwater_server.services.ports import CanaryOpening
from headwater_server.storage import RunState, Storage

__all__ = ["OpenedCanaries", "commitments_of", "measure_opened", "unopened_by", "unopened_in_words"]

_LABEL = b"headwater/opened-canaries/1"


@dataclass(frozen=True, slots=True)
class OpenedCanaries:
    """What came of a run's opened canaries.

    Attributes:
        measures: from all that were opened; none where nothing was, or nothing is to be opened.
        missing: members that committed to canaries and did not open them, sorted.
    """

    measures: tuple[Measure, ...] = ()
    missing: tuple[str, ...] = ()


def commitments_of(storage: Storage, run_id: str) -> dict[str, str]:
    """What commits each member to its canaries in a run, by member id; none where the plan plants none."""
    approvals = [signed.approval for signed in storage.approvals(run_id) if signed.approval.decision == "approve"]
    return {each.member: each.canary_commitment for each in approvals if each.canary_commitment is not None}


def unopened_by(storage: Storage, run_id: str) -> tuple[str, ...]:
    """Members that committed to canaries of a finished run under a budget and did not open them, sorted.

    Args:
        storage: with proposals, approvals and openings.
        run_id: of the run; none are missed of one that is not finished, or has no candidate that they could be for.
    """
    signed, result = storage.proposal(run_id), storage.result(run_id)
    if signed is None or result is None or storage.run_state(run_id) is not RunState.FINISHED:
        return ()
    plan = signed.proposal.plan
    if plan.privacy == "none" or not plan.canaries or not result.get("candidate"):
        return ()
    opened = {each.member_id for each in storage.canary_openings(run_id)}
    return tuple(sorted(set(commitments_of(storage, run_id)) - opened))


def unopened_in_words(members: Sequence[str]) -> str:
    """Who did not open its canaries, and what each has to do, in one line."""
    return (
        f"Canaries not opened by {', '.join(members)}: G2 and G3 are without them. Ask for headwater-org serve, which "
        "opens them, or headwater-org release open-canaries."
    )


def measure_opened(storage: Storage, run_id: str, plan: Plan, charter: Charter, candidate: Candidate) -> OpenedCanaries:
    """Attack a candidate with the canaries that organisations opened.

    Args:
        storage: with approvals and openings.
        run_id: of the run.
        plan: of the run, with an audit.
        charter: of the run.
        candidate: that may be released.

    Raises:
        PeerError: a stored secret is not the one that was committed to.

    Guarantee: the same candidate and openings give the same figures, so that whoever is shown the openings can compute
        them again: ties are broken by the secrets themselves, which nobody chose after the candidate was known.
    """
    if plan.audit == "none" or plan.privacy == "none" or not plan.canaries:
        return OpenedCanaries()
    commitments = commitments_of(storage, run_id)
    opened = [each for each in storage.canary_openings(run_id) if each.member_id in commitments]
    missing = tuple(sorted(set(commitments) - {each.member_id for each in opened}))
    if not opened:
        return OpenedCanaries((), missing)
    checks = canary_checks(candidate, plan.audit.settings, plan.privacy.delta)
    totals = [np.zeros(check.size, np.int64) for check in checks]
    for opening in opened:
        rows = _rows(opening, plan, charter, commitments, candidate)
        for total, check in zip(totals, checks, strict=True):
            total += check.count(rows, _chance(opening, check.name))
    found: Sequence[tuple[Measure, ...]] = [check.read(total) for check, total in zip(checks, totals, strict=True)]
    return OpenedCanaries(tuple(measure for each in found for measure in each), missing)


def _rows(
    opening: CanaryOpening, plan: Plan, charter: Charter, commitments: dict[str, str], candidate: Candidate
) -> AuditRows:
    planted = opened_canaries(
        plan,
        opening.opened,
        run_id=opening.run_id,
        member=opening.member_id,
        members=len(charter.members),
        commitment=commitments[opening.member_id],
    )
    nobody = candidate.table.take(np.arange(0))
    return AuditRows(nobody, nobody, planted)


def _chance(opening: CanaryOpening, check: str) -> np.random.Generator:
    seed = hashlib.sha256(b"|".join((_LABEL, opening.candidate.encode(), check.encode(), opening.opened.secret)))
    return np.random.default_rng(int.from_bytes(seed.digest(), "big"))
