"""One organisation's side of a session: bytes in, events out: protocol 3, 4."""

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import InputError, PeerError
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.member.joining import Joining, RolledBack
from headwater.secagg.member.membership import Membership
from headwater.secagg.member.player import Player, repeated
from headwater.secagg.protocol import events, receipts
from headwater.secagg.protocol.events import COORDINATOR, MemberEvent, Send
from headwater.secagg.protocol.families import Cohort, Family
from headwater.secagg.protocol.phases import MEMBER_TABLE, MemberPhase, MemberStage, MemberStep
from headwater.secagg.protocol.session import read_invitation
from headwater.secagg.protocol.terms import Roster, SessionTerms
from headwater.secagg.wire import messages
from headwater.secagg.wire.codec import wire_text
from headwater.secagg.wire.envelope import Envelope, MessageType, open_envelope

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
        outstanding: int | None = None,
        seen: Mapping[str, int] = MappingProxyType({}),
        distrusted: Collection[str] = (),
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
            outstanding: the least count in a Hello of another run of this member that peers may not have seen yet.
            seen: member → the highest count of `PeersSeen`, of any setup of any run (protocol 4.10).
            distrusted: members of any `PeersRolledBack` whom no person trusted again since.
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
        self._records, self._outstanding = records, outstanding
        self._seen, self._distrusted = dict(seen), frozenset(distrusted)
        self._chain = receipts.Chain.after(last_receipt, roster, terms)
        self._stage = MemberStage(MEMBER_TABLE, MemberPhase.WAITING)
        self._player = Player(roster, terms, member_id, self._chain, self._stage, cohorts, excluded, threads)
        self._joining: Joining | None = None
        self._opening = b""

    @property
    def closed(self) -> bool:
        """Whether the session is over for this organisation."""
        return self._stage.phase is MemberPhase.CLOSED

    @property
    def phase(self) -> MemberPhase:
        """Where it stands."""
        return self._stage.phase

    @property
    def next_deadline(self) -> float | None:
        """When `tick` should be called at the latest, on the clock of `now`; None when nothing is awaited."""
        return self._stage.deadline

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
        if handler is None and envelope.type not in Player.TAKES:
            raise PeerError(f"{envelope.type.with_article} message came, which no coordinator sends")
        if self.closed:
            return []
        return self._player.receive(envelope, now) if handler is None else handler(self, envelope)

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
        return self._player.upload(round, vector, family)

    def refuse(self, round: int, reason: str) -> list[MemberEvent]:
        """Take no part in a requested round, for example because the plan does not allow its Task (protocol 4.2).

        Raises:
            OutOfOrder: this round does not await a vector, or had one.
        """
        return self._player.refuse(round, reason)

    def tick(self, now: float) -> list[MemberEvent]:
        """Give up a round whose deadline passed (protocol 4.9)."""
        return self._player.tick(now)

    def close(self, reason: str) -> list[MemberEvent]:
        """Leave the session and drop its secrets; harmless when repeated."""
        if self.closed:
            return []
        self._player.leave()
        self._stage.move(MemberStep.CLOSE, None)
        if self._joining is not None:
            self._joining.erase()
        return [events.SessionClosed(reason)]

    # Setup: protocol 3.1 to 3.4.

    def _on_invitation(self, envelope: Envelope) -> list[MemberEvent]:
        attempt = read_invitation(envelope, self._roster, self._terms)
        if self._joining is not None:
            if attempt > self._joining.attempt:
                return self.close("the coordinator opened a new setup")
            if attempt < self._joining.attempt:
                return []
            # protocol 4.1: what the coordinator may have missed is sent again, byte-identical.
            deal = self._player.session.deal if self._player.session is not None else None
            again = [*(self._joining.accept or (self._joining.hello,)), *((deal.message,) if deal is not None else ())]
            return [Send(COORDINATOR, data) for data in again]
        if attempt < self._terms.attempt:
            # protocol 3.3, 3.5: an attempt is used once; a restarted process waits for the next setup.
            return []
        # protocol 3.3: the attempt itself is stored before this Hello leaves.
        records = self._records + 1
        self._joining = Joining(
            self._roster,
            self._terms,
            self._me,
            self._identity,
            attempt,
            self._required,
            self._chain.head,
            records,
            # protocol 4.10: a peer may meet the Hello of another run after this one, though it was made before.
            records if self._outstanding is None else min(records, self._outstanding - 1),
        )
        self._stage.move(MemberStep.GREET, None)
        return [events.AttemptStarted(attempt, records), Send(COORDINATOR, self._joining.hello)]

    def _on_hellos(self, envelope: Envelope) -> list[MemberEvent]:
        raw = messages.Hellos.decode(envelope).hellos
        joining = self._verify_setup(envelope)
        if self._stage.phase is not MemberPhase.GREETED:
            return repeated("list of Hellos", raw == joining.raw_hellos)
        try:
            accept = joining.accept_hellos(raw, self._seen, self._distrusted)
        except RolledBack as error:
            return [events.PeersRolledBack(error.records), *self._leave(joining, str(error))]
        except PeerError as error:
            return self._leave(joining, str(error))
        self._stage.move(MemberStep.ACCEPT, None)
        return [Send(COORDINATOR, data) for data in accept]

    def _on_delivery(self, envelope: Envelope) -> list[MemberEvent]:
        delivery = messages.Delivery.decode(envelope)
        joining = self._verify_setup(envelope)
        if self._stage.phase is MemberPhase.GREETED:
            raise PeerError("capsules came before this member accepted the Hellos")
        return [] if self._player.session is not None else repeated("delivery of capsules", joining.deliver(delivery))

    def _on_session(self, envelope: Envelope) -> list[MemberEvent]:
        joining = self._verify_setup(envelope)
        if self._stage.phase is MemberPhase.GREETED:
            raise PeerError("a session opens before its Hellos were shown")
        if self._player.session is not None:
            return repeated("session", envelope.data == self._opening)
        try:
            facts, ratchets = joining.enter(envelope.data, self._chain)
            self._player.admit(facts.members)
        except PeerError as error:
            return self._leave(joining, str(error))
        key, last_round = joining.session_key, self._terms.last_round
        self._player.enter(Membership(facts, self._me, ratchets, key, last_round))
        self._opening = envelope.data
        self._stage.move(MemberStep.ENTER, None)
        seen = events.PeersSeen(joining.settled)
        return [seen, events.SessionReady(facts.members, facts.sid, envelope.data), *self._player.deal()]

    def _on_close(self, envelope: Envelope) -> list[MemberEvent]:
        close = messages.Close.decode(envelope)
        self._verify_setup(envelope)
        return self.close(close.reason)

    def _on_document(self, envelope: Envelope) -> list[MemberEvent]:
        document = receipts.read_document(envelope.data, self._roster)
        if document.round <= self._chain.last_round:
            return []
        if self._stage.phase is MemberPhase.WAITING:
            raise PeerError("a receipt or abort came before this member was invited")
        return [receipts.closed_event(document), *self._player.take_document(document)]

    def _verify_setup(self, envelope: Envelope) -> Joining:
        if self._joining is None:
            # protocol 3.5: a restarted process refuses every message of an old session.
            raise PeerError(f"{envelope.type.with_article} message came, but this process was not invited to its setup")
        envelope.verify(self._roster.coordinator_key, self._joining.context)
        return self._joining

    def _leave(self, joining: Joining, reason: str) -> list[MemberEvent]:
        """Take no part in a session whose setup failed a check, and say so."""
        reason = wire_text(reason)
        refusal = joining.sign(MessageType.REFUSAL, messages.Refusal(0, reason).encode())
        return [Send(COORDINATOR, refusal), *self.close(reason)]

    _HANDLERS: ClassVar[Mapping[MessageType, Callable[["Participant", Envelope], list[MemberEvent]]]] = {
        MessageType.INVITATION: _on_invitation,
        MessageType.HELLOS: _on_hellos,
        MessageType.DELIVERY: _on_delivery,
        MessageType.SESSION: _on_session,
        MessageType.RECEIPT: _on_document,
        MessageType.ABORT: _on_document,
        MessageType.CLOSE: _on_close,
    }
