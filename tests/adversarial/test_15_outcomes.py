"""Protocol 4.8, 4.9 and 7, item 15: each bad message of each type has a named outcome, and no other."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.protocol.events import COORDINATOR, RoundRefused, RoundSummed, SessionClosed
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.messages import Message
from support.lies import KIND, session_key
from support.network import World, kind_of
from support.scenes import play_scene

SETUP = {KIND.INVITATION, KIND.HELLO, KIND.HELLOS, KIND.ACCEPT, KIND.CAPSULES, KIND.DELIVERY, KIND.SESSION, KIND.CLOSE}
"""Types signed under the setup's context; all others under the session's."""

IGNORED = ""
CASES = ("malformed", "repeated", "late", "replayed", "foreign")

CUT = "a message ends inside a field of [0-9]+ bytes; it was cut or is malformed"
FORGED = "{} message of (the coordinator|org-[0-9]) has a signature that is not theirs for this session"

OUTCOMES: dict[MessageType, tuple[str, str, str, str, str]] = {
    # Type: malformed, repeated at once, late (its round or setup is over), replayed (of an earlier session), foreign.
    KIND.INVITATION: (CUT, IGNORED, IGNORED, IGNORED, FORGED),
    KIND.HELLO: (CUT, IGNORED, IGNORED, IGNORED, FORGED),
    KIND.HELLOS: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.ACCEPT: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.CAPSULES: (CUT, IGNORED, IGNORED, IGNORED, FORGED),
    KIND.DELIVERY: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.SESSION: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.DEAL: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.START: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.UPLOAD: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.SURVIVORS: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.CONFIRM: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.QUORUM: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.REVEAL: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.COMPLAINT: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.INQUIRY: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.BLOCKS: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.SEED: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.RECEIPT: (CUT, IGNORED, IGNORED, IGNORED, FORGED),
    KIND.ABORT: (CUT, IGNORED, IGNORED, IGNORED, FORGED),
    KIND.REFUSAL: (CUT, IGNORED, IGNORED, FORGED, FORGED),
    KIND.CLOSE: (CUT, IGNORED, IGNORED, FORGED, FORGED),
}
"""What is said of each bad message; of one that is ignored, nothing, and everything goes on as without it."""

CHUNKS = {
    # Chunks go both ways, unsigned: to members with Task and model, to the coordinator with vectors.
    False: (
        CUT,
        "a chunk of round 1 came, and none is awaited",
        IGNORED,
        IGNORED,
        "a message of 'org-[0-9]' came from .*",
    ),
    True: (
        CUT,
        "chunk 0 comes after the stated 36 bytes; .*",
        IGNORED,
        IGNORED,
        "a message of 'org-[0-9]' came over .*",
    ),
}

INSIDE = {KIND.DEAL_HEADER: "Deals carry it", KIND.START_RECORD: "it stays in the coordinator's store"}
"""Signed documents that travel in no envelope of their own."""

TO_COORDINATOR = {
    KIND.HELLO,
    KIND.ACCEPT,
    KIND.CAPSULES,
    KIND.DEAL,
    KIND.UPLOAD,
    KIND.CONFIRM,
    KIND.REVEAL,
    KIND.COMPLAINT,
    KIND.BLOCKS,
    KIND.SEED,
    KIND.REFUSAL,
}


def all_types() -> set[MessageType]:
    """The types of all bodies of the protocol."""
    bodies = (getattr(messages, name) for name in messages.__all__)
    return {
        body.TYPE for body in bodies if isinstance(body, type) and issubclass(body, Message) and body is not Message
    }


def signed_again(world: World, data: bytes, body: bytes, key: Ed25519PrivateKey | None = None) -> bytes:
    """The message with another body, signed as its sender would, or by another key."""
    envelope = open_envelope(data)
    if envelope.type is KIND.CHUNK:
        return pack_chunk(envelope.sender, body)
    context = world.setup_context() if envelope.type in SETUP else world.sid()
    if key is None:
        if envelope.sender == COORDINATOR:
            key = world.coordinator_key
        elif envelope.type is KIND.HELLO:
            key = world.identity[envelope.sender]
        else:
            key = session_key(world, envelope.sender)
    return sign_envelope(envelope.type, envelope.sender, body, key, context)


Change = Callable[[World, bytes], list[bytes]]


def cut(world: World, data: bytes) -> list[bytes]:
    """Malformed: the body lacks its last byte."""
    return [signed_again(world, data, bytes(open_envelope(data).body)[:-1])]


def twice(world: World, data: bytes) -> list[bytes]:
    """Repeated at once."""
    return [data, data]


def by_another(world: World, data: bytes) -> list[bytes]:
    """Foreign: the name is right and the signature another party's; a chunk, which has none, names another party."""
    if kind_of(data) is KIND.CHUNK:
        sender = open_envelope(data).sender
        return [pack_chunk("org-0" if sender != "org-0" else "org-2", bytes(open_envelope(data).body))]
    return [signed_again(world, data, bytes(open_envelope(data).body), Ed25519PrivateKey.generate())]


