"""Organisations enrolled with a coordinator on loopback: real TLS, real gRPC, stores in memory."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.approval import RunProposal, SignedProposal
from headwater.agreement.charter import Charter, Member, SignedCharter
from headwater.agreement.plan import Plan
from headwater.agreement.signing import public_key_hex
from headwater.flower_bundle import bundle_sha256
from headwater_client import Organisation
from headwater_server.services.ports import RunRecord
from support.consortium import CREATED, SMALL_SCHEMA
from support.rpc import RpcCoordinator

__all__ = ["RUN", "EnrolledConsortium"]

RUN = "0f" * 16


class EnrolledConsortium:
    """Three organisations, org-1 to org-3, in folders under `folder`; nothing is accepted or approved yet."""

    def __init__(self, coordinator: RpcCoordinator, folder: Path, members: int = 3) -> None:
        """Enrol everybody and propose a charter."""
        self.coordinator = coordinator
        self.key = Ed25519PrivateKey.generate()
        self.homes = {f"org-{number}": folder / f"org-{number}" for number in range(1, members + 1)}
        self.organisations = {}
        for member, home in self.homes.items():
            token = coordinator.invite(member, name=member.upper()).to_token()
            self.organisations[member] = Organisation.enroll(token, home)
        self.charter = self.propose_charter()

    def propose_charter(self, **changes: object) -> Charter:
        """Propose the charter of everybody who enrolled, signed by the coordinator alone."""
        members = tuple(
            Member(id=member.member_id, name=member.name, identity_key=member.identity_key)
            for member in sorted(self.coordinator.store.members.values(), key=lambda member: member.member_id)
        )
        content = {
            "version": 1,
            "consortium": "Test consortium",
            "members": members,
            "coordinator_key": public_key_hex(self.key),
            "minimum_cohort": 3,
            "colluders": 1,
            "ca_digest": self.coordinator.authority.digest,
            "created": CREATED,
            **changes,
        }
        charter = Charter.model_validate(content)
        self.coordinator.store.signed_charter = SignedCharter(
            charter=charter, coordinator_signature=charter.signed_by(self.key)
        )
        return charter

    def accept(self) -> None:
        """Everybody accepts the charter."""
        for organisation in self.organisations.values():
            organisation.accept_charter(self.charter.digest)

    def propose(self, run_id: str = RUN, state: str = "proposed", charter_digest: str = "", **changes: object) -> Plan:
        """Propose a run, under version 1 of the charter unless another digest is given."""
        content = {
            "name": "first",
            "schema": SMALL_SCHEMA,
            "aggregation": {"on_membership_change": "continue"},
            "privacy": "none",
            "stub_sha256": bundle_sha256(),
            **changes,
        }
        plan = Plan.model_validate(content)
        proposal = RunProposal(
            run_id=run_id, plan=plan, charter_digest=charter_digest or self.charter.digest, created=CREATED
        )
        store = self.coordinator.store
        store.proposals[run_id] = SignedProposal.sign(proposal, self.key)
        store.records[run_id] = RunRecord(run_id, plan.name, plan.digest, state, 0, plan.maximum_rounds, CREATED)
        return plan

    def close(self) -> None:
        """Close all records."""
        for organisation in self.organisations.values():
            organisation.close()
