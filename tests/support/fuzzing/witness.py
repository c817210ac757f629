"""An observer that knows no masks: it holds every sum and every message that leaves a member to what was promised."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.secagg.envelope import MessageType, open_envelope
from headwater.secagg.events import RoundSummed
from headwater.secagg.messages import Chunk, Deal, DealHeader, Hello, Message, Reveal

__all__ = ["KINDS", "Witness"]

KINDS: dict[MessageType, type[Message]] = {kind.TYPE: kind for kind in Message.__subclasses__()}


class Witness:
    """Sees what the members were asked to add and what left them; every promise broken is an AssertionError.

    A key of what was said is (type, member, session, round, index); equal bytes may be said again.
    """

    def __init__(self, *, honest_coordinator: bool) -> None:
        """See nothing yet; with an honest coordinator a round number stands for one vector over the whole run."""
        self._honest = honest_coordinator
        self._said: dict[tuple[object, ...], bytes] = {}
        self._kinds: dict[tuple[str, bytes, int, str], str] = {}
        self._given: dict[tuple[str, bytes, int], list[int]] = {}
        self._secret: list[bytes] = []
        self._attempt: dict[str, int] = {}

    def gave(self, member: str, sid: bytes, round_number: int, vector: NDArray[np.unsignedinteger]) -> None:
        """A member handed its vector to its own machine."""
        key = (member, sid, round_number)
        assert key not in self._given, f"{member} was let mask two vectors in round {round_number} of one session"
        self._given[key] = [int(value) for value in vector]
        if vector.nbytes >= 12 and vector.any():
            self._secret.append(vector.tobytes())

    def left(self, member: str, sid: bytes, data: bytes) -> None:
        """A message left a member's machine (protocol 4.1, 4.4, 4.5, 4.6: each thing once, one kind of share)."""
        assert not any(secret in data for secret in self._secret), f"{member} sent a vector unmasked"
        envelope = open_envelope(data)
        assert envelope.sender == member, f"{member} signed as {envelope.sender}"
        message = KINDS[envelope.type].decode(envelope)
        if isinstance(message, Hello):
            self._attempt[member] = message.attempt
        number = _round_of(message)
        if not number:
            sid, number = b"", self._attempt.get(member, 0)
        index = message.index if isinstance(message, Chunk) else 0
        self._once((envelope.type, member, sid, number, index), data)
        if envelope.type is MessageType.UPLOAD and self._honest:
            self._once(("vector", member, number), data)
        if isinstance(message, Reveal):
            self._opened(member, sid, message)

    def summed(self, event: RoundSummed, sid: bytes, members: Sequence[str]) -> None:
        """The coordinator published a sum: exactly that of its contributors, who are a quorum (protocol 1.2, 4.7)."""
        quorum = len(members) * 2 // 3 + 1
        assert set(event.contributors) <= set(members), "a stranger's vector is in the sum"
        assert len(event.contributors) >= max(3, quorum), f"{len(event.contributors)} of {len(members)} were summed"
        modulus = 2 ** (8 * event.vector.dtype.itemsize)
        columns = zip(*(self._given[name, sid, event.round] for name in event.contributors), strict=True)
        expected = [sum(column) % modulus for column in columns]
        assert [int(value) for value in event.vector] == expected, f"the sum of round {event.round} is wrong"

    def _once(self, key: tuple[object, ...], data: bytes) -> None:
        assert self._said.setdefault(key, data) == data, f"two different messages of one kind left a member: {key}"

    def _opened(self, member: str, sid: bytes, reveal: Reveal) -> None:
        for kind, shares in (("self", reveal.self_shares), ("bundle", reveal.bundle_shares)):
            for dealer, _ in shares:
                held = self._kinds.setdefault((member, sid, reveal.round, dealer), kind)
                assert held == kind, f"{member} opened both kinds of share of {dealer} in round {reveal.round}"


def _round_of(message: Message) -> int:
    if isinstance(message, Deal):
        return DealHeader.decode(open_envelope(message.header)).round
    number = getattr(message, "round", 0)
    return int(number)
