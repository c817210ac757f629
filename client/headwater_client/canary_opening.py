"""Opening this organisation's canaries when a run under a privacy budget is over and its candidate is fixed."""

from collections.abc import Sequence

import structlog

from headwater.agreement.plan import Plan
from headwater.audit.canaries.commitment import CanarySecret, verify_commitment
from headwater.canonical import sha256_hex
from headwater.errors import PeerError, ReleaseRefused
from headwater.evidence.candidate_file import pack_candidate
from headwater.schema.table import Table
from headwater_client.coordinator import Coordinator
from headwater_client.membership import Membership
from headwater_client.store import Store
from headwater_client.transport.releases import ReleasesClient

__all__ = ["CanaryOpener", "check_opened_for"]

_log = structlog.get_logger(__name__)


class CanaryOpener:
    """Opens what this organisation committed to, once a run, for one candidate.

    Under a budget canaries follow from the schema and the secret alone, so the secret says nothing of any row. Without
    one they are mixed from rows, and their secret never leaves.

    Guarantee: a secret leaves only when no session of its run is live here, after the coordinator has named the
    candidate, and for that candidate alone: a release of another one is refused by `check_opened_for`.
    """

    def __init__(self, membership: Membership, releases: ReleasesClient) -> None:
        """Nothing is opened yet."""
        self._membership = membership
        self._client = releases
        self._without: set[str] = set()

    def open_all(self, coordinator: Coordinator) -> Sequence[str]:
        """Open the canaries of every finished run whose secret was not taken before.

        Returns:
            Ids of the runs whose secret was taken now.

        Raises:
            PeerError: the coordinator names another candidate than it did before, or refuses the secret.
            TransportError: it is away; call again.
        """
        opened = []
        for status in coordinator.runs():
            run_id = status.run_id
            if status.state != "finished" or run_id in self._without:
                continue
            if (secret := self._secret_to_open(run_id)) is None:
                self._without.add(run_id)
            elif self._open(run_id, secret):
                opened.append(run_id)
        return opened

    def _secret_to_open(self, run_id: str) -> CanarySecret | None:
        """What this organisation committed to, where it is to be opened and was not taken yet."""
        store = self._membership.store
        decision, kept, before = store.decision(run_id), store.canary_secret(run_id), store.opening(run_id)
        if decision is None or kept is None or (before is not None and before[1]):
            return None
        plan, commitment = decision.proposal.proposal.plan, decision.signed.approval.canary_commitment
        if plan.privacy == "none" or not plan.canaries or commitment is None:
            return None
        return kept if verify_commitment(kept, run_id, self._membership.member_id, commitment) else None

    def _open(self, run_id: str, secret: CanarySecret) -> bool:
        store = self._membership.store
        if store.is_live(run_id):
            return False
        candidate = self._client.candidate(run_id)
        if not candidate:
            # A run whose audit broke off has none, and nothing is released from it.
            self._without.add(run_id)
            return False
        # Kept before anything is sent: whatever is named later, the secret was opened for this candidate.
        if store.keep_opening(run_id, candidate) != candidate:
            raise PeerError(
                f"the coordinator names another candidate of run {run_id} than the one that canaries were opened for; "
                "tell the other members"
            )
        self._client.open_canaries(run_id, candidate, secret)
        store.opening_taken(run_id)
        _log.info("canaries_opened", run=run_id, candidate=candidate[:16])
        return True


def check_opened_for(store: Store, run_id: str, plan: Plan, table: Table) -> None:
    """Hold a release to the candidate that this organisation's canaries were opened for.

    Args:
        store: of this organisation.
        run_id: of the release.
        plan: of the run.
        table: rows of the release.

    Raises:
        ReleaseRefused: it has other rows: whoever made them may have known the canaries.
    """
    opening = store.opening(run_id)
    if opening is None or plan.privacy == "none":
        return
    if sha256_hex(pack_candidate(table)) != opening[0]:
        raise ReleaseRefused(
            "the release has other rows than the candidate that this organisation's canaries were opened for, so "
            "whoever made them may have known the canaries; refuse it and tell the other members"
        )
