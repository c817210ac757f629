"""Protocol 7, item 17: recorded traffic with the state of members after a round opens nothing of it."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from headwater.errors import OutOfOrder, PeerError
from headwater.secagg.crypto.keys import Secret, expand, extract
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.sealing import seal, unseal
from headwater.secagg.crypto.shamir import reconstruct
from headwater.secagg.member import joining
from headwater.secagg.member import round as member_round
from headwater.secagg.protocol import dealing, pairing
from headwater.secagg.protocol.pairing import mask_key, self_mask_key
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Deal, Reveal, Upload
from support.lies import KIND
from support.network import World, kind_of

CONSTANT = b"x" * 32
"""What X25519 gives once it is broken."""


def test_revealing_erases_the_round() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is MessageType.RECEIPT else [data]
    world.play()
    for name in world.names:
        current = world.participants[name]._player.round
        assert current is not None
        assert (current.shares, current.pair_secrets) == ({}, {})
        seed = current.self_seed
        assert seed is not None
        # The receipt ends what an inquiry could still ask for (protocol 4.8).
        receipt = next(data for data in reversed(world.chain))
        world.deliver_to_member(name, receipt)
        assert world.participants[name]._player.round is None
        assert (current.check_masks, current.self_seed) == ({}, None)
        assert seed.erased


def test_masking_erases_the_pair_secrets_before_the_first_byte() -> None:
    world = World(3, answering=False)
    world.open()
    world.begin()
    world.run()
    member = world.participants["org-0"]
    current = member._player.round
    assert current is not None
    secrets = list(current.pair_secrets.values())
    assert len(secrets) == 2
    member.upload(1, world.vectors["org-0"])
    assert all(secret.erased for secret in secrets)


def test_the_state_after_a_round_opens_nothing_of_it() -> None:
    world = World(3)
    world.open()
    session = world.participants["org-0"]._player.session
    assert session is not None
    before = session.ratchets.pair_secret("org-1").value
    old = [pair.chain for pair in session.ratchets._pairs.values()]
    world.play()
    assert all(secret.erased for secret in old)
    assert session.ratchets.position == 2
    assert session.ratchets.pair_secret("org-1").value != before


def test_closing_erases_the_session() -> None:
    world = World(3)
    world.open()
    participant = world.participants["org-0"]
    session = participant._player.session
    assert session is not None
    deal = session.deal
    assert deal is not None
    participant.close("stopped")
    assert deal.self_seed.erased
    assert deal.shares.self_share.erased
    with pytest.raises(OutOfOrder, match="session is over"):
        session.ratchets.pair_secret("org-1")
    assert participant.close("again") == []
    assert participant.receive(next(data for _, to, data in world.traffic if to == "org-0"), 0.0) == []


def secrets_in(thing: object, seen: set[int] | None = None) -> set[bytes]:
    """Every byte string that can be reached from a living object, secrets included."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return set()
    seen.add(id(thing))
    match thing:
        case Secret():
            return set() if thing.erased else {thing.value}
        case bytes() | bytearray():
            return {bytes(thing)}
        case X25519PrivateKey() | Ed25519PrivateKey():
            return {thing.private_bytes_raw()}
        case Mapping():
            return set().union(*(secrets_in(part, seen) for pair in thing.items() for part in pair), set())
        case list() | tuple() | set() | frozenset() | deque():
            return set().union(*(secrets_in(part, seen) for part in thing), set())
        case _ if type(thing).__module__.startswith("headwater."):
            names = [*getattr(thing, "__dict__", {}), *getattr(type(thing), "__slots__", ())]
            return set().union(*(secrets_in(getattr(thing, name, None), seen) for name in names), set())
        case _:
            return set()


class Recorder:
    """What somebody who records everything has of a round, and the keys that would open it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: set[bytes] = set()
        self.sealed: list[tuple[bytes, bytes]] = []
        recorder = self

        class Recorded(MaskStream):
            def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret], **ring: int) -> None:
                added, subtracted = list(added), list(subtracted)
                recorder.keys |= {key.value for key in (*added, *subtracted)}
                super().__init__(added, subtracted, **ring)

        def recorded(key: Secret, plain: bytes, associated: bytes) -> bytes:
            recorder.keys.add(key.value)
            sealed = seal(key, plain, associated)
            recorder.sealed.append((sealed, associated))
            return sealed

        monkeypatch.setattr(member_round, "MaskStream", Recorded)
        monkeypatch.setattr(dealing, "seal", recorded)


def derivable(secrets: set[bytes], rho: bytes) -> set[bytes]:
    """What the protocol's derivations make of some secrets, three steps deep."""
    known = {value for value in secrets if len(value) == 32}
    for _ in range(3):
        found = set(known)
        for value in known:
            secret = Secret(value)
            for label in ("next", "pair", "key", "bundle", "mask chain"):
                found.add(expand(secret, label).value)
            found.add(mask_key(secret, rho).value)
            found.add(self_mask_key(secret, rho).value)
        known = found
    return known


