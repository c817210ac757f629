"""The chain of receipts and aborts of a run: extended link by link, verified offline: protocol 4.7, 4.8."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import InputError, PeerError
from headwater.secagg.protocol.events import COORDINATOR, RoundClosed
from headwater.secagg.protocol.rounds import view_digest
from headwater.secagg.protocol.session import SessionFacts, check_hellos, genesis, session_from, setup_context
from headwater.secagg.protocol.terms import Roster, SessionTerms, threshold
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Abort, Confirm, Receipt, Session, StartRecord

__all__ = [
    "Chain",
    "Document",
    "blamed_by",
    "check_confirms",
    "check_next",
    "close_unfinished",
    "closed_event",
    "document_digest",
    "read_chain",
    "read_document",
    "read_opening",
    "read_session",
    "read_start",
    "receipt_signers",
    "verify_chain",
]

# The phases of a round, as an Abort names them, in which Confirms have been asked for.
_AFTER_UPLOADS = frozenset({"confirm", "reveal", "inquiry"})


@dataclass(frozen=True)
class Document:
    """One link of a run's chain, its coordinator's signature verified.

    Attributes:
        round: t.
        content: the receipt or the abort.
        data: its exact bytes.
        digest: SHA-256 of `data`, which the next link names as `previous`.
    """

    round: int
    content: Receipt | Abort
    data: bytes
    digest: bytes

    @property
    def completed(self) -> bool:
        """Whether the round's sum was opened."""
        return isinstance(self.content, Receipt)

    @property
    def asked_confirms(self) -> bool:
        """Whether members may have confirmed the cohort, so that it is on their records (protocol 4.10)."""
        return isinstance(self.content, Receipt) or self.content.phase in _AFTER_UPLOADS

    @property
    def blamed(self) -> frozenset[str]:
        """The members whose fault an abort states (protocol 4.7, 4.8)."""
        return frozenset(self.content.blamed) if isinstance(self.content, Abort) else frozenset()

    @property
    def disputes(self) -> tuple[tuple[str, str], ...]:
        """The pairs of whom an abort states that one lies (protocol 4.2, 4.7)."""
        return self.content.disputes if isinstance(self.content, Abort) else ()

    @property
    def members(self) -> tuple[str, ...]:
        """Sorted ids of the members whose vectors were uploaded."""
        return tuple(member for member, _ in self.content.uploads)


@dataclass
class Chain:
    """The head of a run's chain; grows by one document at a time.

    Attributes:
        head: digest of the last document, or the run's genesis.
        last_round: its round number, 0 before the first.
    """

    head: bytes
    last_round: int = 0

    @classmethod
    def after(cls, last: bytes | None, roster: Roster, terms: SessionTerms) -> "Chain":
        """The chain behind a stored document, or an empty one.

        Raises:
            InputError: it is no document of this coordinator.
        """
        if last is None:
            return cls(genesis(roster, terms))
        try:
            document = read_document(last, roster)
        except PeerError as error:
            raise InputError(f"the stored last receipt is unusable ({error}); restore the record") from error
        return cls(document.digest, document.round)

    def check(self, document: Document) -> None:
        """Refuse a document that is not the next link.

        Raises:
            PeerError: it names another predecessor, or is not of the next round.
        """
        if document.content.previous != self.head:
            raise PeerError(f"the document of round {document.round} does not continue the chain this party holds")
        if document.round != self.last_round + 1:
            # Every round that began has a document, so a gap hides one. Whoever steps a ratchet to a document's round
            # takes one step, whatever number a lying coordinator signs.
            raise PeerError(f"the document of round {document.round} follows round {self.last_round}, not the next one")

    def extend(self, document: Document) -> None:
        """Check the next link, then make it the head."""
        self.check(document)
        self.head, self.last_round = document.digest, document.round


def document_digest(data: bytes) -> bytes:
    """SHA-256 of a document's exact bytes."""
    return hashlib.sha256(data).digest()


