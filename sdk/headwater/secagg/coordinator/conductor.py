"""The coordinator's rounds within one session: what is awaited of whom, when a round goes on or ends: protocol 4."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import OutOfOrder, PeerError, StorageError
from headwater.secagg.coordinator.attendance import Attendance
from headwater.secagg.coordinator.blame import Verdict
from headwater.secagg.coordinator.collection import Collection
from headwater.secagg.coordinator.disputes import Disputes
from headwater.secagg.coordinator.run_record import RunRecord
from headwater.secagg.coordinator.spool import Spool
from headwater.secagg.coordinator.unmasking import CheckFailed
from headwater.secagg.protocol.dealing import CheckedDeal, DealerFault, check_deal
from headwater.secagg.protocol.events import (
    COORDINATOR,
    AggregatorEvent,
    MemberDropped,
    Persist,
    RoundAborted,
    RoundSummed,
    Send,
)
from headwater.secagg.protocol.phases import EXPECTED_IN, CoordinatorPhase, CoordinatorStage, CoordinatorStep
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.protocol.terms import SessionTerms
from headwater.secagg.wire import messages
from headwater.secagg.wire.chunks import chunk_messages
from headwater.secagg.wire.codec import wire_text
from headwater.secagg.wire.envelope import Envelope, MessageType, open_envelope, sign_envelope

__all__ = ["Conductor"]

_Phase, _Step = CoordinatorPhase, CoordinatorStep
_Events = list[AggregatorEvent]


class Conductor:
    """Runs one round after the other; `Aggregator` hands it the session's messages and the passing of time."""

    def __init__(
        self,
        facts: SessionFacts,
        terms: SessionTerms,
        key: Ed25519PrivateKey,
        record: RunRecord,
        attendance: Attendance,
        stage: CoordinatorStage,
        fail: Callable[[str], _Events],
        spool: Spool,
        threads: int,
    ) -> None:
        """Stand between rounds; `fail` ends the session with a reason, incomplete uploads wait in `spool`.

        `threads` take the masks off a sum.
        """
        self.facts = facts
        self._terms, self._key, self._record = terms, key, record
        self._attendance, self._stage, self._fail = attendance, stage, fail
        self._spool, self._threads = spool, threads
        self._disputes = Disputes(record.disputes, record.colluders)
        self._deals: dict[str, CheckedDeal] = {}
        self._asked: tuple[bytes, bytes, int, bytes] = (b"", b"", 0, b"")
        self._round: Collection | None = None

    def begin(self, task: bytes, model: bytes, length: int, charge: bytes, now: float) -> _Events:
        """Await the Deals for a round of this Task; the caller checked that the session is between rounds."""
        self._asked = (task, model, length, charge)
        self._stage.move(_Step.BEGIN_ROUND, now + self._terms.deadlines.deal)
        return self.progress(now)

    def drop(self, member: str) -> _Events:
        """Count on nothing more of a member in the round in flight."""
        if self._round is None or member not in self._round.active:
            return []
        self._round.drop(member)
        return [MemberDropped(member, self._stage.phase.value, "the stream ended")]

    def receive(self, envelope: Envelope, now: float) -> _Events:
        """Take a message of a session member.

        Raises:
            PeerError: it was refused and nothing was changed.
        """
        handler = self._HANDLERS.get(envelope.type)
        if handler is None:
            raise PeerError(f"{envelope.type.with_article} message came from {envelope.sender}, which no member sends")
        if envelope.type is not MessageType.CHUNK:
            self._verify(envelope)
        return handler(self, envelope, now)

    def refused(self, envelope: Envelope, refusal: messages.Refusal, now: float) -> _Events:
        """A member takes no part in a round: abort it, and leave the member out of later ones (protocol 4.2)."""
        self._verify(envelope)
        member = envelope.sender
        if refusal.round < self._record.next_round or member in self._attendance.left_out:
            return self._revive(member)
        if refusal.round > self._record.next_round:
            raise PeerError(f"{member} refuses round {refusal.round}, which did not begin")
        self._attendance.left_out.add(member)
        dropped = MemberDropped(member, self._stage.phase.value, refusal.reason)
        if self._round is None or member not in self._round.cohort:
            return [dropped, *self.progress(now)]
        return [dropped, *self.abort(f"{member} refused: {refusal.reason}")]

    def abort(self, reason: str, verdict: Verdict = Verdict()) -> _Events:
        """End the round in flight without a sum; nothing happens between rounds.

        Whoever the verdict convicts, or found silent, is left out of later rounds, and of each disputing pair one is.
        """
        current = self._round
        if current is None:
            return []
        text = wire_text(reason)
        self._attendance.left_out.update(verdict.convicted, verdict.silent)
        for accuser, accused in verdict.disputes:
            self._disputes.add(accuser, accused)
        data = self._signed(current.abort(self._stage.phase.value, text, verdict))
        return [*self._end_round(data), RoundAborted(current.round, text, data, verdict.convicted, verdict.disputes)]

    def progress(self, now: float, *, late: bool = False) -> _Events:
        """Leave the present phase if everything awaited is in, or `late` and enough is in (protocol 4.9)."""
        match self._stage.phase:
            case _Phase.DEALING:
                return self._end_dealing(now, late)
            case _Phase.UPLOADING:
                return self._end_uploading(now, late)
            case _Phase.CONFIRMING:
                return self._end_confirming(now, late)
            case _Phase.REVEALING:
                return self._end_revealing(now, late)
            case _Phase.INQUIRING:
                return self._end_inquiring(now, late)
            case _:
                return []

    def _on_deal(self, envelope: Envelope, now: float) -> _Events:
        member = envelope.sender
        awaited = self._record.next_round + (0 if self._round is None else 1)
        number = messages.DealHeader.decode(open_envelope(messages.Deal.decode(envelope).header)).round
        if number > awaited:
            raise PeerError(f"{member} deals for round {number}, round {awaited} is the next")
        if number == awaited:
            deal, held = check_deal(envelope, self.facts, number), self._deals.get(member)
            if held is not None and held.header.round == number and held.digest != deal.digest:
                # protocol 4.1: a Deal is made once.
                raise PeerError(f"{member} dealt twice for round {number}, differently")
            self._deals[member] = deal
        # Deal(t) travels with Upload(t − 1), so its dealer holds the chain up to t − 2 at least.
        self._attendance.learn(member, number - 2)
        return [*self._revive(member), *self.progress(now)]

    def _on_chunk(self, envelope: Envelope, now: float) -> _Events:
        chunk, member = messages.Chunk.decode(envelope), envelope.sender
        current = self._in_time(member, chunk.round, envelope.type)
        if current is not None:
            current.add_chunk(member, chunk)
        return []

    def _on_upload(self, envelope: Envelope, now: float) -> _Events:
        upload, member = messages.Upload.decode(envelope), envelope.sender
        current = self._in_time(member, upload.round, envelope.type)
        if current is None:
            return self._revive(member)
        try:
            return self.progress(now) if current.finish_upload(member, upload) else []
        except StorageError:
            # Part of the vector may be in the sum already: no sum rather than a wrong one. Members read this reason,
            # and the spool's own words are for the operator.
            return self.abort(f"the coordinator's spool did not give back the upload of {member} unchanged")

    def _on_confirm(self, envelope: Envelope, now: float) -> _Events:
        confirm = messages.Confirm.decode(envelope)
        return self._take(envelope, confirm.round, now, lambda current: current.add_confirm(envelope, confirm))

    def _on_reveal(self, envelope: Envelope, now: float) -> _Events:
        reveal = messages.Reveal.decode(envelope)
        return self._take(envelope, reveal.round, now, lambda current: current.add_reveal(envelope.sender, reveal))

    def _on_complaint(self, envelope: Envelope, now: float) -> _Events:
        complaint, member = messages.Complaint.decode(envelope), envelope.sender
        dealer, number, current = complaint.dealer, complaint.round, self._round
        if dealer == member or dealer not in self.facts.members:
            raise PeerError(f"{member} complains of '{dealer}', who is no other member of the session")
        if number > self._record.chain.last_round and (current is None or number != current.round):
            raise PeerError(f"{member} complains of round {number}, which did not begin")
        reason = f"{member} complains of {dealer}: what it was dealt fails the {complaint.check} check"
        dropped = MemberDropped(member, self._stage.phase.value, reason)
        if current is None or number != current.round:
            # Another complaint may have ended the round first; this pair is kept apart all the same.
            return [*self._revive(member), *([dropped] if self._disputes.add_late(number, member, dealer) else [])]
        if not {member, dealer} <= set(current.cohort) or member in current.uploads:
            raise PeerError(f"{member} complains of {dealer} in round {number}, in which it has no cause to")
        self._disputes.end_round(number, current.cohort, current.uploads)
        return [dropped, *self.abort(reason, Verdict(disputes=((member, dealer),)))]

    def _on_seed(self, envelope: Envelope, now: float) -> _Events:
        seed = messages.Seed.decode(envelope)
        return self._take(envelope, seed.round, now, lambda current: current.give_seed(envelope.sender, seed))

    def _on_blocks(self, envelope: Envelope, now: float) -> _Events:
        blocks = messages.Blocks.decode(envelope)
        return self._take(envelope, blocks.round, now, lambda current: current.tell(envelope.sender, blocks))

    def _take(self, envelope: Envelope, number: int, now: float, take: Callable[[Collection], None]) -> _Events:
        """Hand a message to the round in flight; a late one only shows that its member is there."""
        current = self._in_time(envelope.sender, number, envelope.type)
        if current is None:
            return self._revive(envelope.sender)
        take(current)
        return self.progress(now)

    def _verify(self, envelope: Envelope) -> None:
        key = self.facts.session_keys.get(envelope.sender)
        if key is None:
            raise PeerError(
                f"{envelope.type.with_article} message came from {envelope.sender}, who is not in this session"
            )
        envelope.verify(key, self.facts.sid)

    def _in_time(self, member: str, number: int, kind: MessageType) -> Collection | None:
        """The round in flight if a message is for it and in time; None if late (protocol 4.8: ignored)."""
        current, phase = self._round, self._stage.phase
        if number <= self._record.chain.last_round:
            return None
        if current is None or number != current.round:
            raise PeerError(f"{kind.with_article} message of {member} is of round {number}, which did not begin")
        order = list(CoordinatorPhase)
        if order.index(phase) < order.index(EXPECTED_IN[kind]):
            raise PeerError(f"{kind.with_article} message of {member} came in the phase '{phase.value}', too early")
        return current if phase is EXPECTED_IN[kind] and member in current.active else None

    def _revive(self, member: str) -> _Events:
        """An authentic message came; the first one of a connection brings the member up to date."""
        if not self._attendance.show(member):
            return []
        return [Send(member, data) for data in self._record.after(self._attendance.known_round.get(member, 0))]

    def _end_dealing(self, now: float, late: bool) -> _Events:
        number, least = self._record.next_round, self.facts.least_cohort
        here = (set(self.facts.members) & self._attendance.present) - self._attendance.left_out
        out = self._attendance.left_out | self._disputes.left_out(here, least)
        here -= out
        able = {member for member in here if member in self._deals and self._deals[member].header.round == number}
        bound = self._record.cohort if self._terms.strict else frozenset()
        if bound & out:
            return self._fail(f"strict: every sum is over one cohort, and {', '.join(sorted(bound & out))} is left out")
        if bound:
            # protocol 4.10: a sum over anybody else would be refused by every member that confirmed the first.
            able, here = able & bound, set(bound)
        awaited = here - able
        if not late and (awaited or len(able) < least):
            return []
        if bound and awaited:
            return self._fail(f"strict: every sum is over one cohort, and {', '.join(sorted(awaited))} is away")
        if len(able) < least:
            return self._fail(f"{len(able)} members are present, a round needs {least}")
        task, model, length, charge = self._asked
        deals = {member: self._deals.pop(member) for member in able}
        current = Collection(
            self.facts, self._terms, deals, number, length, task, model, charge, self._record.chain.head, self._spool
        )
        self._round, self._asked = current, (b"", b"", 0, b"")
        self._stage.move(_Step.DEALS_IN, now + self._terms.deadlines.upload)
        chunks = list(chunk_messages(COORDINATOR, number, task, model))
        # protocol 4.8: Start is stored durably before it is sent.
        events: _Events = [Persist("start", self._signed(current.record()))]
        for member, body in current.starts():
            start = sign_envelope(MessageType.START, COORDINATOR, body, self._key, self.facts.sid)
            events.append(Send(member, start))
            events.extend(Send(member, chunk) for chunk in chunks)
        return events

    def _end_uploading(self, now: float, late: bool) -> _Events:
        current, least = self._flight(), self.facts.least_cohort
        awaited = set() if late else current.active - set(current.uploads)
        away = sorted(self._record.cohort - set(current.uploads) - awaited) if self._terms.strict else []
        if away:
            # protocol 4.10: asked, everybody would refuse, and the cohort of the refused round would bind the next.
            return self.abort(f"strict: every sum is over one cohort, and {', '.join(away)} is away")
        if len(current.uploads) + len(awaited) < least:
            return self.abort(f"{len(current.uploads)} members uploaded, a round needs {least}")
        if awaited:
            return []
        survivors = self._signed(current.close_uploads())
        dropped = self._drop_silent(current, set(current.uploads))
        self._stage.move(_Step.UPLOADS_IN, now + self._terms.deadlines.confirm)
        shown: _Events = [Send(member, survivors) for member in sorted(current.active)]
        return [*dropped, *shown, *self.progress(now)]

    def _end_confirming(self, now: float, late: bool) -> _Events:
        current, quorum = self._flight(), self.facts.quorum
        here = current.active & set(current.confirms)
        awaited = set() if late else current.active - here
        if len(here) + len(awaited) < quorum:
            return self.abort(f"{len(here)} members confirmed, a round needs {quorum}")
        if awaited:
            return []
        confirms = self._signed(current.quorum())
        dropped = self._drop_silent(current, here)
        self._stage.move(_Step.CONFIRMS_IN, now + self._terms.deadlines.reveal)
        return [*dropped, *(Send(member, confirms) for member in sorted(here))]

    def _end_revealing(self, now: float, late: bool) -> _Events:
        current, quorum = self._flight(), self.facts.quorum
        if len(current.reveals) >= quorum:
            return self._open(current, now)
        awaited = set() if late else current.active - set(current.reveals)
        if len(current.reveals) + len(awaited) < quorum:
            return self.abort(f"{len(current.reveals)} members revealed, a round needs {quorum}")
        return []

    def _end_inquiring(self, now: float, late: bool) -> _Events:
        current = self._flight()
        asked = current.asked
        if asked is None:
            return [] if not late and current.active - set(current.told) else self._judge(current)
        if asked in current.given_seeds:
            return self._open(current, now)
        if not late and asked in current.active:
            return []
        return self.abort(f"the shares of {asked} open another seed than it committed to", Verdict((asked,)))

    def _judge(self, current: Collection) -> _Events:
        verdict = current.judge()
        found = [
            *(f"{member} masked another vector than it says" for member in verdict.convicted),
            *(f"{low} and {high} tell different masks" for low, high in verdict.disputes),
            *(f"{member} did not answer" for member in verdict.silent),
        ]
        return self.abort(f"the check coordinates are off: {'; '.join(found) or 'nobody is found at fault'}", verdict)

    def _inquire(self, current: Collection, asked: str | None, now: float) -> _Events:
        """Ask the dealer `asked` for its own seed, or with None everybody for the pair masks of the check values."""
        inquiry = self._signed(messages.Inquiry(current.round, current.rho, int(asked is not None)))
        again = self._stage.phase is _Phase.INQUIRING
        deadline = self._stage.deadline if again else now + self._terms.deadlines.reveal
        current.asked = asked
        self._stage.move(_Step.INQUIRE, deadline)
        receivers = sorted(current.active) if asked is None else [asked]
        return [*(Send(member, inquiry) for member in receivers), *self.progress(now)]

    def _open(self, current: Collection, now: float) -> _Events:
        try:
            vector = current.open(self._threads)
        except DealerFault as fault:
            if fault.check == "seed" and fault.dealer in current.active:
                # protocol 4.8: T digest-valid shares that miss the commitment; its dealer may still save the round.
                return self._inquire(current, fault.dealer, now)
            return self.abort(str(fault), Verdict((fault.dealer,)))
        except CheckFailed:
            return self._inquire(current, None, now)
        # Whoever had to give its seed dealt shares that do not open it: no later round counts on it.
        self._attendance.left_out.update(current.given_seeds)
        data = self._signed(current.receipt(vector))
        contributors = tuple(sorted(current.uploads))
        return [*self._end_round(data), RoundSummed(current.round, vector, contributors, data)]

    def _end_round(self, data: bytes) -> _Events:
        """Make the signed document the next link, store it, then send it to every present member."""
        document = self._record.add(data)
        self._flight().discard_arrivals()
        self._round = None
        self._stage.move(_Step.END_ROUND, None)
        members = sorted(set(self.facts.members) & self._attendance.present)
        kind = "receipt" if document.completed else "abort"
        return [Persist(kind, data), *(Send(member, data) for member in members)]

    def _drop_silent(self, current: Collection, kept: set[str]) -> _Events:
        silent = sorted(current.active - kept)
        for member in silent:
            current.drop(member)
        return [MemberDropped(member, self._stage.phase.value, "the deadline passed") for member in silent]

    def _signed(self, message: messages.Message) -> bytes:
        return sign_envelope(message.TYPE, COORDINATOR, message.encode(), self._key, self.facts.sid)

    def _flight(self) -> Collection:
        if self._round is None:
            raise OutOfOrder("there is no round in flight; begin one first")
        return self._round

    _HANDLERS: ClassVar[Mapping[MessageType, Callable[["Conductor", Envelope, float], _Events]]] = {
        MessageType.DEAL: _on_deal,
        MessageType.CHUNK: _on_chunk,
        MessageType.UPLOAD: _on_upload,
        MessageType.CONFIRM: _on_confirm,
        MessageType.REVEAL: _on_reveal,
        MessageType.COMPLAINT: _on_complaint,
        MessageType.SEED: _on_seed,
        MessageType.BLOCKS: _on_blocks,
    }
