"""One round as the coordinator holds it: uploads, confirms, reveals, each checked as it comes: protocol 4.2-4.7."""

import hashlib
import hmac
from collections.abc import Iterator

import numpy as np

from headwater.errors import PeerError, StorageError
from headwater.secagg.coordinator.arrival import Arrival
from headwater.secagg.coordinator.blame import Verdict, judge
from headwater.secagg.coordinator.fanout import StartBodies
from headwater.secagg.coordinator.spool import Spool
from headwater.secagg.coordinator.unmasking import OpenedMasks, open_masks, seed_matches, unmask
from headwater.secagg.crypto.masks import CHECK_VALUES, check_values
from headwater.secagg.crypto.ring import RingVector, ring_type
from headwater.secagg.protocol.dealing import CheckedDeal, part_digest
from headwater.secagg.protocol.rounds import deal_digest, rho, view_digest
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.protocol.terms import SessionTerms
from headwater.secagg.wire.envelope import Envelope
from headwater.secagg.wire.messages import (
    Abort,
    Blocks,
    Chunk,
    Confirm,
    Quorum,
    Receipt,
    Reveal,
    Seed,
    Start,
    StartRecord,
    Survivors,
    Upload,
)

__all__ = ["Collection"]


class Collection:
    """The coordinator's state of one round.

    A complete upload is added to the sum at once, so memory is one vector and those still on their way.
    """

    def __init__(
        self,
        facts: SessionFacts,
        terms: SessionTerms,
        deals: dict[str, CheckedDeal],
        round_number: int,
        length: int,
        task: bytes,
        model: bytes,
        charge: bytes,
        previous: bytes,
        spool: Spool,
    ) -> None:
        """Fix the Task and the cohort; `deals` are those of C_t for this round, checked."""
        self.facts, self.round, self.length, self.previous = facts, round_number, length, previous
        self.deals = dict(sorted(deals.items()))
        self.cohort = tuple(self.deals)
        self.task, self.model, self.charge = task, model, charge
        self.task_digest, self.model_digest = hashlib.sha256(task).digest(), hashlib.sha256(model).digest()
        self._digests = tuple((dealer, deal_digest(deal.header_data)) for dealer, deal in self.deals.items())
        self.rho = rho(
            sid=facts.sid,
            round_number=round_number,
            length=length,
            task_digest=self.task_digest,
            model_digest=self.model_digest,
            charge=charge,
            plan_digest=terms.plan_digest,
            deals=self._digests,
            previous=previous,
        )
        self.active = set(self.cohort)
        self.uploads: dict[str, bytes] = {}
        self.survivors: Survivors | None = None
        self._view = b""
        self.confirms: dict[str, bytes] = {}
        self.reveals: dict[str, Reveal] = {}
        self.given_seeds: dict[str, bytes] = {}
        self.told: dict[str, dict[str, RingVector]] = {}
        self.asked: str | None = None
        self._opened: OpenedMasks | None = None
        self._fronts: dict[str, RingVector] = {}
        self._spool = spool
        self._arriving: dict[str, Arrival] = {}
        self._total = np.zeros(CHECK_VALUES + length, dtype=ring_type(terms.ring_bits))

    def record(self) -> StartRecord:
        """What is stored before the first Start is sent (protocol 4.8)."""
        return StartRecord(
            self.facts.sid,
            self.round,
            self.length,
            self.rho,
            self.task_digest,
            self.model_digest,
            self._digests,
            self.previous,
        )

    def starts(self) -> Iterator[tuple[str, bytes]]:
        """Each member of C_t and the body of its Start, with the shares sealed to it."""
        common = Start(
            self.round,
            self.length,
            len(self.task),
            len(self.model),
            self.task_digest,
            self.model_digest,
            self.charge,
            self.previous,
            (),
        )
        bodies = StartBodies(common, self.deals.values())
        return ((member, bodies.for_rank(self.facts.rank(member))) for member in self.cohort)

    def drop(self, member: str) -> None:
        """Count on nothing more of this member; what it uploaded in full stays in the sum."""
        self.active.discard(member)
        arrival = self._arriving.pop(member, None)
        if arrival is not None:
            arrival.discard()

    def add_chunk(self, member: str, chunk: Chunk) -> None:
        """Take the next chunk of a member's vector.

        Raises:
            PeerError: it is out of order, repeated, too many or of the wrong size.
            StorageError: the spool could not keep it; what came of the member's vector is given up.
        """
        if member in self.uploads:
            raise PeerError(f"a chunk of {member} came after its upload was complete")
        arrival = self._arriving.setdefault(member, Arrival(self._total.nbytes, self._spool))
        try:
            arrival.add(chunk)
        except StorageError as error:
            self._arriving.pop(member).discard()
            raise StorageError(f"the upload of {member} in round {self.round} was given up: {error}") from error

    def finish_upload(self, member: str, upload: Upload) -> bool:
        """Take the signed trailer, and add the vector to the sum.

        Returns:
            Whether it was new; an identical trailer again changes nothing.

        Raises:
            PeerError: another ρ, size or digest than the bytes that came.
            StorageError: what the spool kept cannot be read back; the sum is lost and the round must be aborted.
        """
        if upload.rho != self.rho:
            raise PeerError(f"the upload of {member} is for another Task or cohort than this round's")
        if member in self.uploads:
            if hmac.compare_digest(self.uploads[member], upload.vector_digest):
                return False
            raise PeerError(f"{member} uploaded a second, different vector in round {self.round}")
        arrival = self._arriving.get(member)
        if arrival is None or not arrival.complete or upload.size != arrival.size:
            raise PeerError(f"the upload of {member} ends before all its bytes came")
        if not hmac.compare_digest(arrival.digest, upload.vector_digest):
            raise PeerError(f"the upload of {member} is not the one its signature names: digest check failed")
        before = self._total[:CHECK_VALUES].copy()
        arrival.add_to(self._total)
        self._fronts[member] = self._total[:CHECK_VALUES] - before
        self.uploads[member] = upload.vector_digest
        del self._arriving[member]
        return True

    def sorted_uploads(self) -> tuple[tuple[str, bytes], ...]:
        """(member, digest of its vector) of all complete uploads, sorted."""
        return tuple(sorted(self.uploads.items()))

    def close_uploads(self) -> Survivors:
        """Fix U_t; later uploads are ignored (protocol 4.5)."""
        self.discard_arrivals()
        self.survivors = Survivors(self.round, self.rho, self.sorted_uploads())
        self._view = view_digest(self.rho, self.survivors.uploads)
        return self.survivors

    def discard_arrivals(self) -> None:
        """Let go of the uploads that are not complete."""
        for arrival in self._arriving.values():
            arrival.discard()
        self._arriving.clear()

    def add_confirm(self, envelope: Envelope, confirm: Confirm) -> None:
        """Take a Confirm of the coordinator's one view, its signature checked by the caller.

        Raises:
            PeerError: of a member outside U_t, or for another view.
        """
        member = envelope.sender
        if member not in self.uploads:
            raise PeerError(f"{member} confirms a round in which it uploaded nothing")
        if (confirm.rho, confirm.view) != (self.rho, self._view):
            raise PeerError(f"{member} confirms another view of the round than it was sent")
        self.confirms[member] = envelope.data

    def quorum(self) -> Quorum:
        """All Confirms, for every confirmer (protocol 4.6)."""
        return Quorum(self.round, tuple(data for _, data in sorted(self.confirms.items())))

    def add_reveal(self, member: str, reveal: Reveal) -> None:
        """Take a Reveal and check each share against its leaf, which names a liar (protocol 4.7).

        Raises:
            PeerError: not a confirmer, another ρ, other dealers than U_t and D_t, or a share not committed to.
        """
        if member not in self.confirms:
            raise PeerError(f"{member} reveals shares without having confirmed")
        if reveal.rho != self.rho:
            raise PeerError(f"the reveal of {member} is for another round")
        alive = tuple(sorted(self.uploads))
        dropped = tuple(dealer for dealer in self.cohort if dealer not in self.uploads)
        rank = self.facts.rank(member)
        for place, kind, shares, wanted in (
            (0, "self", reveal.self_shares, alive),
            (1, "bundle", reveal.bundle_shares, dropped),
        ):
            if tuple(dealer for dealer, _ in shares) != wanted:
                raise PeerError(f"the reveal of {member} has other shares than U_t and D_t ask for")
            for dealer, share in shares:
                got = part_digest(self.facts.sid, self.round, dealer, member, kind, share)
                if not hmac.compare_digest(got, self.deals[dealer].openings[rank][place]):
                    raise PeerError(f"{member} reveals a share of {dealer} that is not the one dealt to it")
        self.reveals[member] = reveal

    def open(self, threads: int = 1) -> RingVector:
        """The exact sum, once T members revealed, the masks taken off by up to `threads` threads; see `unmasking`.

        Raises:
            DealerFault: a Deal does not hold together; the total is untouched.
            CheckFailed: somebody's vector is not masked as agreed; the total is spoilt.
        """
        survivors = sorted(self.uploads)
        self._opened = open_masks(self.facts, self.deals, survivors, self.reveals, self.rho, self.given_seeds)
        return unmask(self._total, self._opened, self.rho, threads)

    def give_seed(self, member: str, seed: Seed) -> None:
        """Take a dealer's own seed in place of shares that do not open it (protocol 4.8).

        Raises:
            PeerError: another ρ, or not the seed that its Deal commits to.
        """
        if seed.rho != self.rho or not seed_matches(seed.seed, self.deals[member].header.self_seed_digest):
            raise PeerError(f"{member} gives another seed than its Deal commits to")
        self.given_seeds[member] = seed.seed

    def tell(self, member: str, blocks: Blocks) -> None:
        """Take what an uploader tells of its pair masks (protocol 4.7).

        Raises:
            PeerError: another ρ, other peers than U_t, or another size than the check coordinates'.
        """
        masks = dict(blocks.masks)
        right = {len(mask) for mask in masks.values()} <= {CHECK_VALUES * self._total.itemsize}
        if blocks.rho != self.rho or set(masks) != set(self.uploads) - {member} or not right:
            raise PeerError(f"{member} tells other masks than the inquiry asked for")
        self.told[member] = {peer: self._values(mask) for peer, mask in masks.items()}

    def judge(self) -> Verdict:
        """Who is at fault for check coordinates that are off, from what was told so far; see `blame`."""
        if self._opened is None:
            return Verdict()
        bits = 8 * self._total.itemsize
        return judge(
            sorted(self.uploads),
            check_values(self.rho, bits),
            self._fronts,
            self._opened.own_fronts(bits),
            self.told,
            self._opened.pair_fronts(bits),
        )

    def _values(self, data: bytes) -> RingVector:
        return np.frombuffer(data, dtype=ring_type(8 * self._total.itemsize))

    def receipt(self, vector: RingVector) -> Receipt:
        """The receipt of the opened sum (protocol 4.7)."""
        return Receipt(
            self.facts.sid,
            self.round,
            self.rho,
            self.sorted_uploads(),
            self.quorum().confirms,
            hashlib.sha256(np.ascontiguousarray(vector).view(np.uint8).data).digest(),
            self.task_digest,
            self.model_digest,
            self.charge,
            self.previous,
        )

    def abort(self, phase: str, reason: str, verdict: Verdict) -> Abort:
        """The abort of the round, with the uploads that came and whoever is at fault (protocol 4.7)."""
        uploads, who = self.sorted_uploads(), (verdict.convicted, verdict.disputes)
        return Abort(self.facts.sid, self.round, self.rho, phase, uploads, reason, *who, self.previous)
