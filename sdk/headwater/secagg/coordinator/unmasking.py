"""Opening a round's sum from revealed shares, each step checked against what was committed to: protocol 4.7."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import CHECK_VALUES, MaskStream, check_values, front_mask, useful_lanes
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.crypto.shamir import reconstruct
from headwater.secagg.protocol.dealing import CheckedDeal, DealerFault, bundle_secrets
from headwater.secagg.protocol.pairing import mask_key, self_mask_key
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.wire.messages import Reveal

__all__ = ["CheckFailed", "OpenedMasks", "open_masks", "seed_matches", "unmask"]


class CheckFailed(PeerError):
    """The check coordinates of a sum are off: somebody's vector is not masked as agreed. The sum is withheld."""


@dataclass(frozen=True)
class OpenedMasks:
    """The keys of every mask that is left in the sum of the survivors' vectors.

    Attributes:
        own: survivor → key of its self mask.
        pairs: dropped dealer → survivor → key of their pair mask.
    """

    own: Mapping[str, Secret]
    pairs: Mapping[str, Mapping[str, Secret]]

    def own_fronts(self, ring_bits: int) -> dict[str, RingVector]:
        """Survivor → its self mask on the check coordinates."""
        return {member: front_mask(key, ring_bits) for member, key in self.own.items()}

    def pair_fronts(self, ring_bits: int) -> dict[str, dict[str, RingVector]]:
        """Dropped dealer → survivor → their pair mask on the check coordinates."""
        return {
            dealer: {member: front_mask(key, ring_bits) for member, key in keys.items()}
            for dealer, keys in self.pairs.items()
        }


def open_masks(
    facts: SessionFacts,
    deals: Mapping[str, CheckedDeal],
    survivors: Sequence[str],
    reveals: Mapping[str, Reveal],
    rho: bytes,
    given: Mapping[str, bytes],
) -> OpenedMasks:
    """Open the survivors' self masks and the dropped dealers' pair masks.

    Args:
        facts: the session.
        deals: the Deal of every member of C_t.
        survivors: sorted ids of U_t.
        reveals: T or more Reveals by holder, each share checked against its leaf.
        rho: ρ_t.
        given: dealer → the self seed that it gave itself, checked by `seed_matches`.

    Raises:
        DealerFault: T digest-valid shares open another seed than committed to, or a bundle is off.
    """
    alive = set(survivors)
    self_shares = {facts.rank(holder): dict(reveal.self_shares) for holder, reveal in reveals.items()}
    bundle_shares = {facts.rank(holder): dict(reveal.bundle_shares) for holder, reveal in reveals.items()}
    own: dict[str, Secret] = {}
    pairs: dict[str, dict[str, Secret]] = {}
    for dealer, deal in deals.items():
        if dealer in alive:
            seed = Secret(given[dealer]) if dealer in given else None
            if seed is None:
                shares = {rank: held[dealer] for rank, held in self_shares.items()}
                seed = _open_seed(dealer, shares, facts.quorum, deal.header.self_seed_digest)
            own[dealer] = self_mask_key(seed, rho)
            continue
        shares = {rank: held[dealer] for rank, held in bundle_shares.items()}
        seed = _open_seed(dealer, shares, facts.quorum, deal.header.bundle_seed_digest)
        secrets = bundle_secrets(deal, seed, facts)
        pairs[dealer] = {member: mask_key(secrets[member], rho) for member in survivors}
    return OpenedMasks(own, pairs)


def unmask(masked: RingVector, opened: OpenedMasks, rho: bytes, threads: int = 1) -> RingVector:
    """Take all masks off the sum of the survivors' vectors.

    Args:
        masked: of the ring's type, shape (4 + length,): Σ y_i over the survivors; changed in place.
        opened: the masks that it still has.
        rho: ρ_t.
        threads: that may work at the same time.

    Returns:
        Of the ring's type, shape (length,): the exact sum modulo 2^32 or 2^64; a view of `masked`.

    Raises:
        CheckFailed: the check coordinates are not those of this round; the sum is withheld.
    """
    added: list[Secret] = []
    subtracted = list(opened.own.values())
    for dealer, keys in opened.pairs.items():
        for member, key in keys.items():
            # protocol 4.4: y_member holds + PRG(k) when the dropped dealer is lower, − PRG(k) when it is higher.
            (subtracted if dealer.encode() < member.encode() else added).append(key)
    bits = 8 * masked.itemsize
    lanes = useful_lanes(threads, len(added) + len(subtracted), masked.nbytes)
    MaskStream(added, subtracted, ring_bits=bits, lanes=lanes).apply_whole(masked)
    expected = check_values(rho, bits) * masked.dtype.type(len(opened.own))
    if not np.array_equal(masked[:CHECK_VALUES], expected):
        raise CheckFailed("the check coordinates of the sum are off: a member's vector is not masked as agreed")
    return masked[CHECK_VALUES:]


def seed_matches(seed: bytes, committed: bytes) -> bool:
    """Whether a seed is the one that a Deal's header commits to."""
    return hmac.compare_digest(hashlib.sha256(seed).digest(), committed)


def _open_seed(dealer: str, shares: Mapping[int, bytes], quorum: int, committed: bytes) -> Secret:
    try:
        seed = reconstruct(shares, quorum)
    except PeerError as error:
        raise DealerFault(dealer, "seed", f"the shares of {dealer} open no seed") from error
    if not seed_matches(seed, committed):
        raise DealerFault(dealer, "seed", f"the shares of {dealer} open another seed than it committed to")
    return Secret(seed)
