"""The bodies of all messages: frozen records with one binary layout each."""

from dataclasses import dataclass, fields
from typing import ClassVar, Self

from headwater.errors import PeerError
from headwater.secagg.crypto.capsules import CIPHERTEXT_BYTES, ENCAPSULATION_KEY_BYTES
from headwater.secagg.crypto.sealing import TAG_BYTES
from headwater.secagg.crypto.shamir import SHARE_BYTES
from headwater.secagg.protocol.terms import MAXIMUM_LENGTH, MAXIMUM_MEMBERS
from headwater.secagg.wire.codec import (
    MAXIMUM_CHUNK,
    MAXIMUM_MESSAGE,
    Blob,
    Bulk,
    Fixed,
    Layout,
    Listing,
    Number,
    Reader,
    Text,
)
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import Envelope, MessageType

__all__ = [
    "DIGEST_BYTES",
    "MAXIMUM_CHARGE",
    "START_ENTRY",
    "SUITE",
    "Abort",
    "Accept",
    "Blocks",
    "Capsules",
    "Chunk",
    "Close",
    "Complaint",
    "Confirm",
    "Deal",
    "DealHeader",
    "Delivery",
    "Hello",
    "Hellos",
    "Inquiry",
    "Invitation",
    "Message",
    "Quorum",
    "Receipt",
    "Refusal",
    "Reveal",
    "Seed",
    "Session",
    "Start",
    "StartRecord",
    "Survivors",
    "Upload",
]

SUITE = "HW-SecAgg/1-x25519-mlkem768"
"""The only suite: a pair's secret comes from X25519 and ML-KEM-768 together. Every Hello names it: no downgrade."""

DIGEST_BYTES = 32
MAXIMUM_CHARGE = 4096
"""Bytes that a round's charge may have."""

SEALED_BYTES = 2 * SHARE_BYTES + TAG_BYTES

_ID = Text(64)
_REASON = Text(300)
_DIGEST = Fixed(DIGEST_BYTES)
_ROUND = Number(2**62)
_SHARES = Listing(Row((_ID, Fixed(SHARE_BYTES))), MAXIMUM_MEMBERS, key=lambda row: row[0])
_DIGESTS = Listing(Row((_ID, _DIGEST)), MAXIMUM_MEMBERS, key=lambda row: row[0])
_ENVELOPES = Listing(Blob(MAXIMUM_MESSAGE), MAXIMUM_MEMBERS)
_PAYLOAD_SIZE = Number(2**32)
_CHARGE = Blob(MAXIMUM_CHARGE)


@dataclass(frozen=True)
class Message:
    """A message body; subclasses list one layout for each field, in order."""

    TYPE: ClassVar[MessageType]
    LAYOUT: ClassVar[tuple[Layout, ...]]

    def encode(self) -> bytes:
        """The body's bytes.

        Raises:
            InputError: a field is outside its layout.
        """
        return Row(self.LAYOUT).write(tuple(getattr(self, field.name) for field in fields(self)))

    @classmethod
    def decode(cls, envelope: Envelope) -> Self:
        """Read the body of an envelope of this type.

        Raises:
            PeerError: the type is another, or the body is not exactly one encoding.
        """
        if envelope.type is not cls.TYPE:
            raise PeerError(f"a message is a {envelope.type.name} where a {cls.TYPE.name} was expected")
        reader = Reader(envelope.body_view if cls.TYPE is MessageType.CHUNK else envelope.body)
        values = Row(cls.LAYOUT).read(reader)
        reader.end()
        return cls(*values)


@dataclass(frozen=True)
class Invitation(Message):
    """Coordinator → member: a setup is open under this attempt number."""

    TYPE = MessageType.INVITATION
    LAYOUT = (_ID, Number(255))
    run_id: str
    attempt: int


@dataclass(frozen=True)
class Hello(Message):
    """Member → all: fresh keys for one setup, signed by the identity key (protocol 3.1).

    `records` counts the durable records that the member's store ever made, this setup's attempt included: a peer that
    saw a higher number knows that the store was rolled back (protocol 4.10).
    """

    TYPE = MessageType.HELLO
    LAYOUT = (
        _ID,
        _ID,
        Number(255),
        _DIGEST,
        _DIGEST,
        _DIGEST,
        Fixed(ENCAPSULATION_KEY_BYTES),
        _DIGEST,
        _DIGEST,
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
    LAYOUT = (_DIGEST, _DIGEST)
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
        Listing(Row((_ID, Fixed(CIPHERTEXT_BYTES), Listing(_DIGEST, 16))), MAXIMUM_MEMBERS, key=lambda row: row[0]),
    )
    capsules: tuple[tuple[str, bytes, tuple[bytes, ...]], ...]


