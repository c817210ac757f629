"""Whose signed approval of a run is here, and whether that is enough to start it."""

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import Charter
from headwater.errors import OutOfOrder
from headwater_server.storage import Storage

__all__ = ["approved_members"]


def approved_members(storage: Storage, proposal: SignedProposal, charter: Charter) -> tuple[str, ...]:
    """Members whose signed approval of exactly this run is here, sorted.

    Raises:
        OutOfOrder: they are fewer than charter and plan ask for.
        PeerError: a stored decision is not its member's over this run.
    """
    approved = []
    for approval in storage.approvals(proposal.proposal.run_id):
        approval.verify(charter, proposal.proposal)
        if approval.approval.decision == "approve":
            approved.append(approval.approval.member)
    plan = proposal.proposal.plan
    needed = max(charter.minimum_cohort, plan.aggregation.minimum_cohort)
    if len(approved) < needed:
        raise OutOfOrder(
            f"{len(approved)} organisations approved run {proposal.proposal.run_id}, at least {needed} must; "
            f"waiting for {', '.join(m.id for m in charter.members if m.id not in approved)}"
        )
    return tuple(sorted(approved))
