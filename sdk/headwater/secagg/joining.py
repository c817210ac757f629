"""A member's side of a setup: its fresh keys, what it signs, and what it checks of the others: protocol 3.1 to 3.4."""

from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.envelope import MessageType, sign_envelope
from headwater.secagg.messages import SUITE, Accept, Hello
from headwater.secagg.pairing import Ratchets
from headwater.secagg.receipts import Chain, read_opening
from headwater.secagg.session import SessionFacts, check_hellos, hellos_digest, setup_context
from headwater.secagg.terms import Roster, SessionTerms

__all__ = ["Joining"]


class Joining:
    """One setup of one member. Its keys are fresh and serve this setup only."""

    def __init__(
        self,
        roster: Roster,
        terms: SessionTerms,
        member: str,
        identity: Ed25519PrivateKey,
        attempt: int,
        required: frozenset[str],
        head: bytes,
    ) -> None:
        """Make fresh keys and the Hello that shows them (protocol 3.1); `head` is the last accepted document."""
        self._roster, self._terms, self._member, self._required = roster, terms, member, required
        self.attempt = attempt
        self.context = setup_context(roster, terms, attempt)
        self.session_key = Ed25519PrivateKey.generate()
        self._exchange: X25519PrivateKey | None = X25519PrivateKey.generate()
        hello = Hello(
            SUITE,
            terms.run_id,
            attempt,
            roster.charter_digest,
            terms.plan_digest,
            self._exchange.public_key().public_bytes_raw(),
            b"",
            self.session_key.public_key().public_bytes_raw(),
            head,
        )
        self.hello = sign_envelope(MessageType.HELLO, member, hello.encode(), identity, self.context)
        self.raw_hellos: tuple[bytes, ...] = ()
        self.accept = b""

    def sign(self, kind: MessageType, body: bytes) -> bytes:
        """A message of this member under the setup's context, by its session key."""
        return sign_envelope(kind, self._member, body, self.session_key, self.context)

    def accept_hellos(self, raw: tuple[bytes, ...]) -> bytes:
        """Check all Hellos and sign TH (protocol 3.2, 3.3).

        Raises:
            PeerError: the named check failed.
        """
        hellos = check_hellos(raw, self._roster, self._terms, self.attempt)
        if self.hello not in raw:
            raise PeerError("the Hellos lack this member's own, or changed it")
        self._check_required(hellos)
        self.raw_hellos = raw
        self.accept = self.sign(MessageType.ACCEPT, Accept(hellos_digest(raw)).encode())
        return self.accept

    def enter(self, opening: bytes, chain: Chain) -> tuple[SessionFacts, Ratchets]:
        """Check the session that was opened and derive its secrets (protocol 1.2, 3.3, 3.4).

        Raises:
            PeerError: the named check failed.
        """
        facts, session = read_opening(opening, self._roster, self._terms, self.attempt)
        if session.hellos != self.raw_hellos:
            raise PeerError("the session was opened over other Hellos than this member accepted")
        if self.accept not in session.accepts:
            raise PeerError("the session goes on without this member")
        if (session.previous, session.first_round) != (chain.head, chain.last_round + 1):
            raise PeerError("the session does not continue this member's chain of receipts: broken chain")
        self._check_required(facts.members)
        if self._exchange is None:
            raise PeerError("the setup's exchange key was used before")
        ratchets = Ratchets(facts, self._member, self._exchange, session.first_round)
        # protocol 3.4: dropped after setup, so that whoever takes this machine later opens nothing with it.
        self._exchange = None
        return facts, ratchets

    def erase(self) -> None:
        """Forget the exchange key."""
        self._exchange = None

    def _check_required(self, members: Collection[str]) -> None:
        missing = sorted(self._required - set(members))
        if missing:
            raise PeerError(f"this organisation takes no part without {', '.join(missing)}")
