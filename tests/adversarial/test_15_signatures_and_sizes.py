"""Protocol 7, item 15: one type's signature on another type's message, claims of two gigabytes, streams that crawl."""

import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.errors import PeerError
from headwater.secagg.protocol.events import MemberDropped
from headwater.secagg.wire import envelope, messages
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE
from headwater.secagg.wire.envelope import MessageType, open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.limits import MAXIMUM_LENGTH
from headwater.secagg.wire.messages import Chunk, Message, Start
from support.lies import KIND, LIAR, VICTIM, session_key
from support.network import World, kind_of

SIGNED = [kind for kind in MessageType if kind is not KIND.CHUNK]


@pytest.mark.parametrize("kind", SIGNED)
def test_a_signature_of_one_type_is_refused_on_every_other_type(kind: MessageType) -> None:
    key, context = Ed25519PrivateKey.generate(), b"s" * 32
    data = sign_envelope(kind, "org-0", b"the body", key, context)
    public = key.public_key().public_bytes_raw()
    open_envelope(data).verify(public, context)
    for other in SIGNED:
        if other is not kind:
            relabelled = open_envelope(data[:4] + bytes([other]) + data[5:])
            with pytest.raises(PeerError, match="not theirs for this session"):
                relabelled.verify(public, context)


def test_the_type_is_in_the_label_that_is_signed_and_not_only_in_the_bytes() -> None:
    # Twice bound: by the bytes of the message, and by the label of what is signed (protocol 4.11).
    signed = {envelope._signing_input(kind, b"s" * 32, b"the very same bytes") for kind in MessageType}
    assert len(signed) == len(MessageType)


@pytest.mark.parametrize("position", ["type", "sender", "body", "session"])
def test_a_signature_covers_every_part_of_its_message(position: str) -> None:
    key, context = Ed25519PrivateKey.generate(), b"s" * 32
    data = sign_envelope(KIND.CONFIRM, "org-0", b"the body", key, context)
    place = {"type": 4, "sender": data.index(b"org-0") + 4, "body": data.index(b"the body"), "session": -1}[position]
    if position == "session":
        context = b"t" * 32
    else:
        data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(PeerError):
        open_envelope(data).verify(key.public_key().public_bytes_raw(), context)


def body_types() -> list[type[Message]]:
    """Every message body of the protocol."""
    found = [getattr(messages, name) for name in messages.__all__]
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message]


def test_no_two_bodies_share_a_type_and_every_type_has_a_body() -> None:
    kinds = [kind.TYPE for kind in body_types()]
    assert sorted(kinds) == sorted(MessageType)


@pytest.mark.parametrize(("one", "other"), list(permutations([KIND.CONFIRM, KIND.UPLOAD, KIND.REVEAL, KIND.DEAL], 2)))
def test_the_coordinator_refuses_a_true_message_under_another_types_number(
    one: MessageType, other: MessageType
) -> None:
    world = World(3)
    world.open()
    world.play()
    true = next(data for sender, _, data in world.sent(one) if sender == LIAR)
    before = world.sums()
    with pytest.raises(PeerError):
        world.aggregator.receive(LIAR, true[:4] + bytes([other]) + true[5:], world.now)
    assert world.sums() == before


def test_a_claim_of_two_gigabytes_costs_nothing_until_they_come() -> None:
    world = World(3)
    world.open()
    body = (1).to_bytes(8, "big") + bytes(8) + (2**31).to_bytes(4, "big") + b"x"
    claims = [
        pack_chunk(LIAR, body),
        b"HWS\x01\x09" + (2**31).to_bytes(4, "big"),
        b"HWS\x01\x09" + bytes(4) + (2**31 - 1).to_bytes(4, "big") + bytes(100),
    ]
    tracemalloc.start()
    for claim in claims:
        with pytest.raises(PeerError, match=r"claims a field of|ends inside"):
            world.aggregator.receive(LIAR, claim, 0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    with pytest.raises(PeerError, match=f"at most {MAXIMUM_MESSAGE} are allowed"):
        world.aggregator.receive(LIAR, bytes(MAXIMUM_MESSAGE + 1), 0.0)


def test_a_start_that_claims_gigabytes_of_task_is_refused_before_any_is_kept() -> None:
    world = World(3)
    world.open()
    world.lie_to([VICTIM], Start, lambda start: messages.Start(**{**vars(start), "model_size": 2**32 - 1}))
    tracemalloc.start()
    world.play()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any("the terms allow" in abort.reason for abort in world.aborts())
    assert peak < 32 * 2**20


def test_a_start_that_claims_a_vector_of_the_largest_length_costs_the_member_nothing() -> None:
    world = World(3, answering=False)
    world.open()
    claim = messages.Start(1, MAXIMUM_LENGTH, 0, 0, bytes(32), bytes(32), b"", bytes(32), ())
    tracemalloc.start()
    world.deliver_to_member(VICTIM, world.forge(claim))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("kind", [KIND.CHUNK, KIND.CONFIRM])
def test_a_stream_that_crawls_is_dropped_at_the_deadline_and_holds_nobody_longer(kind: MessageType) -> None:
    world = World(5, length=600_000)
    world.open()
    slow: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != LIAR or kind_of(data) is not kind:
            return [data]
        slow.append(data)
        # The first part comes, the rest never does.
        return [data] if kind is KIND.CHUNK and len(slow) == 1 else []

    world.to_coordinator = tap
    world.begin()
    world.run()
    assert world.sums() == []
    deadline = world.aggregator.next_deadline
    assert deadline is not None
    world.tick(deadline - world.now)
    world.run()
    (total,) = world.sums()
    expected = [name for name in world.names if name != LIAR or kind is KIND.CONFIRM]
    assert total.contributors == tuple(expected)
    np.testing.assert_array_equal(total.vector, world.expected(expected))
    dropped = [event for event in world.aggregator_events if isinstance(event, MemberDropped)]
    assert [(event.member, event.reason) for event in dropped] == [(LIAR, "the deadline passed")]


def test_a_chunk_signed_as_if_it_were_a_message_is_malformed() -> None:
    world = World(3)
    world.open()
    body = Chunk(1, 0, b"x").encode()
    with pytest.raises(PeerError, match="a signature of 64 bytes; it is malformed"):
        world.aggregator.receive(
            LIAR, sign_envelope(KIND.CHUNK, LIAR, body, session_key(world, LIAR), world.sid()), 0.0
        )
