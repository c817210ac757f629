"""Charges a run's rounds to the organisation's privacy ledger, within the plan's budget and its own limit."""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from headwater.agreement.charge import dearest_charge, plan_events, possible_charges
from headwater.agreement.documents import instant_of
from headwater.agreement.ledger import UNKNOWN_TASK, Charge, uncharged_problem
from headwater.agreement.plan import Plan
from headwater.canonical import sha256_hex
from headwater.errors import StorageError
from headwater.secagg.protocol.receipts import Document
from headwater.secagg.wire.messages import Receipt
from headwater_client.budget import OwnLimit, check_round
from headwater_client.store import Store

__all__ = ["Charging"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Charging:
    """The ledger's side of one run.

    Attributes:
        run_id: of the run.
        plan: as it was approved here.
        data_set: that the run uses, by its name in the charter.
        limit: the organisation's own.
        store: holds the ledger.
    """

    run_id: str
    plan: Plan
    data_set: str
    limit: OwnLimit
    store: Store

    def charge(self, attempt: int, round_number: int, step: int, task: bytes, cost: bytes) -> None:
        """Charge a round of which nothing has left yet; when this returns it is durable.

        Args:
            attempt: number of the session's setup.
            round_number: t.
            step: of the Task.
            task: its bytes.
            cost: the charge, which is what plan and Task come to.

        Raises:
            PeerError: the plan's budget does not pay for it, or the round was charged for another Task.
            BudgetExceeded: it would exceed the organisation's own limit.
            StorageError: the ledger is not what it was, or cannot be written.
        """
        charge, planned = self._charge(attempt, round_number, step, sha256_hex(task), cost), plan_events(self.plan)
        self.store.charge(charge, lambda entries: check_round(entries, charge, self.limit, self._budget, planned))
        _log.info("round_charged", run=self.run_id, round=round_number)

    def settle(self, document: Document, member_id: str) -> None:
        """Hold a round's document against the ledger, and charge what a ledger that was set back had lost.

        Peers refuse a store that went back until people let it in again (protocol 4.10); the documents that it missed
        then say what it had spent. Of an aborted round the dearest charge of the plan is taken: an abort names none.

        Raises:
            StorageError: the ledger charges something else than the receipt says.
        """
        if member_id not in document.members or self.store.began_before_ledger(self.run_id):
            return
        content, possible = document.content, possible_charges(self.plan)
        task, cost = UNKNOWN_TASK, dearest_charge(self.plan)
        if isinstance(content, Receipt):
            task, cost = content.task_digest.hex(), content.charge if content.charge in possible else cost
        held = self.store.charges_of(self.run_id, document.round)
        if not held:
            self.store.charge(self._charge(0, document.round, 0, task, cost), lambda entries: None)
            _log.warning("charge_restored", run=self.run_id, round=document.round)
            return
        if isinstance(content, Receipt):
            problem = uncharged_problem(held, self.run_id, document.round, task, cost.decode())
            if problem is not None:
                raise StorageError(f"{problem}; one of them was edited: restore the newest backup of the whole folder")

    @property
    def _budget(self) -> tuple[float, float] | None:
        privacy = self.plan.privacy
        return None if privacy == "none" else (privacy.epsilon, privacy.delta)

    def _charge(self, attempt: int, round_number: int, step: int, task: str, cost: bytes) -> Charge:
        return Charge(
            run_id=self.run_id,
            attempt=attempt,
            round=round_number,
            step=step,
            data_set=self.data_set,
            plan=self.plan.digest,
            task=task,
            charge=cost.decode(),
            instant=instant_of(datetime.now(UTC)),
        )
