"""What every message body has in common: its layout, and the layouts of fields that many have."""

from dataclasses import dataclass, fields
from typing import ClassVar, Self

from headwater.errors import PeerError
from headwater.secagg.wire.codec import Blob, Fixed, Layout, Listing, Number, Reader, Text
from headwater.secagg.wire.codec import Tuple as Row
from headwater.secagg.wire.envelope import Envelope, MessageType
from headwater.secagg.wire.limits import MAXIMUM_MEMBERS

__all__ = ["CHARGE", "DIGEST", "DIGESTS", "DIGEST_BYTES", "ID", "MAXIMUM_CHARGE", "REASON", "ROUND", "SUITE", "Message"]

SUITE = "HW-SecAgg/1-x25519-mlkem768"
"""The only suite: a pair's secret comes from X25519 and ML-KEM-768 together. Every Hello names it: no downgrade."""

DIGEST_BYTES = 32
MAXIMUM_CHARGE = 4096
"""Bytes that a round's charge may have."""

ID = Text(64)
REASON = Text(300)
DIGEST = Fixed(DIGEST_BYTES)
ROUND = Number(2**62)
DIGESTS = Listing(Row((ID, DIGEST)), MAXIMUM_MEMBERS, key=lambda row: row[0])
CHARGE = Blob(MAXIMUM_CHARGE)


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
            raise PeerError(f"a message is {envelope.type.with_article} where {cls.TYPE.with_article} was expected")
        reader = Reader(envelope.body_view if cls.TYPE is MessageType.CHUNK else envelope.body)
        values = Row(cls.LAYOUT).read(reader)
        reader.end()
        return cls(*values)
