"""Members that lie over real streams: the coordinator's log names them, the others' round goes on."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import cast

import grpc
import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.protocol.events import RoundAborted, RoundSummed
from headwater.secagg.wire import messages
from headwater.secagg.wire.codec import MAXIMUM_MESSAGE
from headwater.secagg.wire.envelope import open_envelope, pack_chunk, sign_envelope
from headwater.secagg.wire.messages import Chunk, Upload
from support.lies import KIND, flipped
from support.lying_wire import LENGTH, Tap, WireWorld
from support.network import kind_of

LIAR = "org-2"
OTHERS = ("org-1", "org-3", "org-4")


def round_with(world: WireWorld, liar: Tap) -> RoundSummed | RoundAborted:
    """A round in which one member's messages are changed on their way."""
    session = world.open()
    world.join(*OTHERS)
    world.join(LIAR, liar=liar)
    world.loop.run(session.ready())
    return world.loop.run(session.round(b"task", b"", LENGTH))


def check_sum(world: WireWorld, result: RoundSummed | RoundAborted, members: Sequence[str] = OTHERS) -> None:
    """The exact sum of these members."""
    assert isinstance(result, RoundSummed)
    assert result.contributors == tuple(members)
    np.testing.assert_array_equal(result.vector, world.expected(members))
    assert world.leaked() == []


def changed_chunk(member: str, data: bytes) -> Sequence[bytes]:
    """A vector that its trailer does not name."""
    if kind_of(data) is not KIND.CHUNK:
        return [data]
    chunk = Chunk.decode(open_envelope(data))
    return [pack_chunk(member, dataclasses.replace(chunk, data=flipped(bytes(chunk.data))).encode())]


def chunk_of_too_much(member: str, data: bytes) -> Sequence[bytes]:
    """A vector with a chunk more than its length has."""
    if kind_of(data) is not KIND.UPLOAD:
        return [data]
    return [pack_chunk(member, Chunk(1, 2, b"more").encode()), data]


def cut_message(member: str, data: bytes) -> Sequence[bytes]:
    """An Upload without its end."""
    return [data[:-5]] if kind_of(data) is KIND.UPLOAD else [data]


def unknown_type(member: str, data: bytes) -> Sequence[bytes]:
    """A type that nobody knows."""
    return [data[:4] + b"\xc8" + data[5:]] if kind_of(data) is KIND.UPLOAD else [data]


def in_anothers_name(member: str, data: bytes) -> Sequence[bytes]:
    """A vector in the name of another member, over the liar's own stream."""
    if kind_of(data) is not KIND.CHUNK:
        return [data]
    return [pack_chunk("org-1", bytes(open_envelope(data).body))]


BAD_UPLOADS: list[tuple[Tap, str]] = [
    (changed_chunk, f"the upload of {LIAR} is not the one its signature names: digest check failed"),
    (chunk_of_too_much, f"chunk 2 comes after the stated {4 * (LENGTH + 4)} bytes; the stream has too many"),
    (cut_message, "a message ends inside a field of 64 bytes; it was cut or is malformed"),
    (unknown_type, "a message has the unknown type 200; the other side has another version"),
    (in_anothers_name, f"a message of 'org-1' came over the stream of {LIAR}"),
]


@pytest.mark.parametrize(("liar", "reason"), BAD_UPLOADS, ids=[row[0].__name__ for row in BAD_UPLOADS])
def test_a_bad_upload_ends_its_stream_alone_and_is_named_at_both_ends(hasty: WireWorld, liar: Tap, reason: str) -> None:
    check_sum(hasty, round_with(hasty, liar))
    assert hasty.logged("message_refused", LIAR) == [reason]
    with pytest.raises(PeerError) as caught:
        hasty.parts[LIAR].result(20)
    assert reason in str(caught.value)
    assert [
        line for line in hasty.logged("member_dropped", LIAR) if line in ("the stream ended", "the deadline passed")
    ]


def test_a_repeated_upload_of_the_same_vector_changes_nothing(world: WireWorld) -> None:
    check_sum(
        world,
        round_with(world, lambda member, data: [data, data] if kind_of(data) is KIND.UPLOAD else [data]),
        world.members,
    )
    assert world.logged("message_refused") == []


