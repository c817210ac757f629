"""This organisation's canaries in a run: committed to when it approves, planted when it takes part."""

import os

from headwater.agreement.approval import SignedProposal
from headwater.agreement.charter import Charter
from headwater.audit.canaries.commitment import SECRET_BYTES, CanarySecret, verify_commitment
from headwater.audit.canaries.secret_space import SecretSpace
from headwater.contribution.canaries import CanarySeed
from headwater.errors import StorageError
from headwater_client.store import Store, StoredDecision

__all__ = ["canary_seed", "commitment_of"]


def commitment_of(store: Store, proposal: SignedProposal, member_id: str) -> str | None:
    """Commit to the secret of the canaries in a run, which is kept before anything of it is signed.

    Args:
        store: of this organisation.
        proposal: of the run, checked.
        member_id: this organisation.

    Returns:
        64 hexadecimal digits; None where the plan plants no canary.

    Raises:
        InputError: the plan's schema has no place for canaries.
        StorageError: the secret cannot be kept.
    """
    run = proposal.proposal
    if not run.plan.canaries:
        return None
    SecretSpace.of(run.plan.schema_)
    secret = store.keep_canary_secret(run.run_id, CanarySecret(os.urandom(SECRET_BYTES), os.urandom(SECRET_BYTES)))
    return secret.commitment(run.run_id, member_id)


def canary_seed(store: Store, decision: StoredDecision, charter: Charter, member_id: str) -> CanarySeed | None:
    """What the canaries of an approved run are derived from; None where its plan plants none.

    Args:
        store: of this organisation.
        decision: its approval of the run.
        charter: that the run was proposed under.
        member_id: this organisation.

    Raises:
        StorageError: the secret is not the one that was committed to, or is gone.
    """
    run, approval = decision.proposal.proposal, decision.signed.approval
    if not run.plan.canaries:
        return None
    kept, commitment = store.canary_secret(run.run_id), approval.canary_commitment
    if kept is None or commitment is None or not verify_commitment(kept, run.run_id, member_id, commitment):
        raise StorageError(
            f"the secret of the canaries in run {run.run_id} is not the one that was committed to; restore the newest "
            "backup of the folder, or approve the run anew before it begins"
        )
    return CanarySeed(kept.secret, run.run_id, len(charter.members))
