"""A member's rounds within one session, one after the other: protocol 4.2 to 4.7."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import ClassVar

from headwater.errors import OutOfOrder, PeerError
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.member.membership import Membership
from headwater.secagg.member.round import MemberRound
from headwater.secagg.protocol import events
from headwater.secagg.protocol.dealing import DealerFault
from headwater.secagg.protocol.events import COORDINATOR, MemberEvent, Send
from headwater.secagg.protocol.families import Cohort, Family
from headwater.secagg.protocol.phases import IN_ROUND, MemberPhase, MemberStage, MemberStep
from headwater.secagg.protocol.receipts import Chain, Document, check_next
from headwater.secagg.protocol.terms import Roster, SessionTerms
from headwater.secagg.wire import messages
from headwater.secagg.wire.codec import wire_text
from headwater.secagg.wire.envelope import Envelope, MessageType

__all__ = ["Player", "repeated"]


def repeated(what: str, same: bool) -> list[MemberEvent]:
    """What a message does that came before: nothing, if it is the same.

    Raises:
        PeerError: it is another one.
    """
    if not same:
        raise PeerError(f"a second, different {what} came; one was accepted and stays")
    return []


class Player:
    """Plays a member's part in each round; `Participant` hands it the session's messages and the passing of time.

    Attributes:
        session: the live session, None before it is entered and after it is left.
        round: the round in progress, or None.
    """

    def __init__(
        self,
        roster: Roster,
        terms: SessionTerms,
        member: str,
        run: Chain,
        stage: MemberStage,
        cohorts: Mapping[Family, Collection[Cohort]],
        excluded: Collection[str],
        threads: int,
    ) -> None:
        """Wait for a session; the chain and the stage are shared with the caller, the rest as for `Participant`."""
        self.session: Membership | None = None
        self.round: MemberRound | None = None
        self._coordinator_key, self._terms, self._me = roster.coordinator_key, terms, member
        self._chain, self._stage = run, stage
        self._cohorts = {family: set(recorded) for family, recorded in cohorts.items()}
        self._excluded, self._threads = set(excluded) - {member}, threads
        self._start_data, self._past = b"", 0

    def enter(self, session: Membership) -> None:
        """Begin with the session's first round."""
        self.session, self._past = session, self._chain.last_round

    def admit(self, members: tuple[str, ...]) -> None:
        """Check the members of a session before it is entered.

        Raises:
            PeerError: one was blamed in this run, or one is missing with whom a family was summed (protocol 4.8, 4.10).
        """
        self._check_excluded(members)
        self._check_cohorts(members)

    def upload(self, number: int, vector: RingVector, family: Family | None) -> Iterator[bytes]:
        """As `Participant.upload`."""
        current, session = self._asked(number)
        current.check_vector(vector)
        current.family, current.threads = family, self._threads
        self._stage.move(MemberStep.UPLOAD, self._stage.deadline)
        masked = current.masked_messages(vector, session.sign)
        return chain(masked, session.make_deal())

    def refuse(self, number: int, reason: str) -> list[MemberEvent]:
        """As `Participant.refuse`."""
        self._asked(number)
        return self._refuse(number, reason)

    def tick(self, now: float) -> list[MemberEvent]:
        """Give up a round whose deadline passed (protocol 4.9)."""
        if self._stage.deadline is None or now < self._stage.deadline or self.round is None:
            return []
        return self._refuse(self.round.start.round, "the round's deadline passed")

    def receive(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        """Take a message of a round.

        Raises:
            PeerError: it was refused and nothing was changed.
        """
        return self._HANDLERS[envelope.type](self, envelope, now)

    def take_document(self, document: Document) -> list[Send]:
        """Make a document the next link of the chain, and end its round and those before it (protocol 4.7).

        Raises:
            PeerError: it is not the next link, or not one of this round and session.
        """
        current, facts = self.round, self.session.facts if self.session is not None else None
        asked = (current.start.round, current.rho, current.start.charge) if current is not None else None
        check_next(document, self._chain, facts, asked, current.confirms if current is not None else ())
        self._chain.extend(document)
        self._past = max(self._past, document.round)
        self._excluded |= document.blamed - {self._me}
        if self.round is not None and self.round.start.round <= document.round:
            self._drop_round()
        if self.session is not None:
            self.session.pass_round(document.round)
        return self.deal()

    def deal(self) -> list[Send]:
        """Deal for the next round, unless that is done (protocol 4.1)."""
        return [Send(COORDINATOR, data) for data in self.session.make_deal()] if self.session is not None else []

    def leave(self) -> None:
        """Drop the round and the session with all their secrets."""
        self._drop_round()
        if self.session is not None:
            self.session.erase()
        self.session = None

    def _on_start(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        start = messages.Start.decode(envelope)
        session = self._verify_session(envelope)
        if start.round <= self._past:
            return []
        if self.round is not None and start.round == self.round.start.round:
            return repeated("Start", envelope.data == self._start_data)
        own = session.deal
        if own is None or start.round != own.round or self.round is not None:
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
        self.round, self._start_data = current, envelope.data
        session.use_deal()
        self._stage.move(MemberStep.BEGIN_ROUND, now + self._terms.deadlines.whole_round)
        return self._request_when_complete()

    def _on_chunk(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        chunk = messages.Chunk.decode(envelope)
        current = self.round
        if chunk.round <= self._past and self.session is not None:
            return []
        if current is None or chunk.round != current.start.round or self._stage.phase is not MemberPhase.RECEIVING:
            raise PeerError(f"a chunk of round {chunk.round} came, and none is awaited")
        try:
            current.payload.add(chunk)
        except PeerError as error:
            return self._refuse(chunk.round, str(error))
        return self._request_when_complete()

    def _request_when_complete(self) -> list[MemberEvent]:
        current = self.round
        if current is None or not current.payload.complete:
            return []
        try:
            requested = current.request()
        except PeerError as error:
            return self._refuse(current.start.round, str(error))
        self._stage.move(MemberStep.REQUEST, self._stage.deadline)
        return [requested]

    def _on_survivors(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        survivors = messages.Survivors.decode(envelope)
        current = self._in_round(envelope, survivors.round)
        if current is None:
            return []
        if self._stage.phase in (MemberPhase.CONFIRMED, MemberPhase.REVEALED):
            # protocol 4.5: one Confirm for one t.
            return repeated("list of survivors", survivors == current.survivors)
        if self._stage.phase is not MemberPhase.UPLOADED:
            raise PeerError(f"survivors of round {survivors.round} came before this member uploaded")
        try:
            confirm = current.confirm(survivors, self._cohorts.get(current.family, ()) if current.family else ())
        except PeerError as error:
            return self._refuse(survivors.round, str(error))
        self._stage.move(MemberStep.CONFIRM, self._stage.deadline)
        recorded: list[MemberEvent] = []
        if current.family is not None:
            cohort = tuple(member for member, _ in survivors.uploads)
            self._cohorts.setdefault(current.family, set()).add(cohort)
            recorded.append(events.CohortConfirmed(survivors.round, current.family, cohort))
        return [*recorded, self._signed(confirm)]

    def _on_quorum(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        quorum = messages.Quorum.decode(envelope)
        current = self._in_round(envelope, quorum.round)
        if current is None or self._stage.phase is MemberPhase.REVEALED:
            return []
        if self._stage.phase is not MemberPhase.CONFIRMED:
            raise PeerError(f"a quorum of round {quorum.round} came before this member confirmed")
        try:
            reveal = current.reveal(quorum)
        except PeerError as error:
            return self._refuse(quorum.round, str(error))
        self._stage.move(MemberStep.REVEAL, self._stage.deadline)
        # protocol 4.6: revealed once, then erased.
        current.forget_shares()
        return [self._signed(reveal)]

    def _on_inquiry(self, envelope: Envelope, now: float) -> list[MemberEvent]:
        inquiry = messages.Inquiry.decode(envelope)
        current = self._in_round(envelope, inquiry.round)
        if current is None:
            return []
        if self._stage.phase is not MemberPhase.REVEALED:
            raise PeerError(f"an inquiry of round {inquiry.round} came before this member revealed")
        answer = current.tell(inquiry)
        return [self._signed(answer)]

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

    def _asked(self, number: int) -> tuple[MemberRound, Membership]:
        current, session = self.round, self.session
        if current is None or session is None or number != current.start.round:
            raise OutOfOrder(f"round {number} is not in progress here; it ended, or was never requested")
        if self._stage.phase is not MemberPhase.COMPUTING:
            raise OutOfOrder(f"round {number} awaits no vector of this member; answer each RoundRequested once")
        return current, session

    def _signed(self, message: messages.Message) -> Send:
        if self.session is None:
            raise OutOfOrder("there is no session key before a session; wait for one")
        return Send(COORDINATOR, self.session.sign(message.TYPE, message.encode()))

    def _verify_session(self, envelope: Envelope) -> Membership:
        if self.session is None:
            # protocol 3.5: a restarted process refuses every message of an old session.
            raise PeerError(f"{envelope.type.with_article} message came, but this process is in no session")
        envelope.verify(self._coordinator_key, self.session.facts.sid)
        return self.session

    def _in_round(self, envelope: Envelope, number: int) -> MemberRound | None:
        """The round that a message is of; None for a late message, which is ignored (protocol 4.8)."""
        self._verify_session(envelope)
        if number <= self._past:
            return None
        if self.round is None or number != self.round.start.round:
            raise PeerError(f"{envelope.type.with_article} message is of round {number}, which did not begin here")
        return self.round

    def _refuse(self, number: int, reason: str) -> list[MemberEvent]:
        """Take no further part in a round whose check failed, and say so."""
        return self._end_part(number, reason, messages.Refusal(number, wire_text(reason)))

    def _end_part(self, number: int, reason: str, word: messages.Refusal | messages.Complaint) -> list[MemberEvent]:
        self._past = number
        self._drop_round()
        if self.session is not None:
            self.session.pass_round(number)
        return [self._signed(word), events.RoundRefused(number, wire_text(reason))]

    def _drop_round(self) -> None:
        if self.round is not None:
            self.round.erase()
        self.round, self._start_data = None, b""
        if self._stage.phase in IN_ROUND:
            self._stage.move(MemberStep.END_ROUND, None)

    _HANDLERS: ClassVar[Mapping[MessageType, Callable[["Player", Envelope, float], list[MemberEvent]]]] = {
        MessageType.START: _on_start,
        MessageType.CHUNK: _on_chunk,
        MessageType.SURVIVORS: _on_survivors,
        MessageType.QUORUM: _on_quorum,
        MessageType.INQUIRY: _on_inquiry,
    }
    TAKES = frozenset(_HANDLERS)
    """The types of message that belong to a round."""
