"""A member's live session: its secrets, its one outstanding Deal, and what it signs: protocol 3.4, 3.5, 4.1."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg.protocol.dealing import OwnDeal, make_deal
from headwater.secagg.protocol.pairing import Ratchets
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.wire.envelope import MessageType, sign_envelope

__all__ = ["Membership"]


class Membership:
    """Lives in memory only, and forgets each round's secrets as it passes."""

    def __init__(
        self, facts: SessionFacts, member: str, ratchets: Ratchets, key: Ed25519PrivateKey, last_round: int
    ) -> None:
        """Enter the session; `last_round` is the plan's last, rounds and retries together."""
        self.facts, self.ratchets = facts, ratchets
        self.deal: OwnDeal | None = None
        self._member, self._key, self._last_round = member, key, last_round

    def sign(self, kind: MessageType, body: bytes) -> bytes:
        """A message of this member under the session's SID."""
        return sign_envelope(kind, self._member, body, self._key, self.facts.sid)

    def make_deal(self) -> list[bytes]:
        """Deal for the next round, unless it is dealt for or beyond the plan (protocol 4.1).

        Returns:
            The Deal's message, or nothing.
        """
        if self.deal is not None or self.ratchets.position > self._last_round:
            return []
        self.deal = make_deal(self.facts, self._member, self.ratchets, self.sign)
        return [self.deal.message]

    def use_deal(self) -> None:
        """The outstanding Deal went into a round, which keeps its secrets; the chains step past it (protocol 4.3)."""
        if self.deal is not None:
            self.ratchets.advance(self.deal.round + 1)
            self.deal = None

    def pass_round(self, number: int) -> None:
        """Forget what belongs to this round and those before it."""
        if self.deal is not None and self.deal.round <= number:
            self.deal.erase()
            self.deal = None
        self.ratchets.advance(number + 1)

    def erase(self) -> None:
        """Forget everything."""
        if self.deal is not None:
            self.deal.erase()
            self.deal = None
        self.ratchets.erase()
