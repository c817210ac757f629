"""What a run keeps of its rounds: receipts, aborts, and that a round began: protocol 4.7, 4.8."""

from dataclasses import dataclass

from headwater.secagg.wire.codec import Blob, Listing, Number, Text
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.limits import MAXIMUM_LENGTH, MAXIMUM_MEMBERS
from headwater.secagg.wire.messages.base import CHARGE, DIGEST, DIGESTS, ID, REASON, ROUND, Message

__all__ = ["Abort", "Receipt", "StartRecord"]


@dataclass(frozen=True)
class StartRecord(Message):
    """Coordinator's durable record that a round began, so that a crash leaves no gap in the chain (protocol 4.8)."""

    TYPE = MessageType.START_RECORD
    LAYOUT = (DIGEST, ROUND, Number(MAXIMUM_LENGTH), DIGEST, DIGEST, DIGEST, DIGESTS, DIGEST)
    sid: bytes
    round: int
    length: int
    rho: bytes
    task_digest: bytes
    model_digest: bytes
    deals: tuple[tuple[str, bytes], ...]
    previous: bytes


@dataclass(frozen=True)
class Receipt(Message):
    """Coordinator → all: a round's sum was opened (protocol 4.7), at the charge that its Start named."""

    TYPE = MessageType.RECEIPT
    LAYOUT = (
        DIGEST,
        ROUND,
        DIGEST,
        DIGESTS,
        Listing(Blob(1024), MAXIMUM_MEMBERS),
        DIGEST,
        DIGEST,
        DIGEST,
        CHARGE,
        DIGEST,
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
        DIGEST,
        ROUND,
        DIGEST,
        Text(32),
        DIGESTS,
        REASON,
        Listing(ID, MAXIMUM_MEMBERS, key=lambda member: member),
        Listing(Row((ID, ID)), MAXIMUM_MEMBERS),
        DIGEST,
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
