"""The receipts that this organisation holds: listed, exported, verified, all without the coordinator."""

from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.documents import why_none
from headwater.agreement.receipt_check import CheckedReceipts, check_receipts
from headwater.agreement.receipt_file import ReceiptFile
from headwater.agreement.run_ids import find_run
from headwater.errors import InputError, PeerError, StorageError
from headwater_client.membership import Membership

__all__ = ["HeldReceipts", "Receipts", "verify_file"]

_LISTED_BY = "headwater-org receipts list"


@dataclass(frozen=True, slots=True)
class HeldReceipts:
    """What is held of one run, not verified.

    Attributes:
        run_id: 32 hexadecimal digits.
        plan_name: of the approved plan.
        plan_digest: 64 hexadecimal digits.
        documents: receipts and aborts.
    """

    run_id: str
    plan_name: str
    plan_digest: str
    documents: int


class Receipts:
    """The receipts in an organisation's folder."""

    def __init__(self, membership: Membership) -> None:
        """Use an open folder."""
        self._store = membership.store
        self._member_id = membership.member_id

    def held(self) -> tuple[HeldReceipts, ...]:
        """Every run of which a document is kept, oldest first."""
        found = []
        for run_id in self._store.runs_with_receipts():
            decision = self._store.decision(run_id)
            plan = None if decision is None else decision.proposal.proposal.plan
            name, digest = ("unknown", "") if plan is None else (plan.name, plan.digest)
            found.append(HeldReceipts(run_id, name, digest, self._store.rounds_done(run_id)))
        return tuple(found)

    def file(self, run: str) -> ReceiptFile:
        """A run's receipts with all that verifies them.

        Args:
            run: the run id, or its first digits.

        Raises:
            InputError: no document of such a run is kept here.
            StorageError: the records lack what belongs to them.
        """
        run_id = find_run(run, self._store.runs_with_receipts(), _LISTED_BY)
        decision, history = self._store.decision(run_id), self._store.charter_history()
        if decision is None or history is None:
            raise StorageError(f"the decision on run {run_id} is missing in the records; restore a backup")
        chain = self._store.chain(run_id)
        confirmed = {kept.round for kept in self._store.cohort_history() if kept.run_id == run_id}
        return ReceiptFile(
            member=self._member_id,
            charters=history.charters,
            proposal=decision.proposal,
            documents=chain.documents,
            openings=chain.openings,
            confirmed=tuple(sorted(confirmed)),
        )

    def verify(self, run: str) -> CheckedReceipts:
        """Verify a run's receipts offline.

        Raises:
            InputError, StorageError: as `file`.
            PeerError: something is off; the line says what.
        """
        return check_receipts(self.file(run))

    def export(self, run: str, out: Path) -> ReceiptFile:
        """Write a run's receipts to a file that anybody can verify; what is damaged here is exported as it is.

        Raises:
            InputError: the file is there already, or as `file`.
        """
        file = self.file(run)
        try:
            with out.open("xb") as target:
                target.write(file.to_bytes())
        except FileExistsError as error:
            raise InputError(f"{out} is there already; give another --out") from error
        return file


def verify_file(path: Path) -> CheckedReceipts:
    """Verify an exported file; neither an enrolment nor the coordinator is needed.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no export of receipts.
        PeerError: something in it is off; the line says what and in which file.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; headwater-org receipts export writes one")
    try:
        file = ReceiptFile.from_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its owner and mode") from error
    except InputError as error:
        raise InputError(f"{path} is no export of receipts ({why_none(error)}); ask the member for it again") from error
    try:
        return check_receipts(file)
    except PeerError as error:
        raise PeerError(f"{path} does not hold: {error}") from error
