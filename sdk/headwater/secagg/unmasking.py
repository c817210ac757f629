"""Opening a round's sum from revealed shares, each step checked against what was committed to: protocol 4.7."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import numpy as np

from headwater.errors import PeerError
from headwater.secagg.dealing import CheckedDeal, bundle_secrets
from headwater.secagg.keys import Secret
from headwater.secagg.masks import CHECK_VALUES, MaskStream, check_values
from headwater.secagg.messages import Reveal
from headwater.secagg.pairing import mask_key, self_mask_key
from headwater.secagg.ring import RingVector
from headwater.secagg.session import SessionFacts
from headwater.secagg.shamir import reconstruct

__all__ = ["DealerFault", "unmask"]


class DealerFault(PeerError):
    """What a dealer committed to does not hold together; the round cannot be opened.

    Attributes:
        dealer: the member at fault.
    """

    def __init__(self, dealer: str, message: str) -> None:
        """Name the dealer beside the message."""
        super().__init__(message)
        self.dealer = dealer


def unmask(
    masked: RingVector,
    facts: SessionFacts,
    deals: Mapping[str, CheckedDeal],
    survivors: Sequence[str],
    reveals: Mapping[str, Reveal],
    rho: bytes,
) -> RingVector:
    """Take all masks off the sum of the survivors' vectors.

    Args:
        masked: of the ring's type, shape (4 + length,): Σ y_i over the survivors; changed in place.
        facts: the session.
        deals: the Deal of every member of C_t.
        survivors: sorted ids of U_t.
        reveals: T or more Reveals by holder, each share checked against its leaf.
        rho: ρ_t.

    Returns:
        Of the ring's type, shape (length,): the exact sum modulo 2^32 or 2^64.

    Raises:
        DealerFault: T digest-valid shares open another seed than committed to, or a bundle is off.
        PeerError: the check coordinates are not those of this round; the sum is withheld.
    """
    alive = set(survivors)
    added: list[Secret] = []
    subtracted: list[Secret] = []
    for dealer, deal in deals.items():
        if dealer in alive:
            shares = {facts.rank(holder): dict(reveal.self_shares)[dealer] for holder, reveal in reveals.items()}
            seed = _open_seed(dealer, shares, facts.quorum, deal.header.self_seed_digest)
            subtracted.append(self_mask_key(seed, rho))
            continue
        shares = {facts.rank(holder): dict(reveal.bundle_shares)[dealer] for holder, reveal in reveals.items()}
        seed = _open_seed(dealer, shares, facts.quorum, deal.header.bundle_seed_digest)
        try:
            pairs = bundle_secrets(deal, seed, facts)
        except PeerError as error:
            raise DealerFault(dealer, str(error)) from error
        for member in survivors:
            # protocol 4.4: y_member holds + PRG(k) when the dropped dealer is lower, − PRG(k) when it is higher.
            side = subtracted if dealer.encode() < member.encode() else added
            side.append(mask_key(pairs[member], rho))
    bits = 8 * masked.itemsize
    MaskStream(added, subtracted, ring_bits=bits).apply_whole(masked)
    expected = check_values(rho, bits) * masked.dtype.type(len(survivors))
    if not np.array_equal(masked[:CHECK_VALUES], expected):
        raise PeerError("the check coordinates of the sum are off: a member's vector is not masked as agreed")
    return masked[CHECK_VALUES:].copy()


def _open_seed(dealer: str, shares: Mapping[int, bytes], quorum: int, committed: bytes) -> Secret:
    try:
        seed = reconstruct(shares, quorum)
    except PeerError as error:
        raise DealerFault(dealer, f"the shares of {dealer} open no seed") from error
    if not hmac.compare_digest(hashlib.sha256(seed).digest(), committed):
        raise DealerFault(dealer, f"the shares of {dealer} open another seed than it committed to")
    return Secret(seed)
