"""Who broke a round whose check coordinates are off: protocol 4.7.

Each uploader tells the part of its pair masks that lies on the check coordinates. Their values are public, so nothing
of a vector is told. A member whose masked vector does not begin with check values under exactly the masks that it
tells itself masked something else, or lies; of two others who tell different masks for their pair one lies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.secagg.crypto.ring import RingVector

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who broke a round, as far as the evidence goes.

    Attributes:
        convicted: sorted ids of members whose vector is not masked as they say themselves.
        disputes: sorted pairs of others whose ends tell different masks; one of the two lies.
        silent: sorted ids of uploaders that told nothing.
    """

    convicted: tuple[str, ...] = ()
    disputes: tuple[tuple[str, str], ...] = ()
    silent: tuple[str, ...] = ()


def judge(
    uploaders: Sequence[str],
    check: RingVector,
    fronts: Mapping[str, RingVector],
    self_masks: Mapping[str, RingVector],
    told: Mapping[str, Mapping[str, RingVector]],
    opened: Mapping[str, Mapping[str, RingVector]],
) -> Verdict:
    """Compare what the ends of each pair tell with each other and with what was uploaded.

    All vectors are the part on the check coordinates, of the ring's type, shape (4,).

    Args:
        uploaders: sorted ids of U_t.
        check: the public check values.
        fronts: uploader → the beginning of its masked vector.
        self_masks: uploader → its self mask, from the opened seed.
        told: uploader that answered → peer in U_t → the pair's mask.
        opened: dropped dealer → uploader → the pair's mask, from the dealer's opened bundle.
    """
    convicted = set()
    for member, masks in told.items():
        dropped = {dealer: ends[member] for dealer, ends in opened.items()}
        if not np.array_equal(_front(member, check + self_masks[member], masks, dropped), fronts[member]):
            convicted.add(member)
    disputes = tuple(
        (low, high)
        for place, low in enumerate(uploaders)
        for high in uploaders[place + 1 :]
        if {low, high} <= told.keys() - convicted and not np.array_equal(told[low][high], told[high][low])
    )
    silent = tuple(member for member in uploaders if member not in told)
    return Verdict(tuple(sorted(convicted)), disputes, silent)


def _front(member: str, own: RingVector, *masks: Mapping[str, RingVector]) -> RingVector:
    """The beginning that a member's masked vector has under these masks, peer → mask of the pair."""
    front = own
    for pairs in masks:
        for peer, mask in pairs.items():
            # protocol 4.4: + PRG(k) with a lower peer, − PRG(k) with a higher one, in byte order of ids.
            front = front + mask if peer.encode() < member.encode() else front - mask
    return front
