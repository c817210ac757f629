"""The coordinator's side of a session: streams and messages in, setup and rounds driven: protocol 3, 4."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import InputError, OutOfOrder, PeerError
from headwater.secagg.coordinator.attendance import Attendance
from headwater.secagg.coordinator.conductor import Conductor
from headwater.secagg.coordinator.gathering import Gathering
from headwater.secagg.coordinator.run_record import RunRecord
from headwater.secagg.coordinator.spool import MemorySpool, Spool
from headwater.secagg.protocol.events import (
    AggregatorEvent,
    MemberDropped,
    Persist,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater.secagg.protocol.phases import COORDINATOR_TABLE, CoordinatorPhase, CoordinatorStage, CoordinatorStep
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.protocol.terms import Roster, SessionTerms, cohort_problem
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import Envelope, MessageType, open_envelope
from headwater.secagg.wire.messages import MAXIMUM_CHARGE

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
        spool: Spool | None = None,
        threads: int = 1,
    ) -> None:
        """Open a setup; the deadline for Hellos runs from `now`.

        Args:
            roster: the charter's members.
            terms: the run's terms; `attempt` is the number of this setup.
            coordinator_key: the charter's coordinator key.
            now: seconds on any clock that only goes forward.
            chain: every receipt and abort of the run so far, in order, `close_unfinished` ones included.
            spool: where incomplete uploads wait; in memory without a limit when it is not given.
            threads: that may take masks off a sum at the same time.

        Raises:
            InputError: the key is not the charter's, or the chain is broken.
        """
        if coordinator_key.public_key().public_bytes_raw() != roster.coordinator_key:
            raise InputError("the coordinator's key is not the one that the charter names; use the charter's key")
        self._roster, self._terms, self._key = roster, terms, coordinator_key
        self._record = RunRecord(roster, terms, chain)
        self._spool, self._threads = spool or MemorySpool(), threads
        self._stage = CoordinatorStage(COORDINATOR_TABLE, _Phase.GREETING, now + terms.deadlines.hello)
        self._gathering = Gathering(roster, terms, coordinator_key)
        # protocol 4.8: whoever an abort blames is out for the run.
        self._attendance = Attendance(left_out=set(self._record.blamed))
        self._conductor: Conductor | None = None
        self._opening = b""
        self._entered: set[str] = set()

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self._stage.phase is _Phase.CLOSED

    @property
    def phase(self) -> CoordinatorPhase:
        """Where it stands."""
        return self._stage.phase

    @property
    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, on the clock of `now`; None when nothing is awaited."""
        return self._stage.deadline

    def connected(self, member: str, now: float) -> list[AggregatorEvent]:
        """A member's stream opened; its id is that of the stream's certificate.

        A second stream of a member replaces the first, as if that had ended.

        Raises:
            PeerError: the charter has no such member.
        """
        self._known(member)
        ended = self.disconnected(member, now) if member in self._attendance.connected else []
        if self.closed:
            return ended
        self._attendance.arrive(member)
        return [*ended, Send(member, self._gathering.invitation)]

    def disconnected(self, member: str, now: float) -> list[AggregatorEvent]:
        """A member's stream ended; harmless when repeated."""
        self._attendance.leave(member)
        if self.closed:
            return []
        dropped = self._conductor.drop(member) if self._conductor is not None else []
        return [*dropped, *self._progress(now)]

    def receive(self, member: str, message: bytes, now: float) -> list[AggregatorEvent]:
        """Take one message from a member's stream.

        Args:
            member: the id that the stream's certificate names.
            message: its exact bytes.
            now: as everywhere.

        Returns:
            What to do; nothing for late and repeated messages, which are ignored (protocol 4.8).

        Raises:
            PeerError: the bytes were refused and nothing was changed. The driver should end the stream.
            StorageError: the spool is full. The member's upload is given up; the driver should end its stream.
        """
        self._known(member)
        envelope = open_envelope(message)
        if envelope.sender != member:
            raise PeerError(f"a message of '{envelope.sender}' came over the stream of {member}")
        if self.closed:
            return []
        if envelope.type in self._SETUP:
            return self._SETUP[envelope.type](self, envelope, now)
        if self._conductor is None:
            raise PeerError(f"{envelope.type.with_article} message came from {member} before there is a session")
        events = self._conductor.receive(envelope, now)
        if envelope.type is MessageType.DEAL:
            # A Deal proves that its member opened its capsules; n(n − 1)/2 of them are not held for longer.
            self._entered.add(member)
            if self._entered >= set(self._conductor.facts.members):
                self._gathering.forget_capsules()
        return events

    def begin_round(
        self, task: bytes, model: bytes, length: int, now: float, charge: bytes = b""
    ) -> list[AggregatorEvent]:
        """Ask the present members for one vector.

        Args:
            task: the Task's bytes, bound into every mask.
            model: the model's bytes, empty for none.
            length: values in each member's vector.
            now: as everywhere.
            charge: at most 4 KiB that say what the round costs a privacy ledger; bound into every mask and receipt.

        Returns:
            What to do; `SessionFailed` when the plan's rounds and retries are used up.

        Raises:
            OutOfOrder: the session is not between rounds.
            InputError: the Task, model or length is outside the terms.
        """
        if self._conductor is None or self.phase is not _Phase.READY:
            raise OutOfOrder(f"a round was begun in the phase '{self.phase.value}'; wait for the round before it")
        if not 1 <= length <= self._terms.max_length or len(task) + len(model) > self._terms.max_payload:
            raise InputError("the vector, or Task and model together, are larger than the session's terms allow")
        if len(charge) > MAXIMUM_CHARGE:
            raise InputError(f"the charge has {len(charge)} bytes, at most {MAXIMUM_CHARGE} fit a receipt")
        if self._record.next_round > self._terms.last_round:
            return self._fail("the plan's rounds and retries are used up")
        return self._conductor.begin(task, model, length, charge, now)

    def tick(self, now: float) -> list[AggregatorEvent]:
        """Go on without whoever let the deadline pass (protocol 4.9)."""
        if self._stage.deadline is None or now < self._stage.deadline:
            return []
        return self._progress(now, late=True)

    def close(self, reason: str, now: float) -> list[AggregatorEvent]:
        """End the session, a round in flight with an abort; harmless when repeated."""
        if self.closed:
            return []
        events = self._conductor.abort(reason) if self._conductor is not None else []
        return [*events, *self._farewell(reason, self._attendance.connected)]

    def _on_hello(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        member, gathering = envelope.sender, self._gathering
        if self.phase is _Phase.ACCEPTING and gathering.holds(envelope):
            return [Send(member, gathering.shown)]
        if self.phase is not _Phase.GREETING:
            return []
        if member in self._record.blamed:
            raise PeerError(f"{member} is blamed by an abort of this run, which goes on without it")
        hello = gathering.check_hello(envelope)
        self._attendance.learn(member, self._record.round_of(hello.last_document))
        gathering.keep_hello(envelope, hello)
        missed = self._missed(member) if self._attendance.show(member) else []
        return [*missed, *self._progress(now)]

    def _on_accept(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        member = envelope.sender
        if self.phase is _Phase.GREETING:
            raise PeerError(f"an Accept of {member} came before the Hellos were shown")
        self._gathering.add_accept(envelope)
        self._attendance.show(member)
        if self._conductor is None or member not in self._conductor.facts.members:
            return []
        # A member that lives through a broken stream shows its Accept again: it is brought up to date.
        return [*self._open_to(member, self._conductor.facts), *self._missed(member)]

    def _on_capsules(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        if self.phase is _Phase.GREETING:
            raise PeerError(f"capsules of {envelope.sender} came before the Hellos were shown")
        if self._conductor is not None:
            return []
        self._gathering.add_capsules(envelope)
        return self._progress(now)

    def _open_to(self, member: str, facts: SessionFacts) -> list[AggregatorEvent]:
        """What opens the session to a member: its capsules, then all Accepts (protocol 3.3)."""
        if member in self._entered:
            return []
        return [Send(member, self._gathering.delivery_for(facts, member)), Send(member, self._opening)]

    def _on_refusal(self, envelope: Envelope, now: float) -> list[AggregatorEvent]:
        refusal, member = messages.Refusal.decode(envelope), envelope.sender
        if refusal.round and self._conductor is not None:
            return self._conductor.refused(envelope, refusal, now)
        self._gathering.add_refusal(envelope, refusal)
        if member in self._attendance.left_out:
            return []
        self._attendance.left_out.add(member)
        return [MemberDropped(member, self.phase.value, refusal.reason), *self._progress(now)]

    def _progress(self, now: float, *, late: bool = False) -> list[AggregatorEvent]:
        """Leave the present phase if everything awaited is in, or `late` and enough is in."""
        if self.phase is _Phase.GREETING:
            return self._end_greeting(now, late)
        if self.phase is _Phase.ACCEPTING:
            return self._end_accepting(now, late)
        return self._conductor.progress(now, late=late) if self._conductor is not None else []

    def _end_greeting(self, now: float, late: bool) -> list[AggregatorEvent]:
        here = (set(self._gathering.hellos) & self._attendance.present) - self._attendance.left_out
        if not late and here != set(self._roster.members) - self._attendance.left_out:
            return []
        away = sorted(self._record.cohort - here) if self._terms.strict else []
        if away:
            return self._fail(f"strict: every sum is over one cohort, and {', '.join(away)} is away")
        problem = cohort_problem(len(here), self._roster.minimum_cohort, self._roster.colluders)
        if problem is not None:
            return self._fail(f"the setup failed: {problem}")
        shown = self._gathering.show_hellos(here)
        self._stage.move(_Step.HELLOS_IN, now + self._terms.deadlines.accept)
        return [Send(member, shown) for member in sorted(here)]

    def _end_accepting(self, now: float, late: bool) -> list[AggregatorEvent]:
        gathering, attendance = self._gathering, self._attendance
        # A stream that breaks here may return before the deadline, so whoever was shown is waited for.
        awaited = set(gathering.hellos) - attendance.left_out
        members = sorted(awaited & gathering.accepted & attendance.present)
        if not late and awaited != set(members):
            return []
        try:
            facts, opening = gathering.open_session(members, self._record.chain)
        except PeerError as error:
            return self._fail(f"the setup failed: {error}")
        self._opening = opening
        self._conductor = Conductor(
            facts,
            self._terms,
            self._key,
            self._record,
            attendance,
            self._stage,
            self._fail,
            self._spool,
            self._threads,
        )
        self._stage.move(_Step.ACCEPTS_IN, None)
        for member in members:
            attendance.learn(member, self._record.chain.last_round)
        without = sorted((set(gathering.hellos) - set(members) - attendance.left_out) & attendance.connected)
        farewell = gathering.closing("the session goes on without this member; it can join at the next setup")
        return [
            Persist("session", opening),
            *(MemberDropped(member, _Phase.ACCEPTING.value, "no accept came") for member in without),
            *(Send(member, farewell) for member in without),
            *(event for member in members for event in self._open_to(member, facts)),
            SessionReady(facts.members, facts.sid, opening),
        ]

    def _fail(self, reason: str) -> list[AggregatorEvent]:
        return [*self._farewell(reason, self._attendance.present), SessionFailed(reason)]

    def _farewell(self, reason: str, receivers: set[str]) -> list[AggregatorEvent]:
        farewell = self._gathering.closing(reason)
        self._stage.move(_Step.CLOSE, None)
        return [Send(member, farewell) for member in sorted(receivers)]

    def _missed(self, member: str) -> list[AggregatorEvent]:
        return [Send(member, data) for data in self._record.after(self._attendance.known_round.get(member, 0))]

    def _known(self, member: str) -> None:
        if member not in self._roster.members:
            raise PeerError(f"'{member}' is not a member of the charter")

    _SETUP: ClassVar[Mapping[MessageType, Callable[["Aggregator", Envelope, float], list[AggregatorEvent]]]] = {
        MessageType.HELLO: _on_hello,
        MessageType.ACCEPT: _on_accept,
        MessageType.CAPSULES: _on_capsules,
        MessageType.REFUSAL: _on_refusal,
    }
