"""Verify a run's receipts offline: chain, signatures, sessions, charges, own membership: protocol 4.7, 7.18."""

from collections.abc import Mapping
from dataclasses import dataclass

from headwater.agreement.charge import possible_charges
from headwater.agreement.charter import Charter
from headwater.agreement.plan import Plan
from headwater.agreement.receipt_file import ReceiptFile
from headwater.agreement.session import roster_of, terms_of
from headwater.agreement.succession import CharterHistory
from headwater.errors import PeerError
from headwater.secagg.protocol.receipts import Document, read_chain, read_opening, receipt_signers
from headwater.secagg.protocol.session import SessionFacts, genesis
from headwater.secagg.protocol.terms import Roster
from headwater.secagg.wire.messages import Receipt

__all__ = ["CheckedReceipts", "CheckedRound", "check_receipts"]


@dataclass(frozen=True, slots=True)
class CheckedRound:
    """One link of a chain, verified.

    Attributes:
        number: t.
        summed: it ended in a sum; else in an abort.
        members: sorted ids whose vectors were uploaded.
        own: the member's own vector is among them.
        confirmed_by: members whose signed Confirm the receipt carries, sorted.
        session_known: the Confirms were verified by the keys of a session that this member entered.
        charge: what the round costs a privacy ledger, as canonical JSON; empty for an abort.
        reason: why it was aborted; empty for a sum.
        task: SHA-256 of the Task's bytes; empty for an abort.
        digest: SHA-256 of the document.
    """

    number: int
    summed: bool
    members: tuple[str, ...]
    own: bool
    confirmed_by: tuple[str, ...]
    session_known: bool
    charge: str
    reason: str
    task: str
    digest: str


@dataclass(frozen=True, slots=True)
class CheckedReceipts:
    """A run's chain, verified from its first link.

    Attributes:
        run_id: 32 hexadecimal digits.
        member: whose records they are.
        plan: as the coordinator proposed it.
        charter: the version that the run stands under.
        rounds: oldest first.
        head: digest of the last document; two members whose heads agree hold the same chain.
    """

    run_id: str
    member: str
    plan: Plan
    charter: Charter
    rounds: tuple[CheckedRound, ...]
    head: str


def check_receipts(file: ReceiptFile) -> CheckedReceipts:
    """Verify everything that a run's receipts claim, as far as one member can.

    Args:
        file: as stored or exported; nothing in it is believed but its charter, whose digest the reader compares.

    Returns:
        What holds. Receipts of sessions that the member was not in are linked and signed by the coordinator; their
        Confirms cannot be verified, which `session_known` says.

    Raises:
        PeerError: the first thing that is off, in one line: an edited, dropped, replaced or unsigned document, a
            quorum that is missing, another charge than the plan's, a session of another run, plan or charter, or a
            round that this member confirmed and that has no document.

    Guarantee: whoever changes one byte of a document, drops one, or puts them in another order is found out, save for
        documents cut off at the end that nothing else in the file names; comparing `head` with another member shows
        those too.
    """
    proposal = file.proposal.proposal
    charter = CharterHistory(file.charters).find(proposal.charter_digest)
    if charter is None:
        raise PeerError(f"the run was proposed under charter {proposal.charter_digest[:16]}, which is not in the file")
    file.proposal.verify(charter)
    if file.member not in charter.keys:
        raise PeerError(f"the charter of the run does not name {file.member!r}; the records are of another run")
    plan, roster = proposal.plan, roster_of(charter, proposal.plan)
    first = genesis(roster, terms_of(plan, file.run_id, 1))
    documents = read_chain(file.documents, roster, first, file.run_id)
    sessions = _sessions(file, roster, plan, documents, first)
    allowed = possible_charges(plan)
    rounds = tuple(_checked(document, file.member, sessions, allowed) for document in documents)
    _check_confirmed(file, rounds)
    return CheckedReceipts(
        file.run_id, file.member, plan, charter, rounds, (documents[-1].digest if documents else first).hex()
    )


def _sessions(
    file: ReceiptFile, roster: Roster, plan: Plan, documents: list[Document], first: bytes
) -> Mapping[bytes, SessionFacts]:
    """The sessions that the member entered, by SID; each continues this very chain."""
    heads = {0: first} | {document.round: document.digest for document in documents}
    sessions = {}
    for attempt, opening in sorted(file.openings.items()):
        try:
            facts, session = read_opening(opening, roster, terms_of(plan, file.run_id, attempt), attempt)
        except PeerError as error:
            raise PeerError(f"the session of setup {attempt} of run {file.run_id}: {error}") from error
        if file.member not in facts.members:
            raise PeerError(f"the session of setup {attempt} of run {file.run_id} is without {file.member}")
        if heads.get(session.first_round - 1) != session.previous:
            raise PeerError(
                f"the session of setup {attempt} of run {file.run_id} goes on from round {session.first_round - 1}, "
                "whose document is missing or is another one"
            )
        sessions[facts.sid] = facts
    return sessions


def _checked(
    document: Document, member: str, sessions: Mapping[bytes, SessionFacts], allowed: frozenset[bytes]
) -> CheckedRound:
    content, number = document.content, document.round
    facts = sessions.get(content.sid)
    own = member in document.members
    if not isinstance(content, Receipt):
        return CheckedRound(
            number, False, document.members, own, (), facts is not None, "", content.reason, "", document.digest.hex()
        )
    if content.charge not in allowed:
        raise PeerError(f"the receipt of round {number} names a charge that is none of the plan's")
    if own and facts is None:
        raise PeerError(f"round {number} summed a vector of {member}, and the opening of its session is missing")
    signers = receipt_signers(content, facts)
    return CheckedRound(
        number=number,
        summed=True,
        members=document.members,
        own=own,
        confirmed_by=tuple(sorted(signers)),
        session_known=facts is not None,
        charge=content.charge.decode(),
        reason="",
        task=content.task_digest.hex(),
        digest=document.digest.hex(),
    )


def _check_confirmed(file: ReceiptFile, rounds: tuple[CheckedRound, ...]) -> None:
    # protocol 4.10: what was confirmed counts as released, whether or not the coordinator shows its end.
    have = {checked.number for checked in rounds}
    missing = sorted(set(file.confirmed) - have)
    if missing:
        raise PeerError(
            f"round {missing[0]} of run {file.run_id} was confirmed here and has no receipt or abort: the chain was "
            "cut short, or the coordinator never said how the round ended; compare with another member"
        )
