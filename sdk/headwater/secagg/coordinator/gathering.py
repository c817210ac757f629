"""The coordinator's side of a setup: Hellos and Accepts gathered until the session can open: protocol 3.1 to 3.3."""

from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.coordinator.fanout import delivery_body
from headwater.secagg.crypto.capsules import CapsuleTree
from headwater.secagg.protocol.events import COORDINATOR
from headwater.secagg.protocol.receipts import Chain
from headwater.secagg.protocol.session import (
    SessionFacts,
    hellos_digest,
    read_accept,
    read_hello,
    session_from,
    setup_context,
)
from headwater.secagg.protocol.terms import Roster, SessionTerms
from headwater.secagg.wire.codec import wire_text
from headwater.secagg.wire.envelope import Envelope, MessageType, sign_envelope
from headwater.secagg.wire.messages import (
    Capsules,
    Close,
    Hello,
    Hellos,
    Invitation,
    Message,
    Refusal,
    Session,
)

__all__ = ["Gathering"]


class Gathering:
    """Collects one attempt's Hellos and Accepts; every message is checked before it is kept."""

    def __init__(self, roster: Roster, terms: SessionTerms, key: Ed25519PrivateKey) -> None:
        """Begin an empty setup."""
        self._roster, self._terms, self._key = roster, terms, key
        self.context = setup_context(roster, terms, terms.attempt)
        self.invitation = self.signed(Invitation(terms.run_id, terms.attempt))
        self.hellos: dict[str, Hello] = {}
        self._accepts: dict[str, bytes] = {}
        self._roots: dict[str, bytes] = {}
        self._capsules: dict[str, tuple[bytes, ...]] = {}
        self._trees: dict[str, CapsuleTree] = {}
        self._ranks: dict[str, int] = {}
        self.shown = b""
        self._raw: dict[str, bytes] = {}
        self._raw_hellos: tuple[bytes, ...] = ()
        self._agreed = b""

    def signed(self, message: Message) -> bytes:
        """A message of the coordinator under the setup's context."""
        return sign_envelope(message.TYPE, COORDINATOR, message.encode(), self._key, self.context)

    def closing(self, reason: str) -> bytes:
        """The message that ends a member's part."""
        return self.signed(Close(wire_text(reason)))

    def check_hello(self, envelope: Envelope) -> Hello:
        """Check a member's Hello; the very same one again passes.

        Raises:
            PeerError: it is wrong, a second different one, or copies another member's key.
        """
        member, hello = read_hello(envelope.data, self._roster, self._terms, self._terms.attempt)
        if self._raw.get(member, envelope.data) != envelope.data:
            raise PeerError(f"{member} sent a second, different Hello in one setup; a restart waits for the next setup")
        for other, held in self.hellos.items():
            same = (
                hello.exchange_key == held.exchange_key
                or hello.encapsulation_key == held.encapsulation_key
                or hello.session_key == held.session_key
            )
            if other != member and same:
                raise PeerError(f"the Hello of {member} has a key of the Hello of {other}")
        return hello

    def keep_hello(self, envelope: Envelope, hello: Hello) -> None:
        """Keep a checked Hello."""
        self.hellos[envelope.sender], self._raw[envelope.sender] = hello, envelope.data

    def holds(self, envelope: Envelope) -> bool:
        """Whether this very Hello is among those shown."""
        return envelope.data in self._raw_hellos

    def show_hellos(self, members: Collection[str]) -> bytes:
        """Fix the Hellos of these members and give the message that shows them to all (protocol 3.2)."""
        self.hellos = {member: self.hellos[member] for member in sorted(members)}
        self._raw_hellos = tuple(self._raw[member] for member in self.hellos)
        self._ranks = {member: rank for rank, member in enumerate(self.hellos)}
        self._agreed = hellos_digest(self._raw_hellos)
        self.shown = self.signed(Hellos(self._raw_hellos))
        return self.shown

    def add_accept(self, envelope: Envelope) -> None:
        """Keep a member's Accept; the very same one again changes nothing.

        Raises:
            PeerError: it is wrong, or differs from one kept before.
        """
        member, accept = read_accept(envelope.data, self.hellos, self._agreed, self.context)
        if self._accepts.setdefault(member, envelope.data) != envelope.data:
            raise PeerError(f"{member} sent a second, different Accept in one setup")
        self._roots[member] = accept.capsules_root

    def add_capsules(self, envelope: Envelope) -> None:
        """Keep the capsules that a member's Accept commits to; once checked, the same again changes nothing.

        Raises:
            PeerError: the Accept did not come before them, or commits to others.
        """
        member, root = envelope.sender, self._roots.get(envelope.sender)
        if root is None:
            raise PeerError(f"capsules of {member} came before its Accept")
        capsules = Capsules.decode(envelope).capsules
        envelope.verify(self.hellos[member].session_key, self.context)
        if self._capsules.get(member) == capsules:
            return
        tree = CapsuleTree(self.context, member, tuple(self.hellos)[self._ranks[member] + 1 :], capsules)
        if tree.root != root:
            raise PeerError(f"the capsules of {member} are not those that its Accept commits to")
        self._capsules[member], self._trees[member] = capsules, tree

    @property
    def accepted(self) -> set[str]:
        """Members whose Accept and capsules are in."""
        return set(self._capsules)

    def delivery_for(self, facts: SessionFacts, member: str) -> bytes:
        """The capsules that the session's members before this one made for it (protocol 3.3)."""
        rows = []
        for sender in facts.members[: facts.rank(member)]:
            # A place among those who were shown: some of them may not have come into the session.
            place = self._ranks[member] - self._ranks[sender] - 1
            rows.append((sender, self._capsules[sender][place], self._trees[sender].path(place)))
        return sign_envelope(MessageType.DELIVERY, COORDINATOR, delivery_body(rows), self._key, self.context)

    def add_refusal(self, envelope: Envelope, refusal: Refusal) -> None:
        """Check a member's refusal of the setup.

        Raises:
            PeerError: it is not the member's own.
        """
        hello = self.hellos.get(envelope.sender)
        if hello is None or refusal.round != 0:
            raise PeerError(f"a refusal of '{envelope.sender}' came, who has nothing to refuse")
        envelope.verify(hello.session_key, self.context)

    def forget_capsules(self) -> None:
        """Let go of what every member has opened."""
        self._capsules.clear()
        self._trees.clear()

    def open_session(self, members: Collection[str], chain: Chain) -> tuple[SessionFacts, bytes]:
        """Derive the session of these members and the message that opens it (protocol 3.3).

        Raises:
            PeerError: the final n may not begin a session.
        """
        accepts = tuple(self._accepts[member] for member in sorted(members))
        facts = session_from(self._raw_hellos, accepts, self.hellos, self._roster, self._terms, self._terms.attempt)
        opening = self.signed(Session(self._raw_hellos, accepts, chain.last_round + 1, chain.head))
        return facts, opening
