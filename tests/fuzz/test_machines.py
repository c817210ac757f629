"""Both state machines under an adversary's choices: what was promised holds after every step."""

import os
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headwater.secagg.protocol.events import COORDINATOR, RoundRequested
from headwater.secagg.protocol.families import Family
from headwater.secagg.wire.envelope import MessageType
from support.fuzzing import seeds
from support.fuzzing.choices import Choices
from support.fuzzing.equivocation import Equivocator
from support.fuzzing.forging import volunteered
from support.fuzzing.hostile import HostileWorld

PLACES = st.integers(0, 63)
HISTORY = st.integers(0, 1000)
MEMBERS = st.integers(0, 4)
SENT = st.sampled_from(seeds.SENT)
BYTES = st.binary(min_size=1, max_size=24)
EXAMPLES = int(os.environ.get("HEADWATER_FUZZ_EXAMPLES", "20"))
STEPS = int(os.environ.get("HEADWATER_FUZZ_STEPS", "40"))
FAMILIES = st.sampled_from((None, None, Family("counts"), Family("update", 3)))
FEW = st.sets(MEMBERS, max_size=1)
STARTS = st.sampled_from(("nothing", "session", "asked", "uploads", "round"))
HELD_BACK = (MessageType.SURVIVORS, MessageType.QUORUM, MessageType.RECEIPT, MessageType.ABORT, MessageType.CLOSE)


class _Adversary(RuleBasedStateMachine):
    """What the network, the processes and the clock may do, in steps that are mostly small."""

    liars: frozenset[str] = frozenset()

    @initialize(count=st.sampled_from((4, 3, 5)), family=FAMILIES, start=STARTS)
    def open(self, count: int, family: Family | None, start: str) -> None:
        strict = family is not None
        self.world, self.kills = HostileWorld(count, liars=self.liars, family=family, strict=strict), 0
        self.other = Equivocator(self.world)
        if start != "nothing":
            self.world.run()
        if start in ("asked", "uploads", "round"):
            self.world.ask(4)
            self.world.run()
        if start in ("uploads", "round"):
            self.answer_whole({0, 1, 2, 3, 4})
        if start == "round":
            self.world.run()

    def member(self, number: int) -> str:
        return self.world.names[number % self.world.count]

    @rule(choices=st.lists(PLACES, min_size=1, max_size=30))
    def deliver(self, choices: list[int]) -> None:
        for choice in choices:
            self.world.deliver(choice)

    @rule(count=st.integers(1, 40))
    def deliver_in_order(self, count: int) -> None:
        for _ in range(count):
            self.world.deliver(0)

    @rule()
    def deliver_all(self) -> None:
        self.world.run()

    @rule(length=st.integers(1, 6))
    def ask(self, length: int) -> None:
        self.world.ask(length)

    @rule(length=st.integers(1, 6))
    def ask_and_deliver(self, length: int) -> None:
        self.world.ask(length)
        self.world.run()

    @rule(numbers=st.sets(MEMBERS, min_size=2))
    def answer_whole(self, numbers: set[int]) -> None:
        for number in sorted(numbers):
            self.world.answer(self.member(number), 100)

    @rule(number=MEMBERS, messages=st.integers(1, 3))
    def answer_in_part(self, number: int, messages: int) -> None:
        self.world.answer(self.member(number), messages)

    @rule(kind=st.sampled_from(("lose", "repeat", "deliver twice", "misdirect")), choice=HISTORY, number=MEMBERS)
    def meddle(self, kind: str, choice: int, number: int) -> None:
        match kind:
            case "lose":
                self.world.lose(choice)
            case "misdirect":
                self.world.misdirect(choice, self.member(number))
            case "repeat":
                self.world.repeat(choice)
            case _:
                self.world.deliver(choice)
                self.world.repeat(-1)

    @rule(choice=PLACES, data=BYTES)
    def spoil(self, choice: int, data: bytes) -> None:
        self.world.spoil(choice, Choices(data))

    @rule(kind=SENT, what=st.sampled_from(("lose", "repeat", "spoil")), passed=st.integers(0, 4), data=BYTES)
    def lie_in_wait(self, kind: MessageType, what: str, passed: int, data: bytes) -> None:
        self.world.lie_in_wait(kind, what, passed, Choices(data))

    @rule(numbers=st.sets(MEMBERS, min_size=2), length=st.integers(1, 6))
    def play(self, numbers: set[int], length: int) -> None:
        self.world.ask(length)
        self.world.run()
        self.answer_whole(numbers)
        self.world.run()
        if self.world.aggregator.next_deadline is not None:
            self.pass_time(None)
            self.world.run()

    @rule(kind=st.sampled_from(("cut", "reconnect", "reconnect", "restart", "leave", "decline")), number=MEMBERS)
    def strike(self, kind: str, number: int) -> None:
        member = self.member(number)
        match kind:
            case "cut":
                self.world.cut(member)
            case "reconnect":
                self.world.reconnect(member)
            case "restart":
                self.world.restart(member)
            case "leave":
                self.world.leave(member)
            case _:
                self.world.decline(member)

    @rule(number=MEMBERS, choice=HISTORY)
    def answer_again(self, number: int, choice: int) -> None:
        member = self.member(number)
        asked = [event for event in self.world.events_of(member, RoundRequested) if isinstance(event, RoundRequested)]
        if asked:
            self.world.answer_again(member, asked[choice % len(asked)])

    @precondition(lambda self: self.kills < 3)
    @rule(stopped=st.booleans())
    def kill_coordinator(self, stopped: bool) -> None:
        self.kills += 1
        if stopped:
            self.world.stop()
            self.world.run()
        self.open_again()

    @precondition(lambda self: self.world.aggregator.closed)
    @rule()
    def open_again(self) -> None:
        if self.world.rebuild():
            for member in self.world.names:
                if member not in self.world.participants or self.world.participants[member].closed:
                    self.world.restart(member)
                else:
                    self.world.connect(member)

    @rule(seconds=st.sampled_from((0.0, 1.0, 10.0, None)))
    def pass_time(self, seconds: float | None) -> None:
        deadline = self.world.aggregator.next_deadline
        if seconds is not None or deadline is None:
            self.world.pass_time(seconds or 0.0)
        else:
            self.world.pass_time(deadline - self.world.now)

    @invariant()
    def promises_hold(self) -> None:
        self.world.check()


