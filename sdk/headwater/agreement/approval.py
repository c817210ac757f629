"""What the operator proposes and what each organisation decides, for one run of one plan."""

from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from headwater.agreement.charter import Charter
from headwater.agreement.documents import Document, HexDigest, HexSignature, Instant, MemberId, RunId
from headwater.agreement.plan import Plan
from headwater.agreement.signing import is_signed_by, sign
from headwater.errors import PeerError

__all__ = ["Approval", "RunProposal", "SignedApproval", "SignedProposal"]

_APPROVAL_KIND = "approval"
_PROPOSAL_KIND = "proposal"


class RunProposal(Document):
    """One execution of one plan under one charter; the run id is good for nothing else."""

    version: Literal[1] = 1
    run_id: RunId
    plan: Plan
    charter_digest: HexDigest
    created: Instant


class SignedProposal(Document):
    """A proposal with the coordinator's signature."""

    proposal: RunProposal
    signature: HexSignature

    @classmethod
    def sign(cls, proposal: RunProposal, coordinator_key: Ed25519PrivateKey) -> "SignedProposal":
        """Sign as the coordinator."""
        return cls(proposal=proposal, signature=sign(coordinator_key, _PROPOSAL_KIND, proposal.to_bytes()))

    def verify(self, charter: Charter) -> None:
        """Check the proposal against the charter that a member pinned.

        Raises:
            PeerError: another charter, or not the coordinator's signature.
        """
        if self.proposal.charter_digest != charter.digest:
            raise PeerError(
                f"run {self.proposal.run_id} was proposed under charter {self.proposal.charter_digest[:12]}, "
                f"this organisation accepted {charter.digest[:12]}; ask the operator which one is in force"
            )
        if not is_signed_by(charter.coordinator_key, _PROPOSAL_KIND, self.proposal.to_bytes(), self.signature):
            raise PeerError(f"run {self.proposal.run_id} is not signed by the charter's coordinator key; refused")


class Approval(Document):
    """A member's decision on one run: approve or refuse, by the plan's digest.

    Attributes:
        canary_commitment: SHA-256 that binds the secret of this member's canaries, where the plan plants some; left out
            of the document where there is none, so that decisions of before keep their bytes.
    """

    version: Literal[1] = 1
    run_id: RunId
    plan_digest: HexDigest
    member: MemberId
    decision: Literal["approve", "refuse"]
    reason: str = Field(default="", max_length=1000)
    created: Instant
    canary_commitment: HexDigest | None = None

    @model_serializer(mode="wrap")
    def _leave_no_commitment_out(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        document: dict[str, object] = serialize(self)
        if self.canary_commitment is None:
            del document["canary_commitment"]
        return document


class SignedApproval(Document):
    """A decision with the member's signature."""

    approval: Approval
    signature: HexSignature

    @classmethod
    def sign(cls, approval: Approval, identity_key: Ed25519PrivateKey) -> "SignedApproval":
        """Sign as the member."""
        return cls(approval=approval, signature=sign(identity_key, _APPROVAL_KIND, approval.to_bytes()))

    def verify(self, charter: Charter, proposal: RunProposal) -> None:
        """Check that a member of the charter decided on exactly this run and plan.

        Raises:
            PeerError: another run or plan, a stranger, a wrong signature, or approval of a plan with canaries that
                does not commit to a secret.
        """
        member_id = self.approval.member
        keys = {member.id: member.identity_key for member in charter.members}
        if member_id not in keys:
            raise PeerError(f"{member_id!r} is not a member of the charter; its decision does not count")
        if (self.approval.run_id, self.approval.plan_digest) != (proposal.run_id, proposal.plan.digest):
            raise PeerError(
                f"{member_id!r} decided on another run or plan than {proposal.run_id}; it must decide again"
            )
        # Before training: a secret that is chosen afterwards can be one that the release happens not to remember.
        committed = self.approval.canary_commitment is not None
        if self.approval.decision == "approve" and proposal.plan.canaries and not committed:
            raise PeerError(
                f"{member_id!r} approves run {proposal.run_id} without committing to its canaries; update headwater "
                "there and approve again"
            )
        if not is_signed_by(keys[member_id], _APPROVAL_KIND, self.approval.to_bytes(), self.signature):
            raise PeerError(f"the decision of {member_id!r} on run {proposal.run_id} is not signed by its key; refused")
