"""A Deal made by its dealer, checked by the coordinator, and opened by a receiver: protocol 4.1, 4.2."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret, digest, expand, number
from headwater.secagg.crypto.merkle import MerkleTree, merkle_root, verify_path
from headwater.secagg.crypto.sealing import seal, unseal
from headwater.secagg.crypto.shamir import SHARE_BYTES, split
from headwater.secagg.protocol.pairing import Ratchets
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.wire.envelope import Envelope, MessageType, open_envelope
from headwater.secagg.wire.messages import DIGEST_BYTES, Deal, DealHeader

__all__ = [
    "CheckedDeal",
    "DealerFault",
    "OwnDeal",
    "Shares",
    "bundle_secrets",
    "check_deal",
    "make_deal",
    "open_shares",
    "part_digest",
    "read_header",
]

Signer = Callable[[MessageType, bytes], bytes]
"""Signs a body of a type under the session's SID, giving the whole message."""


class DealerFault(PeerError):
    """What a dealer dealt does not hold together.

    Attributes:
        dealer: whose Deal it is.
        check: what failed: "seal", "leaf", "seed" or "bundle".
    """

    def __init__(self, dealer: str, check: str, message: str) -> None:
        """Name the dealer and the check beside the message."""
        super().__init__(message)
        self.dealer, self.check = dealer, check


@dataclass(frozen=True)
class Shares:
    """One receiver's shares of one dealer's two seeds; never shown."""

    self_share: Secret
    bundle_share: Secret

    def erase(self) -> None:
        """Forget both."""
        self.self_share.erase()
        self.bundle_share.erase()


@dataclass(frozen=True)
class OwnDeal:
    """A dealer's outstanding Deal: made once, sent again byte-identical (protocol 4.1)."""

    round: int
    header: bytes
    message: bytes
    self_seed: Secret
    shares: Shares

    def erase(self) -> None:
        """Forget the seeds and shares."""
        self.self_seed.erase()
        self.shares.erase()


@dataclass(frozen=True)
class CheckedDeal:
    """A Deal as the coordinator holds it: what it commits to, and what it forwards unopened.

    Attributes:
        dealer: the member it is of.
        header: what the dealer signed.
        header_data: the signed header's exact bytes.
        openings: by rank, (h(share of b), h(share of w), h(q)).
        leaves: the tree over the leaf digests, by rank.
        sealed: by rank, the sealed shares.
        bundle: the encrypted pair secrets.
        digest: SHA-256 of the whole message's exact bytes.
    """

    dealer: str
    header: DealHeader
    header_data: bytes
    openings: tuple[tuple[bytes, bytes, bytes], ...]
    leaves: MerkleTree
    sealed: tuple[bytes, ...]
    bundle: bytes
    digest: bytes

    def path(self, rank: int) -> tuple[bytes, ...]:
        """The path of the leaf of the receiver of this rank."""
        return self.leaves.path(rank)


def part_digest(sid: bytes, round_number: int, dealer: str, receiver: str, kind: str, value: bytes) -> bytes:
    """h(value), separated by (SID, t, dealer, receiver, kind); kind is "self", "bundle" or "pair" (protocol 4.1)."""
    return digest("part", sid, number(round_number), dealer.encode(), receiver.encode(), kind.encode(), value)


def make_deal(facts: SessionFacts, member: str, ratchets: Ratchets, sign: Signer) -> OwnDeal:
    """Deal for the round that the ratchets stand at (protocol 4.1).

    Args:
        facts: the session.
        member: the dealer.
        ratchets: the dealer's pair secrets at round t.
        sign: signs under the session key.

    Guarantee: both seeds are fresh from the operating system; each sealing key is used once because a member deals
    once for each t.
    """
    count, round_number = len(facts.members), ratchets.position
    self_seed, bundle_seed = Secret.fresh(), Secret.fresh()
    self_shares = split(self_seed.value, facts.quorum, count)
    bundle_shares = split(bundle_seed.value, facts.quorum, count)
    pairs = [b"" if peer == member else ratchets.pair_secret(peer).value for peer in facts.members]
    openings = tuple(
        (
            part_digest(facts.sid, round_number, member, peer, "self", self_shares[rank]),
            part_digest(facts.sid, round_number, member, peer, "bundle", bundle_shares[rank]),
            part_digest(facts.sid, round_number, member, peer, "pair", pairs[rank]),
        )
        for rank, peer in enumerate(facts.members)
    )
    root = merkle_root([_leaf(peer, parts) for peer, parts in zip(facts.members, openings, strict=True)])
    sealed = tuple(
        b""
        if peer == member
        else seal(
            ratchets.outgoing_key(peer),
            self_shares[rank] + bundle_shares[rank],
            _associated(facts.sid, round_number, member, peer, root),
        )
        for rank, peer in enumerate(facts.members)
    )
    bundle = seal(expand(bundle_seed, "bundle"), b"".join(pairs), _bundle_associated(facts.sid, round_number, member))
    header = DealHeader(
        round=round_number,
        self_seed_digest=hashlib.sha256(self_seed.value).digest(),
        bundle_seed_digest=hashlib.sha256(bundle_seed.value).digest(),
        bundle_digest=hashlib.sha256(bundle).digest(),
        leaves_root=root,
    )
    header_data = sign(MessageType.DEAL_HEADER, header.encode())
    message = sign(MessageType.DEAL, Deal(header_data, openings, sealed, bundle).encode())
    bundle_seed.erase()
    rank = facts.rank(member)
    own = Shares(Secret(self_shares[rank]), Secret(bundle_shares[rank]))
    return OwnDeal(round_number, header_data, message, self_seed, own)


