"""The binary form of messages: one encoding for each value, and any other bytes refused."""

from dataclasses import fields

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import InputError, PeerError
from headwater.secagg.wire import messages
from headwater.secagg.wire.codec import (
    MAXIMUM_MESSAGE,
    Blob,
    Bulk,
    Fixed,
    Layout,
    Listing,
    Number,
    Reader,
    Text,
    Tuple,
    wire_text,
)
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Message

KINDS = sorted(Message.__subclasses__(), key=lambda kind: kind.__name__)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=8)


def values(layout: Layout) -> st.SearchStrategy[object]:
    """Values that a layout can hold, small ones."""
    match layout:
        case Number(maximum):
            return st.integers(0, maximum)
        case Fixed(size):
            return st.binary(min_size=size, max_size=size)
        case Blob(maximum) | Bulk(maximum):
            return st.binary(max_size=min(maximum, 40))
        case Text(maximum):
            return NAMES.filter(lambda name: len(name.encode()) <= maximum)
        case Tuple(items):
            return st.tuples(*(values(item) for item in items))
        case Listing(item, maximum, key):
            rows = st.lists(values(item), max_size=min(maximum, 4), unique_by=key)
            return rows.map(lambda drawn: tuple(sorted(drawn, key=key) if key else drawn))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_every_message_has_one_layout_for_each_field(kind: type[Message]) -> None:
    assert len(fields(kind)) == len(kind.LAYOUT)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_messages_come_back_as_they_were(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    message = kind(*data.draw(st.tuples(*(values(layout) for layout in kind.LAYOUT))))
    body = message.encode()
    reader = Reader(body)
    assert Tuple(kind.LAYOUT).read(reader) == tuple(getattr(message, field.name) for field in fields(kind))
    reader.end()
    if kind is not messages.Chunk:
        assert kind.decode(open_envelope(sign_envelope(kind.TYPE, "org", body, KEY, bytes(32)))) == message


@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_peer_error(data: bytes) -> None:
    with pytest.raises(PeerError):
        open_envelope(data)


@given(st.sampled_from(KINDS), st.binary(max_size=400))
def test_any_body_gives_its_one_message_or_a_peer_error(kind: type[Message], body: bytes) -> None:
    if kind is messages.Chunk:
        return
    envelope = open_envelope(sign_envelope(kind.TYPE, "org", body, KEY, bytes(32)))
    try:
        message = kind.decode(envelope)
    except PeerError:
        return
    assert message.encode() == body


SURVIVORS = messages.Survivors(3, bytes(32), (("a", bytes(32)), ("b", bytes(32))))
SIGNED = sign_envelope(MessageType.SURVIVORS, "org", SURVIVORS.encode(), KEY, b"s" * 32)


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place: int, difference: int) -> None:
    changed = bytearray(SIGNED)
    changed[place] ^= difference
    with pytest.raises(PeerError):
        open_envelope(bytes(changed)).verify(PUBLIC, b"s" * 32)


@given(st.integers(0, len(SIGNED) - 1))
def test_every_cut_is_noticed(end: int) -> None:
    with pytest.raises(PeerError):
        open_envelope(SIGNED[:end])


def test_bytes_behind_a_message_are_refused() -> None:
    with pytest.raises(PeerError, match="too many"):
        open_envelope(SIGNED + b"\0")


def test_the_true_signature_passes() -> None:
    open_envelope(SIGNED).verify(PUBLIC, b"s" * 32)


def test_a_signature_holds_in_one_session_only() -> None:
    with pytest.raises(PeerError, match="not theirs for this session"):
        open_envelope(SIGNED).verify(PUBLIC, b"t" * 32)


@pytest.mark.parametrize("signed_as", [kind for kind in MessageType if kind is not MessageType.CHUNK])
def test_the_signature_of_one_type_is_refused_as_every_other(signed_as: MessageType) -> None:
    data = sign_envelope(signed_as, "org", b"body", KEY, bytes(32))
    for claimed in MessageType:
        if claimed in (signed_as, MessageType.CHUNK):
            continue
        changed = data[:4] + bytes([claimed]) + data[5:]
        with pytest.raises(PeerError, match="not theirs"):
            open_envelope(changed).verify(PUBLIC, bytes(32))


def test_a_signature_does_not_cover_another_sender() -> None:
    data = sign_envelope(MessageType.CONFIRM, "org", b"body", KEY, bytes(32))
    with pytest.raises(PeerError, match="not theirs"):
        open_envelope(data.replace(b"org", b"orh")).verify(PUBLIC, bytes(32))


def test_an_unsigned_message_is_refused() -> None:
    unsigned = SIGNED[:-68] + bytes(4)
    with pytest.raises(PeerError, match="signature of 0 bytes"):
        open_envelope(unsigned)


def test_an_oversized_message_is_refused_unread() -> None:
    with pytest.raises(PeerError, match="at most"):
        open_envelope(bytes(MAXIMUM_MESSAGE + 1))


def test_a_claim_of_two_gigabytes_costs_nothing() -> None:
    with pytest.raises(PeerError, match="claims a field of 2147483648"):
        Blob().read(Reader((2**31).to_bytes(4, "big")))


def test_repeated_or_unsorted_members_are_refused() -> None:
    def row(name: str) -> bytes:
        return Text().write(name) + bytes(32)

    for names in (("a", "a"), ("b", "a")):
        body = Number().write(3) + bytes(32) + (2).to_bytes(4, "big") + row(names[0]) + row(names[1])
        envelope = open_envelope(sign_envelope(MessageType.SURVIVORS, "", body, KEY, bytes(32)))
        with pytest.raises(PeerError, match="strictly ascending"):
            messages.Survivors.decode(envelope)
        with pytest.raises(InputError, match="sorted"):
            messages.Survivors(3, bytes(32), ((names[0], bytes(32)), (names[1], bytes(32)))).encode()


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a\nb", b"\x00"])
def test_text_that_is_no_clean_utf8_is_refused(text: bytes) -> None:
    with pytest.raises(PeerError, match="text field"):
        Text().read(Reader(Blob().write(text)))


@pytest.mark.parametrize(
    ("layout", "value"), [(Number(5), 6), (Number(5), -1), (Fixed(3), b"ab"), (Blob(2), b"abc"), (Text(2), "abc")]
)
def test_a_value_outside_its_layout_is_not_written(layout: Number | Fixed | Blob | Text, value: object) -> None:
    with pytest.raises(InputError):
        layout.write(value)  # type: ignore[arg-type]


@given(st.text())
def test_every_reason_becomes_text_that_can_be_sent(reason: str) -> None:
    assert messages.Close(wire_text(reason)).encode()