def test_a_second_upload_of_another_vector_never_enters_the_sum(world: WireWorld) -> None:
    def twice(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is not KIND.UPLOAD:
            return [data]
        other = dataclasses.replace(Upload.decode(open_envelope(data)), vector_digest=b"o" * 32)
        return [data, world.participants[LIAR].signed(other)]

    session = world.open()
    # While one honest member holds its vector back, the second Upload comes in time.
    world.join(*OTHERS[:2])
    waiting, let_go = threading.Event(), threading.Event()

    def held(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is KIND.UPLOAD:
            waiting.set()
            let_go.wait(20)
        return [data]

    world.join(OTHERS[2], liar=held)
    world.join(LIAR, liar=twice)
    world.loop.run(session.ready())
    outcome = cast("Future[RoundSummed]", world.loop.submit(session.round(b"task", b"", LENGTH)))
    with pytest.raises(PeerError, match="uploaded a second, different vector in round 1"):
        world.parts[LIAR].result(20)
    let_go.set()
    # The first vector was complete and counts; its member confirms nothing more.
    check_sum(world, outcome.result(20), world.members)
    assert world.logged("message_refused", LIAR) == [f"{LIAR} uploaded a second, different vector in round 1"]


def test_a_late_upload_is_ignored_and_its_member_is_in_the_next_round(hasty: WireWorld) -> None:
    let_go = threading.Event()

    def late(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is KIND.UPLOAD:
            let_go.wait(20)
        return [data]

    session = hasty.open()
    hasty.join(*OTHERS)
    hasty.join(LIAR, liar=late)
    hasty.loop.run(session.ready())
    first = hasty.loop.run(session.round(b"task", b"", LENGTH))
    check_sum(hasty, first)
    let_go.set()
    check_sum(hasty, hasty.loop.run(session.round(b"task", b"", LENGTH)), hasty.members)
    assert hasty.logged("message_refused") == []
    assert hasty.logged("member_dropped", LIAR) == ["the deadline passed"]


def test_a_members_certificate_does_not_speak_for_another_member(world: WireWorld) -> None:
    world.open()
    hello = sign_envelope(KIND.HELLO, "org-1", b"", world.keys["org-1"], world.setup_context())
    status, text = world.raw("org-3", iter([hello]))
    assert status is grpc.StatusCode.PERMISSION_DENIED
    assert text == "a message of 'org-1' came over the stream of org-3"
    assert world.logged("message_refused", "org-3") == [text]
    assert world.logged("message_refused", "org-1") == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "a message ends inside a field of 4 bytes; it was cut or is malformed"),
        (b"HWS\x01\xc8" + bytes(60), "a message has the unknown type 200; the other side has another version"),
        (b"GET / HTTP/1.1\r\n", "a message is not of HW-SecAgg/1; the other side speaks another protocol or version"),
        (
            b"HWS\x01\x09" + (2**31).to_bytes(4, "big"),
            "a message claims a field of 2147483648 items or bytes, at most 64 are allowed",
        ),
    ],
    ids=["empty", "unknown type", "other protocol", "two gigabytes"],
)
def test_bytes_that_are_no_message_end_one_stream_with_one_line(world: WireWorld, data: bytes, text: str) -> None:
    session = world.open()
    assert world.raw(LIAR, iter([data])) == (grpc.StatusCode.PERMISSION_DENIED, text)
    assert world.logged("message_refused", LIAR) == [text]
    assert not session.over
    world.join()
    world.loop.run(session.ready())
    check_sum(world, world.loop.run(session.round(b"task", b"", LENGTH)), world.members)


def test_a_message_above_the_limit_ends_its_stream_before_it_is_buffered(world: WireWorld) -> None:
    session = world.open()
    status, _ = world.raw(LIAR, iter([bytes(MAXIMUM_MESSAGE + 2048)]))
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert session.traffic.received_bytes == 0
    assert not session.over


def test_a_stream_that_crawls_holds_nobody_longer_than_the_deadline(hasty: WireWorld) -> None:
    # The liar's process sends one chunk of its vector and then keeps its stream open without another byte.
    let_go = threading.Event()
    chunks: list[bytes] = []

    def crawling(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is KIND.CHUNK:
            chunks.append(data)
            if len(chunks) == 2:
                let_go.wait(30)
        return [data]

    result = round_with(hasty, crawling)
    check_sum(hasty, result)
    assert hasty.logged("member_dropped", LIAR) == ["the deadline passed"]
    let_go.set()


def test_a_stream_that_never_says_anything_is_no_member_of_the_session(hasty: WireWorld) -> None:
    quiet = threading.Event()

    def nothing() -> Iterator[bytes]:
        quiet.wait(30)
        yield from ()

    session = hasty.open()
    ended: list[tuple[grpc.StatusCode, str]] = []
    thread = threading.Thread(target=lambda: ended.append(hasty.raw("org-1", nothing(), timeout=60)))
    thread.start()
    hasty.join("org-2", "org-3", "org-4")
    # The greeting waits its stated time for the silent one and then goes on without it.
    assert hasty.loop.run(session.ready()).members == ("org-2", "org-3", "org-4")
    result = hasty.loop.run(session.round(b"task", b"", LENGTH))
    check_sum(hasty, result, ("org-2", "org-3", "org-4"))
    quiet.set()
    thread.join(30)
    assert ended[0][0] is grpc.StatusCode.OK


def test_a_false_complaint_is_logged_with_accuser_and_accused(world: WireWorld) -> None:
    def accusing(member: str, data: bytes) -> Sequence[bytes]:
        if kind_of(data) is not KIND.CHUNK or accused:
            return [data]
        accused.append("org-1")
        return [world.participants[LIAR].signed(messages.Complaint(1, "org-1", "seal")), data]

    accused: list[str] = []
    result = round_with(world, accusing)
    assert isinstance(result, RoundAborted)
    assert result.reason == f"{LIAR} complains of org-1: what it was dealt fails the seal check"
    assert world.logged("round_aborted") == [result.reason]