def read_header(data: bytes, dealer: str, facts: SessionFacts, round_number: int) -> DealHeader:
    """Check that a Deal header is the dealer's own for this round.

    Raises:
        PeerError: another sender, round or signature.
    """
    envelope = open_envelope(data)
    header = DealHeader.decode(envelope)
    if envelope.sender != dealer or header.round != round_number:
        raise PeerError(f"a Deal header is not of {dealer} for round {round_number}; it belongs elsewhere")
    envelope.verify(facts.session_keys[dealer], facts.sid)
    return header


def check_deal(envelope: Envelope, facts: SessionFacts, round_number: int) -> CheckedDeal:
    """Check a received Deal as far as the coordinator can see; the envelope's signature is checked by the caller.

    Raises:
        PeerError: sizes, header, leaves or bundle do not belong together.
    """
    deal, dealer = Deal.decode(envelope), envelope.sender
    header = read_header(deal.header, dealer, facts, round_number)
    count = len(facts.members)
    if len(deal.openings) != count or len(deal.sealed) != count:
        raise PeerError(f"the Deal of {dealer} is for another number of members than the session's {count}")
    for rank, sealed in enumerate(deal.sealed):
        if (facts.members[rank] == dealer) != (sealed == b""):
            raise PeerError(f"the Deal of {dealer} lacks the sealed shares of a receiver")
    leaves = MerkleTree([_leaf(peer, parts) for peer, parts in zip(facts.members, deal.openings, strict=True)])
    if not hmac.compare_digest(leaves.root, header.leaves_root):
        raise PeerError(f"the Deal of {dealer} has leaves that its signed header does not commit to")
    if not hmac.compare_digest(hashlib.sha256(deal.bundle).digest(), header.bundle_digest):
        raise PeerError(f"the Deal of {dealer} has a bundle that its signed header does not commit to")
    whole = hashlib.sha256(envelope.data).digest()
    return CheckedDeal(dealer, header, deal.header, deal.openings, leaves, deal.sealed, deal.bundle, whole)


def open_shares(
    facts: SessionFacts,
    member: str,
    dealer: str,
    header: DealHeader,
    sealed: bytes,
    path: Sequence[bytes],
    ratchets: Ratchets,
) -> Shares:
    """Open the shares that `dealer` sealed to `member`, and recompute the leaf with the own q_ij,t (protocol 4.2).

    Raises:
        DealerFault: the seal or the leaf is off.
    """
    try:
        associated = _associated(facts.sid, header.round, dealer, member, header.leaves_root)
        plain = unseal(ratchets.incoming_key(dealer), sealed, associated)
    except PeerError as error:
        raise DealerFault(dealer, "seal", f"the shares of {dealer} do not open: seal check failed") from error
    if len(plain) != 2 * SHARE_BYTES:
        raise DealerFault(dealer, "seal", f"the shares of {dealer} have the wrong size: seal check failed")
    self_share, bundle_share = plain[:SHARE_BYTES], plain[SHARE_BYTES:]
    parts = (
        part_digest(facts.sid, header.round, dealer, member, "self", self_share),
        part_digest(facts.sid, header.round, dealer, member, "bundle", bundle_share),
        part_digest(facts.sid, header.round, dealer, member, "pair", ratchets.pair_secret(dealer).value),
    )
    if not verify_path(header.leaves_root, len(facts.members), facts.rank(member), _leaf(member, parts), path):
        raise DealerFault(dealer, "leaf", f"the shares of {dealer} are not those it committed to: leaf check failed")
    return Shares(Secret(self_share), Secret(bundle_share))


def bundle_secrets(deal: CheckedDeal, bundle_seed: Secret, facts: SessionFacts) -> dict[str, Secret]:
    """Open a dropped dealer's bundle and check each q against its leaf (protocol 4.7).

    Returns:
        Peer → q of the dealer with that peer.

    Raises:
        DealerFault: the bundle does not open, or a q is not the one committed to.
    """
    associated = _bundle_associated(facts.sid, deal.header.round, deal.dealer)
    try:
        plain = unseal(expand(bundle_seed, "bundle"), deal.bundle, associated)
    except PeerError as error:
        raise DealerFault(deal.dealer, "bundle", f"the bundle of {deal.dealer} does not open") from error
    peers = [peer for peer in facts.members if peer != deal.dealer]
    if len(plain) != DIGEST_BYTES * len(peers):
        raise DealerFault(deal.dealer, "bundle", f"the bundle of {deal.dealer} has the wrong size")
    secrets: dict[str, Secret] = {}
    for place, peer in enumerate(peers):
        value = plain[DIGEST_BYTES * place : DIGEST_BYTES * (place + 1)]
        expected = deal.openings[facts.rank(peer)][2]
        got = part_digest(facts.sid, deal.header.round, deal.dealer, peer, "pair", value)
        if not hmac.compare_digest(expected, got):
            text = f"the bundle of {deal.dealer} holds another pair secret than it committed to"
            raise DealerFault(deal.dealer, "bundle", text)
        secrets[peer] = Secret(value)
    return secrets


def _leaf(receiver: str, parts: tuple[bytes, bytes, bytes]) -> bytes:
    return digest("leaf", receiver.encode(), *parts)


def _associated(sid: bytes, round_number: int, dealer: str, receiver: str, root: bytes) -> bytes:
    return digest("shares", sid, number(round_number), dealer.encode(), receiver.encode(), root)


def _bundle_associated(sid: bytes, round_number: int, dealer: str) -> bytes:
    return digest("bundle", sid, number(round_number), dealer.encode())
