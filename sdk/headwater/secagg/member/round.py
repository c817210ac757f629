"""One round as a member sees it: each thing asked for is checked, and done once: protocol 4.2 to 4.6."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import numpy as np

from headwater.errors import InputError, PeerError
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import CHECK_VALUES, MaskStream, check_values, front_mask, useful_lanes
from headwater.secagg.crypto.ring import RING_BITS, RingVector, ring_type
from headwater.secagg.member.masking import masked_parts
from headwater.secagg.protocol.dealing import OwnDeal, Shares, open_shares, read_header
from headwater.secagg.protocol.events import RoundRequested
from headwater.secagg.protocol.families import Cohort, Family, cohort_conflict
from headwater.secagg.protocol.pairing import Ratchets, mask_key, self_mask_key
from headwater.secagg.protocol.receipts import check_confirms
from headwater.secagg.protocol.rounds import deal_digest, rho, view_digest
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.protocol.terms import SessionTerms
from headwater.secagg.wire.chunks import Assembly, chunk_message
from headwater.secagg.wire.envelope import MessageType
from headwater.secagg.wire.messages import Blocks, Confirm, Inquiry, Quorum, Reveal, Seed, Start, Survivors, Upload

__all__ = ["MemberRound", "Signer"]

Signer = Callable[[MessageType, bytes], bytes]


@dataclass
class MemberRound:
    """A member's state of one round; `erase` forgets its secrets.

    Attributes:
        facts: the session.
        member: this member.
        start: the accepted Start.
        cohort: sorted ids of C_t.
        rho: ρ_t.
        shares: dealer → this member's shares of its seeds.
        ring_bits: the session's ring.
        threads: that may mask the vector at the same time.
        confirms: of the quorum, each one's signature verified.
        check_masks: peer → its pair mask on the check coordinates; no part of it hides a value of the vector.
    """

    facts: SessionFacts
    member: str
    start: Start
    cohort: tuple[str, ...]
    rho: bytes
    payload: Assembly
    shares: dict[str, Shares] = field(repr=False)
    self_seed: Secret | None = field(repr=False)
    pair_secrets: dict[str, Secret] = field(repr=False)
    ring_bits: int = RING_BITS
    threads: int = 1
    check_masks: dict[str, bytes] = field(default_factory=dict, repr=False)
    masked: bool = False
    vector_digest: bytes = b""
    family: Family | None = None
    survivors: Survivors | None = None
    confirms: frozenset[bytes] = frozenset()

    @classmethod
    def accept(
        cls,
        start: Start,
        facts: SessionFacts,
        member: str,
        terms: SessionTerms,
        own: OwnDeal,
        ratchets: Ratchets,
        previous: bytes,
    ) -> "MemberRound":
        """Check a Start in full and open this member's shares (protocol 4.2).

        The caller checked the coordinator's signature and that the round number is the own outstanding Deal's.

        Raises:
            DealerFault: what a dealer dealt to this member is off; it is to be complained of.
            PeerError: the named check failed; nothing was changed.
        """
        cohort = tuple(dealer for dealer, _, _, _ in start.entries)
        if start.round > terms.last_round:
            raise PeerError(f"round {start.round} is beyond the plan's last, {terms.last_round}")
        if start.previous != previous:
            raise PeerError("the Start names another previous receipt or abort than this member holds: broken chain")
        if not 1 <= start.length <= terms.max_length:
            raise PeerError(f"the Start asks for {start.length} values, the terms allow 1 to {terms.max_length}")
        size = start.task_size + start.model_size
        if size > terms.max_payload:
            raise PeerError(f"the Start claims {size} bytes of Task and model, the terms allow {terms.max_payload}")
        if len(cohort) < facts.least_cohort:
            raise PeerError(f"the Start names {len(cohort)} members, at least {facts.least_cohort} must take part")
        if not set(cohort) <= set(facts.members):
            raise PeerError("the Start names a member who is not in the session")
        if member not in cohort:
            raise PeerError("the Start does not name this member")
        shares: dict[str, Shares] = {}
        for dealer, header_data, sealed, path in start.entries:
            if dealer != member:
                header = read_header(header_data, dealer, facts, start.round)
                shares[dealer] = open_shares(facts, member, dealer, header, sealed, path, ratchets)
            elif not hmac.compare_digest(header_data, own.header):
                raise PeerError("the Start carries another Deal of this member than its outstanding one")
        shares[member] = own.shares
        bound = rho(
            sid=facts.sid,
            round_number=start.round,
            length=start.length,
            task_digest=start.task_digest,
            model_digest=start.model_digest,
            charge=start.charge,
            plan_digest=terms.plan_digest,
            deals=((dealer, deal_digest(header)) for dealer, header, _, _ in start.entries),
            previous=previous,
        )
        secrets = {peer: ratchets.pair_secret(peer) for peer in cohort if peer != member}
        return cls(facts, member, start, cohort, bound, Assembly(size), shares, own.self_seed, secrets, terms.ring_bits)

    def request(self) -> RoundRequested:
        """Hand out the complete payload, checked against the digests that ρ_t binds.

        Raises:
            PeerError: the bytes are not those of the Start.
        """
        task = self.payload.cut(0, self.start.task_size)
        model = self.payload.cut(self.start.task_size, self.payload.size)
        for what, data, expected in (
            ("Task", task, self.start.task_digest),
            ("model", model, self.start.model_digest),
        ):
            if not hmac.compare_digest(hashlib.sha256(data).digest(), expected):
                raise PeerError(f"the {what} that came is not the one that the Start names: digest check failed")
        self.payload = Assembly(0)
        return RoundRequested(self.start.round, task, model, self.start.length, self.cohort, self.start.charge)

    def check_vector(self, vector: RingVector) -> None:
        """Refuse a vector of another shape or type than asked for.

        Raises:
            InputError: it is not of the ring's type and shape (length,).
        """
        kind = ring_type(self.ring_bits)
        if vector.dtype != kind or vector.shape != (self.start.length,):
            raise InputError(
                f"a vector of {vector.dtype} and shape {vector.shape} was given, {kind} and "
                f"({self.start.length},) were asked for; contribute as the Task says"
            )

    def masked_messages(self, vector: RingVector, sign: Signer) -> Iterator[bytes]:
        """Mask, hash and send chunk by chunk (protocol 4.4).

        The mask keys are derived, and the pair secrets they come from erased, before this returns; the iterator holds
        the only means to make y, and can be walked once. The self seed stays until the round's document, for `tell`.
        """
        if self.masked or self.self_seed is None:
            raise InputError("the vector of this round was masked before; it is never masked twice")
        # protocol 4.4: + PRG(k_ij) for j < i, − PRG(k_ij) for j > i, in byte order of ids.
        keys = {peer: mask_key(secret, self.rho) for peer, secret in self.pair_secrets.items()}
        own = self_mask_key(self.self_seed, self.rho)
        size = (CHECK_VALUES + vector.size) * vector.itemsize
        masks = MaskStream(
            [own, *(key for peer, key in keys.items() if peer.encode() < self.member.encode())],
            [key for peer, key in keys.items() if peer.encode() > self.member.encode()],
            ring_bits=self.ring_bits,
            lanes=useful_lanes(self.threads, 1 + len(keys), size),
        )
        self.check_masks = {peer: front_mask(key, self.ring_bits).tobytes() for peer, key in keys.items()}
        for secret in (*self.pair_secrets.values(), *keys.values(), own):
            secret.erase()
        self.pair_secrets, self.masked = {}, True
        return self._stream(vector, masks, sign)

    def _stream(self, vector: RingVector, masks: MaskStream, sign: Signer) -> Iterator[bytes]:
        hashing, size = hashlib.sha256(), 0
        for index, part in enumerate(masked_parts(check_values(self.rho, self.ring_bits), vector, masks)):
            data = part.view(np.uint8).data
            hashing.update(data)
            size += len(data)
            yield chunk_message(self.member, self.start.round, index, [data])
        self.vector_digest = hashing.digest()
        yield sign(MessageType.UPLOAD, Upload(self.start.round, self.rho, size, self.vector_digest).encode())

    def confirm(self, survivors: Survivors, recorded: Collection[Cohort]) -> Confirm:
        """Check U_t and the digests, and sign this one view of them (protocol 4.5).

        Args:
            survivors: what the coordinator says was uploaded.
            recorded: every cohort that this member confirmed for the round's family.

        Raises:
            PeerError: the named check failed; nothing was changed.
        """
        uploads = dict(survivors.uploads)
        if survivors.rho != self.rho:
            raise PeerError("the survivors are of a round with another ρ: another Task or cohort")
        if len(uploads) < self.facts.least_cohort:
            raise PeerError(f"{len(uploads)} members uploaded, at least {self.facts.least_cohort} must")
        if not set(uploads) <= set(self.cohort):
            raise PeerError("the survivors include a member who was not asked in this round")
        if not self.vector_digest or not hmac.compare_digest(uploads.get(self.member, b""), self.vector_digest):
            raise PeerError("the survivors lack this member, or name another vector than it uploaded")
        if self.family is not None:
            conflict = cohort_conflict(self.family, recorded, uploads)
            if conflict is not None:
                raise PeerError(conflict)
        self.survivors = survivors
        return Confirm(self.start.round, self.rho, view_digest(self.rho, survivors.uploads))

    def reveal(self, quorum: Quorum) -> Reveal:
        """Check the quorum for the view that this member signed, and give the shares it opens (protocol 4.6).

        Raises:
            PeerError: the named check failed; nothing was revealed.

        Guarantee: for each dealer of the cohort one kind of share leaves, never both.
        """
        if self.survivors is None:
            raise PeerError("a quorum came before the survivors")
        check_confirms(quorum.confirms, self.start.round, self.rho, self.survivors.uploads, self.facts)
        self.confirms = frozenset(quorum.confirms)
        alive = {member for member, _ in self.survivors.uploads}
        return Reveal(
            self.start.round,
            self.rho,
            tuple((dealer, self.shares[dealer].self_share.value) for dealer in self.cohort if dealer in alive),
            tuple((dealer, self.shares[dealer].bundle_share.value) for dealer in self.cohort if dealer not in alive),
        )

    def tell(self, inquiry: Inquiry) -> Seed | Blocks:
        """Answer what shows who is at fault for a round that cannot be opened (protocol 4.7, 4.8).

        The caller saw to it that this member revealed, so that a quorum holds it to be in U_t.

        Raises:
            PeerError: the inquiry is of another ρ, or nothing was revealed here.

        Guarantee: what is told opens nothing that the Reveal did not: the self seed of a member of U_t, whose shares
        the same quorum opens, or masks on check coordinates alone, whose values are public.
        """
        if inquiry.rho != self.rho:
            raise PeerError("the inquiry is of a round with another ρ: another Task or cohort")
        if self.survivors is None or self.self_seed is None:
            raise PeerError(f"an inquiry of round {inquiry.round} came before this member revealed")
        if inquiry.seed:
            return Seed(self.start.round, self.rho, self.self_seed.value)
        peers = (member for member, _ in self.survivors.uploads if member != self.member)
        return Blocks(self.start.round, self.rho, tuple((peer, self.check_masks[peer]) for peer in peers))

    def forget_shares(self) -> None:
        """Forget the shares of the round, which are revealed once (protocol 4.6)."""
        for shares in self.shares.values():
            shares.erase()
        self.shares = {}

    def erase(self) -> None:
        """Forget every secret of the round (protocol 4.6)."""
        self.forget_shares()
        for secret in self.pair_secrets.values():
            secret.erase()
        if self.self_seed is not None:
            self.self_seed.erase()
        self.pair_secrets, self.check_masks, self.self_seed = {}, {}, None
        self.payload = Assembly(0)
