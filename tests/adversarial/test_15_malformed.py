"""Protocol 7, item 15: chunks and messages that are malformed, at the machines."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.protocol.events import RoundRefused
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.messages import (
    Chunk,
)
from support.lies import KIND, LIAR, VICTIM, flipped, lie_as, play_to_the_end, session_key
from support.network import World, kind_of


def chunk_tap(world: World, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the row of chunks that the victim gets."""
    held: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not KIND.CHUNK:
            return [data]
        held.append(data)
        return change(held) if len(held) == 3 else []

    world.to_member = tap


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: [row[0], row[2], row[1]], "the order is broken"),
        (lambda row: [row[0], row[0], row[1], row[2]], "the order is broken"),
        (lambda row: [row[1], row[2]], "the order is broken"),
        (lambda row: [row[0], row[1], row[1]], "the order is broken"),
        (lambda row: [row[0], row[1], row[2][:-10] + b"!" + row[2][-9:]], "digest check failed"),
    ],
    ids=["reordered", "repeated", "missing", "replaced", "changed"],
)
def test_a_broken_row_of_chunks_is_refused(change: Callable[[list[bytes]], list[bytes]], reason: str) -> None:
    world = World(5)
    world.open()
    chunk_tap(world, change)
    world.play(model=bytes(2**21) + b"end of the model")
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert reason in refusal.reason


def test_chunks_too_many_are_refused() -> None:
    world = World(5)
    world.open()
    chunk_tap(world, lambda row: [*row, row[2]])
    world.play(model=bytes(2**21) + b"end of the model")
    assert (VICTIM, "a chunk of round 1 came, and none is awaited") in world.errors
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))


def test_a_shorter_chunk_is_refused() -> None:
    world = World(5)
    world.open()

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != VICTIM or kind_of(data) is not KIND.CHUNK:
            return [data]
        envelope = open_envelope(data)
        chunk = Chunk.decode(envelope)
        return [pack_chunk("", dataclasses.replace(chunk, data=chunk.data[:-1]).encode())]

    world.to_member = tap
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert "bytes, 21 were expected" in refusal.reason


BAD_UPLOADS: dict[str, tuple[type[messages.Message], Callable[..., messages.Message], str]] = {
    "trailer of another ρ": (
        messages.Upload,
        lambda m: dataclasses.replace(m, rho=bytes(32)),
        "another Task or cohort",
    ),
    "trailer of another digest": (
        messages.Upload,
        lambda m: dataclasses.replace(m, vector_digest=bytes(32)),
        "digest check failed",
    ),
    "trailer of another size": (messages.Upload, lambda m: dataclasses.replace(m, size=4), "before all its bytes"),
    "trailer of a later round": (messages.Upload, lambda m: dataclasses.replace(m, round=2), "did not begin"),
    "chunk changed": (
        messages.Chunk,
        lambda m: dataclasses.replace(m, data=flipped(m.data)),
        "digest check failed",
    ),
    "chunk too short": (messages.Chunk, lambda m: dataclasses.replace(m, data=m.data[:-1]), "36 were expected"),
    "chunk too long": (messages.Chunk, lambda m: dataclasses.replace(m, data=bytes(m.data) + b"x"), "36 were expected"),
    "chunk out of order": (messages.Chunk, lambda m: dataclasses.replace(m, index=1), "order is broken"),
    "chunk of a later round": (messages.Chunk, lambda m: dataclasses.replace(m, round=2), "did not begin"),
}


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_a_bad_upload_is_refused_and_its_member_dropped(name: str) -> None:
    kind, change, reason = BAD_UPLOADS[name]
    world = World(5)
    world.open()
    lie_as(world, kind, change)
    play_to_the_end(world)
    assert any(reason in message for who, message in world.errors if who == "")
    (event,) = world.sums()
    assert event.contributors == ("org-0", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


@pytest.mark.parametrize(
    "change",
    [lambda row: row[::-1], lambda row: [row[0], *row], lambda row: row[:1], lambda row: [*row, row[1]]],
    ids=["reordered", "repeated", "missing", "extra"],
)
def test_a_broken_row_of_upload_chunks_never_enters_the_sum(change: Callable[[list[bytes]], list[bytes]]) -> None:
    world = World(5, length=262_200)
    world.open()
    row: list[bytes] = []

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != LIAR or kind_of(data) is not KIND.CHUNK:
            return [data]
        row.append(data)
        return change(row) if len(row) == 2 else []

    world.to_coordinator = tap
    play_to_the_end(world)
    (event,) = world.sums()
    assert [who for who, _ in world.errors if who == ""]
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def test_bytes_that_are_no_message_are_refused() -> None:
    world = World(3)
    world.open()
    for data in (b"", b"\0" * 100, bytes(2**21), b"HWS\x01"):
        with pytest.raises(PeerError):
            world.aggregator.receive(LIAR, data, 0.0)
    world.play()
    assert len(world.sums()) == 1


def test_messages_that_no_member_sends_are_refused() -> None:
    world = World(3)
    world.open()
    for kind in (KIND.START, KIND.SURVIVORS, KIND.QUORUM, KIND.RECEIPT, KIND.ABORT, KIND.DEAL_HEADER, KIND.CLOSE):
        data = sign_envelope(kind, LIAR, b"", session_key(world, LIAR), world.sid())
        with pytest.raises(PeerError, match="no member sends"):
            world.aggregator.receive(LIAR, data, 0.0)
