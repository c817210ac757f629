"""The messages that open, leave and end a session: protocol 3."""

from dataclasses import dataclass

from headwater.secagg.crypto.capsules import CIPHERTEXT_BYTES, ENCAPSULATION_KEY_BYTES
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE, Blob, Fixed, Listing, Number
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.limits import MAXIMUM_MEMBERS
from headwater.secagg.wire.messages.base import DIGEST, ID, REASON, ROUND, Message

__all__ = ["Accept", "Capsules", "Close", "Delivery", "Hello", "Hellos", "Invitation", "Refusal", "Session"]

_ENVELOPES = Listing(Blob(MAXIMUM_MESSAGE), MAXIMUM_MEMBERS)


@dataclass(frozen=True)
class Invitation(Message):
    """Coordinator → member: a setup is open under this attempt number."""

    TYPE = MessageType.INVITATION
    LAYOUT = (ID, Number(255))
    run_id: str
    attempt: int


@dataclass(frozen=True)
class Hello(Message):
    """Member → all: fresh keys for one setup, signed by the identity key (protocol 3.1).

    `records` counts the durable records that the member's store ever made, this setup's attempt included: a peer that
    saw a higher number knows that the store was rolled back (protocol 4.10). `settled` is what it can count on: every
    Hello that this one does not yet rule out, of other runs that set up meanwhile, and every later one counts more.
    """

    TYPE = MessageType.HELLO
    LAYOUT = (
        ID,
        ID,
        Number(255),
        DIGEST,
        DIGEST,
        DIGEST,
        Fixed(ENCAPSULATION_KEY_BYTES),
        DIGEST,
        DIGEST,
        Number(2**62),
        Number(2**62),
    )
    suite: str
    run_id: str
    attempt: int
    charter_digest: bytes
    plan_digest: bytes
    exchange_key: bytes
    encapsulation_key: bytes
    session_key: bytes
    last_document: bytes
    records: int = 0
    settled: int = 0


@dataclass(frozen=True)
class Hellos(Message):
    """Coordinator → members: all Hellos as received, sorted by member (protocol 3.2)."""

    TYPE = MessageType.HELLOS
    LAYOUT = (_ENVELOPES,)
    hellos: tuple[bytes, ...]


@dataclass(frozen=True)
class Accept(Message):
    """Member → all: TH, the digest of the Hellos it checked, and the root over its capsules (protocol 3.3)."""

    TYPE = MessageType.ACCEPT
    LAYOUT = (DIGEST, DIGEST)
    hellos_digest: bytes
    capsules_root: bytes


@dataclass(frozen=True)
class Capsules(Message):
    """Member → coordinator: its ML-KEM ciphertexts for the members after it, in their order (protocol 3.3)."""

    TYPE = MessageType.CAPSULES
    LAYOUT = (Listing(Fixed(CIPHERTEXT_BYTES), MAXIMUM_MEMBERS),)
    capsules: tuple[bytes, ...]


@dataclass(frozen=True)
class Delivery(Message):
    """Coordinator → member: the ciphertext of each member before it, with its path to that member's root."""

    TYPE = MessageType.DELIVERY
    LAYOUT = (
        Listing(Row((ID, Fixed(CIPHERTEXT_BYTES), Listing(DIGEST, 16))), MAXIMUM_MEMBERS, key=lambda row: row[0]),
    )
    capsules: tuple[tuple[str, bytes, tuple[bytes, ...]], ...]


@dataclass(frozen=True)
class Session(Message):
    """Coordinator → members: all Accepts; the session begins at this round and link of the run's chain."""

    TYPE = MessageType.SESSION
    LAYOUT = (_ENVELOPES, _ENVELOPES, ROUND, DIGEST)
    hellos: tuple[bytes, ...]
    accepts: tuple[bytes, ...]
    first_round: int
    previous: bytes


@dataclass(frozen=True)
class Refusal(Message):
    """Member → coordinator: a check failed; this member takes no further part in the round."""

    TYPE = MessageType.REFUSAL
    LAYOUT = (ROUND, REASON)
    round: int
    reason: str


@dataclass(frozen=True)
class Close(Message):
    """Coordinator → member: the session is over, or goes on without this member."""

    TYPE = MessageType.CLOSE
    LAYOUT = (REASON,)
    reason: str
