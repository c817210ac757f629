"""The messages of a round: protocol 4.1 to 4.6."""

from dataclasses import dataclass

from headwater.secagg.crypto.sealing import TAG_BYTES
from headwater.secagg.crypto.shamir import SHARE_BYTES
from headwater.secagg.wire.codec import MAXIMUM_CHUNK, Blob, Bulk, Fixed, Listing, Number
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.limits import MAXIMUM_LENGTH, MAXIMUM_MEMBERS
from headwater.secagg.wire.messages.base import CHARGE, DIGEST, DIGEST_BYTES, DIGESTS, ID, ROUND, Message

__all__ = ["START_ENTRY", "Chunk", "Confirm", "Deal", "DealHeader", "Quorum", "Reveal", "Start", "Survivors", "Upload"]

SEALED_BYTES = 2 * SHARE_BYTES + TAG_BYTES

_PAYLOAD_SIZE = Number(2**32)
_SHARES = Listing(Row((ID, Fixed(SHARE_BYTES))), MAXIMUM_MEMBERS, key=lambda row: row[0])
START_ENTRY = Row((ID, Blob(4096), Blob(SEALED_BYTES), Listing(DIGEST, 16)))


@dataclass(frozen=True)
class DealHeader(Message):
    """Dealer → all: what a Deal commits to; its digest is bound into every mask (protocol 4.1)."""

    TYPE = MessageType.DEAL_HEADER
    LAYOUT = (ROUND, DIGEST, DIGEST, DIGEST, DIGEST)
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
        Listing(Row((DIGEST, DIGEST, DIGEST)), MAXIMUM_MEMBERS),
        Listing(Blob(SEALED_BYTES), MAXIMUM_MEMBERS),
        Blob(DIGEST_BYTES * MAXIMUM_MEMBERS + TAG_BYTES),
    )
    header: bytes
    openings: tuple[tuple[bytes, bytes, bytes], ...]
    sealed: tuple[bytes, ...]
    bundle: bytes


@dataclass(frozen=True)
class Start(Message):
    """Coordinator → member: the round's Task and cohort, and this receiver's shares (protocol 4.2).

    Task and model follow in chunks. `charge` is what the round costs the organisation's privacy ledger, as bytes that
    this protocol binds and does not read. Each entry: dealer, Deal header as signed by the dealer, shares sealed to
    the receiver, and the path of the receiver's leaf.
    """

    TYPE = MessageType.START
    LAYOUT = (
        ROUND,
        Number(MAXIMUM_LENGTH),
        _PAYLOAD_SIZE,
        _PAYLOAD_SIZE,
        DIGEST,
        DIGEST,
        CHARGE,
        DIGEST,
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
class Chunk(Message):
    """One part of a Start's payload or of an Upload's vector; the stream's digest is signed elsewhere."""

    TYPE = MessageType.CHUNK
    LAYOUT = (ROUND, Number(2**32), Bulk(MAXIMUM_CHUNK))
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
    LAYOUT = (ROUND, DIGEST, Number(8 * MAXIMUM_LENGTH + 64), DIGEST)
    round: int
    rho: bytes
    size: int
    vector_digest: bytes


@dataclass(frozen=True)
class Survivors(Message):
    """Coordinator → uploaders: U_t with the digest of each y (protocol 4.5)."""

    TYPE = MessageType.SURVIVORS
    LAYOUT = (ROUND, DIGEST, DIGESTS)
    round: int
    rho: bytes
    uploads: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Confirm(Message):
    """Member → all of U_t: the one view of U_t and digests that it signs for this round (protocol 4.5)."""

    TYPE = MessageType.CONFIRM
    LAYOUT = (ROUND, DIGEST, DIGEST)
    round: int
    rho: bytes
    view: bytes


@dataclass(frozen=True)
class Quorum(Message):
    """Coordinator → confirmers: the Confirms of T members of U_t or more (protocol 4.6)."""

    TYPE = MessageType.QUORUM
    LAYOUT = (ROUND, Listing(Blob(1024), MAXIMUM_MEMBERS))
    round: int
    confirms: tuple[bytes, ...]


@dataclass(frozen=True)
class Reveal(Message):
    """Member → coordinator: shares of b for U_t and of w for D_t, never both for one dealer (protocol 4.6)."""

    TYPE = MessageType.REVEAL
    LAYOUT = (ROUND, DIGEST, _SHARES, _SHARES)
    round: int
    rho: bytes
    self_shares: tuple[tuple[str, bytes], ...]
    bundle_shares: tuple[tuple[str, bytes], ...]
