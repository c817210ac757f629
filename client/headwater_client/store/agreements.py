"""This organisation's decisions on runs."""

from dataclasses import dataclass

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.errors import InputError, OutOfOrder
from headwater_client.store.database import Database

__all__ = ["AGREEMENT_TABLES", "Agreements", "StoredDecision"]

AGREEMENT_TABLES = """
CREATE TABLE decision (
  run_id TEXT PRIMARY KEY,
  proposal BLOB NOT NULL,
  approval BLOB NOT NULL,
  by_rule INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What this organisation decided on a run, with the very proposal that it decided on.

    Attributes:
        proposal: as the coordinator signed it.
        signed: this organisation's decision.
        by_rule: made by the standing rule of policy.toml and not by a person.
    """

    proposal: SignedProposal
    signed: SignedApproval
    by_rule: bool


class Agreements(Database):
    """What was decided."""

    def record_decision(self, proposal: SignedProposal, signed: SignedApproval, *, by_rule: bool) -> None:
        """Keep a decision; the last one on a run counts.

        Raises:
            InputError: the decision is not on this proposal.
            OutOfOrder: a session of the run is live.
        """
        run_id = proposal.proposal.run_id
        decided = (signed.approval.run_id, signed.approval.plan_digest)
        if decided != (run_id, proposal.proposal.plan.digest):
            raise InputError(f"the decision is on another run or plan than {run_id}; decide on what is proposed")
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM live_session WHERE run_id = ?", (run_id,)).fetchone():
                raise OutOfOrder(f"run {run_id} is under way; stop `headwater-org serve` to leave it, then decide")
            connection.execute(
                "INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?)",
                (run_id, proposal.to_bytes(), signed.to_bytes(), int(by_rule)),
            )

    def decision(self, run_id: str) -> StoredDecision | None:
        """The decision on a run, or None."""
        row = self._row("SELECT proposal, approval, by_rule FROM decision WHERE run_id = ?", run_id)
        if row is None:
            return None
        return StoredDecision(SignedProposal.from_bytes(row[0]), SignedApproval.from_bytes(row[1]), bool(row[2]))
