"""Who broke a round whose check coordinates are off: protocol 4.7.

Each uploader tells the part of its pair masks that lies on the check coordinates. Their values are public, so nothing
of a vector is told. Two ends that tell different masks are a pair of whom one lies; where all ends agree and a masked
vector does not begin with check values under exactly these masks, its member masked something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.secagg.ring import RingVector

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who broke a round, as far as the evidence goes.

    Attributes:
        convicted: sorted ids of members whose vector is not masked as every other end says.
        disputes: sorted pairs whose ends tell different masks; one of the two lies.
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
    silent = tuple(member for member in uploaders if member not in told)
    disputes = tuple(
        (low, high)
        for place, low in enumerate(uploaders)
        for high in uploaders[place + 1 :]
        if low in told and high in told and not np.array_equal(told[low][high], told[high][low])
    )
    disputing = {member for pair in disputes for member in pair}
    convicted = []
    for member in uploaders:
        if member in disputing or member in silent:
            # What a disputing or silent member's vector should be is not agreed upon.
            continue
        pairs = {peer: told[member][peer] for peer in uploaders if peer != member}
        pairs |= {dealer: masks[member] for dealer, masks in opened.items()}
        expected = check + self_masks[member]
        for peer, mask in pairs.items():
            # protocol 4.4: + PRG(k) with a lower peer, − PRG(k) with a higher one, in byte order of ids.
            expected = expected + mask if peer.encode() < member.encode() else expected - mask
        if not np.array_equal(expected, fronts[member]):
            convicted.append(member)
    return Verdict(tuple(convicted), disputes, silent)
