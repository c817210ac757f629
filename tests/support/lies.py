"""Ways to lie: a member that signs what it likes, a coordinator that sends what it likes, patches for a while."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg.wire.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.messages import Upload
from support.network import AnyMessage, World

__all__ = [
    "KIND",
    "LIAR",
    "VICTIM",
    "flipped",
    "lie_as",
    "patched",
    "play_to_the_end",
    "replaced",
    "session_key",
    "uploaded_digest",
]

KIND = MessageType

VICTIM = "org-1"
"""The member that a coordinator lies to."""

LIAR = "org-1"
"""The member that lies."""


def flipped(data: bytes | memoryview) -> bytes:
    """The bytes with one bit changed."""
    return bytes([data[0] ^ 1]) + bytes(data[1:])


def replaced(**changes: object) -> Callable[[AnyMessage], AnyMessage]:
    """A change of a message's fields."""
    return lambda message: dataclasses.replace(message, **changes)


def session_key(world: World, member: str) -> Ed25519PrivateKey:
    """A member's session key; a liar may sign anything with its own."""
    joining = world.participants[member]._joining
    if joining is None:
        raise LookupError(member)
    return joining.session_key


def lie_as(world: World, kind: type[AnyMessage], change: Callable[[AnyMessage], AnyMessage]) -> None:
    """From now on the liar changes its messages of one kind, and signs them."""

    def tap(member: str, data: bytes) -> list[bytes]:
        envelope = open_envelope(data)
        if member != LIAR or envelope.type is not kind.TYPE:
            return [data]
        if envelope.type is KIND.CHUNK:
            return [pack_chunk(LIAR, change(kind.decode(envelope)).encode())]
        body = change(kind.decode(envelope)).encode()
        return [sign_envelope(kind.TYPE, LIAR, body, session_key(world, LIAR), world.sid())]

    world.to_coordinator = tap


def play_to_the_end(world: World) -> None:
    """Play a round, letting deadlines pass for whoever is still awaited."""
    world.begin()
    world.run()
    while world.aggregator.next_deadline is not None:
        world.tick(world.aggregator.next_deadline - world.now)
        world.run()


@contextmanager
def patched(target: object, name: str, value: object) -> Iterator[None]:
    """Replace an attribute for a while."""
    before = getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, before)


def uploaded_digest(world: World, name: str) -> bytes:
    """The digest of the vector that a member uploaded."""
    return next(
        Upload.decode(open_envelope(data)).vector_digest
        for sender, _, data in world.sent(KIND.UPLOAD)
        if sender == name
    )
