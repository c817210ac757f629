"""The messages that find out who broke a round: protocol 4.2, 4.7, 4.8."""

from dataclasses import dataclass

from headwater.secagg.wire.codec import Blob, Listing, Number, Text
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.limits import MAXIMUM_MEMBERS
from headwater.secagg.wire.messages.base import DIGEST, ID, ROUND, Message

__all__ = ["Blocks", "Complaint", "Inquiry", "Seed"]


@dataclass(frozen=True)
class Complaint(Message):
    """Member → coordinator: a Deal of the cohort is off, so there is no Upload (protocol 4.2)."""

    TYPE = MessageType.COMPLAINT
    LAYOUT = (ROUND, ID, Text(16))
    round: int
    dealer: str
    check: str


@dataclass(frozen=True)
class Inquiry(Message):
    """Coordinator → uploaders that revealed: the round cannot be opened; tell what shows who is at fault.

    `seed` asks for the receiver's own self seed (protocol 4.8), else for its pair masks on the check coordinates (4.7).
    """

    TYPE = MessageType.INQUIRY
    LAYOUT = (ROUND, DIGEST, Number(1))
    round: int
    rho: bytes
    seed: int


@dataclass(frozen=True)
class Blocks(Message):
    """Member → coordinator: the masks of its pairs in U_t on the check coordinates alone (protocol 4.7)."""

    TYPE = MessageType.BLOCKS
    LAYOUT = (ROUND, DIGEST, Listing(Row((ID, Blob(32))), MAXIMUM_MEMBERS, key=lambda row: row[0]))
    round: int
    rho: bytes
    masks: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Seed(Message):
    """Member → coordinator: its own self seed, when T shares of it do not open it (protocol 4.8)."""

    TYPE = MessageType.SEED
    LAYOUT = (ROUND, DIGEST, DIGEST)
    round: int
    rho: bytes
    seed: bytes