class Struck(World):
    """A world in which the first message of one type to or from one member is struck; later ones of it pass."""

    def strike(self, kind: MessageType, change: Change | None, incoming: bool) -> None:
        """Say what happens to which."""
        self.struck: list[tuple[str, bytes]] = []

        def tap(member: str, data: bytes) -> list[bytes]:
            if kind_of(data) is not kind or self.struck:
                return [data]
            self.struck.append((member, data))
            return [data] if change is None else change(self, data)

        if incoming:
            self.to_coordinator = tap
        else:
            self.to_member = tap

    def told(self) -> list[str]:
        """Everything that was said about something being wrong."""
        refused = [
            event.reason
            for events in self.member_events.values()
            for event in events
            if isinstance(event, RoundRefused | SessionClosed)
        ]
        return [text for _, text in self.errors] + refused


def observe(kind: MessageType, case: str, incoming: bool) -> str:
    """What becomes of one bad message: the new thing that is said, or nothing."""
    world = Struck(5, rounds=6)
    changes: dict[str, Change] = {"malformed": cut, "repeated": twice, "foreign": by_another}
    world.strike(kind, changes.get(case), incoming)
    plain = Struck(5, rounds=6)
    plain.strike(kind, None, incoming)
    play_scene(kind, plain)
    play_scene(kind, world)
    usual = plain.told()
    if case in ("late", "replayed"):
        (member, data), usual = world.struck[0], world.told()
        if case == "replayed":
            world.new_attempt()
            for name in world.names:
                known = world.documents_of(name)
                world.join(name, last_receipt=known[-1] if known else None)
            world.run()
            usual = world.told()
        if incoming:
            world.deliver_to_coordinator(member, data)
        else:
            world.deliver_to_member(member, data)
        world.run()
    check_sums(world)
    new = list(world.told())
    for text in usual:
        if text in new:
            new.remove(text)
    return new[0] if new else IGNORED


def check_sums(world: World) -> None:
    """No sum of any round is a wrong one."""
    for event in world.aggregator_events:
        if isinstance(event, RoundSummed):
            np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


ROWS = [
    *((kind, kind in TO_COORDINATOR, row) for kind, row in OUTCOMES.items()),
    *((KIND.CHUNK, incoming, row) for incoming, row in CHUNKS.items()),
]
TABLE = [
    pytest.param(kind, case, incoming, wanted, id=f"{kind.name.lower()}-{'in' if incoming else 'out'}-{case}")
    for kind, incoming, row in ROWS
    for case, wanted in zip(CASES, row, strict=True)
]


def test_every_type_of_message_has_a_row() -> None:
    assert set(OUTCOMES) | {KIND.CHUNK} | set(INSIDE) == all_types() == set(MessageType)


@pytest.mark.parametrize(("kind", "case", "incoming", "wanted"), TABLE)
def test_a_bad_message_has_its_named_outcome(kind: MessageType, case: str, incoming: bool, wanted: str) -> None:
    assert re.fullmatch(wanted.format(kind.with_article) if wanted is FORGED else wanted, observe(kind, case, incoming))


@pytest.mark.parametrize("kind", [KIND.DEAL_HEADER, KIND.START_RECORD])
def test_a_document_that_travels_in_no_message_of_its_own_is_refused_as_one(kind: MessageType) -> None:
    world = World(3)
    world.open()
    member = sign_envelope(kind, "org-0", b"", session_key(world, "org-0"), world.sid())
    with pytest.raises(PeerError, match=f"{kind.with_article} message came from org-0, which no member sends"):
        world.aggregator.receive("org-0", member, 0.0)
    coordinator = sign_envelope(kind, COORDINATOR, b"", world.coordinator_key, world.sid())
    with pytest.raises(PeerError, match=f"{kind.with_article} message came, which no coordinator sends"):
        world.participants["org-0"].receive(coordinator, 0.0)


@pytest.mark.parametrize("kind", sorted(TO_COORDINATOR))
def test_what_only_members_send_is_refused_from_a_coordinator(kind: MessageType) -> None:
    world = World(3)
    world.open()
    data = sign_envelope(kind, COORDINATOR, b"", world.coordinator_key, world.sid())
    with pytest.raises(PeerError, match="which no coordinator sends"):
        world.participants["org-0"].receive(data, 0.0)


@pytest.mark.parametrize("kind", sorted(set(OUTCOMES) - TO_COORDINATOR))
def test_what_only_a_coordinator_sends_is_refused_from_a_member(kind: MessageType) -> None:
    world = World(3)
    world.open()
    data = sign_envelope(kind, "org-0", b"", session_key(world, "org-0"), world.sid())
    with pytest.raises(PeerError, match="which no member sends"):
        world.aggregator.receive("org-0", data, 0.0)
