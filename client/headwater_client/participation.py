"""One run at this organisation, from an invitation's run id to the last round, by its own approval alone."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.agreement.charter import Charter
from headwater.agreement.families import families_of_run, family_of
from headwater.agreement.plan import Plan
from headwater.agreement.session import roster_of, terms_of
from headwater.agreement.troubles import Trouble
from headwater.contribution.canaries import CanarySeed
from headwater.contribution.contribute import contribute
from headwater.errors import BudgetExceeded, HeadwaterError, OutOfOrder, TransportError
from headwater.flower_bundle import OUTCOME_DONE, OUTCOME_REFUSED, bundle_sha256
from headwater.recipe.task import TaskKind
from headwater.schema.table import Table
from headwater.secagg import Participant
from headwater.secagg.protocol.events import (
    AttemptStarted,
    CohortConfirmed,
    PeersRolledBack,
    PeersSeen,
    RoundClosed,
    RoundRefused,
    RoundRequested,
    SessionClosed,
    SessionReady,
)
from headwater.secagg.protocol.families import Family
from headwater.secagg.protocol.receipts import blamed_by, read_document
from headwater_client.budget import OwnLimit
from headwater_client.canaries import canary_seed
from headwater_client.charging import Charging
from headwater_client.connectors import RowSource
from headwater_client.consent import Refusal, check_proposal, refusal_of
from headwater_client.flower.client_app import Outcome
from headwater_client.membership import Membership
from headwater_client.plan_rows import read_rows
from headwater_client.served_rows import keep_served
from headwater_client.store import Store, StoredDecision
from headwater_client.task_check import TaskGate
from headwater_client.transport.aggregation import (
    Contribution,
    Disconnected,
    MessageRefused,
    Participation,
    Progress,
)

__all__ = ["RunPart", "SessionDriver", "join_run"]

SessionDriver = Callable[
    [str, Participant, Callable[[RoundRequested], Contribution], threading.Event, Callable[[Progress], None]],
    Participation,
]
"""Carries one session: (run id, participant, contribute, stop, on_progress); `transport.participate` on a channel."""

_NEXT_SESSION_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class _CountMoved(Exception):
    """The store made a record between a participant and its Hello; a new participant shows the new count."""


def join_run(
    membership: Membership,
    source: RowSource,
    drive: SessionDriver,
    run_id: str,
    stop: threading.Event,
    report: Callable[[Trouble], None] = lambda trouble: None,
) -> Outcome:
    """Take part in a run until it is over.

    The run id is all that is taken from the invitation: plan, digest and terms come from this organisation's own
    approval (protocol 3.3).

    Args:
        membership: this organisation.
        source: its rows.
        drive: carries a session.
        run_id: 32 hexadecimal digits.
        stop: set to leave.
        report: tells the operator, in one word, what keeps this organisation from its part.

    Returns:
        "refused" when this organisation takes no part, with the reasons in its log; else "done".

    Raises:
        InputError: the rows cannot be read or do not hold to the schema.
        PeerError: the coordinator's documents or messages were refused.
        TransportError: the coordinator stayed away.
        OutOfOrder: `stop` was set before the run was over, or this organisation takes part in it already.
        StorageError: the records cannot be written, or the privacy ledger or the secret of the canaries is not what
            it was.
    """
    store = membership.store
    history, decision = store.charter_history(), store.decision(run_id)
    policy, ledger = membership.policy(), store.ledger()
    refusal = refusal_of(
        decision, store.pinned_charter(), history, policy, bundle_sha256(), membership.member_id, ledger
    )
    # protocol 1.1: a run stands under the version that it was proposed under, whichever came in force since.
    charter = None if history is None or decision is None else history.find(decision.proposal.proposal.charter_digest)
    if refusal is not None or charter is None or decision is None:
        refusal = refusal or Refusal(())
        _log.warning("run_refused", run=run_id, reasons=list(refusal.reasons))
        report(refusal.trouble)
        return OUTCOME_REFUSED
    check_proposal(decision.proposal, run_id, charter)
    plan = decision.proposal.proposal.plan
    part = RunPart(
        run_id=run_id,
        plan=plan,
        charter=charter,
        member_id=membership.member_id,
        identity_key=membership.identity_key(),
        required_members=policy.required_members,
        limit=policy.limit,
        rows=_rows(membership, run_id, source, plan, _seed(membership, decision, charter, report), report),
        store=store,
    )
    # protocol 3.5: one live session per run.
    with store.live_session(run_id):
        _log.info("run_joined", run=run_id, plan=plan.digest)
        try:
            outcome = part.take_part(drive, stop)
        except (OutOfOrder, TransportError):
            raise
        except BudgetExceeded as error:
            _log.warning("run_refused", run=run_id, reasons=[str(error)])
            report(Trouble.LIMIT_REACHED)
            return OUTCOME_REFUSED
        except Exception:
            report(Trouble.BROKEN)
            raise
    if outcome == OUTCOME_REFUSED:
        report(Trouble.SETUPS_USED)
    return outcome


def _seed(
    membership: Membership, decision: StoredDecision, charter: Charter, report: Callable[[Trouble], None]
) -> CanarySeed | None:
    try:
        return canary_seed(membership.store, decision, charter, membership.member_id)
    except HeadwaterError:
        report(Trouble.BROKEN)
        raise


def _rows(
    membership: Membership,
    run_id: str,
    source: RowSource,
    plan: Plan,
    seed: CanarySeed | None,
    report: Callable[[Trouble], None],
) -> Table:
    try:
        rows = read_rows(source, plan)
    except HeadwaterError:
        report(Trouble.ROWS_UNREADABLE)
        raise
    try:
        table = rows.table(seed)
        if plan.audit != "none":
            # A release of this run is reviewed by these rows or by none.
            keep_served(membership.home, run_id, rows)
        return table
    except HeadwaterError:
        report(Trouble.ROWS_REFUSED)
        raise


@dataclass(slots=True)
class _LiveSession:
    """What one session's contributions depend on.

    Attributes:
        attempt: number of its setup.
        gate: lets its Tasks through.
        members: n, 0 before it is ready.
    """

    attempt: int
    gate: TaskGate
    members: int = 0

    def listening(self, note: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """The same listener, after this session heard who is in it."""

        def hear(event: Progress) -> None:
            if isinstance(event, SessionReady):
                # protocol 2.4: T(n) is of the session's final n, whoever drops out of a round.
                self.members = len(event.members)
            note(event)

        return hear


@dataclass(frozen=True, slots=True)
class RunPart:
    """This organisation's part in one run.

    Attributes:
        run_id: from its own approval.
        plan: as it approved it.
        charter: the version that the run was proposed under.
        member_id: its id in the charter.
        identity_key: its key.
        required_members: without whom it takes no part.
        limit: its own, on what all runs may cost its records.
        rows: all its rows, conformed to the plan's schema, and the canaries of its approval.
        store: its durable records.
    """

    run_id: str
    plan: Plan
    charter: Charter
    member_id: str
    identity_key: Ed25519PrivateKey
    required_members: tuple[str, ...]
    limit: OwnLimit
    rows: Table
    store: Store

    def take_part(self, drive: SessionDriver, stop: threading.Event) -> Outcome:
        """Session after session, each with fresh secrets, until the coordinator says that the run is over.

        Raises:
            OutOfOrder: `stop` was set before that.
            BudgetExceeded: the next round would exceed the organisation's own privacy limit.
        """
        while not stop.is_set():
            try:
                attempt = self.store.next_attempt(self.run_id)
            except BudgetExceeded as error:
                # protocol 3.3: at most 8 attempts a run.
                _log.warning("run_refused", run=self.run_id, reasons=[str(error)])
                return OUTCOME_REFUSED
            participant = self._participant(attempt)
            session = _LiveSession(attempt, TaskGate(self.plan))
            contribute_checked = partial(self._contribution, session)
            try:
                end = drive(self.run_id, participant, contribute_checked, stop, session.listening(self._note))
            except _CountMoved:
                continue
            except OutOfOrder as error:
                _log.info("run_over", run=self.run_id, reason=str(error))
                return OUTCOME_DONE
            _log.info("session_over", run=self.run_id, outcome=end.outcome, reason=end.reason)
            stop.wait(_NEXT_SESSION_SECONDS)
        # Not "done": the coordinator invites again whoever ended with an error, and an agent that restarts must be.
        raise OutOfOrder(f"this organisation left run {self.run_id}: its agent is stopping")

    @property
    def _charging(self) -> Charging:
        return Charging(self.run_id, self.plan, self._data_set, self.limit, self.store)

    @property
    def _data_set(self) -> str:
        # protocol 4.10: a family is (member, the charter's data-set id); the run's charter says it, for all of the run.
        return self.charter.member(self.member_id).data_set

    def _participant(self, attempt: int) -> Participant:
        roster = roster_of(self.charter, self.plan)
        families = families_of_run(self.plan, self._data_set, self.run_id)
        return Participant(
            roster,
            terms_of(self.plan, self.run_id, attempt),
            self.member_id,
            self.identity_key,
            self.store.last_receipt(self.run_id),
            required_members=self.required_members,
            records=self.store.records,
            outstanding=self.store.outstanding(self.run_id),
            seen=self.store.peers(),
            distrusted=self.store.rolled_back(),
            cohorts=self.store.cohorts_of(families),
            threads=len(os.sched_getaffinity(0)),
            excluded=blamed_by(self.store.chain(self.run_id).documents, roster),
        )

    def _contribution(self, session: "_LiveSession", request: RoundRequested) -> Contribution:
        task = session.gate.admit(request.task, request.model, request.length, request.charge)
        _log.info("task_admitted", run=self.run_id, round=request.round, kind=task.kind, step=task.step)
        if task.kind == "audit":
            # A release is held to it; and a second candidate would be a question about rows of somebody's choice.
            self.store.keep_attacked(self.run_id, task.model_digest)
        # protocol 4.4: charged before anything is computed of the rows, let alone masked; no crash takes it back.
        self._charging.charge(session.attempt, request.round, task.step, request.task, request.charge)
        vector = contribute(task, request.model, self.rows, self.plan, members=session.members)
        return Contribution(vector, self._family(task.kind))

    def _family(self, kind: TaskKind) -> Family | None:
        """What a vector belongs to, where its cohort is bound."""
        family = family_of(kind, self._data_set, self.run_id)
        # protocol 4.10: a cohort of a strict run binds one under `continue`, which by itself records none.
        strict = self.plan.aggregation.on_membership_change == "strict"
        return family if strict or self.store.cohorts_of([family]) else None

    def _settle(self, closed: RoundClosed) -> None:
        self._charging.settle(read_document(closed.document, roster_of(self.charter, self.plan)), self.member_id)

    def _note(self, event: Progress) -> None:
        """Store what must be durable before anything later happens (protocol 3.3, 4.8), and log the rest."""
        run = self.run_id
        match event:
            case AttemptStarted(attempt, records):
                try:
                    self.store.record_attempt(run, attempt, records)
                except OutOfOrder as error:
                    raise _CountMoved from error
                _log.info("attempt_started", run=run, attempt=attempt)
            case RoundClosed(round=number, reason=reason):
                self._settle(event)
                self.store.record_receipt(run, number, event.document)
                _log.info("round_closed", run=run, round=number, completed=event.receipt is not None, reason=reason)
                if event.blamed:
                    _log.warning("members_blamed", run=run, round=number, members=list(event.blamed))
            case CohortConfirmed(number, family, members):
                # protocol 4.10: stored before the Confirm leaves, which is the next event.
                self.store.record_cohort(run, number, family, members)
                _log.info("cohort_recorded", run=run, round=number, family=family.name, members=list(members))
            case PeersSeen(records):
                self.store.record_peers(records)
            case PeersRolledBack(records):
                self.store.record_rolled_back(records)
                _log.warning("peers_rolled_back", run=run, members=sorted(records))
            case SessionReady(members, opening=opening):
                self.store.record_opening(run, opening)
                _log.info("session_ready", run=run, members=list(members))
            case RoundRefused(number, reason):
                _log.warning("round_refused", run=run, round=number, reason=reason)
            case MessageRefused(reason):
                _log.warning("message_refused", run=run, reason=reason)
            case Disconnected(reason):
                _log.info("coordinator_away", run=run, reason=reason)
            case SessionClosed(reason):
                _log.info("session_closed", run=run, reason=reason)
            case _:
                pass