@dataclass(frozen=True)
class Session(Message):
    """Coordinator → members: all Accepts; the session begins at this round and link of the run's chain."""

    TYPE = MessageType.SESSION
    LAYOUT = (_ENVELOPES, _ENVELOPES, _ROUND, _DIGEST)
    hellos: tuple[bytes, ...]
    accepts: tuple[bytes, ...]
    first_round: int
    previous: bytes


@dataclass(frozen=True)
class DealHeader(Message):
    """Dealer → all: what a Deal commits to; its digest is bound into every mask (protocol 4.1)."""

    TYPE = MessageType.DEAL_HEADER
    LAYOUT = (_ROUND, _DIGEST, _DIGEST, _DIGEST, _DIGEST)
    round: int
    self_seed_digest: bytes
    bundle_seed_digest: bytes
    bundle_digest: bytes
    leaves_root: bytes


@dataclass(frozen=True)
class Deal(Message):
    """Dealer → coordinator: header, leaf openings by rank, sealed shares by rank, bundle (protocol 4.1).

    The place of the dealer itself holds no sealed shares.
    """

    TYPE = MessageType.DEAL
    LAYOUT = (
        Blob(4096),
        Listing(Row((_DIGEST, _DIGEST, _DIGEST)), MAXIMUM_MEMBERS),
        Listing(Blob(SEALED_BYTES), MAXIMUM_MEMBERS),
        Blob(DIGEST_BYTES * MAXIMUM_MEMBERS + TAG_BYTES),
    )
    header: bytes
    openings: tuple[tuple[bytes, bytes, bytes], ...]
    sealed: tuple[bytes, ...]
    bundle: bytes


START_ENTRY = Row((_ID, Blob(4096), Blob(SEALED_BYTES), Listing(_DIGEST, 16)))


@dataclass(frozen=True)
class Start(Message):
    """Coordinator → member: the round's Task and cohort, and this receiver's shares (protocol 4.2).

    Task and model follow in chunks. `charge` is what the round costs the organisation's privacy ledger, as bytes that
    this protocol binds and does not read. Each entry: dealer, Deal header as signed by the dealer, shares sealed to
    the receiver, and the path of the receiver's leaf.
    """

    TYPE = MessageType.START
    LAYOUT = (
        _ROUND,
        Number(MAXIMUM_LENGTH),
        _PAYLOAD_SIZE,
        _PAYLOAD_SIZE,
        _DIGEST,
        _DIGEST,
        _CHARGE,
        _DIGEST,
        Listing(START_ENTRY, MAXIMUM_MEMBERS, key=lambda row: row[0]),
    )
    round: int
    length: int
    task_size: int
    model_size: int
    task_digest: bytes
    model_digest: bytes
    charge: bytes
    previous: bytes
    entries: tuple[tuple[str, bytes, bytes, tuple[bytes, ...]], ...]


@dataclass(frozen=True)
class StartRecord(Message):
    """Coordinator's durable record that a round began, so that a crash leaves no gap in the chain (protocol 4.8)."""

    TYPE = MessageType.START_RECORD
    LAYOUT = (_DIGEST, _ROUND, Number(MAXIMUM_LENGTH), _DIGEST, _DIGEST, _DIGEST, _DIGESTS, _DIGEST)
    sid: bytes
    round: int
    length: int
    rho: bytes
    task_digest: bytes
    model_digest: bytes
    deals: tuple[tuple[str, bytes], ...]
    previous: bytes


@dataclass(frozen=True)
class Chunk(Message):
    """One part of a Start's payload or of an Upload's vector; the stream's digest is signed elsewhere."""

    TYPE = MessageType.CHUNK
    LAYOUT = (_ROUND, Number(2**32), Bulk(MAXIMUM_CHUNK))
    round: int
    index: int
    data: bytes | memoryview

    @classmethod
    def head(cls, round_number: int, index: int, size: int) -> bytes:
        """The encoding of a chunk of `size` bytes up to the bytes themselves, which end it."""
        return Row(cls.LAYOUT[:2]).write((round_number, index)) + size.to_bytes(4, "big")


@dataclass(frozen=True)
class Upload(Message):
    """Member → coordinator: the signed trailer behind the chunks of y (protocol 4.4)."""

    TYPE = MessageType.UPLOAD
    LAYOUT = (_ROUND, _DIGEST, Number(8 * MAXIMUM_LENGTH + 64), _DIGEST)
    round: int
    rho: bytes
    size: int
    vector_digest: bytes


