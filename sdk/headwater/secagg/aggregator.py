"""The coordinator's side of a session: who is there, what is awaited, and when to go on: protocol 3, 4."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.secagg.chunks import chunk_messages
from headwater.secagg.collection import Collection
from headwater.secagg.dealing import CheckedDeal, check_deal
from headwater.secagg.envelope import Envelope, MessageType, open_envelope, sign_envelope
from headwater.secagg.events import (
    COORDINATOR,
    AggregatorEvent,
    MemberDropped,
    Persist,
    RoundAborted,
    RoundSummed,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater.secagg.gathering import Gathering
from headwater.secagg.messages import (
    Chunk,
    Confirm,
    Deal,
    DealHeader,
    Message,
    Refusal,
    Reveal,
    Upload,
)
from headwater.secagg.phases import COORDINATOR_TABLE, EXPECTED_IN, CoordinatorPhase, CoordinatorStep, advance
from headwater.secagg.run_record import RunRecord
from headwater.secagg.session import SessionFacts
from headwater.secagg.terms import Roster, SessionTerms, cohort_problem
from headwater.secagg.unmasking import DealerFault

__all__ = ["Aggregator"]

_Phase, _Step = CoordinatorPhase, CoordinatorStep


class Aggregator:
    """The coordinator's state machine for one setup attempt and its session.

    Events come back in the order in which they must be performed. A member counts as present from its first
    authentic message after `connected` until `disconnected`; one that returns joins at the next round.

    Guarantee: a round ends in `RoundSummed` with the exact sum over its contributors, or in `RoundAborted`.
    """

    def __init__(
        self,
        roster: Roster,
        terms: SessionTerms,
        coordinator_key: Ed25519PrivateKey,
        *,
        now: float,
        chain: Sequence[bytes] = (),
    ) -> None:
        """Open a setup; the deadline for Hellos runs from `now`.

        Args:
            roster: the charter's members.
            terms: the run's terms; `attempt` is the number of this setup.
            coordinator_key: the charter's coordinator key.
            now: seconds on any clock that only goes forward.
            chain: every receipt and abort of the run so far, in order, `close_unfinished` ones included.

        Raises:
            InputError: the key is not the charter's, or the chain is broken.
        """
        if coordinator_key.public_key().public_bytes_raw() != roster.coordinator_key:
            raise InputError("the coordinator's key is not the one that the charter names; use the charter's key")
        self._roster, self._terms, self._key = roster, terms, coordinator_key
        self._record = RunRecord(roster, terms, chain)
        self._phase = _Phase.GREETING
        self._deadline: float | None = now + terms.deadlines.hello
        self._gathering = Gathering(roster, terms, coordinator_key)
        self._connected: set[str] = set()
        self._present: set[str] = set()
        self._known_round: dict[str, int] = {}
        self._facts: SessionFacts | None = None
        self._opening = b""
        self._deals: dict[str, CheckedDeal] = {}
        self._left_out: set[str] = set()
        self._asked: tuple[bytes, bytes, int] = (b"", b"", 0)
        self._round: Collection | None = None

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self._phase is _Phase.CLOSED

    @property
    def phase(self) -> CoordinatorPhase:
        """Where it stands."""
        return self._phase

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, on the clock of `now`; None when nothing is awaited."""
        return self._deadline

    def connected(self, member: str, now: float) -> list[AggregatorEvent]:
        """A member's stream opened; its id is that of the stream's certificate.

        Raises:
            PeerError: the charter has no such member.
        """
        if member not in self._roster.members:
            raise PeerError(f"'{member}' is not a member of the charter")
        if self.closed:
            return []
        self._connected.add(member)
        self._present.discard(member)
        return [Send(member, self._gathering.invitation)]

    def disconnected(self, member: str, now: float) -> list[AggregatorEvent]:
        """A member's stream ended; harmless when repeated."""
        self._connected.discard(member)
        self._present.discard(member)
        if self.closed or self._round is None or member not in self._round.active:
            return [] if self.closed else self._progress(now)
        self._round.drop(member)
        return [MemberDropped(member, self._phase.value, "the stream ended"), *self._progress(now)]

    def receive(self, member: str, message: bytes, now: float) -> list[AggregatorEvent]:
        """Take one message from a member's stream.

        Args:
            member: the id that the stream's certificate names.
            message: its exact bytes.
            now: as everywhere.

        Raises:
            PeerError: the bytes were refused and nothing was changed. The driver should end the stream.
        """
        if member not in self._roster.members:
            raise PeerError(f"'{member}' is not a member of the charter")
        envelope = open_envelope(message)
        if envelope.sender != member:
            raise PeerError(f"a message of '{envelope.sender}' came over the stream of {member}")
        handler = self._HANDLERS.get(envelope.type)
        if handler is None:
            raise PeerError(f"a {envelope.type.name} message came from {member}, which no member sends")
        if self.closed:
            return []
        return handler(self, envelope, now)

    def begin_round(self, task: bytes, model: bytes, length: int, now: float) -> list[AggregatorEvent]:
        """Ask the present members for one vector.

        Args:
            task: the Task's bytes, bound into every mask.
            model: the model's bytes, empty for none.
            length: values in each member's vector.
            now: as everywhere.

        Returns:
            What to do; `SessionFailed` when the plan's rounds and retries are used up.

        Raises:
            OutOfOrder: the session is not between rounds.
            InputError: the Task, model or length is outside the terms.
        """
        if self._phase is not _Phase.READY:
            raise OutOfOrder(f"a round was begun in the phase '{self._phase.value}'; wait for the round before it")
        if not 1 <= length <= self._terms.max_length or len(task) + len(model) > self._terms.max_payload:
            raise InputError("the vector, or Task and model together, are larger than the session's terms allow")
        if self._record.next_round > self._terms.last_round:
            return self._fail("the plan's rounds and retries are used up")
        self._asked = (task, model, length)
        self._move(_Step.BEGIN_ROUND, now + self._terms.deadlines.deal)
        return self._progress(now)

    def tick(self, now: float) -> list[AggregatorEvent]:
        """Go on without whoever let the deadline pass (protocol 4.9)."""
        if self._deadline is None or now < self._deadline:
            return []
        return self._progress(now, late=True)

    def close(self, reason: str, now: float) -> list[AggregatorEvent]:
        """End the session, a round in flight with an abort; harmless when repeated."""
        if self.closed:
            return []
        events = self._abort(reason) if self._round is not None else []
        farewell = self._gathering.closing(reason)
        self._move(_Step.CLOSE, None)
        return [*events, *(Send(member, farewell) for member in sorted(self._connected))]

    # Messages.

    def _on_hello(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        if self._phase is _Phase.ACCEPTING and self._gathering.holds(envelope):
            return [Send(envelope.sender, self._gathering.shown)]
        if self._phase is not EXPECTED_IN[envelope.type]:
            return []
        hello = self._gathering.add_hello(envelope)
        member = envelope.sender
        known = self._known_round.get(member, 0) if hello is None else self._record.round_of(hello.last_document)
        self._known_round[member] = known
        self._present.add(member)
        return [*self._missed(member), *self._progress(now)]

    def _on_accept(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        if self._phase is _Phase.GREETING:
            raise PeerError(f"an Accept of {envelope.sender} came before the Hellos were shown")
        if not self._gathering.add_accept(envelope):
            return []
        self._present.add(envelope.sender)
        if self._facts is None:
            return self._progress(now)
        if envelope.sender not in self._facts.members:
            return []
        return [Send(envelope.sender, self._opening), *self._missed(envelope.sender)]

    def _on_deal(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        member, facts = envelope.sender, self._authentic(envelope)
        awaited = self._record.next_round + (0 if self._round is None else 1)
        number = DealHeader.decode(open_envelope(Deal.decode(envelope).header)).round
        if number > awaited:
            raise PeerError(f"{member} deals for round {number}, round {awaited} is the next")
        deal = check_deal(envelope, facts, number) if number == awaited else None
        held = self._deals.get(member)
        if deal is not None and held is not None and held.header.round == number and held.data != deal.data:
            # protocol 4.1: a Deal is made once.
            raise PeerError(f"{member} dealt twice for round {number}, differently")
        if deal is not None:
            self._deals[member] = deal
        # A member that deals for t holds the chain up to t − 2 at least: Deal(t) travels with Upload(t − 1).
        self._known_round[member] = max(self._known_round.get(member, 0), number - 2)
        return [*self._revive(member), *self._progress(now)]

    def _on_chunk(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        chunk, member = Chunk.decode(envelope), envelope.sender
        current = self._current(member, chunk.round, envelope.type)
        if current is not None:
            current.add_chunk(member, chunk)
        return []

    def _on_upload(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        upload, member = Upload.decode(envelope), envelope.sender
        self._authentic(envelope)
        current = self._current(member, upload.round, envelope.type)
        if current is None:
            return self._revive(member)
        return self._progress(now) if current.finish_upload(member, upload) else []

    def _on_confirm(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        confirm, member = Confirm.decode(envelope), envelope.sender
        self._authentic(envelope)
        current = self._current(member, confirm.round, envelope.type)
        if current is None:
            return self._revive(member)
        current.add_confirm(envelope, confirm)
        return self._progress(now)

    def _on_reveal(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        reveal, member = Reveal.decode(envelope), envelope.sender
        self._authentic(envelope)
        current = self._current(member, reveal.round, envelope.type)
        if current is None:
            return self._revive(member)
        current.add_reveal(member, reveal)
        return self._progress(now)

    def _on_refusal(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        refusal, member = Refusal.decode(envelope), envelope.sender
        if refusal.round == 0:
            self._gathering.add_refusal(envelope, refusal)
        else:
            self._authentic(envelope)
            awaited = self._record.next_round
            if refusal.round < awaited or member in self._left_out:
                return self._revive(member)
            if refusal.round > awaited:
                raise PeerError(f"{member} refuses round {refusal.round}, which did not begin")
        # protocol 4.2: the next cohorts leave out whoever could not accept this one.
        self._left_out.add(member)
        dropped = MemberDropped(member, self._phase.value, refusal.reason)
        if self._round is None:
            return [dropped, *self._progress(now)]
        return [dropped, *self._abort(f"{member} refused: {refusal.reason}")]

    def _authentic(self, envelope: Envelope) -> SessionFacts:
        """Verify a message of the session by its sender's session key."""
        facts = self._facts
        if facts is None or envelope.sender not in facts.session_keys:
            raise PeerError(f"a {envelope.type.name} message came from {envelope.sender}, who is in no session")
        envelope.verify(facts.session_keys[envelope.sender], facts.sid)
        return facts

    def _current(self, member: str, number: int, kind: MessageType) -> Collection | None:
        """The round in flight if the message is for it and in time; None if late (protocol 4.8: ignored)."""
        current = self._round
        if current is None or number < current.round:
            if number > self._record.chain.last_round:
                raise PeerError(f"a {kind.name} message of {member} is of round {number}, which did not begin")
            return None
        if number > current.round:
            raise PeerError(f"a {kind.name} message of {member} is of round {number}, which did not begin")
        order = list(CoordinatorPhase)
        if order.index(self._phase) < order.index(EXPECTED_IN[kind]):
            raise PeerError(f"a {kind.name} message of {member} came in the phase '{self._phase.value}', too early")
        return current if self._phase is EXPECTED_IN[kind] and member in current.active else None

    def _revive(self, member: str) -> list[AggregatorEvent]:
        """A session member showed that it lives: bring it up to date once for each connection."""
        if member in self._present or member not in self._connected:
            return []
        self._present.add(member)
        return self._missed(member)

    def _missed(self, member: str) -> list[AggregatorEvent]:
        known = self._known_round.get(member, 0)
        return [Send(member, data) for data in self._record.after(known)]

    # Going on.

    def _progress(self, now: float, *, late: bool = False) -> list[AggregatorEvent]:
        """Leave the present phase if everything awaited is in, or `late` and enough is in."""
        match self._phase:
            case _Phase.GREETING:
                return self._end_greeting(now, late)
            case _Phase.ACCEPTING:
                return self._end_accepting(now, late)
            case _Phase.DEALING:
                return self._end_dealing(now, late)
            case _Phase.UPLOADING:
                return self._end_uploading(now, late)
            case _Phase.CONFIRMING:
                return self._end_confirming(now, late)
            case _Phase.REVEALING:
                return self._end_revealing(late)
            case _:
                return []

    def _end_greeting(self, now: float, late: bool) -> list[AggregatorEvent]:
        here = set(self._gathering.hellos) & self._present
        if not late and here != set(self._roster.members):
            return []
        problem = cohort_problem(len(here), self._roster.minimum_cohort, self._roster.colluders)
        if problem is not None:
            return self._fail(f"the setup failed: {problem}")
        shown = self._gathering.show_hellos(here)
        self._move(_Step.HELLOS_IN, now + self._terms.deadlines.accept)
        return [Send(member, shown) for member in sorted(here)]

    def _end_accepting(self, now: float, late: bool) -> list[AggregatorEvent]:
        gathering = self._gathering
        awaited = (set(gathering.hellos) & self._present) - gathering.refused
        members = sorted(awaited & set(gathering.accepts))
        if not late and awaited != set(members):
            return []
        try:
            facts, opening = gathering.open_session(members, self._record.chain)
        except PeerError as error:
            return self._fail(f"the setup failed: {error}")
        self._facts, self._opening = facts, opening
        self._move(_Step.ACCEPTS_IN, None)
        farewell = gathering.closing("the session goes on without this member; it can join at the next setup")
        without = sorted((set(gathering.hellos) - set(members)) & self._connected)
        for member in members:
            self._known_round[member] = self._record.chain.last_round
        return [
            Persist("session", opening),
            *(MemberDropped(member, _Phase.ACCEPTING.value, "no accept came") for member in without),
            *(Send(member, farewell) for member in without),
            *(Send(member, opening) for member in members),
            SessionReady(facts.members, facts.sid, opening),
        ]

    def _end_dealing(self, now: float, late: bool) -> list[AggregatorEvent]:
        facts = self._session()
        number = self._record.next_round
        here = (set(facts.members) & self._present) - self._left_out
        able = {member for member in here if member in self._deals and self._deals[member].header.round == number}
        if not late and (able != here or len(able) < facts.least_cohort):
            return []
        if len(able) < facts.least_cohort:
            return self._fail(f"{len(able)} members are present, a round needs {facts.least_cohort}")
        task, model, length = self._asked
        deals = {member: self._deals.pop(member) for member in able}
        current = Collection(facts, self._terms, deals, number, length, task, model, self._record.chain.head)
        self._round, self._asked = current, (b"", b"", 0)
        self._move(_Step.DEALS_IN, now + self._terms.deadlines.upload)
        chunks = list(chunk_messages(COORDINATOR, number, task, model))
        events: list[AggregatorEvent] = [Persist("start", self._signed(current.record()))]
        for member in current.cohort:
            events.append(Send(member, self._signed(current.start_for(member))))
            events.extend(Send(member, chunk) for chunk in chunks)
        return events

    def _end_uploading(self, now: float, late: bool) -> list[AggregatorEvent]:
        current, least = self._flight(), self._session().least_cohort
        awaited = set() if late else current.active - set(current.uploads)
        if len(current.uploads) + len(awaited) < least:
            return self._abort(f"{len(current.uploads)} members uploaded, a round needs {least}")
        if awaited:
            return []
        survivors = self._signed(current.close_uploads())
        events = self._drop_silent(current, set(current.uploads))
        self._move(_Step.UPLOADS_IN, now + self._terms.deadlines.confirm)
        events += [Send(member, survivors) for member in sorted(current.active)]
        return [*events, *self._progress(now)]

    def _end_confirming(self, now: float, late: bool) -> list[AggregatorEvent]:
        current, quorum = self._flight(), self._session().quorum
        awaited = set() if late else current.active - set(current.confirms)
        here = current.active & set(current.confirms)
        if len(here) + len(awaited) < quorum:
            return self._abort(f"{len(here)} members confirmed, a round needs {quorum}")
        if awaited:
            return []
        confirms = self._signed(current.quorum())
        events = self._drop_silent(current, here)
        self._move(_Step.CONFIRMS_IN, now + self._terms.deadlines.reveal)
        return [*events, *(Send(member, confirms) for member in sorted(here))]

    def _end_revealing(self, late: bool) -> list[AggregatorEvent]:
        current, quorum = self._flight(), self._session().quorum
        if len(current.reveals) >= quorum:
            return self._open(current)
        awaited = set() if late else current.active - set(current.reveals)
        if len(current.reveals) + len(awaited) < quorum:
            return self._abort(f"{len(current.reveals)} members revealed, a round needs {quorum}")
        return []

    def _open(self, current: Collection) -> list[AggregatorEvent]:
        try:
            vector = current.open()
        except DealerFault as fault:
            # protocol 4.8: T digest-valid shares that miss the commitment: the dealer is at fault.
            self._left_out.add(fault.dealer)
            return self._abort(str(fault))
        except PeerError as error:
            return self._abort(str(error))
        receipt = current.receipt(vector)
        data = self._signed(receipt)
        events = self._end_round(data)
        return [*events, RoundSummed(current.round, vector, tuple(sorted(current.uploads)), data)]

    def _abort(self, reason: str) -> list[AggregatorEvent]:
        current, text = self._flight(), _short(reason)
        abort = current.abort(self._phase.value, text)
        data = self._signed(abort)
        return [*self._end_round(data), RoundAborted(current.round, text, data)]

    def _end_round(self, data: bytes) -> list[AggregatorEvent]:
        """Make the signed document the next link, store it, and send it to every present member."""
        document = self._record.add(data)
        self._round = None
        self._move(_Step.END_ROUND, None)
        kind = "receipt" if document.completed else "abort"
        members = sorted(set(self._session().members) & self._present)
        return [Persist(kind, data), *(Send(member, data) for member in members)]

    def _fail(self, reason: str) -> list[AggregatorEvent]:
        farewell = self._gathering.closing(_short(reason))
        self._move(_Step.CLOSE, None)
        return [*(Send(member, farewell) for member in sorted(self._present)), SessionFailed(reason)]

    def _drop_silent(self, current: Collection, kept: set[str]) -> list[AggregatorEvent]:
        silent = sorted(current.active - kept)
        for member in silent:
            current.drop(member)
        return [MemberDropped(member, self._phase.value, "the deadline passed") for member in silent]

    def _move(self, step: CoordinatorStep, deadline: float | None) -> None:
        self._phase = advance(COORDINATOR_TABLE, self._phase, step)
        self._deadline = deadline

    def _signed(self, message: Message) -> bytes:
        return sign_envelope(message.TYPE, COORDINATOR, message.encode(), self._key, self._session().sid)

    def _session(self) -> SessionFacts:
        if self._facts is None:
            raise OutOfOrder("there is no session yet; wait for SessionReady")
        return self._facts

    def _flight(self) -> Collection:
        if self._round is None:
            raise OutOfOrder("there is no round in flight; begin one first")
        return self._round

    _HANDLERS: ClassVar[Mapping[MessageType, Callable[["Aggregator", Envelope, float], list[AggregatorEvent]]]] = {
        MessageType.HELLO: _on_hello,
        MessageType.ACCEPT: _on_accept,
        MessageType.DEAL: _on_deal,
        MessageType.CHUNK: _on_chunk,
        MessageType.UPLOAD: _on_upload,
        MessageType.CONFIRM: _on_confirm,
        MessageType.REVEAL: _on_reveal,
        MessageType.REFUSAL: _on_refusal,
    }


def _short(reason: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in reason)
    return printable.encode()[:300].decode(errors="ignore")