@pytest.mark.parametrize("whose", ["one", "all"])
def test_all_traffic_and_the_state_after_the_round_open_nothing_of_it(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(3, rounds=6)
    recorder = Recorder(monkeypatch)
    world.open()
    world.play()
    rho = next(Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD))
    # The Deals of round 2 travel with the Uploads of round 1, and their keys are not of the round that is over.
    deals = {sender: data for sender, _, data in reversed([*world.sent(KIND.DEAL)])}
    first = {sealed for data in deals.values() for sealed in sealed_in(data)}
    taken = world.names if whose == "all" else world.names[:1]
    state = set().union(*(secrets_in(world.participants[name]) for name in taken))
    assert len(state) > 20
    known = derivable(state, rho)
    # Self seeds of survivors are opened by the round itself; everything else of it must stay closed.
    own = opened_by_reveals(world, rho)
    assert not known & (recorder.keys - own - later_keys(recorder, first))
    tried = 0
    for sealed, associated in recorder.sealed:
        if sealed in first:
            for key in known:
                tried += 1
                with pytest.raises(PeerError):
                    unseal(Secret(key), sealed, associated)
    assert tried > 1000


def test_the_search_finds_the_round_in_the_state_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(3, rounds=6)
    recorder = Recorder(monkeypatch)
    world.open()
    state = set().union(*(secrets_in(world.participants[name]) for name in world.names))
    world.play()
    rho = next(Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD))
    assert len(derivable(state, rho) & recorder.keys) >= 3 + 3


def sealed_in(deal: bytes) -> set[bytes]:
    """Everything sealed in a Deal."""
    body = Deal.decode(open_envelope(deal))
    return {*body.sealed, body.bundle} - {b""}


def opened_by_reveals(world: World, rho: bytes) -> set[bytes]:
    """The self mask keys that the round's Reveals open to the coordinator."""
    conductor = world.aggregator._conductor
    assert conductor is not None
    facts = conductor.facts
    reveals = {sender: Reveal.decode(open_envelope(data)) for sender, _, data in world.sent(KIND.REVEAL)}
    keys = set()
    for dealer in facts.members:
        shares = {facts.rank(holder): dict(reveal.self_shares)[dealer] for holder, reveal in reveals.items()}
        keys.add(self_mask_key(Secret(reconstruct(shares, facts.quorum)), rho).value)
    return keys


def later_keys(recorder: Recorder, first: set[bytes]) -> set[bytes]:
    """Sealing keys of Deals after the first round's."""
    keys = set()
    for sealed, associated in recorder.sealed:
        if sealed in first:
            continue
        for key in recorder.keys:
            try:
                unseal(Secret(key), sealed, associated)
            except PeerError:
                continue
            keys.add(key)
    return keys


def test_traffic_opens_nothing_to_whoever_knows_every_x25519_result(monkeypatch: pytest.MonkeyPatch) -> None:
    # A quantum computer's view: X25519 is replaced by a constant that everybody knows; ML-KEM alone protects.
    class Known:
        def __init__(self, key: X25519PrivateKey) -> None:
            self._key = key

        @classmethod
        def generate(cls) -> "Known":
            return cls(X25519PrivateKey.generate())

        def public_key(self) -> object:
            return self._key.public_key()

        def exchange(self, peer: object) -> bytes:
            return CONSTANT

    monkeypatch.setattr(joining, "X25519PrivateKey", Known)
    recorder = Recorder(monkeypatch)
    world = World(3)
    world.open()
    world.play()
    np.testing.assert_array_equal(world.sums()[0].vector, world.expected(world.names))
    rho = next(Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD))
    guesses = {b"", bytes(32), CONSTANT}
    known: set[bytes] = set()
    for one, other in combinations(world.names, 2):
        ends = sorted((one.encode(), other.encode()))
        for guess in guesses:
            root = extract(CONSTANT + guess, world.sid(), "root", *ends)
            known |= {root.value, expand(root, "mask chain").value}
            known |= {expand(root, "seal", *pair).value for pair in (ends, ends[::-1])}
    keys = derivable(known, rho)
    assert not keys & (recorder.keys - opened_by_reveals(world, rho))
    for sealed, associated in recorder.sealed:
        for key in keys:
            with pytest.raises(PeerError):
                unseal(Secret(key), sealed, associated)


def test_traffic_opens_to_whoever_knows_both_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    # So the test above looks in the right place: with K known too, its search finds the pair masks.
    recorder = Recorder(monkeypatch)
    roots: list[bytes] = []

    def noted(secret: bytes, salt: bytes, label: str, *fields: bytes) -> Secret:
        root = extract(secret, salt, label, *fields)
        roots.append(root.value)
        return root

    monkeypatch.setattr(pairing, "extract", noted)
    world = World(3)
    world.open()
    world.play()
    rho = next(Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD))
    chains = {expand(Secret(root), "mask chain").value for root in roots}
    assert len(derivable(chains, rho) & recorder.keys) == 3
