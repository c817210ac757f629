"""The privacy ledger that this organisation keeps: read, verified against its receipts, exported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.documents import why_none
from headwater.agreement.ledger import Ledger, LedgerEntry, SignedLedger, events_of, uncharged_problem
from headwater.agreement.overlap import event_for_person, organisations_of_person
from headwater.agreement.signing import public_key_hex
from headwater.errors import InputError, PeerError, StorageError
from headwater.privacy.accountant import spent
from headwater.privacy.events import Event
from headwater_client.budget import OwnLimit
from headwater_client.membership import Membership
from headwater_client.receipts import Receipts
from headwater_client.release_check import ReleaseCheck, check_release

__all__ = ["ChargedRun", "DataSetTotal", "LedgerReview", "Ledgers", "VerifiedLedger", "read_ledger_file", "review_of"]


@dataclass(frozen=True, slots=True)
class ChargedRun:
    """What one run charged to one data set.

    Attributes:
        run_id: 32 hexadecimal digits.
        plan_name: of the approved plan; empty where it is not known.
        plan: its digest.
        data_set: by its name in the charter.
        begun: when the first of its rounds was charged, by the clock of then.
        rounds: charged, those that came to nothing included.
        non_private: rounds among them without differential privacy.
        epsilon: of the others together; None where there is none.
    """

    run_id: str
    plan_name: str
    plan: str
    data_set: str
    begun: str
    rounds: int
    non_private: int
    epsilon: float | None


@dataclass(frozen=True, slots=True)
class DataSetTotal:
    """What all runs charged to one data set together, or to several of which one person may be in all.

    Attributes:
        data_sets: by their names in the charter.
        epsilon: of all private rounds together; 0 where there is none.
        records: most records of one person whom this ε covers; 0 where there is no private round.
        non_private: rounds without differential privacy, which no ε bounds.
        organisations: in how many organisations one person's records may be, as far as the charter goes.
        epsilon_everywhere: of a person with as many records at each of them.
    """

    data_sets: tuple[str, ...]
    epsilon: float
    records: int
    non_private: int
    organisations: int
    epsilon_everywhere: float


@dataclass(frozen=True, slots=True)
class LedgerReview:
    """A ledger as people read it.

    Attributes:
        delta: at which every ε holds.
        limit: largest ε that the organisation lets its ledger come to; None for none.
        runs: by their first charge.
        totals: of all data sets together; of each where the organisation declares that nobody is in two.
        entries: how many.
        head: digest of the last one.
    """

    delta: float
    limit: float | None
    runs: tuple[ChargedRun, ...]
    totals: tuple[DataSetTotal, ...]
    entries: int
    head: str


@dataclass(frozen=True, slots=True)
class VerifiedLedger:
    """What a verification went through.

    Attributes:
        review: of the ledger.
        receipts: rounds of this organisation whose receipts say the same as the ledger.
        before: runs that began before there was a ledger, whose rounds it does not hold.
    """

    review: LedgerReview
    receipts: int
    before: tuple[str, ...]


class Ledgers:
    """The ledger in an organisation's folder."""

    def __init__(self, membership: Membership) -> None:
        """Use an open folder."""
        self._membership = membership
        self._store = membership.store

    def review(self) -> LedgerReview:
        """What was charged so far; its chain is checked.

        Raises:
            StorageError: the ledger is not what it was.
        """
        return self._review(self._store.ledger())

    def verify(self) -> VerifiedLedger:
        """Check the chain, and every receipt held here against it.

        Raises:
            StorageError: the ledger is not what it was, or holds something else than a receipt says.
            PeerError: a run's receipts do not hold.
        """
        entries, compared, before = self._store.ledger(), 0, []
        receipts = Receipts(self._membership)
        for run_id in self._store.runs_with_receipts():
            if self._store.began_before_ledger(run_id):
                before.append(run_id)
                continue
            rounds = [each for each in receipts.verify(run_id).rounds if each.own]
            for each in rounds:
                problem = uncharged_problem(entries, run_id, each.number, each.task, each.charge)
                if problem is not None:
                    raise StorageError(
                        f"{problem}: the ledger was edited or set back; restore the newest backup of the whole folder"
                    )
            compared += len(rounds)
        return VerifiedLedger(self._review(entries), compared, tuple(before))

    def check(self, release: Path) -> ReleaseCheck:
        """Hold a downloaded release against the ledger.

        Raises:
            HeadwaterError: as `check_release`.
        """
        return check_release(self._membership, release)

    def export(self) -> SignedLedger:
        """The whole ledger, signed by this organisation; no row, no vector and no secret is in it.

        Raises:
            StorageError: the ledger is not what it was.
        """
        key = self._membership.identity_key()
        ledger = Ledger(
            member=self._membership.member_id,
            identity_key=public_key_hex(key),
            delta=self._membership.policy().delta,
            entries=self._store.ledger(),
        )
        return SignedLedger.sign(ledger, key)

    def _review(self, entries: Sequence[LedgerEntry]) -> LedgerReview:
        policy, history = self._membership.policy(), self._store.charter_history()
        organisations = 1
        if history is not None:
            organisations = organisations_of_person(history.newest, len(history.newest.members))
        names = {}
        for run_id in {entry.run_id for entry in entries}:
            decision = self._store.decision(run_id)
            names[run_id] = "" if decision is None else decision.proposal.proposal.plan.name
        return review_of(entries, policy.delta, policy.limit, names, organisations)


