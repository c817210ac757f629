"""The one form in which every message travels: type, sender, body, signature: protocol 4.11."""

from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headwater.errors import InputError, PeerError
from headwater.secagg.crypto.keys import digest
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE, Blob, Reader, Text

__all__ = ["Envelope", "MessageType", "open_envelope", "pack_chunk", "sign_envelope"]

_MAGIC = b"HWS\x01"
_SENDER = Text(64)
_SIGNATURE = Blob(64)
_NO_SIGNATURE = _SIGNATURE.write(b"")


class MessageType(IntEnum):
    """What a message is; its number is on the wire and never reused."""

    INVITATION = 1
    HELLO = 2
    HELLOS = 3
    ACCEPT = 4
    SESSION = 5
    DEAL_HEADER = 6
    DEAL = 7
    START = 8
    CHUNK = 9
    UPLOAD = 10
    SURVIVORS = 11
    CONFIRM = 12
    QUORUM = 13
    REVEAL = 14
    RECEIPT = 15
    ABORT = 16
    REFUSAL = 17
    CLOSE = 18
    START_RECORD = 19
    CAPSULES = 20
    DELIVERY = 21
    COMPLAINT = 22
    INQUIRY = 23
    BLOCKS = 24
    SEED = 25

    @property
    def with_article(self) -> str:
        """Its name as a sentence has it: "a HELLO", "an INVITATION"."""
        return f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One received message, not yet believed.

    Attributes:
        type: what it claims to be.
        sender: who it claims to come from; empty for the coordinator.
        signature: 64 bytes, or none on a chunk, which a signed header or trailer binds.
        data: the exact bytes received.
        body_begin: where in them the encoded fields begin.
        body_end: where those end and the signature's field begins.
    """

    type: MessageType
    sender: str
    signature: bytes = field(repr=False)
    data: bytes = field(repr=False)
    body_begin: int = field(repr=False)
    body_end: int = field(repr=False)

    @property
    def body(self) -> bytes:
        """The encoded fields, copied."""
        return self.data[self.body_begin : self.body_end]

    @property
    def body_view(self) -> memoryview:
        """The encoded fields where they stand."""
        return memoryview(self.data)[self.body_begin : self.body_end]

    @property
    def signed(self) -> bytes:
        """The exact bytes received before the signature; what the signature covers."""
        return self.data[: self.body_end]

    def verify(self, key: bytes, context: bytes) -> None:
        """Check the signature over H(type, SID, exact received bytes).

        Args:
            key: the sender's 32-byte Ed25519 key.
            context: the SID, or before there is one the setup's context (protocol 3.1).

        Raises:
            PeerError: the signature is not the sender's for this type, context and bytes.
        """
        try:
            signed = _signing_input(self.type, context, self.signed)
            Ed25519PublicKey.from_public_bytes(key).verify(self.signature, signed)
        except (InvalidSignature, ValueError) as error:
            sender = self.sender or "the coordinator"
            raise PeerError(
                f"{self.type.with_article} message of {sender} has a signature that is not theirs for this session"
            ) from error


def open_envelope(data: bytes) -> Envelope:
    """Take a message apart, without believing it yet.

    Raises:
        PeerError: the bytes are too many, malformed, of an unknown type, or signed where they must not be.
    """
    if len(data) > MAXIMUM_MESSAGE:
        raise PeerError(f"a message has {len(data)} bytes, at most {MAXIMUM_MESSAGE} are allowed")
    reader = Reader(data)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise PeerError("a message is not of HW-SecAgg/1; the other side speaks another protocol or version")
    code = reader.take(1)[0]
    try:
        kind = MessageType(code)
    except ValueError as error:
        raise PeerError(f"a message has the unknown type {code}; the other side has another version") from error
    sender = _SENDER.read(reader)
    size = reader.length(MAXIMUM_MESSAGE)
    begin = reader.skip(size)
    signature = _SIGNATURE.read(reader)
    reader.end()
    if len(signature) != (0 if kind is MessageType.CHUNK else 64):
        raise PeerError(f"{kind.with_article} message has a signature of {len(signature)} bytes; it is malformed")
    return Envelope(kind, sender, signature, data, begin, begin + size)


def sign_envelope(kind: MessageType, sender: str, body: bytes, key: Ed25519PrivateKey, context: bytes) -> bytes:
    """Build a signed message; `context` is the SID, or the setup's context before there is one."""
    signed = _signed_part(kind, sender, body)
    return signed + _SIGNATURE.write(key.sign(_signing_input(kind, context, signed)))


def pack_chunk(sender: str, *body: bytes | memoryview) -> bytes:
    """Build a chunk message, which carries no signature: its stream's digest is signed.

    The body may be given in parts, so that bulk data is copied once.
    """
    size = sum(len(part) for part in body)
    return b"".join((_head(MessageType.CHUNK, sender, size), *body, _NO_SIGNATURE))


def _signed_part(kind: MessageType, sender: str, body: bytes) -> bytes:
    return _head(kind, sender, len(body)) + body


def _head(kind: MessageType, sender: str, size: int) -> bytes:
    if size > MAXIMUM_MESSAGE:
        raise InputError(f"a message body has {size} bytes, at most {MAXIMUM_MESSAGE} fit")
    return b"".join((_MAGIC, bytes([kind]), _SENDER.write(sender), size.to_bytes(4, "big")))


def _signing_input(kind: MessageType, context: bytes, signed: bytes) -> bytes:
    # protocol 4.11: the type is in the label, so no type's signature is valid for another.
    return digest(kind.name, context, signed)
