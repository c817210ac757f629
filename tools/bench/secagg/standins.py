"""Members that a few measured ones cannot tell from real ones, at a small part of the work.

With a thousand members a session is a thousand times what one of them does. A stand-in does in full whatever a
measured member or the coordinator checks: signatures, key exchange and sealed shares with each measured member, Deals,
masks, Confirms, Reveals. It leaves out what only other stand-ins would see: keys with them, and masks between them,
which would cancel. Its shares lie on a polynomial of degree 0, which opens like any other. So the work of the
coordinator and of each measured member is that of a session of real members; secret it is not.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from unittest import mock

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headwater.secagg.crypto.capsules import CIPHERTEXT_BYTES, capsules_root, encapsulate
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream, check_values
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.dealing import CheckedDeal, OwnDeal, make_deal, open_shares
from headwater.secagg.protocol.pairing import Ratchets, mask_key, self_mask_key
from headwater.secagg.protocol.receipts import Chain
from headwater.secagg.protocol.rounds import view_digest
from headwater.secagg.protocol.session import SessionFacts, setup_context
from headwater.secagg.wire.chunks import chunk_messages
from headwater.secagg.wire.envelope import MessageType, sign_envelope
from headwater.secagg.wire.messages import SUITE, Accept, Capsules, Confirm, Hello, Message, Reveal, Upload
from secagg.consortium import Consortium

__all__ = ["StandIn"]

ROUND = 1
"""A stand-in takes part in the first round of a session, and in no other."""

_NO_CAPSULE = bytes(CIPHERTEXT_BYTES)
_NO_SECRET = Secret(bytes(32))


class _FewRatchets:
    """Pair secrets with measured members; every other peer has one that nobody will check."""

    def __init__(self, real: Ratchets, measured: Sequence[str]) -> None:
        self._real, self._measured, self.position = real, frozenset(measured), real.position

    def pair_secret(self, peer: str) -> Secret:
        return self._real.pair_secret(peer) if peer in self._measured else _NO_SECRET

    def outgoing_key(self, peer: str) -> Secret:
        return self._real.outgoing_key(peer) if peer in self._measured else _NO_SECRET


class StandIn:
    """One of them; its methods are called once each, in the order in which they stand here."""

    def __init__(self, consortium: Consortium, place: int, measured: Sequence[str]) -> None:
        """Make the keys of one setup; `measured` are the sorted ids of the real members."""
        self._consortium, self._place, self._measured = consortium, place, tuple(measured)
        self.name = consortium.names[place]
        self._exchange, self._decapsulation = X25519PrivateKey.generate(), MLKEM768PrivateKey.generate()
        self._session_key = Ed25519PrivateKey.generate()
        self._context = setup_context(consortium.roster, consortium.terms, 1)
        self._secrets: dict[str, Secret] = {}
        self._deal: OwnDeal | None = None
        self._ratchets: Ratchets | None = None

    def hello(self) -> bytes:
        """Its Hello (protocol 3.1)."""
        roster, terms = self._consortium.roster, self._consortium.terms
        hello = Hello(
            SUITE,
            terms.run_id,
            1,
            roster.charter_digest,
            terms.plan_digest,
            self._exchange.public_key().public_bytes_raw(),
            self._decapsulation.public_key().public_bytes_raw(),
            self._session_key.public_key().public_bytes_raw(),
            Chain.after(None, roster, terms).head,
            1,
        )
        key = self._consortium.key(self.name)
        return sign_envelope(MessageType.HELLO, self.name, hello.encode(), key, self._context)

    def accept(self, agreed: bytes, keys: Mapping[str, bytes]) -> list[bytes]:
        """Its Accept and capsules (protocol 3.3); `keys`: measured member → encapsulation key; `agreed`: TH."""
        later = self._consortium.names[self._place + 1 :]
        self._secrets, real = encapsulate({peer: keys[peer] for peer in later if peer in keys})
        by_peer = dict(zip(self._secrets, real, strict=True))
        capsules = tuple(by_peer.get(peer, _NO_CAPSULE) for peer in later)
        root = capsules_root(self._context, self.name, later, capsules)
        return [self._sign(message, self._context) for message in (Accept(agreed, root), Capsules(capsules))]

    def deal(self, facts: SessionFacts, capsules: Mapping[str, Mapping[str, bytes]]) -> bytes:
        """Its Deal (protocol 4.1); `capsules`: measured member → receiver → what it sent."""
        for sender, made in capsules.items():
            if self.name in made:
                self._secrets[sender] = Secret(self._decapsulation.decapsulate(made[self.name]))
        few = dataclasses.replace(facts, members=tuple(sorted((self.name, *self._measured))))
        self._ratchets = Ratchets(few, self.name, self._exchange, self._secrets, ROUND)
        with mock.patch.object(dealing, "split", _same_for_all):
            deal = make_deal(
                facts,
                self.name,
                _FewRatchets(self._ratchets, self._measured),  # type: ignore[arg-type]
                lambda kind, body: sign_envelope(kind, self.name, body, self._session_key, facts.sid),
            )
        self._deal, self._sid = deal, facts.sid
        return deal.message

    def upload(self, rho: bytes) -> Iterator[bytes]:
        """Its vector under its own mask and those with measured members (protocol 4.4)."""
        own, ratchets = self._parts()
        keys = {peer: mask_key(ratchets.pair_secret(peer), rho) for peer in self._measured}
        vector = np.concatenate((check_values(rho), self._consortium.encoded_vector(self._place)))
        MaskStream(
            [self_mask_key(own.self_seed, rho), *(key for peer, key in keys.items() if peer < self.name)],
            [key for peer, key in keys.items() if peer > self.name],
        ).apply_whole(vector)
        data = vector.view(np.uint8).data
        yield from chunk_messages(self.name, ROUND, bytes(data))
        upload = Upload(ROUND, rho, len(data), hashlib.sha256(data).digest())
        yield self._sign(upload, self._sid)

    def confirm(self, rho: bytes, uploads: Sequence[tuple[str, bytes]]) -> bytes:
        """Its Confirm of the one view (protocol 4.5)."""
        return self._sign(Confirm(ROUND, rho, view_digest(rho, uploads)), self._sid)

    def share(self) -> bytes:
        """The share of its self seed, the same for every holder."""
        return self._parts()[0].shares.self_share.value

    def reveal(
        self, rho: bytes, facts: SessionFacts, deals: Mapping[str, CheckedDeal], shares: Mapping[str, bytes]
    ) -> bytes:
        """Its Reveal when nobody dropped (protocol 4.6).

        Args:
            rho: ρ_t.
            facts: the session.
            deals: of the measured members.
            shares: stand-in → its `share`.
        """
        _, ratchets = self._parts()
        rank, opened = facts.rank(self.name), dict(shares)
        for dealer, deal in deals.items():
            pair = open_shares(facts, self.name, dealer, deal.header, deal.sealed[rank], deal.path(rank), ratchets)
            opened[dealer] = pair.self_share.value
        return self._sign(Reveal(ROUND, rho, tuple(sorted(opened.items())), ()), self._sid)

    def _parts(self) -> tuple[OwnDeal, Ratchets]:
        if self._deal is None or self._ratchets is None:
            raise SystemExit("a stand-in was asked for more before it dealt")
        return self._deal, self._ratchets

    def _sign(self, message: Message, context: bytes) -> bytes:
        return sign_envelope(message.TYPE, self.name, message.encode(), self._session_key, context)


def _same_for_all(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    return [b"\0" + secret] * holders