def review_of(
    entries: Sequence[LedgerEntry],
    delta: float,
    limit: OwnLimit | None = None,
    names: dict[str, str] | None = None,
    organisations: int = 1,
) -> LedgerReview:
    """What entries come to: by run, and in all.

    Args:
        entries: a verified chain.
        delta: above 0, below 1.
        limit: of the organisation; None where it is not known, and data sets count together.
        names: run id → name of its plan, as far as known.
        organisations: in how many organisations one person's records may be.
    """
    runs: dict[tuple[str, str], list[LedgerEntry]] = {}
    for entry in entries:
        runs.setdefault((entry.run_id, entry.data_set), []).append(entry)
    own, data_sets = limit or OwnLimit(), tuple(dict.fromkeys(entry.data_set for entry in entries))
    groups = [(each,) for each in data_sets] if own.disjoint_data_sets else [data_sets] if data_sets else []
    return LedgerReview(
        delta=delta,
        limit=own.epsilon,
        runs=tuple(_run(found, delta, (names or {}).get(run_id, "")) for (run_id, _), found in runs.items()),
        totals=tuple(_total(entries, group, delta, organisations) for group in groups),
        entries=len(entries),
        head=entries[-1].digest if entries else "",
    )


def read_ledger_file(path: Path) -> SignedLedger:
    """Read and verify an exported ledger; neither an enrolment nor the coordinator is needed.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no export of a ledger.
        PeerError: something in it is off; the line says what.
    """
    try:
        signed = SignedLedger.from_bytes(path.read_bytes().removesuffix(b"\n"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; headwater-org ledger export writes one") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its owner and mode") from error
    except InputError as error:
        raise InputError(f"{path} is no export of a ledger ({why_none(error)}); ask the member for it again") from error
    try:
        signed.verify()
    except PeerError as error:
        raise PeerError(f"{path} does not hold: {error}") from error
    return signed


def _run(entries: Sequence[LedgerEntry], delta: float, name: str) -> ChargedRun:
    first = entries[0]
    events = events_of(entries, first.data_set)
    return ChargedRun(
        run_id=first.run_id,
        plan_name=name,
        plan=first.plan,
        data_set=first.data_set,
        begun=first.instant,
        rounds=len(entries),
        non_private=len(entries) - len(events),
        epsilon=spent(events, delta).epsilon if events else None,
    )


def _total(
    entries: Sequence[LedgerEntry], data_sets: tuple[str, ...], delta: float, organisations: int
) -> DataSetTotal:
    charged = [entry for entry in entries if entry.data_set in data_sets]
    events = events_of(charged)
    here = spent(events, delta).epsilon
    return DataSetTotal(
        data_sets=data_sets,
        epsilon=here,
        records=min((event.records for event in events), default=0),
        non_private=len(charged) - len(events),
        organisations=organisations,
        epsilon_everywhere=here if organisations == 1 else _everywhere(events, delta, organisations),
    )


def _everywhere(events: Sequence[Event], delta: float, organisations: int) -> float:
    return spent([event_for_person(event, organisations) for event in events], delta).epsilon