class HostileNetwork(_Adversary):
    """Nobody lies; when the network turns honest, a round completes unless the run is used up."""

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.check()
            self.world.weigh()


class LyingMember(_Adversary):
    """One member signs what it likes under an honest coordinator: every sum stays exact, and nobody else is blamed."""

    liars = frozenset({"org-1"})

    @rule(kind=SENT, passed=st.integers(0, 2), data=BYTES)
    def lie_later(self, kind: MessageType, passed: int, data: bytes) -> None:
        self.world.lie_in_wait(kind, "lie", passed, Choices(data))

    @rule(choice=PLACES, data=BYTES)
    def lie(self, choice: int, data: bytes) -> None:
        self.world.lie(choice, Choices(data))

    @rule(kind=SENT, sender=st.booleans(), number=MEMBERS)
    def volunteer(self, kind: MessageType, sender: bool, number: int) -> None:
        member, liars = self.member(number), sorted(self.liars)
        liar = liars[sender % len(liars)]
        data = volunteered(self.world, liar, kind)
        if data and (liar or member) in self.world.online:
            self.world.queue.append((liar, "" if liar else member, data))

    @rule(data=BYTES, numbers=st.sets(MEMBERS, min_size=3), length=st.integers(1, 6))
    def mask_otherwise(self, data: bytes, numbers: set[int], length: int) -> None:
        self.world.bent = {liar: Choices(data) for liar in self.liars}
        self.play(numbers, length)


class LyingCoordinator(LyingMember):
    """The coordinator, with one member, signs what it likes: no honest member opens two views, or says two things."""

    liars = frozenset({COORDINATOR, "org-1"})

    @rule(numbers=st.sets(MEMBERS, min_size=1), task=st.binary(min_size=1, max_size=8))
    def ask_otherwise(self, numbers: set[int], task: bytes) -> None:
        self.other.ask_otherwise(self.members(numbers), task)

    @rule(numbers=st.sets(MEMBERS, min_size=1), chosen=st.sets(MEMBERS, min_size=2))
    def show_survivors(self, numbers: set[int], chosen: set[int]) -> None:
        self.other.show_survivors(self.members(numbers), self.members(chosen))

    @rule(numbers=st.sets(MEMBERS, min_size=1))
    def show_quorum(self, numbers: set[int]) -> None:
        self.other.show_quorum(self.members(numbers))

    @rule(numbers=st.sets(MEMBERS, min_size=1), seed=st.integers(0, 1))
    def inquire(self, numbers: set[int], seed: int) -> None:
        self.other.inquire(self.members(numbers), seed)

    @rule(kinds=st.sets(st.sampled_from(HELD_BACK)))
    def mute(self, kinds: set[MessageType]) -> None:
        self.world.muted = kinds

    @rule(first=FEW, half=st.sets(MEMBERS), second=FEW, asked=FEW, hasty=st.booleans())
    def divide(self, first: set[int], half: set[int], second: set[int], asked: set[int], hasty: bool) -> None:
        """A round whose members are shown two cohorts, each without the few given."""
        self.world.muted = {MessageType.SURVIVORS, MessageType.QUORUM}
        self.world.ask(4)
        self.world.run()
        self.answer_whole(set(range(5)) - asked)
        self.world.run()
        self.world.pass_time((self.world.aggregator.next_deadline or self.world.now) - self.world.now)
        everybody = set(range(self.world.count))
        self.other.divide(
            self.members(everybody - first), self.members(half), self.members(everybody - second), hasty=hasty
        )
        self.world.muted = set()

    def members(self, numbers: set[int]) -> list[str]:
        return sorted({self.member(number) for number in numbers})

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.weigh()


def _machine(kind: type[_Adversary], share: float) -> Any:
    case = kind.TestCase
    case.settings = settings(
        max_examples=max(1, round(EXAMPLES * share)),
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return case


TestHostileNetwork = _machine(HostileNetwork, 1.0)
TestLyingMember = _machine(LyingMember, 1.0)
TestLyingCoordinator = _machine(LyingCoordinator, 1.0)
