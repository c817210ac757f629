"""The privacy ledger of one organisation: what was charged to its records, in one chain that only grows."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, field_validator

from headwater.agreement.documents import (
    DataSetId,
    Document,
    HexDigest,
    HexKey,
    HexSignature,
    Instant,
    MemberId,
    RunId,
)
from headwater.agreement.signing import is_signed_by, public_key_hex, sign
from headwater.errors import InputError, PeerError
from headwater.privacy.events import Event, read_charge

__all__ = [
    "LEDGER_GENESIS",
    "Charge",
    "Ledger",
    "LedgerEntry",
    "SignedLedger",
    "chain_problem",
    "events_of",
    "uncharged_problem",
]

LEDGER_GENESIS = "0" * 64
"""What the first entry names as the one before it."""

UNKNOWN_TASK = "0" * 64

_KIND = "privacy-ledger"


@lru_cache(maxsize=1024)
def _event_of(charge: str) -> Event | None:
    # A ledger names few different charges, many times each.
    return read_charge(charge.encode())


class Charge(Document):
    """What a round costs the records of one organisation.

    Attributes:
        run_id: of the run.
        attempt: number of the setup whose session the round is of, used once in a run (protocol 3.3); 0 for a charge
            that a ledger which was set back had lost, and that the round's document brought back.
        round: t; used once in a session.
        step: of the recipe, 0 where it is not known; a round that is tried again has the same step and another number.
        data_set: the records that are charged, by their name in the charter.
        plan: digest of the approved plan.
        task: SHA-256 of the Task's bytes, which the round's receipt names too; `UNKNOWN_TASK` where only an abort is
            known.
        charge: as `headwater.privacy.events.write_charge` has it; the round's receipt carries the same bytes.
        instant: when it was charged, for people: a clock may jump, and nothing rests on it.
    """

    run_id: RunId
    attempt: int = Field(ge=0, lt=2**53)
    round: int = Field(ge=1, lt=2**53)
    step: int = Field(ge=0, lt=2**53)
    data_set: DataSetId
    plan: HexDigest
    task: HexDigest
    charge: str = Field(max_length=10_000)
    instant: Instant

    @field_validator("charge")
    @classmethod
    def _check_charge(cls, charge: str) -> str:
        try:
            _event_of(charge)
        except InputError as error:
            raise ValueError(str(error)) from error
        return charge

    @property
    def event(self) -> Event | None:
        """What was released with noise; None if it was released without."""
        return _event_of(self.charge)

    @property
    def place(self) -> tuple[str, int, int]:
        """Run, setup and round: one vector at most was made for them."""
        return self.run_id, self.attempt, self.round


class LedgerEntry(Charge):
    """A charge at its place in the chain; its `digest` is what the next entry names as `previous`.

    Attributes:
        kind: keeps the digest from being one of another document.
        position: from 1; the order of the ledger.
        previous: digest of the entry before; `LEDGER_GENESIS` at position 1.
    """

    kind: Literal["headwater-ledger-entry-1"] = "headwater-ledger-entry-1"
    position: int = Field(ge=1, lt=2**53)
    previous: HexDigest

    @classmethod
    def following(cls, last: "LedgerEntry | None", charge: Charge) -> Self:
        """The entry that a charge becomes behind the last one."""
        return cls(
            position=1 if last is None else last.position + 1,
            previous=LEDGER_GENESIS if last is None else last.digest,
            **charge.model_dump(),
        )


def chain_problem(entries: Sequence[LedgerEntry], last: LedgerEntry | None = None) -> str | None:
    """The first place where entries are no chain, in words; None if they are one.

    Args:
        entries: in their order.
        last: the entry before them; None if they begin with the first.
    """
    position = 0 if last is None else last.position
    previous = LEDGER_GENESIS if last is None else last.digest
    for entry in entries:
        position += 1
        if entry.position != position:
            return f"entry {entry.position} stands where entry {position} was expected"
        if entry.previous != previous:
            return f"entry {position} does not continue the chain: it or the entry before it was changed"
        previous = entry.digest
    return None


def charges_of_round(entries: Iterable[LedgerEntry], run_id: str, round_number: int) -> tuple[LedgerEntry, ...]:
    """What a ledger holds of a round of a run; several entries where several sessions came to one number."""
    return tuple(entry for entry in entries if (entry.run_id, entry.round) == (run_id, round_number))


def uncharged_problem(
    entries: Iterable[LedgerEntry], run_id: str, round_number: int, task: str = "", charge: str = ""
) -> str | None:
    """Why a ledger does not hold a round in which a vector of its organisation was uploaded; None if it does.

    Args:
        entries: of the ledger, or those of the run.
        run_id: of the run.
        round_number: t.
        task: as the round's receipt names it; empty for an abort, which names neither.
        charge: as the round's receipt carries it.
    """
    found = charges_of_round(entries, run_id, round_number)
    if not found:
        return f"round {round_number} of run {run_id} took a vector of this organisation, and its ledger has no charge"
    if task and not any((entry.task, entry.charge) == (task, charge) for entry in found):
        return (
            f"entry {found[-1].position} of the ledger charges another task or cost than the receipt of round "
            f"{round_number} of run {run_id}"
        )
    return None


def events_of(
    entries: Iterable[LedgerEntry], data_set: str | None = None, *, run: str | None = None, but_run: str | None = None
) -> tuple[Event, ...]:
    """What was charged with noise; what was released without noise has no event.

    Args:
        entries: of one organisation.
        data_set: to this one alone, by its name in the charter; None for all of the organisation together.
        run: of this run alone.
        but_run: of all runs but this one.
    """
    chosen = (
        entry.event
        for entry in entries
        if data_set in (None, entry.data_set) and entry.run_id != but_run and run in (None, entry.run_id)
    )
    return tuple(event for event in chosen if event is not None)


class Ledger(Document):
    """A whole ledger, as an organisation exports it.

    Attributes:
        format: of this document.
        member: whose ledger it is.
        identity_key: the member's key in the charter.
        delta: at which the organisation reads ε off its ledger.
        entries: from the first on.
    """

    format: Literal["headwater-ledger-1"] = "headwater-ledger-1"
    member: MemberId
    identity_key: HexKey
    delta: float = Field(gt=0, lt=1)
    entries: tuple[LedgerEntry, ...]

    @property
    def head(self) -> str:
        """Digest of the last entry; two copies with one head hold the same entries."""
        return self.entries[-1].digest if self.entries else LEDGER_GENESIS


class SignedLedger(Document):
    """An exported ledger with the member's signature: whoever has the charter knows whose word it is."""

    ledger: Ledger
    signature: HexSignature

    @classmethod
    def sign(cls, ledger: Ledger, key: Ed25519PrivateKey) -> Self:
        """Sign a ledger by the key that it names.

        Raises:
            InputError: it names another one.
        """
        if public_key_hex(key) != ledger.identity_key:
            raise InputError("the ledger names another key than the one that signs it; give the member's own")
        return cls(ledger=ledger, signature=sign(key, _KIND, ledger.to_bytes()))

    def verify(self) -> None:
        """Check the signature and the whole chain; that the key is the member's, the charter tells.

        Raises:
            PeerError: the first thing that is off.
        """
        if not is_signed_by(self.ledger.identity_key, _KIND, self.ledger.to_bytes(), self.signature):
            raise PeerError("it is not signed by the key that it names: it was edited, or cut short")
        problem = chain_problem(self.ledger.entries)
        if problem is not None:
            raise PeerError(problem)