def read_document(data: bytes, roster: Roster) -> Document:
    """Read a receipt or an abort and verify the coordinator's signature.

    Raises:
        PeerError: malformed, another kind of message, or not signed by the charter's coordinator.
    """
    envelope = open_envelope(data)
    content: Receipt | Abort
    if envelope.type is MessageType.RECEIPT:
        content = Receipt.decode(envelope)
    else:
        content = Abort.decode(envelope)
    if envelope.sender != COORDINATOR:
        raise PeerError("a receipt or abort names a member as its sender; only the coordinator writes them")
    envelope.verify(roster.coordinator_key, content.sid)
    return Document(content.round, content, data, document_digest(data))


def check_next(
    document: Document,
    chain: Chain,
    facts: SessionFacts | None,
    asked: tuple[int, bytes, bytes] | None,
    verified: Collection[bytes] = (),
) -> None:
    """Check the next link as far as a member can (protocol 4.7).

    Args:
        document: its coordinator's signature is verified.
        chain: what the member holds.
        facts: the member's live session, which the document must be of; a receipt's Confirms are verified by it.
        asked: round number, ρ and charge of the round that the member is in.
        verified: Confirms whose signatures it verified already in this session.

    Raises:
        PeerError: it is not the next link, of another session than the live one, lacks its quorum, or is for another
            request than the member had.
    """
    chain.check(document)
    content = document.content
    if facts is None:
        return
    if content.sid != facts.sid:
        # The session continues the chain that the member held when it opened: whatever follows is of this session.
        raise PeerError(f"the document of round {content.round} is of another session than the one in progress")
    if isinstance(content, Abort):
        return
    check_confirms(content.confirms, content.round, content.rho, content.uploads, facts, verified)
    if asked is not None and asked[0] == content.round:
        if asked[1] != content.rho:
            raise PeerError(f"the receipt of round {content.round} is for another Task or cohort than was asked here")
        if asked[2] != content.charge:
            raise PeerError(f"the receipt of round {content.round} names another charge than its Start did")


def closed_event(document: Document) -> RoundClosed:
    """The event that hands a document to the member's driver."""
    if isinstance(document.content, Receipt):
        return RoundClosed(document.round, receipt=document.data)
    abort = document.content
    return RoundClosed(document.round, abort=document.data, reason=abort.reason, blamed=abort.blamed)


def blamed_by(documents: Iterable[bytes], roster: Roster) -> frozenset[str]:
    """The members whose fault any of these receipts and aborts states (protocol 4.8).

    Raises:
        PeerError: one is malformed or not signed by the charter's coordinator.
    """
    return frozenset[str]().union(*(read_document(data, roster).blamed for data in documents))


def check_confirms(
    confirms: Sequence[bytes],
    round_number: int,
    rho: bytes,
    uploads: Sequence[tuple[str, bytes]],
    facts: SessionFacts,
    verified: Collection[bytes] = (),
) -> tuple[str, ...]:
    """Check that T distinct members of U_t signed the same view (protocol 4.6).

    A message of `verified` is not verified again: its signature was, in this session and over these very bytes.

    Returns:
        The signers.

    Raises:
        PeerError: a Confirm is forged, repeated, of another view, or of a member outside U_t; or there are too few.
    """
    view, survivors = view_digest(rho, uploads), {member for member, _ in uploads}
    signers: dict[str, None] = {}
    for data in confirms:
        envelope = open_envelope(data)
        confirm = Confirm.decode(envelope)
        signer = envelope.sender
        if signer not in survivors or signer not in facts.session_keys:
            raise PeerError(f"a Confirm comes from '{signer}', who uploaded nothing in this round")
        if signer in signers:
            raise PeerError(f"the Confirm of {signer} is counted twice")
        if (confirm.round, confirm.rho, confirm.view) != (round_number, rho, view):
            raise PeerError(f"the Confirm of {signer} is for another view of the round")
        if data not in verified:
            envelope.verify(facts.session_keys[signer], facts.sid)
        signers[signer] = None
    if len(signers) < facts.quorum:
        raise PeerError(f"{len(signers)} members confirmed, {facts.quorum} must")
    return tuple(signers)


def read_session(data: bytes, roster: Roster, terms: SessionTerms, attempt: int) -> Session:
    """Read the message that opened a session; only the coordinator's signature is checked.

    Raises:
        PeerError: malformed, or not signed by the charter's coordinator for this setup.
    """
    envelope = open_envelope(data)
    session = Session.decode(envelope)
    envelope.verify(roster.coordinator_key, setup_context(roster, terms, attempt))
    return session


