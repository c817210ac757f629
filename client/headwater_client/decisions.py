"""The organisation's decisions on charter and runs, over a connected coordinator."""

from datetime import UTC, datetime

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.run_ids import RUN_ID_DIGITS, find_run, read_digits
from headwater.agreement.succession import CharterHistory
from headwater.errors import HeadwaterError, InputError
from headwater.privacy.events import Event
from headwater.schema import Schema
from headwater_client.canaries import commitment_of
from headwater_client.charters import Charters
from headwater_client.consent import check_digest_named, check_proposal, sign_decision
from headwater_client.coordinator import Coordinator, RunStatus
from headwater_client.membership import Membership
from headwater_client.policy import decide
from headwater_client.reviews import CharterReview, PlanReview, RunReview

__all__ = ["Decisions"]

_LISTED_BY = "headwater-org plan list"
_LONGEST_REASON = 1000


class Decisions:
    """Shows and takes decisions; see `Organisation` for what each method promises."""

    def __init__(self, membership: Membership, coordinator: Coordinator) -> None:
        """Use an open folder and a connected coordinator."""
        self._membership = membership
        self._store = membership.store
        self._coordinator = coordinator
        self._charters = Charters(membership, coordinator)

    def charter(self) -> CharterReview:
        """The coordinator's newest version of the charter, checked."""
        return self._charters.review()

    def accept_charter(self, digest: str, instead_of: str = "") -> SignedCharter:
        """Keep that the charter with this digest was accepted, then sign it."""
        return self._charters.accept(digest, instead_of)

    def charter_in_force(self) -> SignedCharter:
        """The newest version in force, followed to by signatures alone."""
        return self._charters.in_force().charters[-1]

    def runs(self) -> tuple[RunReview, ...]:
        """All runs with the own decisions."""
        return tuple(self._review(status) for status in self._coordinator.runs())

    def plan(self, run: str) -> PlanReview:
        """A run's verified proposal and the policy's word on it."""
        history = self._charters.in_force()
        run_id = self._find_run(run)
        proposal = self._coordinator.proposal(run_id)
        # A run stands under the version that it was proposed under, whichever came in force since.
        charter = history.find(proposal.proposal.charter_digest) or history.newest
        check_proposal(proposal, run_id, charter)
        stored = self._store.decision(run_id)
        policy, charged = self._membership.policy(), self._charged(charter, run_id)
        return PlanReview(
            proposal=proposal,
            charter=charter,
            policy=decide(policy, proposal.proposal.plan, charter, charged),
            decided=None if stored is None else stored.signed.approval.decision,
            waits_for=self._waits_for(history, charter),
            charged=charged,
            limit=policy.limit,
        )

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
        if review.waits_for:
            raise InputError(f"this run cannot be approved: {review.waits_for}")
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
            if review.policy.approved_by_rule and not review.waits_for:
                reason = "standing approval of this organisation's policy"
                self._approve(review.proposal, reason=reason, by_rule=True)
                approved.append(status.run_id)
        return tuple(approved)

    def keep_up(self) -> None:
        """What the agent does every few seconds: follow the charter, apply the standing rule.

        Raises:
            InputError: a version is in force that nobody here accepted; new runs wait for it.
            PeerError: a member has not signed the charter yet and nothing can run; or the version in force does not
                name this organisation.
        """
        # A rule stands on what a person agreed to: it waits until somebody here accepted the version in force.
        self._charters.check_accepted(self._charters.in_force())
        self.approve_by_rule()

    # Parts.

    def _charged(self, charter: Charter, run_id: str) -> tuple[Event, ...]:
        """What other runs charged that counts together with a run under a charter."""
        data_set = charter.member(self._membership.member_id).data_set
        return self._membership.policy().limit.counted(self._store.ledger(), data_set, but_run=run_id)

    def _waits_for(self, history: CharterHistory, charter: Charter) -> str:
        """Why a run under this version cannot be approved now; empty when it can."""
        if charter.digest != history.newest.digest:
            return (
                f"it was proposed under version {charter.version} of the charter, version {history.newest.version} is "
                "in force; ask the operator to propose it again"
            )
        try:
            self._charters.check_accepted(history)
        except HeadwaterError as error:
            return str(error)
        return ""

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
            canary_commitment=commitment_of(self._store, proposal, self._membership.member_id) if approve else None,
        )

    def _review(self, status: RunStatus) -> RunReview:
        stored = self._store.decision(status.run_id)
        rounds = self._store.rounds_done(status.run_id)
        if stored is None:
            return RunReview(status, None, False, rounds)
        return RunReview(status, stored.signed.approval.decision, stored.by_rule, rounds)

    def _find_run(self, run: str) -> str:
        digits = read_digits(run, _LISTED_BY)
        if len(digits) == RUN_ID_DIGITS:
            return digits
        return find_run(digits, [status.run_id for status in self._coordinator.runs()], _LISTED_BY)