@dataclass(frozen=True)
class Survivors(Message):
    """Coordinator → uploaders: U_t with the digest of each y (protocol 4.5)."""

    TYPE = MessageType.SURVIVORS
    LAYOUT = (_ROUND, _DIGEST, _DIGESTS)
    round: int
    rho: bytes
    uploads: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Confirm(Message):
    """Member → all of U_t: the one view of U_t and digests that it signs for this round (protocol 4.5)."""

    TYPE = MessageType.CONFIRM
    LAYOUT = (_ROUND, _DIGEST, _DIGEST)
    round: int
    rho: bytes
    view: bytes


@dataclass(frozen=True)
class Quorum(Message):
    """Coordinator → confirmers: the Confirms of T members of U_t or more (protocol 4.6)."""

    TYPE = MessageType.QUORUM
    LAYOUT = (_ROUND, Listing(Blob(1024), MAXIMUM_MEMBERS))
    round: int
    confirms: tuple[bytes, ...]


@dataclass(frozen=True)
class Reveal(Message):
    """Member → coordinator: shares of b for U_t and of w for D_t, never both for one dealer (protocol 4.6)."""

    TYPE = MessageType.REVEAL
    LAYOUT = (_ROUND, _DIGEST, _SHARES, _SHARES)
    round: int
    rho: bytes
    self_shares: tuple[tuple[str, bytes], ...]
    bundle_shares: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Complaint(Message):
    """Member → coordinator: a Deal of the cohort is off, so there is no Upload (protocol 4.2)."""

    TYPE = MessageType.COMPLAINT
    LAYOUT = (_ROUND, _ID, Text(16))
    round: int
    dealer: str
    check: str


@dataclass(frozen=True)
class Inquiry(Message):
    """Coordinator → uploaders that revealed: the round cannot be opened; tell what shows who is at fault.

    `seed` asks for the receiver's own self seed (protocol 4.8), else for its pair masks on the check coordinates (4.7).
    """

    TYPE = MessageType.INQUIRY
    LAYOUT = (_ROUND, _DIGEST, Number(1))
    round: int
    rho: bytes
    seed: int


@dataclass(frozen=True)
class Blocks(Message):
    """Member → coordinator: the masks of its pairs in U_t on the check coordinates alone (protocol 4.7)."""

    TYPE = MessageType.BLOCKS
    LAYOUT = (_ROUND, _DIGEST, Listing(Row((_ID, Blob(32))), MAXIMUM_MEMBERS, key=lambda row: row[0]))
    round: int
    rho: bytes
    masks: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Seed(Message):
    """Member → coordinator: its own self seed, when T shares of it do not open it (protocol 4.8)."""

    TYPE = MessageType.SEED
    LAYOUT = (_ROUND, _DIGEST, _DIGEST)
    round: int
    rho: bytes
    seed: bytes


@dataclass(frozen=True)
class Receipt(Message):
    """Coordinator → all: a round's sum was opened (protocol 4.7), at the charge that its Start named."""

    TYPE = MessageType.RECEIPT
    LAYOUT = (
        _DIGEST,
        _ROUND,
        _DIGEST,
        _DIGESTS,
        Listing(Blob(1024), MAXIMUM_MEMBERS),
        _DIGEST,
        _DIGEST,
        _DIGEST,
        _CHARGE,
        _DIGEST,
    )
    sid: bytes
    round: int
    rho: bytes
    uploads: tuple[tuple[str, bytes], ...]
    confirms: tuple[bytes, ...]
    sum_digest: bytes
    task_digest: bytes
    model_digest: bytes
    charge: bytes
    previous: bytes


@dataclass(frozen=True)
class Abort(Message):
    """Coordinator → all: a round ended without a sum (protocol 4.7).

    `blamed` are members whose fault is shown; of each pair in `disputes` one lies.
    """

    TYPE = MessageType.ABORT
    LAYOUT = (
        _DIGEST,
        _ROUND,
        _DIGEST,
        Text(32),
        _DIGESTS,
        _REASON,
        Listing(_ID, MAXIMUM_MEMBERS, key=lambda member: member),
        Listing(Row((_ID, _ID)), MAXIMUM_MEMBERS),
        _DIGEST,
    )
    sid: bytes
    round: int
    rho: bytes
    phase: str
    uploads: tuple[tuple[str, bytes], ...]
    reason: str
    blamed: tuple[str, ...]
    disputes: tuple[tuple[str, str], ...]
    previous: bytes


@dataclass(frozen=True)
class Refusal(Message):
    """Member → coordinator: a check failed; this member takes no further part in the round."""

    TYPE = MessageType.REFUSAL
    LAYOUT = (_ROUND, _REASON)
    round: int
    reason: str


@dataclass(frozen=True)
class Close(Message):
    """Coordinator → member: the session is over, or goes on without this member."""

    TYPE = MessageType.CLOSE
    LAYOUT = (_REASON,)
    reason: str
