"""A consortium in memory: keys, a signed charter, plans and proposals."""

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.approval import Approval, RunProposal, SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.plan import Plan
from headwater.agreement.release_decision import ReleaseDecision, SignedReleaseDecision
from headwater.agreement.signing import public_key_hex
from headwater.flower_bundle import bundle_sha256
from headwater.schema import Schema

__all__ = ["CREATED", "SMALL_SCHEMA", "ConsortiumInMemory"]

CREATED = "2026-11-21T09:30:00Z"

SMALL_SCHEMA = Schema.from_toml(
    """
    version = 1
    name = "visits"

    [[columns]]
    name = "age"
    kind = "numeric"
    lower = 0
    upper = 120
    integer = true

    [[columns]]
    name = "ward"
    kind = "categorical"
    categories = ["north", "south"]

    [[columns]]
    name = "returned"
    kind = "boolean"
    true = "yes"
    false = "no"
    role = "target"
    """
)


@dataclass
class ConsortiumInMemory:
    """Keys of a coordinator and of members named org-1 … org-n."""

    members: int = 3
    coordinator_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make missing keys."""
        for number in range(1, self.members + 1):
            self.keys.setdefault(f"org-{number}", Ed25519PrivateKey.generate())

    def charter(self, **changes: Any) -> Charter:
        """The charter of these members."""
        content: dict[str, Any] = {
            "version": 1,
            "consortium": "Test consortium",
            "members": tuple(
                Member(id=name, name=name.upper(), identity_key=public_key_hex(key))
                for name, key in sorted(self.keys.items())
            ),
            "coordinator_key": public_key_hex(self.coordinator_key),
            "minimum_cohort": 3,
            "colluders": 1,
            "ca_digest": "ca" * 32,
            "created": CREATED,
            **changes,
        }
        return Charter(**content)

    def signed_charter(self, *, without: tuple[str, ...] = (), **changes: Any) -> SignedCharter:
        """The charter with everybody's signature but those left out."""
        charter = self.charter(**changes)
        return SignedCharter(
            charter=charter,
            coordinator_signature=charter.signed_by(self.coordinator_key),
            signatures={name: charter.signed_by(key) for name, key in self.keys.items() if name not in without},
        )

    def plan(self, **changes: Any) -> Plan:
        """A small plan."""
        content: dict[str, Any] = {
            "name": "first",
            "schema": SMALL_SCHEMA,
            "aggregation": {"on_membership_change": "continue"},
            # Few rounds: a run upon a mixture would ask for a hundred.
            "recipe": {"base": "marginals", "rounds": 4},
            "privacy": "none",
            "stub_sha256": bundle_sha256(),
            **changes,
        }
        return Plan.model_validate(content)

    def proposal(self, plan: Plan | None = None, run_id: str = "0f" * 16, **changes: Any) -> SignedProposal:
        """A run of a plan, signed by the coordinator."""
        content: dict[str, Any] = {
            "run_id": run_id,
            "plan": plan or self.plan(),
            "charter_digest": self.charter().digest,
            "created": CREATED,
            **changes,
        }
        return SignedProposal.sign(RunProposal(**content), self.coordinator_key)

    def approval(self, proposal: SignedProposal, member: str = "org-1", decision: str = "approve") -> SignedApproval:
        """A member's decision on a proposal."""
        content = Approval.model_validate(
            {
                "run_id": proposal.proposal.run_id,
                "plan_digest": proposal.proposal.plan.digest,
                "member": member,
                "decision": decision,
                "created": CREATED,
            }
        )
        return SignedApproval.sign(content, self.keys[member])

    def release_decision(
        self,
        release_digest: str,
        member: str = "org-1",
        decision: str = "approve",
        *,
        statement_signature: str = "00" * 64,
        **changes: Any,
    ) -> SignedReleaseDecision:
        """A member's decision on a release; an approval with the signature over its statement that is given."""
        content = {
            "release_digest": release_digest,
            "statement_digest": "5a" * 32,
            "run_id": "0f" * 16,
            "member": member,
            "decision": decision,
            "reason": "" if decision == "approve" else f"{member} does not want it",
            "created": CREATED,
            **changes,
        }
        signature = statement_signature if decision == "approve" else None
        return SignedReleaseDecision.sign(ReleaseDecision.model_validate(content), self.keys[member], signature)
