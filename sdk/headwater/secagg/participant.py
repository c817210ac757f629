"""One organisation's side of a session: bytes in, events out: protocol 3, 4."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.secagg import events, messages, receipts
from headwater.secagg.codec import wire_text
from headwater.secagg.dealing import DealerFault
from headwater.secagg.envelope import Envelope, MessageType, open_envelope
from headwater.secagg.events import COORDINATOR, MemberEvent, Send
from headwater.secagg.families import Cohort, Family
from headwater.secagg.joining import Joining
from headwater.secagg.member_round import MemberRound
from headwater.secagg.membership import Membership
from headwater.secagg.phases import IN_ROUND, MEMBER_TABLE, MemberPhase, MemberStep, advance
from headwater.secagg.ring import RingVector
from headwater.secagg.session import read_invitation
from headwater.secagg.terms import Roster, SessionTerms

__all__ = ["Participant"]


class Participant:
    """A member's state machine for one setup and its session.

    All secrets live in this object's memory only (protocol 3.5): a restarted process builds a new Participant, which
    waits for the next setup. A stream that breaks and returns keeps the same Participant.

    Guarantee: for each round number at most one masked vector, one Confirm and one kind of share of each dealer leave.
    """

    def __init__(
        self,
        roster: Roster,
        terms: SessionTerms,
        member_id: str,
        identity_key: Ed25519PrivateKey,
        last_receipt: bytes | None = None,
        *,
        required_members: Collection[str] = (),
        records: int = 0,
        seen: Mapping[str, int] = MappingProxyType({}),
        cohorts: Mapping[Family, Collection[Cohort]] = MappingProxyType({}),
        excluded: Collection[str] = (),
        threads: int = 1,
    ) -> None:
        """Prepare to be invited.

        Args:
            roster: from the charter that this organisation pinned.
            terms: from its own approval of the run; `attempt` is the least attempt number it still accepts.
            member_id: its id in the charter.
            identity_key: its long-term key.
            last_receipt: the document of its last `RoundClosed` in this run, or None.
            required_members: members without whom it takes no part (protocol 1.2).
            records: durable records that its store ever made, the attempt about to start not counted.
            seen: member → the highest count of records that it showed here in any setup of any run (protocol 4.10).
            cohorts: family that this run may touch → every cohort on record for it, over all runs (protocol 4.10).
            excluded: members that earlier aborts of this run blame; nothing is shared with them (protocol 4.8).
            threads: that may mask a vector at the same time.

        Raises:
            InputError: the id or key is not the charter's, or `last_receipt` is not a document of this coordinator.
        """
        if roster.members.get(member_id) != identity_key.public_key().public_bytes_raw():
            raise InputError(f"the charter has no member '{member_id}' with this identity key; check the enrolment")
        self._roster, self._terms, self._me, self._identity = roster, terms, member_id, identity_key
        self._required = frozenset(required_members)
        self._records, self._seen = records, dict(seen)
        self._cohorts = {family: set(recorded) for family, recorded in cohorts.items()}
        self._excluded, self._threads = set(excluded) - {member_id}, threads
        self._chain = receipts.Chain.after(last_receipt, roster, terms)
        self._phase = MemberPhase.WAITING
        self._joining: Joining | None = None
        self._session: Membership | None = None
        self._round: MemberRound | None = None
        self._opening, self._start_data, self._past = b"", b"", 0
        self._deadline: float | None = None

    @property
    def closed(self) -> bool:
        """Whether the session is over for this organisation."""
        return self._phase is MemberPhase.CLOSED

    @property
    def phase(self) -> MemberPhase:
        """Where it stands."""
        return self._phase

    @property
    def next_deadline(self) -> float | None:
        """When `tick` should be called at the latest, on the clock of `now`; None when nothing is awaited."""
        return self._deadline

    def start(self) -> list[MemberEvent]:
        """Say that the driver listens; the coordinator invites first, so there is nothing to send yet."""
        return []

    def receive(self, message: bytes, now: float) -> list[MemberEvent]:
        """Take one message of the coordinator.

        Args:
            message: its exact bytes.
            now: seconds on any clock that only goes forward.

        Returns:
            What to do, in order.

        Raises:
            PeerError: the bytes were refused and nothing was changed. A message that the coordinator did sign but
                that fails a check is answered instead by `RoundRefused` or `SessionClosed` with the named reason.
        """
        envelope = open_envelope(message)
        if envelope.sender != COORDINATOR:
            raise PeerError(f"a message of '{envelope.sender}' came from the coordinator, who speaks for no member")
        handler = self._HANDLERS.get(envelope.type)
        if handler is None:
            raise PeerError(f"a {envelope.type.name} message came, which no coordinator sends")
        if self.closed:
            return []
        return handler(self, envelope, now)

    def upload(self, round: int, vector: RingVector, family: Family | None = None) -> Iterator[bytes]:
        """Mask the vector and give the messages that carry it, the next round's Deal after them.

        The round is used up by the call, before the first byte leaves (protocol 4.4). Walk the iterator once and to
        its end, sending each message; it may be walked in another thread. Do not change `vector` meanwhile.

        Args:
            round: the number in `RoundRequested`.
            vector: uint32 or uint64 by the session's ring, shape (length,): final, noise included.
            family: what the vector belongs to under a `strict` plan; None records and refuses no cohort.

        Raises:
            OutOfOrder: this round does not await a vector, or had one.
            InputError: the vector has another shape or type.
        """
        current, session = self._asked(round)
        current.check_vector(vector)
        current.family, current.threads = family, self._threads
        self._step(MemberStep.UPLOAD)
        masked = current.masked_messages(vector, session.sign)
        return chain(masked, session.make_deal())

    def refuse(self, round: int, reason: str) -> list[MemberEvent]:
        """Take no part in a requested round, for example because the plan does not allow its Task (protocol 4.2).

        Raises:
            OutOfOrder: this round does not await a vector, or had one.
        """
        self._asked(round)
        return self._refuse(round, reason)

    def tick(self, now: float) -> list[MemberEvent]:
        """Give up a round whose deadline passed (protocol 4.9)."""
        if self._deadline is None or now < self._deadline or self._round is None:
            return []
        return self._refuse(self._round.start.round, "the round's deadline passed")

    def close(self, reason: str) -> list[MemberEvent]:
        """Leave the session and drop its secrets; harmless when repeated."""
        if self.closed:
            return []
        self._step(MemberStep.CLOSE)
        self._drop_round()
        if self._session is not None:
            self._session.erase()
        if self._joining is not None:
            self._joining.erase()
        self._session = None
        return [events.SessionClosed(reason)]

    # Setup: protocol 3.1 to 3.4.

    def _on_invitation(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        attempt = read_invitation(envelope, self._roster, self._terms)
        if self._joining is not None:
            if attempt > self._joining.attempt:
                return self.close("the coordinator opened a new setup")
            if attempt < self._joining.attempt:
                return []
            # protocol 4.1: what the coordinator may have missed is sent again, byte-identical.
            deal = self._session.deal if self._session is not None else None
            again = [*(self._joining.accept or (self._joining.hello,)), *((deal.message,) if deal is not None else ())]
            return [Send(COORDINATOR, data) for data in again]
        if attempt < self._terms.attempt:
            # protocol 3.3, 3.5: an attempt is used once; a restarted process waits for the next setup.
            return []
        self._joining = Joining(
            self._roster,
            self._terms,
            self._me,
            self._identity,
            attempt,
            self._required,
            self._chain.head,
            # protocol 3.3: the attempt itself is stored before this Hello leaves.
            self._records + 1,
        )
        self._step(MemberStep.GREET)
        return [events.AttemptStarted(attempt), Send(COORDINATOR, self._joining.hello)]

    def _on_hellos(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        raw = messages.Hellos.decode(envelope).hellos
        joining = self._verify_setup(envelope)
        if self._phase is not MemberPhase.GREETED:
            return self._repeated("list of Hellos", raw == joining.raw_hellos)
        try:
            accept = joining.accept_hellos(raw, self._seen)
        except PeerError as error:
            return self._leave(str(error))
        self._step(MemberStep.ACCEPT)
        return [Send(COORDINATOR, data) for data in accept]

    def _on_delivery(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        delivery = messages.Delivery.decode(envelope)
        joining = self._verify_setup(envelope)
        if self._phase is MemberPhase.GREETED:
            raise PeerError("capsules came before this member accepted the Hellos")
        return [] if self._session is not None else self._repeated("delivery of capsules", joining.deliver(delivery))

    def _on_session(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        joining = self._verify_setup(envelope)
        if self._phase is MemberPhase.GREETED:
            raise PeerError("a session opens before its Hellos were shown")
        if self._session is not None:
            return self._repeated("session", envelope.data == self._opening)
        try:
            facts, ratchets = joining.enter(envelope.data, self._chain)
            self._check_excluded(facts.members)
            self._check_cohorts(facts.members)
        except PeerError as error:
            return self._leave(str(error))
        key, last_round = joining.session_key, self._terms.last_round
        self._session, self._opening = Membership(facts, self._me, ratchets, key, last_round), envelope.data
        self._past = self._chain.last_round
        self._step(MemberStep.ENTER)
        seen = events.PeersSeen(joining.records)
        return [seen, events.SessionReady(facts.members, facts.sid, envelope.data), *self._deal()]

    def _check_excluded(self, members: Collection[str]) -> None:
        """Refuse whoever an abort of this run blamed (protocol 4.8)."""
        back = sorted(self._excluded & set(members))
        if back:
            raise PeerError(f"an abort of this run blames {', '.join(back)}; nothing more is shared with them in it")

    def _check_cohorts(self, members: tuple[str, ...]) -> None:
        """Refuse a session in which a family's only cohort can never be summed again (protocol 4.10)."""
        for family, recorded in self._cohorts.items():
            missing = sorted({member for cohort in recorded for member in cohort} - set(members))
            if family.tolerance is None and missing:
                raise PeerError(
                    f"differencing: the family '{family.name}' was summed with {', '.join(missing)}, who is not in "
                    "this session; wait for them, or let a person allow another cohort"
                )

    def _on_close(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        close = messages.Close.decode(envelope)
        self._verify_setup(envelope)
        return self.close(close.reason)

    # Rounds: protocol 4.2 to 4.7.

    def _on_start(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        start = messages.Start.decode(envelope)
        session = self._verify_session(envelope)
        if start.round <= self._past:
            return []
        if self._round is not None and start.round == self._round.start.round:
            return self._repeated("Start", envelope.data == self._start_data)
        own = session.deal
        if own is None or start.round != own.round or self._round is not None:
            # protocol 4.2: only the one outstanding Deal of this live session can be used.
            raise PeerError(f"a Start of round {start.round} came, for which this member has no outstanding Deal")
        try:
            self._check_excluded([dealer for dealer, _, _, _ in start.entries])
            current = MemberRound.accept(
                start, session.facts, self._me, self._terms, own, session.ratchets, self._chain.head
            )
        except DealerFault as fault:
            # protocol 4.2: no Upload, but a word about who dealt what is off.
            complaint = messages.Complaint(start.round, fault.dealer, fault.check)
            return self._end_part(start.round, str(fault), complaint)
        except PeerError as error:
            return self._refuse(start.round, str(error))
        self._round, self._start_data = current, envelope.data
        session.use_deal()
        self._deadline = now + self._terms.deadlines.whole_round
        self._step(MemberStep.BEGIN_ROUND)
        return self._request_when_complete()

    def _on_chunk(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        chunk = messages.Chunk.decode(envelope)
        current = self._round
        if chunk.round <= self._past and self._session is not None:
            return []
        if current is None or chunk.round != current.start.round or self._phase is not MemberPhase.RECEIVING:
            raise PeerError(f"a chunk of round {chunk.round} came, and none is awaited")
        try:
            current.payload.add(chunk)
        except PeerError as error:
            return self._refuse(chunk.round, str(error))
        return self._request_when_complete()

    def _request_when_complete(self) -> list[MemberEvent]:
        current = self._round
        if current is None or not current.payload.complete:
            return []
        try:
            requested = current.request()
        except PeerError as error:
            return self._refuse(current.start.round, str(error))
        self._step(MemberStep.REQUEST)
        return [requested]

    def _on_survivors(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        survivors = messages.Survivors.decode(envelope)
        current = self._in_round(envelope, survivors.round)
        if current is None:
            return []
        if self._phase in (MemberPhase.CONFIRMED, MemberPhase.REVEALED):
            # protocol 4.5: one Confirm for one t.
            return self._repeated("list of survivors", survivors == current.survivors)
        if self._phase is not MemberPhase.UPLOADED:
            raise PeerError(f"survivors of round {survivors.round} came before this member uploaded")
        try:
            confirm = current.confirm(survivors, self._cohorts.get(current.family, ()) if current.family else ())
        except PeerError as error:
            return self._refuse(survivors.round, str(error))
        self._step(MemberStep.CONFIRM)
        recorded: list[MemberEvent] = []
        if current.family is not None:
            cohort = tuple(member for member, _ in survivors.uploads)
            self._cohorts.setdefault(current.family, set()).add(cohort)
            recorded.append(events.CohortConfirmed(survivors.round, current.family, cohort))
        return [*recorded, self._signed(MessageType.CONFIRM, confirm.encode())]

    def _on_quorum(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        quorum = messages.Quorum.decode(envelope)
        current = self._in_round(envelope, quorum.round)
        if current is None or self._phase is MemberPhase.REVEALED:
            return []
        if self._phase is not MemberPhase.CONFIRMED:
            raise PeerError(f"a quorum of round {quorum.round} came before this member confirmed")
        try:
            reveal = current.reveal(quorum)
        except PeerError as error:
            return self._refuse(quorum.round, str(error))
        self._step(MemberStep.REVEAL)
        # protocol 4.6: revealed once, then erased.
        current.forget_shares()
        return [self._signed(MessageType.REVEAL, reveal.encode())]

    def _on_inquiry(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        inquiry = messages.Inquiry.decode(envelope)
        current = self._in_round(envelope, inquiry.round)
        if current is None:
            return []
        if self._phase is not MemberPhase.REVEALED:
            raise PeerError(f"an inquiry of round {inquiry.round} came before this member revealed")
        answer = current.tell(inquiry)
        return [self._signed(answer.TYPE, answer.encode())]

    def _on_document(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        document = receipts.read_document(envelope.data, self._roster)
        if document.round <= self._chain.last_round:
            return []
        if self._phase is MemberPhase.WAITING:
            raise PeerError("a receipt or abort came before this member was invited")
        current = self._round
        facts = self._session.facts if self._session is not None else None
        asked = (current.start.round, current.rho, current.start.charge) if current is not None else None
        verified = current.confirms if current is not None else ()
        receipts.check_next(document, self._chain, facts, asked, verified)
        self._chain.extend(document)
        self._past = max(self._past, document.round)
        self._excluded |= document.blamed - {self._me}
        if current is not None and current.start.round <= document.round:
            self._drop_round()
        if self._session is not None:
            self._session.pass_round(document.round)
        return [receipts.closed_event(document), *self._deal()]

    # Shared steps.

    def _asked(self, number: int) -> tuple[MemberRound, Membership]:
        current, session = self._round, self._session
        if current is None or session is None or number != current.start.round:
            raise OutOfOrder(f"round {number} is not in progress here; it ended, or was never requested")
        if self._phase is not MemberPhase.COMPUTING:
            raise OutOfOrder(f"round {number} awaits no vector of this member; answer each RoundRequested once")
        return current, session

    def _signed(self, kind: MessageType, body: bytes) -> Send:
        signer = self._session or self._joining
        if signer is None:
            raise OutOfOrder("there is no session key before an invitation; wait for it")
        return Send(COORDINATOR, signer.sign(kind, body))

    def _deal(self) -> list[Send]:
        return [Send(COORDINATOR, data) for data in self._session.make_deal()] if self._session is not None else []

    def _step(self, step: MemberStep) -> None:
        self._phase = advance(MEMBER_TABLE, self._phase, step)

    def _verify_setup(self, envelope: Envelope) -> Joining:
        if self._joining is None:
            # protocol 3.5: a restarted process refuses every message of an old session.
            raise PeerError(f"a {envelope.type.name} message came, but this process was not invited to its setup")
        envelope.verify(self._roster.coordinator_key, self._joining.context)
        return self._joining

    def _verify_session(self, envelope: Envelope) -> Membership:
        if self._session is None:
            # protocol 3.5: a restarted process refuses every message of an old session.
            raise PeerError(f"a {envelope.type.name} message came, but this process is in no session")
        envelope.verify(self._roster.coordinator_key, self._session.facts.sid)
        return self._session

    def _in_round(self, envelope: Envelope, number: int) -> MemberRound | None:
        """The round that a message is of; None for a late message, which is ignored (protocol 4.8)."""
        self._verify_session(envelope)
        if number <= self._past:
            return None
        if self._round is None or number != self._round.start.round:
            raise PeerError(f"a {envelope.type.name} message is of round {number}, which did not begin here")
        return self._round

    def _repeated(self, what: str, same: bool) -> list[MemberEvent]:
        if not same:
            raise PeerError(f"a second, different {what} came; one was accepted and stays")
        return []

    def _refuse(self, number: int, reason: str) -> list[MemberEvent]:
        """Take no further part in a round whose check failed, and say so."""
        return self._end_part(number, reason, messages.Refusal(number, wire_text(reason)))

    def _end_part(self, number: int, reason: str, word: messages.Refusal | messages.Complaint) -> list[MemberEvent]:
        self._past = number
        self._drop_round()
        if self._session is not None:
            self._session.pass_round(number)
        return [self._signed(word.TYPE, word.encode()), events.RoundRefused(number, wire_text(reason))]

    def _leave(self, reason: str) -> list[MemberEvent]:
        """Take no part in a session whose setup failed a check, and say so."""
        reason = wire_text(reason)
        refusal = self._signed(MessageType.REFUSAL, messages.Refusal(0, reason).encode())
        return [refusal, *self.close(reason)]

    def _drop_round(self) -> None:
        if self._round is not None:
            self._round.erase()
        self._round, self._deadline, self._start_data = None, None, b""
        if self._phase in IN_ROUND:
            self._step(MemberStep.END_ROUND)

    _HANDLERS: ClassVar[Mapping[MessageType, Callable[["Participant", Envelope, float], list[MemberEvent]]]] = {
        MessageType.INVITATION: _on_invitation,
        MessageType.HELLOS: _on_hellos,
        MessageType.DELIVERY: _on_delivery,
        MessageType.SESSION: _on_session,
        MessageType.START: _on_start,
        MessageType.CHUNK: _on_chunk,
        MessageType.SURVIVORS: _on_survivors,
        MessageType.QUORUM: _on_quorum,
        MessageType.INQUIRY: _on_inquiry,
        MessageType.RECEIPT: _on_document,
        MessageType.ABORT: _on_document,
        MessageType.CLOSE: _on_close,
    }
