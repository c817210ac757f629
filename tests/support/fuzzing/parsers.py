"""What holds for every parser of foreign bytes: a value with one spelling, or the named error, and nothing else."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import grpc

from headwater.agreement.approval import SignedApproval, SignedProposal
from headwater.agreement.charter import Charter, SignedCharter
from headwater.agreement.documents import Document
from headwater.agreement.invitation import Invitation
from headwater.agreement.ledger import SignedLedger
from headwater.agreement.plan import Plan
from headwater.errors import HeadwaterError, InputError, PeerError
from headwater.recipe.task import Task
from headwater.release.manifest import SignedManifest
from headwater.release.withdrawal import SignedWithdrawal
from headwater.rpc.status import MAXIMUM_TEXT, error_of_status, one_line
from headwater.secagg.wire.codec import Reader, Tuple
from headwater.secagg.wire.envelope import Envelope, MessageType, open_envelope, pack_chunk
from headwater.secagg.wire.messages import Message
from support.fuzzing.witness import KINDS

__all__ = [
    "DOCUMENTS",
    "check_body",
    "check_bundle",
    "check_document",
    "check_message",
    "check_model",
    "check_packed",
    "check_status",
    "check_task",
    "check_token",
]

DOCUMENTS: tuple[type[Document], ...] = (
    Charter,
    SignedCharter,
    Plan,
    SignedProposal,
    SignedApproval,
    Invitation,
    SignedManifest,
    SignedLedger,
    SignedWithdrawal,
)


def check_message(data: bytes) -> None:
    """A message is taken apart into exactly its bytes, or refused as the peer's fault."""
    try:
        envelope = open_envelope(data)
    except PeerError:
        return
    assert envelope.data == data
    assert data.startswith(envelope.signed)
    assert data == envelope.signed + len(envelope.signature).to_bytes(4, "big") + envelope.signature
    if envelope.type is MessageType.CHUNK:
        assert pack_chunk(envelope.sender, envelope.body) == data
    check_body(envelope.type, envelope.body)


def check_body(kind: MessageType, body: bytes) -> None:
    """A body is one message, which is written as these very bytes again, or it is refused as the peer's fault."""
    message_class: type[Message] | None = KINDS.get(kind)
    if message_class is None:
        return
    try:
        message = message_class.decode(Envelope(kind, "", b"", body, 0, len(body)))
    except PeerError:
        return
    assert message.encode() == body, f"two spellings of one {kind.name}"
    reader = Reader(body)
    assert message == message_class(*Tuple(message_class.LAYOUT).read(reader))


def check_document(kind: type[Document], data: bytes) -> None:
    """A document has one spelling and one digest, or the reader is told that it is unusable."""
    try:
        document = kind.from_bytes(data)
    except InputError:
        return
    assert document.to_bytes() == data, f"two spellings of one {kind.__name__}"
    assert kind.from_bytes(document.to_bytes()).digest == document.digest


def check_task(data: bytes) -> None:
    """A Task has one spelling, or it is refused as the peer's fault."""
    try:
        task = Task.from_bytes(data)
    except PeerError:
        return
    assert task.to_bytes() == data, "two spellings of one Task"


def check_token(text: str) -> None:
    """An invitation's token is one line with one spelling, blanks apart."""
    try:
        invitation = Invitation.from_token(text)
    except InputError as error:
        # A token holds a secret; a short text may stand in the error's own words.
        if len(text.strip()) >= 40 and text.strip() in str(error):
            raise AssertionError("the error repeats the token") from error
        return
    assert invitation.to_token() == "".join(text.split())


def check_status(status: grpc.StatusCode, text: str) -> None:
    """Another party's status text reaches a person as one printable line of bounded length."""
    error = error_of_status(status, text, "host:1")
    assert isinstance(error, HeadwaterError)
    assert str(error).isprintable()
    assert len(str(error)) <= MAXIMUM_TEXT + 100
    assert one_line(one_line(text)) == one_line(text)


def check_model(data: bytes) -> None:
    """A generator's bytes are one model, or unusable."""
    # torch takes seconds to load, and only the generator needs it.
    from headwater.generator.model import Model

    try:
        model = Model.from_bytes(data)
    except InputError:
        return
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()


def check_bundle(manifest: bytes, model: bytes, encoding: bytes) -> None:
    """A bundle's files are one bundle with the manifest's digest, or unusable."""
    from headwater.generator.bundle import Bundle
    from headwater.generator.sampler import read_sampler

    with tempfile.TemporaryDirectory() as folder:
        for name, data in (
            ("bundle.json", manifest),
            ("generator.safetensors", model),
            ("encoding.json", encoding),
        ):
            (Path(folder) / name).write_bytes(data)
        try:
            bundle = Bundle.load(Path(folder))
        except InputError:
            return
    assert bundle.encoding.sizes
    # What was read can be written: every number in it has a canonical form.
    assert len(bundle.digest) == 64
    assert read_sampler(bundle.sampler.to_bytes()).to_bytes() == bundle.sampler.to_bytes()


class Packed(Protocol):
    """A model that is written as bytes."""

    def to_bytes(self) -> bytes:
        """The bytes."""


def check_packed(read: Callable[[bytes], Packed], data: bytes) -> bool:
    """Bytes of a mixture, tilted or refined, or of a convolution are one model, or unusable; returns whether one."""
    try:
        model = read(data)
    except InputError:
        return False
    assert read(model.to_bytes()).to_bytes() == model.to_bytes()
    return True
