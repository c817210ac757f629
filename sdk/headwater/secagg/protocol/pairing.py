"""The secrets that a member shares with each peer, and the ratchet that forgets past rounds: protocol 3.4, 4.3."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from headwater.errors import OutOfOrder
from headwater.secagg.crypto.keys import Secret, expand, extract
from headwater.secagg.protocol.session import SessionFacts

__all__ = ["Ratchets", "mask_key", "self_mask_key"]


@dataclass
class _Pair:
    chain: Secret
    outgoing: Secret
    incoming: Secret


class Ratchets:
    """One member's pair secrets at one round number; stepping forward erases what was before.

    Guarantee: after `advance(t)` the state opens nothing that was derived for a round below t.
    """

    def __init__(
        self,
        facts: SessionFacts,
        member: str,
        exchange: X25519PrivateKey,
        encapsulated: Mapping[str, Secret],
        position: int,
    ) -> None:
        """Derive the roots of all pairs and forget them again.

        Args:
            facts: the session.
            member: whose secrets these are.
            exchange: the X25519 key of this member's Hello; the caller drops it afterwards.
            encapsulated: peer → K_ij of ML-KEM; both halves must be broken to learn a root (protocol 3.4).
            position: the round number that the chains begin at.
        """
        self.position = position
        self._pairs: dict[str, _Pair] = {}
        for peer in facts.members:
            if peer == member:
                continue
            shared = exchange.exchange(X25519PublicKey.from_public_bytes(facts.exchange_keys[peer]))
            ends = sorted((member.encode(), peer.encode()))
            root = extract(shared + encapsulated[peer].value, facts.sid, "root", *ends)
            here, there = member.encode(), peer.encode()
            self._pairs[peer] = _Pair(
                chain=expand(root, "mask chain"),
                outgoing=expand(root, "seal", here, there),
                incoming=expand(root, "seal", there, here),
            )
            root.erase()

    def pair_secret(self, peer: str) -> Secret:
        """q_ij,t = Expand(chain_t, "pair") at the present t (protocol 4.3)."""
        return expand(self._pair(peer).chain, "pair")

    def outgoing_key(self, peer: str) -> Secret:
        """The key that seals this member's shares to `peer` at the present t, once (protocol 4.1)."""
        return expand(self._pair(peer).outgoing, "key")

    def incoming_key(self, peer: str) -> Secret:
        """The key under which `peer` sealed its shares to this member at the present t (protocol 4.1)."""
        return expand(self._pair(peer).incoming, "key")

    def advance(self, position: int) -> None:
        """Step every chain forward to round `position`; going back is impossible, standing still harmless."""
        for _ in range(self.position, position):
            for pair in self._pairs.values():
                pair.chain = _next(pair.chain)
                pair.outgoing = _next(pair.outgoing)
                pair.incoming = _next(pair.incoming)
        self.position = max(self.position, position)

    def erase(self) -> None:
        """Forget everything."""
        for pair in self._pairs.values():
            for secret in (pair.chain, pair.outgoing, pair.incoming):
                secret.erase()
        self._pairs.clear()

    def _pair(self, peer: str) -> _Pair:
        try:
            return self._pairs[peer]
        except KeyError as error:
            raise OutOfOrder(
                f"there is no secret shared with '{peer}'; the session is over or they are not in it"
            ) from (error)


def mask_key(pair_secret: Secret, rho: bytes) -> Secret:
    """k_ij,t = Expand(q_ij,t, "mask" ‖ ρ_t): the pair's mask for exactly this Task and cohort (protocol 4.3)."""
    return expand(pair_secret, "mask", rho)


def self_mask_key(self_seed: Secret, rho: bytes) -> Secret:
    """Expand(b_i, "self" ‖ ρ_t): the member's own mask (protocol 4.4)."""
    return expand(self_seed, "self", rho)


def _next(secret: Secret) -> Secret:
    following = expand(secret, "next")
    secret.erase()
    return following
