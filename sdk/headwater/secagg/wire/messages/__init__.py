"""The bodies of all messages: frozen records with one binary layout each."""

from headwater.secagg.wire.messages.base import DIGEST_BYTES, MAXIMUM_CHARGE, SUITE, Message
from headwater.secagg.wire.messages.documents import Abort, Receipt, StartRecord
from headwater.secagg.wire.messages.faults import Blocks, Complaint, Inquiry, Seed
from headwater.secagg.wire.messages.rounds import (
    START_ENTRY,
    Chunk,
    Confirm,
    Deal,
    DealHeader,
    Quorum,
    Reveal,
    Start,
    Survivors,
    Upload,
)
from headwater.secagg.wire.messages.setup import (
    Accept,
    Capsules,
    Close,
    Delivery,
    Hello,
    Hellos,
    Invitation,
    Refusal,
    Session,
)

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