def read_opening(data: bytes, roster: Roster, terms: SessionTerms, attempt: int) -> tuple[SessionFacts, Session]:
    """Read the message that opened a session, everything in it checked (protocol 3.2, 3.3).

    Raises:
        PeerError: anything in it is off.
    """
    session = read_session(data, roster, terms, attempt)
    hellos = check_hellos(session.hellos, roster, terms, attempt)
    return session_from(session.hellos, session.accepts, hellos, roster, terms, attempt), session


def verify_chain(
    documents: Sequence[bytes], roster: Roster, terms: SessionTerms, openings: Mapping[int, bytes] | None = None
) -> list[Document]:
    """Verify a whole run's chain from its first link.

    Args:
        documents: receipts and aborts in order.
        roster: the charter's members and coordinator.
        terms: run id and plan digest are used.
        openings: attempt number → `SessionReady.opening`; a receipt of such a session has its Confirms verified too.

    Returns:
        The documents, read.

    Raises:
        PeerError: a link is edited, dropped, out of order, unsigned, or lacks its quorum.
    """
    sessions = {}
    for attempt, opening in (openings or {}).items():
        facts, _ = read_opening(opening, roster, terms, attempt)
        sessions[facts.sid] = facts
    result = read_chain(documents, roster, genesis(roster, terms), terms.run_id)
    for document in result:
        if isinstance(document.content, Receipt):
            receipt_signers(document.content, sessions.get(document.content.sid))
    return result


def read_chain(documents: Sequence[bytes], roster: Roster, first: bytes, run_id: str) -> list[Document]:
    """Read a run's documents, each the next link and signed by the coordinator.

    Args:
        documents: receipts and aborts in order.
        roster: the charter's members and coordinator.
        first: the run's genesis.
        run_id: for the message.

    Raises:
        PeerError: a link is edited, dropped, out of order or unsigned; its place is named.
    """
    chain, found = Chain(first), list[Document]()
    for place, data in enumerate(documents, start=1):
        try:
            document = read_document(data, roster)
            chain.extend(document)
        except PeerError as error:
            raise PeerError(f"document {place} of {len(documents)} of run {run_id}: {error}") from error
        found.append(document)
    return found


def receipt_signers(receipt: Receipt, facts: SessionFacts | None) -> tuple[str, ...]:
    """Who confirmed a receipt; without its session's keys only that they are enough for the smallest session.

    Raises:
        PeerError: it lacks its quorum, or a Confirm does not hold.
    """
    if facts is None:
        signers = tuple(open_envelope(data).sender for data in receipt.confirms)
        if len(set(signers)) < threshold(3):
            raise PeerError(f"the receipt of round {receipt.round} has too few Confirms for any session")
        return signers
    try:
        return check_confirms(receipt.confirms, receipt.round, receipt.rho, receipt.uploads, facts)
    except PeerError as error:
        raise PeerError(f"the receipt of round {receipt.round}: {error}") from error


def read_start(record: bytes) -> StartRecord:
    """Read the record that a round began, as its coordinator stored it; no signature is checked.

    Raises:
        PeerError: malformed, or another record.
    """
    return StartRecord.decode(open_envelope(record))


def close_unfinished(record: bytes, coordinator_key: Ed25519PrivateKey) -> bytes:
    """Write the abort of a round that a crash of the coordinator left open (protocol 4.8).

    Args:
        record: the data of the last `Persist("start", …)` without a receipt or abort after it.
        coordinator_key: the coordinator's charter key.

    Returns:
        The abort; store it as the next link before a new session begins.

    Raises:
        PeerError: the record is not one that this key signed.
    """
    envelope = open_envelope(record)
    start = StartRecord.decode(envelope)
    envelope.verify(coordinator_key.public_key().public_bytes_raw(), start.sid)
    abort = Abort(
        start.sid, start.round, start.rho, "interrupted", (), "the coordinator was interrupted", (), (), start.previous
    )
    return sign_envelope(MessageType.ABORT, COORDINATOR, abort.encode(), coordinator_key, start.sid)
