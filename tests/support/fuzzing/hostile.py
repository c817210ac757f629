"""A consortium on a network that loses, repeats, reorders, spoils and cuts, with processes that die at any moment."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from headwater.errors import OutOfOrder
from headwater.secagg import Participant
from headwater.secagg.crypto.ring import ring_type
from headwater.secagg.protocol.events import (
    COORDINATOR,
    AggregatorEvent,
    CohortConfirmed,
    MemberEvent,
    Persist,
    RoundAborted,
    RoundRequested,
    RoundSummed,
    SessionReady,
)
from headwater.secagg.protocol.phases import CoordinatorPhase
from headwater.secagg.protocol.receipts import close_unfinished, verify_chain
from headwater.secagg.protocol.terms import MAXIMUM_ATTEMPTS
from headwater.secagg.wire.envelope import MessageType, open_envelope
from support.fuzzing.choices import Choices
from support.fuzzing.damage import damage_bytes, damage_message
from support.fuzzing.forging import bend, read_message, sign_as
from support.fuzzing.memory import bytes_held
from support.fuzzing.stores import Store
from support.fuzzing.witness import Witness
from support.network import World

__all__ = ["HostileWorld"]


MOST_BYTES = 2**18
"""What a machine may hold on to, for five members, vectors of six values and eight rounds."""


@dataclass
class Ambush:
    """What happens to one message that is not sent yet."""

    kind: MessageType
    what: str
    passed: int
    choices: Choices


@dataclass
class HostileWorld(World):
    """A `World` whose every step is an adversary's choice; numbers pick among what is there, and nothing is no step.

    Attributes:
        liars: who signs lies (`lie`), the empty name being the coordinator; nothing is promised of what they say.
        stores: what each organisation has on disk.
        openings: the openings that the coordinator stored, by attempt.
        unfinished: the record of a round that began and did not end.
        asked: what members were asked for and did not answer yet.
        uploading: by member, its session and the messages of its upload that have not left yet.
        sids: the session that each member's process is in.
        waiting: what will happen to messages that are not sent yet.
        muted: types that the coordinator's aggregator is kept from sending.
        bent: liars that will mask their next vector with other secrets than they should.
    """

    answering: bool = False
    liars: frozenset[str] = frozenset()
    muted: set[MessageType] = field(default_factory=set)
    bent: dict[str, Choices] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    openings: dict[int, bytes] = field(default_factory=dict)
    unfinished: bytes = b""
    asked: dict[str, RoundRequested] = field(default_factory=dict)
    uploading: dict[str, tuple[bytes, Iterator[bytes]]] = field(default_factory=dict)
    sids: dict[str, bytes] = field(default_factory=dict)
    waiting: list[Ambush] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make keys and terms, and let everybody connect."""
        super().__post_init__()
        self.to_member = lambda member, data: self._ambushed(COORDINATOR, data)
        self.to_coordinator = self._ambushed
        self.witness = Witness(self.liars)
        self.random = np.random.default_rng(11)
        self.verified: tuple[bytes, ...] = ()
        self.stores = {name: Store() for name in self.names}
        for name in self.names:
            self.restart(name)

    # The network's choices.

    def deliver(self, choice: int) -> None:
        """Deliver one message under way, not always the oldest."""
        if self.queue:
            item = self.queue[choice % len(self.queue)]
            self.queue.remove(item)
            self.queue.appendleft(item)
            self.step()

    def lose(self, choice: int) -> None:
        """Lose one message under way."""
        if self.queue:
            del self.queue[choice % len(self.queue)]

    def repeat(self, choice: int) -> None:
        """Send a message again that was sent at any time, if its ends are connected."""
        if self.traffic:
            sender, receiver, data = self.traffic[choice % len(self.traffic)]
            if (sender or receiver) in self.online:
                self.queue.append((sender, receiver, data))

    def misdirect(self, choice: int, other: str) -> None:
        """Deliver one old message to or from a member that it was not sent to or by."""
        if self.traffic and other in self.online:
            sender, _, data = self.traffic[choice % len(self.traffic)]
            self.queue.append((sender and other, "" if sender else other, data))

    def spoil(self, choice: int, choices: Choices) -> None:
        """Change the bytes of one message under way."""
        if self.queue:
            sender, receiver, data = self.queue[choice % len(self.queue)]
            self.queue[choice % len(self.queue)] = (sender, receiver, self.spoilt(sender, data, choices))

    def lie(self, choice: int, choices: Choices) -> None:
        """Change a field of one message under way and sign it as its sender would: the sender is malicious."""
        if self.queue:
            sender, receiver, data = self.queue[choice % len(self.queue)]
            self.queue[choice % len(self.queue)] = (sender, receiver, self.lied(sender, data, choices))

    def lie_in_wait(self, kind: MessageType, what: str, passed: int, choices: Choices) -> None:
        """Do to a message of this type that is yet to be sent, after so many others of it: lose, spoil, lie, repeat."""
        self.waiting.append(Ambush(kind, what, passed, choices))

    def _ambushed(self, sender: str, data: bytes) -> list[bytes]:
        kind = open_envelope(data).type
        if sender == COORDINATOR and kind in self.muted:
            return []
        found = next((ambush for ambush in self.waiting if ambush.kind is kind), None)
        if found is None or found.passed > 0:
            if found is not None:
                found.passed -= 1
            return [data]
        self.waiting.remove(found)
        match found.what:
            case "lose":
                return []
            case "repeat":
                return [data, data]
            case "spoil":
                return [self.spoilt(sender, data, found.choices)]
            case _:
                return [self.lied(sender, data, found.choices)]

    def spoilt(self, sender: str, data: bytes, choices: Choices) -> bytes:
        """The message with other bytes, some of them from what its sender sent before."""
        return damage_bytes(data, choices, [old for origin, _, old in self.traffic[-40:] if origin == sender])

    def lied(self, sender: str, data: bytes, choices: Choices) -> bytes:
        """The message with another field, signed by its sender; spoilt if the sender is no liar."""
        if sender not in self.liars:
            return self.spoilt(sender, data, choices)
        message = read_message(data)
        pool = [old for _, _, other in self.traffic[-60:] if (old := read_message(other)) is not None]
        changed = damage_message(message, choices, pool) if message is not None else None
        return (sign_as(self, sender, changed) if changed is not None else b"") or data

    def cut(self, member: str) -> None:
        """Break a member's stream."""
        if member in self.online:
            self.disconnect(member)

    def reconnect(self, member: str) -> None:
        """Open a member's stream, anew if there is one."""
        self.queue = type(self.queue)(item for item in self.queue if member not in item[:2])
        self.connect(member)

    # What the parties may do at any moment.

    def restart(self, member: str) -> None:
        """Kill an organisation's process and start it from its record, while attempts last."""
        self.cut(member)
        for held in (self.participants, self.asked, self.uploading, self.sids):
            held.pop(member, None)
        if self.stores[member].attempt < MAXIMUM_ATTEMPTS:
            self.participants[member] = self._participant(member)
            self.connect(member)

    def rebuild(self) -> bool:
        """Kill the coordinator's process and start it from its record; tells whether an attempt was left."""
        if self.attempt >= MAXIMUM_ATTEMPTS:
            return False
        if self.unfinished:
            self.chain.append(close_unfinished(self.unfinished, self.coordinator_key))
            self.unfinished = b""
        self.queue.clear()
        self.new_attempt()
        return True

    def ask(self, length: int, task: bytes = b"{}", model: bytes = b"") -> None:
        """Begin a round, if the coordinator can."""
        try:
            self.coordinator_does(self.aggregator.begin_round(task, model, length, self.now))
        except OutOfOrder:
            assert self.aggregator.phase is not CoordinatorPhase.READY, "a ready coordinator began no round"

    def answer(self, member: str, messages: int) -> None:
        """Let a member mask its vector and send that many of the messages, or go on with those not yet sent."""
        asked = self.asked.pop(member, None)
        if asked is not None:
            kind = ring_type(self.ring_bits)
            vector = self.random.integers(0, 2**self.ring_bits, size=asked.length, dtype=kind.type).astype(kind)
            if member in self.bent:
                bend(self.participants[member], self.bent.pop(member))
            try:
                walk = self.participants[member].upload(asked.round, vector, self.family)
            except OutOfOrder:
                return
            self.witness.gave(member, self.sids[member], asked.round, vector)
            self.uploading[member] = (self.sids[member], walk)
        sid, walk = self.uploading.get(member, (b"", iter(())))
        for data in islice(walk, messages):
            self.witness.left(member, sid, data)
            super().send(member, data)

    def answer_whole(self) -> None:
        """Let every member that was asked send its whole vector."""
        for member in self.names:
            self.answer(member, 100)

    def answer_again(self, member: str, asked: RoundRequested) -> None:
        """A driver's mistake: ask the machine for the masked vector of a round that it may have given before."""
        if member in self.participants and self.asked.get(member) != asked:
            try:
                self.participants[member].upload(asked.round, np.zeros(asked.length, ring_type(self.ring_bits)))
            except OutOfOrder:
                return
            raise AssertionError(f"{member} was let mask another vector in round {asked.round}")

    def decline(self, member: str) -> None:
        """Let a member refuse the round that it was asked in."""
        asked = self.asked.pop(member, None)
        if asked is not None:
            with suppress(OutOfOrder):
                self.member_does(member, self.participants[member].refuse(asked.round, "not today"))

    def leave(self, member: str) -> None:
        """Let an organisation close its session."""
        if member in self.participants:
            self.member_does(member, self.participants[member].close("enough"))

    def stop(self) -> None:
        """Let the operator close the session."""
        self.coordinator_does(self.aggregator.close("enough", self.now))

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.tick(seconds)
        for member, participant in self.participants.items():
            self.member_does(member, participant.tick(self.now))

    # Honesty, and what must come of it.

    def settle(self) -> str:
        """Turn everything honest: a round completes, or the run's attempts or rounds are used up; says which."""
        done = len(self.sums())
        self.waiting.clear()
        for member in self.participants:
            self.reconnect(member)
        for _ in range(16 * MAXIMUM_ATTEMPTS):
            if len(self.sums()) > done:
                return "summed"
            if self.aggregator.closed and (self._used_up() or not self.rebuild()):
                return "used up"
            for member in self.names:
                if member not in self.participants or self.participants[member].closed:
                    self.restart(member)
                elif member not in self.online:
                    self.connect(member)
            self._run_honestly()
            if self.aggregator.phase is CoordinatorPhase.READY:
                self.ask(3)
                self._run_honestly()
            if len(self.sums()) == done and self.aggregator.next_deadline is not None:
                self.pass_time(self.aggregator.next_deadline - self.now)
        raise AssertionError(f"an honest network completes no round and fails no session: {self.aggregator.phase}")

    def _run_honestly(self) -> None:
        self.run()
        while self.asked or self.uploading:
            self.answer_whole()
            self.uploading.clear()
            self.run()

    def _used_up(self) -> bool:
        return bool(self.failures()) and self.failures()[-1].endswith("used up")

    def weigh(self) -> None:
        """No machine holds more than honest use of it would (protocol 4.9)."""
        for machine in (self.aggregator, *self.participants.values()):
            assert bytes_held(machine) < MOST_BYTES, f"a {type(machine).__name__} holds {bytes_held(machine)} bytes"

    def check(self) -> None:
        """What holds after every step, whatever the network did."""
        if tuple(self.chain) != self.verified:
            verify_chain(self.chain, self.roster, self.terms(1), self.openings)
            self.verified = tuple(self.chain)
        if COORDINATOR not in self.liars:
            for name, store in self.stores.items():
                honest = name not in self.liars
                assert not honest or store.documents == self.chain[: len(store.documents)], (
                    f"{name} holds another chain"
                )

    # The machines' events, watched.

    def coordinator_does(self, events: list[AggregatorEvent]) -> None:
        """Perform the aggregator's events in order."""
        for event in events:
            match event:
                case Persist("start", data):
                    self.unfinished = data
                case Persist("session", data):
                    self.openings[self.attempt] = data
                case Persist():
                    self.unfinished = b""
                case RoundAborted():
                    self.witness.aborted(event)
                case RoundSummed():
                    ready = [old for old in self.aggregator_events if isinstance(old, SessionReady)][-1]
                    self.witness.summed(event, ready.sid, ready.members)
                case _:
                    pass
            super().coordinator_does([event])

    def member_does(self, member: str, events: list[MemberEvent]) -> None:
        """Perform a participant's events in order; a requested vector is given by `answer`."""
        for event in events:
            self.stores[member].keep(event)
            match event:
                case SessionReady(_, sid):
                    self.sids[member] = sid
                case RoundRequested():
                    self.asked[member] = event
                case CohortConfirmed():
                    self.witness.confirmed(member, event)
                case _:
                    pass
            super().member_does(member, [event])

    def send(self, member: str, data: bytes) -> None:
        """Show a member's message to the witness, then put it on the wire."""
        self.witness.left(member, self.sids.get(member, b""), data)
        super().send(member, data)

    def deliver_to_coordinator(self, member: str, data: bytes) -> None:
        """Hand one message to the aggregator; a refused one leaves it where it was."""
        before, refused = (self.aggregator.phase, self.aggregator.next_deadline), len(self.errors)
        super().deliver_to_coordinator(member, data)
        if len(self.errors) > refused:
            assert before == (self.aggregator.phase, self.aggregator.next_deadline), self.errors[-1]

    def deliver_to_member(self, member: str, data: bytes) -> None:
        """Hand one message to a participant, if its process lives; a refused one leaves it where it was."""
        participant = self.participants.get(member)
        if participant is None:
            return
        before, refused = (participant.phase, participant.next_deadline), len(self.errors)
        super().deliver_to_member(member, data)
        if len(self.errors) > refused:
            assert before == (participant.phase, participant.next_deadline), self.errors[-1]

    def _participant(self, member: str) -> Participant:
        store = self.stores[member]
        return Participant(
            self.roster,
            self.terms(store.attempt + 1),
            member,
            self.identity[member],
            store.documents[-1] if store.documents else None,
            records=store.written,
            seen={peer: count for peer, count in store.seen.items() if peer != member},
            cohorts=self.cohorts.get(member, {}),
            excluded=store.excluded,
        )
