"""Bodies of messages that show each member another place in the same n trees; what they share is encoded once."""

from collections.abc import Iterable, Sequence

from headwater.secagg.protocol.dealing import CheckedDeal
from headwater.secagg.wire.codec import Text, Tuple
from headwater.secagg.wire.messages import START_ENTRY, Start

__all__ = ["StartBodies", "delivery_body"]

_MEMBER = Text(64)


class StartBodies:
    """The Starts of one round: one for each of n members, each with n entries (protocol 4.2)."""

    def __init__(self, common: Start, deals: Iterable[CheckedDeal]) -> None:
        """Encode what all of them say.

        Args:
            common: the Start without entries.
            deals: of C_t, sorted by dealer.
        """
        begin = Tuple(START_ENTRY.items[:2])
        self._deals = [(begin.write((deal.dealer, deal.header_data)), deal) for deal in deals]
        # A list of no items is its count alone.
        self._head = common.encode()[:-4] + len(self._deals).to_bytes(4, "big")

    def for_rank(self, rank: int) -> bytes:
        """The body for the receiver of this rank: `Start.encode` with its entries, byte by byte."""
        parts = [self._head]
        for begin, deal in self._deals:
            sealed = deal.sealed[rank]
            parts += (begin, len(sealed).to_bytes(4, "big"), sealed, *_path(deal.path(rank)))
        return b"".join(parts)


def delivery_body(rows: Sequence[tuple[str, bytes, tuple[bytes, ...]]]) -> bytes:
    """`Delivery(rows).encode()`, for rows of checked capsules, sorted by sender (protocol 3.3)."""
    parts = [len(rows).to_bytes(4, "big")]
    for sender, capsule, path in rows:
        parts += (_MEMBER.write(sender), capsule, *_path(path))
    return b"".join(parts)


def _path(path: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (len(path).to_bytes(4, "big"), *path)
