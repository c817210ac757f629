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

__all__ = ["Joining", "RolledBack"]


class RolledBack(PeerError):
    """Hellos count fewer durable records than their members must have.

    Attributes:
        records: member → the count in its Hello.
    """

    def __init__(self, records: Mapping[str, int], message: str) -> None:
        """Keep the counts beside the message."""
        super().__init__(message)
        self.records = dict(records)


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
        settled: int,
    ) -> None:
        """Make fresh keys and the Hello that shows them (protocol 3.1).

        `head` is the digest of the last accepted document, `records` the count of the store's durable records, and all
        Hellos that this one does not rule out exceed the count `settled`.
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
            settled,
        )
        self.hello = sign_envelope(MessageType.HELLO, member, hello.encode(), identity, self.context)
        self.raw_hellos: tuple[bytes, ...] = ()
        self.accept: tuple[bytes, ...] = ()
        self.settled: Mapping[str, int] = {}
        self._hellos: Mapping[str, Hello] = {}
        self._encapsulated: dict[str, Secret] = {}
        self._delivery: Delivery | None = None

    def sign(self, kind: MessageType, body: bytes) -> bytes:
        """A message of this member under the setup's context, by its session key."""
        return sign_envelope(kind, self._member, body, self.session_key, self.context)

    def accept_hellos(
        self, raw: tuple[bytes, ...], seen: Mapping[str, int], distrusted: Collection[str]
    ) -> tuple[bytes, ...]:
        """Check all Hellos, sign TH, and encapsulate for the members after this one (protocol 3.2, 3.3).

        Args:
            raw: the Hellos as received.
            seen: member → the highest count that its later Hellos exceed, as it said in any setup before.
            distrusted: members whose stores were found set back before, and whom no person trusted again.

        Returns:
            The Accept, and the capsules that it commits to.

        Raises:
            RolledBack: a member counts no more records than it showed before.
            PeerError: the named check failed.
        """
        hellos = check_hellos(raw, self._roster, self._terms, self.attempt)
        if self.hello not in raw:
            raise PeerError("the Hellos lack this member's own, or changed it")
        self._check_required(hellos)
        others = {member: hello for member, hello in hellos.items() if member != self._member}
        self._check_records({member: hello.records for member, hello in others.items()}, seen, distrusted)
        self.settled = {member: hello.settled for member, hello in others.items()}
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

    def _check_records(self, records: Mapping[str, int], seen: Mapping[str, int], distrusted: Collection[str]) -> None:
        # protocol 4.10: every setup adds a record, so an older store than the one met before is a rolled-back one.
        back = {member: count for member, count in records.items() if count <= seen.get(member, -1)}
        if back:
            member, count = next(iter(back.items()))
            raise RolledBack(
                back,
                f"the Hello of {member} counts {count} durable records, {seen[member]} were shown before: "
                "its record file was rolled back, so it may upload what it uploaded already",
            )
        for member in records:
            if member in distrusted:
                raise PeerError(
                    f"the record file of {member} was found rolled back before, so it may upload what it uploaded "
                    "already; it is refused until a person here trusts it again"
                )

    def _check_required(self, members: Collection[str]) -> None:
        missing = sorted(self._required - set(members))
        if missing:
            raise PeerError(f"this organisation takes no part without {', '.join(missing)}")
