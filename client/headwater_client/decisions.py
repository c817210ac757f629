"""The organisation's decisions on charter and runs, over a connected coordinator."""

from datetime import UTC, datetime

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import SignedCharter
from headwater.errors import InputError, PeerError
from headwater.schema import Schema
from headwater_client.consent import check_digest_named, check_own_entry, check_proposal, sign_decision
from headwater_client.coordinator import Coordinator, RunStatus
from headwater_client.membership import Membership
from headwater_client.policy import decide
from headwater_client.reviews import CharterReview, PlanReview, RunReview

__all__ = ["Decisions"]

_RUN_ID_DIGITS = 32
_SHORTEST_PREFIX = 6
_LONGEST_REASON = 1000


class Decisions:
    """Shows and takes decisions; see `Organisation` for what each method promises."""

    def __init__(self, membership: Membership, coordinator: Coordinator) -> None:
        """Use an open folder and a connected coordinator."""
        self._membership = membership
        self._store = membership.store
        self._coordinator = coordinator

    def charter(self) -> CharterReview:
        """The coordinator's charter, checked."""
        signed = self._checked(self._coordinator.charter())
        pinned = self._store.pinned_charter()
        accepted = pinned is not None and pinned.charter.digest == signed.charter.digest
        return CharterReview(signed, accepted, self._membership.member_id)

    def accept_charter(self, digest: str) -> SignedCharter:
        """Pin the charter with this digest, then sign it."""
        signed = self._checked(self._coordinator.charter())
        charter = signed.charter
        check_digest_named(digest, charter.digest, "charter")
        # Pinned before it is signed for others: whatever happens next, this organisation holds to it.
        self._store.pin_charter(signed)
        signature = charter.signed_by(self._membership.identity_key())
        complete = self._checked(self._coordinator.sign_charter(charter.digest, signature))
        if complete.charter.digest != charter.digest:
            raise PeerError("the coordinator answered with another charter than the one signed; ask the operator")
        self._store.pin_charter(complete)
        return complete

    def charter_in_force(self) -> SignedCharter:
        """The pinned charter, with the signatures that came in since."""
        pinned = self._store.pinned_charter()
        if pinned is None:
            raise InputError("no charter is accepted here; `headwater-org charter show`, then `charter accept`")
        if pinned.missing_signatures:
            latest = self._coordinator.charter()
            if latest.charter.digest == pinned.charter.digest:
                latest.check_signatures()
                self._store.pin_charter(latest)
                pinned = latest
        # protocol 1.1: version 1 needs every member's signature.
        pinned.verify()
        return pinned

    def runs(self) -> tuple[RunReview, ...]:
        """All runs with the own decisions."""
        return tuple(self._review(status) for status in self._coordinator.runs())

    def plan(self, run: str) -> PlanReview:
        """A run's verified proposal and the policy's word on it."""
        charter = self.charter_in_force().charter
        run_id = self._find_run(run)
        proposal = self._coordinator.proposal(run_id)
        check_proposal(proposal, run_id, charter)
        stored = self._store.decision(run_id)
        decided = None if stored is None else stored.signed.approval.decision
        return PlanReview(proposal, decide(self._membership.policy(), proposal.proposal.plan, charter), decided)

    def schema_of(self, run: str | None) -> Schema:
        """The schema of a run's plan; of the newest run when none is named.

        Raises:
            InputError: no run is proposed yet.
        """
        if run is None:
            statuses = self._coordinator.runs()
            if not statuses:
                raise InputError("no run is proposed yet, so there is no schema; give one with --schema")
            run = statuses[-1].run_id
        return self.plan(run).proposal.proposal.plan.schema_

    def approve(self, run: str, digest: str) -> SignedApproval:
        """Approve what has this digest, unless the policy forbids it."""
        review = self.plan(run)
        check_digest_named(digest, review.proposal.proposal.plan.digest, "plan")
        if not review.policy.allowed:
            reasons = "; ".join(review.policy.problems)
            raise InputError(f"policy.toml forbids this plan: {reasons}; refuse the run or change the policy")
        return self._approve(review.proposal, reason="", by_rule=False)

    def refuse(self, run: str, reason: str) -> SignedApproval:
        """Refuse a run."""
        if not reason.strip() or len(reason) > _LONGEST_REASON:
            raise InputError(f"a refusal needs a reason of 1 to {_LONGEST_REASON} characters; the others will read it")
        proposal = self.plan(run).proposal
        signed = self._sign(proposal, approve=False, reason=reason)
        # A refusal counts here at once, whether or not the coordinator hears of it.
        self._store.record_decision(proposal, signed, by_rule=False)
        self._coordinator.decide(signed)
        return signed

    def approve_by_rule(self) -> tuple[str, ...]:
        """Approve every undecided run that the policy's standing rule approves; none unless it is enabled."""
        if not self._membership.policy().standing_approval.enabled:
            return ()
        approved = []
        for status in self._coordinator.runs():
            if status.state != "proposed" or self._store.decision(status.run_id) is not None:
                continue
            review = self.plan(status.run_id)
            if review.policy.approved_by_rule:
                reason = "standing approval of this organisation's policy"
                self._approve(review.proposal, reason=reason, by_rule=True)
                approved.append(status.run_id)
        return tuple(approved)

    def keep_up(self) -> None:
        """What the agent does every few seconds: learn missing signatures, apply the standing rule.

        Raises:
            PeerError: a member has not signed the charter yet; nothing can run.
        """
        self.charter_in_force()
        self.approve_by_rule()

    # Parts.

    def _checked(self, signed: SignedCharter) -> SignedCharter:
        signed.check_signatures()
        membership = self._membership
        check_own_entry(signed.charter, membership.member_id, membership.identity_key(), membership.ca_digest())
        return signed

    def _approve(self, proposal: SignedProposal, *, reason: str, by_rule: bool) -> SignedApproval:
        signed = self._sign(proposal, approve=True, reason=reason)
        # An approval counts here once the coordinator has taken it: a run that began without it stays without it.
        self._coordinator.decide(signed)
        self._store.record_decision(proposal, signed, by_rule=by_rule)
        return signed

    def _sign(self, proposal: SignedProposal, *, approve: bool, reason: str) -> SignedApproval:
        return sign_decision(
            proposal,
            self._membership.member_id,
            self._membership.identity_key(),
            approve=approve,
            reason=reason,
            now=datetime.now(UTC),
        )

    def _review(self, status: RunStatus) -> RunReview:
        stored = self._store.decision(status.run_id)
        rounds = self._store.rounds_done(status.run_id)
        if stored is None:
            return RunReview(status, None, False, rounds)
        return RunReview(status, stored.signed.approval.decision, stored.by_rule, rounds)

    def _find_run(self, run: str) -> str:
        digits = run.strip().lower()
        if not set(digits) <= set("0123456789abcdef") or not _SHORTEST_PREFIX <= len(digits) <= _RUN_ID_DIGITS:
            raise InputError(
                f"{run!r} is no run id; give its {_RUN_ID_DIGITS} hexadecimal digits or at least the first "
                f"{_SHORTEST_PREFIX} (headwater-org plan list shows them)"
            )
        if len(digits) == _RUN_ID_DIGITS:
            return digits
        found = [status.run_id for status in self._coordinator.runs() if status.run_id.startswith(digits)]
        if len(found) != 1:
            what = "no run" if not found else f"{len(found)} runs"
            raise InputError(f"{what} begins with {digits}; headwater-org plan list shows the runs")
        return found[0]
