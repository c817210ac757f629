"""A member's side of a setup: its fresh keys, what it signs, and what it checks of the others: protocol 3.1 to 3.4."""

from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.crypto.capsules import capsules_root, encapsulate, open_capsule
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.protocol.pairing import Ratchets
from headwater.secagg.protocol.receipts import Chain, read_session
from headwater.secagg.protocol.session import SessionFacts, check_hellos, hellos_digest, session_from, setup_context
from headwater.secagg.protocol.terms import Roster, SessionTerms
from headwater.secagg.wire.envelope import MessageType, sign_envelope
from headwater.secagg.wire.messages import SUITE, Accept, Capsules, Delivery, Hello

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
        records: int,
    ) -> None:
        """Make fresh keys and the Hello that shows them (protocol 3.1).

        `head` is the digest of the last accepted document, `records` the count of the store's durable records.
        """
        self._roster, self._terms, self._member, self._required = roster, terms, member, required
        self.attempt = attempt
        self.context = setup_context(roster, terms, attempt)
        self.session_key = Ed25519PrivateKey.generate()
        self._exchange: X25519PrivateKey | None = X25519PrivateKey.generate()
        self._decapsulation: MLKEM768PrivateKey | None = MLKEM768PrivateKey.generate()
        hello = Hello(
            SUITE,
            terms.run_id,
            attempt,
            roster.charter_digest,
            terms.plan_digest,
            self._exchange.public_key().public_bytes_raw(),
            self._decapsulation.public_key().public_bytes_raw(),
            self.session_key.public_key().public_bytes_raw(),
            head,
            records,
        )
        self.hello = sign_envelope(MessageType.HELLO, member, hello.encode(), identity, self.context)
        self.raw_hellos: tuple[bytes, ...] = ()
        self.accept: tuple[bytes, ...] = ()
        self.records: Mapping[str, int] = {}
        self._hellos: Mapping[str, Hello] = {}
        self._encapsulated: dict[str, Secret] = {}
        self._delivery: Delivery | None = None

    def sign(self, kind: MessageType, body: bytes) -> bytes:
        """A message of this member under the setup's context, by its session key."""
        return sign_envelope(kind, self._member, body, self.session_key, self.context)

    def accept_hellos(self, raw: tuple[bytes, ...], seen: Mapping[str, int]) -> tuple[bytes, ...]:
        """Check all Hellos, sign TH, and encapsulate for the members after this one (protocol 3.2, 3.3).

        Args:
            raw: the Hellos as received.
            seen: member → the highest count of records that it showed in any setup before.

        Returns:
            The Accept, and the capsules that it commits to.

        Raises:
            PeerError: the named check failed.
        """
        hellos = check_hellos(raw, self._roster, self._terms, self.attempt)
        if self.hello not in raw:
            raise PeerError("the Hellos lack this member's own, or changed it")
        self._check_required(hellos)
        self.records = {member: hello.records for member, hello in hellos.items() if member != self._member}
        for member, records in self.records.items():
            # protocol 4.10: every setup adds a record, so an older store than the one met before is a rolled-back one.
            if member in seen and records <= seen[member]:
                raise PeerError(
                    f"the Hello of {member} counts {records} durable records, {seen[member]} were shown before: "
                    "its record file was rolled back, so it may upload what it uploaded already"
                )
        self.raw_hellos, self._hellos = raw, hellos
        later = {member: hello.encapsulation_key for member, hello in hellos.items() if member > self._member}
        self._encapsulated, capsules = encapsulate(later)
        root = capsules_root(self.context, self._member, tuple(later), capsules)
        self.accept = (
            self.sign(MessageType.ACCEPT, Accept(hellos_digest(raw), root).encode()),
            self.sign(MessageType.CAPSULES, Capsules(capsules).encode()),
        )
        return self.accept

    def deliver(self, delivery: Delivery) -> bool:
        """Keep the capsules that came for this member; tells whether they are the first or the very same."""
        if self._delivery is None:
            self._delivery = delivery
        return self._delivery == delivery

    def enter(self, opening: bytes, chain: Chain) -> tuple[SessionFacts, Ratchets]:
        """Check the session that was opened and derive its secrets (protocol 1.2, 3.3, 3.4).

        Raises:
            PeerError: the named check failed.
        """
        session = read_session(opening, self._roster, self._terms, self.attempt)
        if session.hellos != self.raw_hellos:
            raise PeerError("the session was opened over other Hellos than this member accepted")
        # The very Hellos that were checked when they were shown.
        facts = session_from(session.hellos, session.accepts, self._hellos, self._roster, self._terms, self.attempt)
        if not self.accept or self.accept[0] not in session.accepts:
            raise PeerError("the session goes on without this member")
        if (session.previous, session.first_round) != (chain.head, chain.last_round + 1):
            raise PeerError("the session does not continue this member's chain of receipts: broken chain")
        self._check_required(facts.members)
        if self._exchange is None:
            raise PeerError("the setup's exchange key was used before")
        ratchets = Ratchets(facts, self._member, self._exchange, self._open_capsules(facts), session.first_round)
        # protocol 3.4: dropped after setup, so that whoever takes this machine later opens nothing with them.
        self.erase()
        return facts, ratchets

    def erase(self) -> None:
        """Forget the exchange and decapsulation keys, and what was encapsulated."""
        self._exchange = self._decapsulation = self._delivery = None
        for secret in self._encapsulated.values():
            secret.erase()
        self._encapsulated = {}

    def _open_capsules(self, facts: SessionFacts) -> dict[str, Secret]:
        """K of every pair of this member in the session: made here for members after it, opened for those before."""
        earlier = tuple(member for member in facts.members if member < self._member)
        delivered = (
            {sender: (capsule, path) for sender, capsule, path in self._delivery.capsules}
            if (self._delivery is not None)
            else {}
        )
        if self._decapsulation is None or tuple(delivered) != earlier:
            raise PeerError("the session opens without the capsules that the members before this one made for it")
        shown = tuple(self._hellos)
        for sender in earlier:
            capsule, path = delivered[sender]
            root = facts.capsule_roots[sender]
            self._encapsulated[sender] = open_capsule(
                self._decapsulation, self.context, root, shown, sender, self._member, capsule, path
            )
        return self._encapsulated

    def _check_required(self, members: Collection[str]) -> None:
        missing = sorted(self._required - set(members))
        if missing:
            raise PeerError(f"this organisation takes no part without {', '.join(missing)}")
