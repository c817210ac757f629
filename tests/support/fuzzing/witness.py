"""An observer that knows no masks: it holds every sum and every message that leaves a member to what was promised."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from headwater.secagg.protocol.events import COORDINATOR, CohortConfirmed, RoundAborted, RoundSummed
from headwater.secagg.protocol.families import Cohort, Family
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Blocks, Chunk, Complaint, Deal, DealHeader, Hello, Message, Reveal, Seed

__all__ = ["KINDS", "Witness"]

KINDS: dict[MessageType, type[Message]] = {kind.TYPE: kind for kind in Message.__subclasses__()}

_FRONT_BYTES = 32
"""The four check coordinates in the ring of 64 bits."""


class Witness:
    """Sees what honest members were asked to add and what left them; a broken promise is an AssertionError.

    A key of what was said is (type, member, session, round, index); equal bytes may be said again.
    """

    def __init__(self, liars: Collection[str] = ()) -> None:
        """See nothing yet; nothing is promised of what `liars` say, the empty name being the coordinator."""
        self._liars = frozenset(liars)
        self._said: dict[tuple[object, ...], bytes] = {}
        self._kinds: dict[tuple[str, bytes, int, str], str] = {}
        self._views: dict[tuple[bytes, int], tuple[object, ...]] = {}
        self._given: dict[tuple[str, bytes, int], list[int]] = {}
        self._secret: list[bytes] = []
        self._attempt: dict[str, int] = {}
        self._cohorts: dict[tuple[str, Family], list[Cohort]] = {}

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
        if member in self._liars:
            return
        number = _round_of(message)
        if not number:
            sid, number = b"", self._attempt.get(member, 0)
        index = message.index if isinstance(message, Chunk) else 0
        self._once((envelope.type, member, sid, number, index), data)
        if envelope.type is MessageType.UPLOAD and COORDINATOR not in self._liars:
            # A process that is killed forgets; an honest coordinator closes the round, so the number is used up.
            self._once(("vector", member, number), data)
        match message:
            case Reveal():
                self._opened(member, sid, message)
            case Complaint(round=number):
                # protocol 4.2: a Complaint and no Upload.
                assert (MessageType.UPLOAD, member, sid, number, 0) not in self._said, f"{member} complains too late"
            case Seed() | Blocks():
                self._told(member, sid, message)
            case _:
                pass

    def confirmed(self, member: str, event: CohortConfirmed) -> None:
        """A member stores the cohort that it is about to confirm (protocol 4.10)."""
        before = self._cohorts.setdefault((member, event.family), [])
        for cohort in before:
            allowed = event.family.allows(cohort, event.members)
            assert member in self._liars or allowed, f"{member} confirmed {event.members} after {cohort}"
        before.append(event.members)

    def summed(self, event: RoundSummed, sid: bytes, members: Sequence[str]) -> None:
        """The coordinator published a sum: exactly that of its contributors, who are a quorum (protocol 1.2, 4.7)."""
        quorum = len(members) * 2 // 3 + 1
        assert set(event.contributors) <= set(members), "a stranger's vector is in the sum"
        assert len(event.contributors) >= max(3, quorum), f"{len(event.contributors)} of {len(members)} were summed"
        modulus = 2 ** (8 * event.vector.dtype.itemsize)
        columns = zip(*(self._given[name, sid, event.round] for name in event.contributors), strict=True)
        expected = [sum(column) % modulus for column in columns]
        assert [int(value) for value in event.vector] == expected, f"the sum of round {event.round} is wrong"

    def aborted(self, event: RoundAborted) -> None:
        """An honest coordinator blames nobody honest (protocol 4.7, 4.8)."""
        if COORDINATOR in self._liars:
            return
        assert set(event.blamed) <= self._liars, f"{event.blamed} are blamed: {event.reason}"
        assert all(self._liars & set(pair) for pair in event.disputes), f"{event.disputes}: {event.reason}"

    def _once(self, key: tuple[object, ...], data: bytes) -> None:
        assert self._said.setdefault(key, data) == data, f"two different messages of one kind left a member: {key}"

    def _opened(self, member: str, sid: bytes, reveal: Reveal) -> None:
        for kind, shares in (("self", reveal.self_shares), ("bundle", reveal.bundle_shares)):
            for dealer, _ in shares:
                held = self._kinds.setdefault((member, sid, reveal.round, dealer), kind)
                assert held == kind, f"{member} opened both kinds of share of {dealer} in round {reveal.round}"
        # protocol 4.5, 4.6: two quorums share an honest member, so all honest members open the same view of a round:
        # nobody's self mask and pair masks are both open, and what is open is a sum over two honest members or more.
        alive = tuple(dealer for dealer, _ in reveal.self_shares)
        view = (reveal.rho, alive, tuple(dealer for dealer, _ in reveal.bundle_shares))
        assert self._views.setdefault((sid, reveal.round), view) == view, f"round {reveal.round} was opened twice"
        assert len(set(alive) - self._liars) >= 2, f"round {reveal.round} opens the vectors of {alive} alone"

    def _told(self, member: str, sid: bytes, message: Seed | Blocks) -> None:
        """What an inquiry is answered with opens nothing that the member's Reveal did not (protocol 4.7, 4.8)."""
        revealed = {
            dealer: kind
            for (who, at, t, dealer), kind in self._kinds.items()
            if (who, at, t) == (member, sid, message.round)
        }
        assert revealed.get(member) == "self", f"{member} answers an inquiry without having revealed itself alive"
        if isinstance(message, Blocks):
            for peer, mask in message.masks:
                assert revealed.get(peer) == "self", f"{member} tells a mask of {peer}, who is not in the sum"
                assert len(mask) <= _FRONT_BYTES, f"{member} tells {len(mask)} bytes of a mask"


def _round_of(message: Message) -> int:
    if isinstance(message, Deal):
        return DealHeader.decode(open_envelope(message.header)).round
    number = getattr(message, "round", 0)
    return int(number)
