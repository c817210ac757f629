"""Bodies encoded in parts are those of the messages, byte by byte."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.secagg.coordinator.fanout import delivery_body
from headwater.secagg.crypto.capsules import CIPHERTEXT_BYTES
from headwater.secagg.crypto.keys import digest, number
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Deal, Delivery, Start
from support.network import World


def test_each_member_is_sent_its_start_in_its_one_encoding() -> None:
    world = World(7)
    world.open()
    world.play()
    starts = [(member, open_envelope(data)) for _, member, data in world.sent(MessageType.START)]
    assert sorted(member for member, _ in starts) == world.names
    deals = {sender: Deal.decode(open_envelope(data)) for sender, _, data in list(world.sent(MessageType.DEAL))[:7]}
    for member, envelope in starts:
        start = Start.decode(envelope)
        assert envelope.body == start.encode()
        for dealer, _, sealed, _ in start.entries:
            assert sealed == deals[dealer].sealed[world.names.index(member)]


@given(st.dictionaries(st.text("abcé", min_size=1, max_size=5), st.integers(0, 12), max_size=6))
def test_a_delivery_is_in_its_one_encoding(lengths: dict[str, int]) -> None:
    rows = tuple(
        (
            sender,
            digest("x", sender.encode()) * (CIPHERTEXT_BYTES // 32),
            tuple(digest("y", number(n)) for n in range(count)),
        )
        for sender, count in sorted(lengths.items())
    )
    assert delivery_body(rows) == Delivery(rows).encode()
