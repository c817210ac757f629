"""What a session and its first round cost as the number of members grows: section (d)."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.dealing import CheckedDeal, check_deal
from headwater.secagg.protocol.events import (
    MemberEvent,
    Persist,
    RoundAborted,
    RoundRequested,
    RoundSummed,
    Send,
    SessionFailed,
    SessionReady,
)
from headwater.secagg.protocol.receipts import read_opening
from headwater.secagg.protocol.session import SessionFacts, hellos_digest
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Capsules, Hello, Hellos, StartRecord, Survivors
from secagg.consortium import Consortium
from secagg.standins import StandIn

__all__ = ["SAMPLE", "measure_growth"]

SAMPLE = 3
"""Members that are measured; the others are stand-ins."""

_T = TypeVar("_T")


@dataclass
class _Cost:
    setup: float = 0.0
    round: float = 0.0


class _Session:
    """One setup and one round of measured members, stand-ins and the coordinator, in this process."""

    def __init__(self, consortium: Consortium, sample: int) -> None:
        count = consortium.count
        # First, last and in between: a member encapsulates for those after it and opens the capsules of the others.
        places = sorted({round(share * (count - 1) / max(sample - 1, 1)) for share in range(sample)})
        self.measured = [consortium.names[place] for place in places]
        self.consortium, self.costs = consortium, {name: _Cost() for name in self.measured}
        self.server_cost, self.phases, self._in_round = _Cost(), dict[str, float](), False
        self._stand_ins = {
            name: StandIn(consortium, place, self.measured)
            for place, name in enumerate(consortium.names)
            if name not in self.costs
        }
        self._participants = {
            name: self._spend(
                self.costs[name],
                partial(Participant, consortium.roster, consortium.terms, name, consortium.key(name)),
            )
            for name in self.measured
        }
        self.sum: RoundSummed | None = None
        self.bytes_up = 0
        self._seen: dict[MessageType, bytes] = {}
        self._capsules: dict[str, dict[str, bytes]] = {}
        self._deals: dict[str, bytes] = {}
        self._opening, self._rho = b"", b""
        self._queue: list[tuple[str, bytes]] = []
        self._server = self._spend(
            self.server_cost,
            lambda: Aggregator(consortium.roster, consortium.terms, consortium.key(""), now=0.0),
        )

    def play(self) -> None:
        """The setup, then one round to its sum."""
        for name in self.consortium.names:
            self._server_does("connect", partial(self._server.connected, name, 0.0))
        self._give((name, stand_in.hello()) for name, stand_in in self._stand_ins.items())
        self._answer()
        self._give(self._accepts())
        self._answer()
        facts, _ = read_opening(self._opening, self.consortium.roster, self.consortium.terms, 1)
        self._give((name, stand_in.deal(facts, self._capsules)) for name, stand_in in self._stand_ins.items())
        self._in_round = True
        self._server_does("begin", lambda: self._server.begin_round(b"{}", b"", self.consortium.length, 0.0))
        self._answer()
        rho = self._rho
        self._give((name, data) for name, stand_in in self._stand_ins.items() for data in stand_in.upload(rho))
        self._answer()
        uploads = Survivors.decode(open_envelope(self._seen[MessageType.SURVIVORS])).uploads
        self._give((name, stand_in.confirm(rho, uploads)) for name, stand_in in self._stand_ins.items())
        self._answer()
        self._give(self._reveals(facts, rho))
        self._answer()

    def _accepts(self) -> Iterable[tuple[str, bytes]]:
        raw = Hellos.decode(open_envelope(self._seen[MessageType.HELLOS])).hellos
        agreed, keys = hellos_digest(raw), {}
        for data in raw:
            envelope = open_envelope(data)
            if envelope.sender in self.costs:
                keys[envelope.sender] = Hello.decode(envelope).encapsulation_key
        return ((name, data) for name, each in self._stand_ins.items() for data in each.accept(agreed, keys))

    def _reveals(self, facts: SessionFacts, rho: bytes) -> Iterable[tuple[str, bytes]]:
        deals: dict[str, CheckedDeal] = {
            name: check_deal(open_envelope(data), facts, 1) for name, data in self._deals.items()
        }
        shares = {name: stand_in.share() for name, stand_in in self._stand_ins.items()}
        # The coordinator opens the sum at T Reveals; later ones would only be ignored.
        needed = list(self._stand_ins.items())[: facts.quorum - len(self.measured)]
        return ((name, stand_in.reveal(rho, facts, deals, shares)) for name, stand_in in needed)

    def _spend(self, cost: _Cost, work: Callable[[], _T]) -> _T:
        begun = time.process_time()
        result = work()
        spent = time.process_time() - begun
        if self._in_round:
            cost.round += spent
        else:
            cost.setup += spent
        return result

    def _give(self, messages: Iterable[tuple[str, bytes]]) -> None:
        for name, data in messages:
            self._receive(name, data)

    def _receive(self, name: str, data: bytes) -> None:
        kind = open_envelope(data).type
        self._server_does(kind.name.lower(), lambda: self._server.receive(name, data, 0.0))

    def _server_does(self, phase: str, work: Callable[[], list[Any]]) -> None:
        before = self.server_cost.setup + self.server_cost.round
        events = self._spend(self.server_cost, work)
        if any(isinstance(event, RoundSummed) for event in events):
            phase = "unmasking"
        spent = self.server_cost.setup + self.server_cost.round - before
        self.phases[phase] = self.phases.get(phase, 0.0) + spent
        for event in events:
            match event:
                case Send(member, data) if member in self.costs:
                    self._queue.append((member, data))
                case Send(_, data):
                    self._seen.setdefault(open_envelope(data).type, data)
                case SessionReady():
                    self._opening = event.opening
                case Persist("start", data):
                    self._rho = StartRecord.decode(open_envelope(data)).rho
                case RoundSummed():
                    self.sum = event
                case RoundAborted() | SessionFailed():
                    raise SystemExit(f"the measured session did not go well: {event.reason}")
                case _:
                    pass

    def _answer(self) -> None:
        """Let the measured members do what they were sent."""
        while self._queue:
            name, data = self._queue.pop(0)
            receive = partial(self._participants[name].receive, data, 0.0)
            for event in self._spend(self.costs[name], receive):
                self._member_does(name, event)

    def _member_does(self, name: str, event: MemberEvent) -> None:
        match event:
            case Send(_, data):
                self._note(name, data)
                self._receive(name, data)
            case RoundRequested():
                place = self.consortium.names.index(name)
                vector, participant = self.consortium.encoded_vector(place), self._participants[name]
                for data in self._spend(self.costs[name], lambda: list(participant.upload(event.round, vector))):
                    self._note(name, data)
                    self._receive(name, data)
            case _:
                pass

    def _note(self, name: str, data: bytes) -> None:
        if name == self.measured[0]:
            self.bytes_up += len(data)
        envelope = open_envelope(data)
        if envelope.type is MessageType.CAPSULES:
            later = self.consortium.names[self.consortium.names.index(name) + 1 :]
            self._capsules[name] = dict(zip(later, Capsules.decode(envelope).capsules, strict=True))
        elif envelope.type is MessageType.DEAL:
            self._deals.setdefault(name, data)


def measure_growth(count: int, length: int, sample: int = SAMPLE) -> dict[str, Any]:
    """One setup and one round.

    Args:
        count: members.
        length: values in each vector.
        sample: members that are real and measured; the first, the last and some between.

    Returns:
        CPU seconds: "member_setup" and "member_round" (the most that a measured member spent), "server_setup",
        "server_round", "phases" of the server; "bytes_up" of the first member, setup included.

    Raises:
        SystemExit: the sum is not exact.
    """
    consortium = Consortium(count, length, rounds=1)
    session = _Session(consortium, sample)
    session.play()
    expected = np.zeros(length, np.uint32)
    for place in range(count):
        expected += consortium.encoded_vector(place)
    if session.sum is None or not np.array_equal(session.sum.vector, expected):
        raise SystemExit(f"the sum of {count} members is wrong or missing")
    worst = max(session.costs.values(), key=lambda cost: cost.setup + cost.round)
    return {
        "member_setup": worst.setup,
        "member_round": worst.round,
        "server_setup": session.server_cost.setup,
        "server_round": session.server_cost.round,
        "phases": session.phases,
        "bytes_up": session.bytes_up,
    }
