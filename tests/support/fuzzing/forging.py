"""Messages as a malicious party signs them: any content, under every key that is really its own."""

from dataclasses import fields

from headwater.errors import PeerError
from headwater.secagg import Participant
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.protocol.events import COORDINATOR, SessionReady
from headwater.secagg.protocol.session import setup_context
from headwater.secagg.wire.codec import Fixed, Layout, Listing, Number, Text, Tuple
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Message, Upload
from support.fuzzing.choices import Choices
from support.fuzzing.witness import KINDS
from support.network import World

__all__ = ["bend", "read_message", "sign_as", "volunteered"]

_SETUP = frozenset(
    {MessageType.INVITATION, MessageType.HELLO, MessageType.HELLOS, MessageType.ACCEPT, MessageType.SESSION}
    | {MessageType.CAPSULES, MessageType.DELIVERY, MessageType.CLOSE}
)
"""Types whose signatures are bound to the setup, not to a session (protocol 3.1)."""


def read_message(data: bytes) -> Message | None:
    """The message in these bytes; None: they are none."""
    try:
        envelope = open_envelope(data)
        return KINDS[envelope.type].decode(envelope) if envelope.type in KINDS else None
    except PeerError:
        return None


def sign_as(world: World, sender: str, message: Message) -> bytes:
    """The message as `sender` really signs it; nothing where it has no key or session for it."""
    kind, body = message.TYPE, message.encode()
    setup = setup_context(world.roster, world.terms(world.attempt), world.attempt)
    if sender == COORDINATOR:
        ready = [event.sid for event in world.aggregator_events if isinstance(event, SessionReady)]
        sid = ready[-1] if ready else bytes(32)
        return sign_envelope(kind, COORDINATOR, body, world.coordinator_key, setup if kind in _SETUP else sid)
    if kind is MessageType.HELLO:
        return sign_envelope(kind, sender, body, world.identity[sender], setup)
    participant = world.participants.get(sender)
    joining = participant._joining if participant is not None else None
    if participant is None or joining is None or kind is MessageType.CHUNK:
        return b""
    in_setup = kind in _SETUP or getattr(message, "round", None) == 0
    session = participant._player.session
    context = setup if in_setup or session is None else session.facts.sid
    return sign_envelope(kind, sender, body, joining.session_key, context)


def bend(participant: Participant, choices: Choices) -> None:
    """Let a member mask its next vector with a secret that is not the one it dealt or shares with a peer."""
    current = participant._player.round
    if current is None or current.self_seed is None:
        return
    peer = choices.pick((None, *sorted(current.pair_secrets)))
    if peer is None:
        current.self_seed = Secret(bytes(32))
    else:
        current.pair_secrets[peer] = Secret(bytes(32))


def volunteered(world: World, sender: str, kind: MessageType) -> bytes:
    """A message that nobody asked for, of any type, about the round in flight; nothing where it cannot be signed."""
    values = {"round": 0, "rho": bytes(32), "sid": bytes(32), "dealer": "org-0", "run_id": "run-1"}
    for _, _, data in reversed(world.traffic[-80:]):
        old = read_message(data)
        if isinstance(old, Upload):
            values |= {"round": old.round, "rho": old.rho}
            break
    names = (field.name for field in fields(KINDS[kind]))
    blank = [values.get(name, _empty(layout)) for name, layout in zip(names, KINDS[kind].LAYOUT, strict=True)]
    return sign_as(world, sender, KINDS[kind](*blank))


def _empty(layout: Layout) -> object:
    match layout:
        case Number():
            return 1
        case Fixed(size):
            return bytes(size)
        case Text():
            return "org-1"
        case Listing():
            return ()
        case Tuple(items):
            return tuple(map(_empty, items))
        case _:
            return b""
