"""Protocol 7, item 12: what colluding members and the coordinator know together, counted exactly.

Commitments and the sealing of shares are idealised: a digest or a sealed share that the adversary cannot open says
nothing. What is left is sharing, counted in a tiny field, and masks, which are linear.
"""

import itertools
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from headwater.secagg.crypto import shamir
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.member import round as member_round
from headwater.secagg.protocol.dealing import CheckedDeal, bundle_secrets, check_deal
from headwater.secagg.protocol.pairing import mask_key, self_mask_key
from headwater.secagg.protocol.session import SessionFacts
from headwater.secagg.protocol.terms import largest_collusion, threshold
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Reveal, Upload
from support.lies import KIND
from support.network import World, kind_of

TINY = 7


@pytest.fixture
def tiny_field(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real sharing over the field of seven elements."""
    monkeypatch.setattr(shamir, "PRIME", TINY)
    shamir._weights.cache_clear()
    yield
    shamir._weights.cache_clear()


def all_sharings(secret: int, quorum: int, holders: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The shares of one secret under every choice of the coefficients, each as likely as the others."""
    for chosen in itertools.product(range(TINY), repeat=quorum - 1):
        coefficients = iter(chosen)
        monkeypatch.setattr(secrets, "randbelow", lambda top, coefficients=coefficients: next(coefficients))
        yield shamir.split(secret.to_bytes(32, "big"), quorum, holders)


@pytest.mark.usefixtures("tiny_field")
@pytest.mark.parametrize("holders", [3, 4, 5])
def test_fewer_shares_than_the_quorum_are_alike_for_every_secret(holders: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quorum = threshold(holders)
    for pool in itertools.combinations(range(holders), quorum - 1):
        views = [
            Counter(
                tuple(shares[rank] for rank in pool) for shares in all_sharings(secret, quorum, holders, monkeypatch)
            )
            for secret in range(TINY)
        ]
        assert all(view == views[0] for view in views[1:])


@pytest.mark.usefixtures("tiny_field")
@pytest.mark.parametrize("holders", [3, 4, 5])
def test_as_many_shares_as_the_quorum_always_open_the_secret(holders: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without this the test above would pass for shares that say nothing to anybody.
    quorum = threshold(holders)
    for secret in range(TINY):
        for shares in all_sharings(secret, quorum, holders, monkeypatch):
            opened = shamir.reconstruct(dict(enumerate(shares[-quorum:], start=holders - quorum)), quorum)
            assert int.from_bytes(opened, "big") == secret


@dataclass
class Transcript:
    """A round with every mask key that it used, and what of them each party comes to know."""

    world: World
    rho: bytes = b""
    used: dict[str, tuple[list[bytes], list[bytes]]] = field(default_factory=dict)

    def known_to(self, colluders: Iterable[str], facts: SessionFacts) -> set[bytes]:
        """Mask keys that the coordinator has with these members: their own, and all that the Reveals open."""
        known = {key for member in colluders for part in self.used.get(member, ([], [])) for key in part}
        deals = self._deals(facts)
        reveals = {sender: Reveal.decode(open_envelope(data)) for sender, _, data in self.world.sent(KIND.REVEAL)}
        for dealer in facts.members:
            for place in ("self_shares", "bundle_shares"):
                shares = {
                    facts.rank(holder): dict(getattr(reveal, place))[dealer]
                    for holder, reveal in reveals.items()
                    if dealer in dict(getattr(reveal, place))
                }
                if len(shares) < facts.quorum:
                    continue
                seed = Secret(shamir.reconstruct(shares, facts.quorum))
                if place == "self_shares":
                    known.add(self_mask_key(seed, self.rho).value)
                else:
                    pairs = bundle_secrets(deals[dealer], seed, facts)
                    known |= {mask_key(pair, self.rho).value for pair in pairs.values()}
        return known

    def _deals(self, facts: SessionFacts) -> Mapping[str, CheckedDeal]:
        # A member's first Deal is the one of round 1.
        first = {sender: open_envelope(data) for sender, _, data in reversed([*self.world.sent(KIND.DEAL)])}
        return {sender: check_deal(envelope, facts, 1) for sender, envelope in first.items()}


def play(monkeypatch: pytest.MonkeyPatch, count: int, silent: Iterable[str], late: Iterable[str]) -> Transcript:
    """A round in which some never upload, and the Uploads of others are held back until they count as dropped."""
    world = World(count)
    transcript = Transcript(world)
    current: list[str] = []

    class Recorded(MaskStream):
        def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret], **ring: int) -> None:
            added, subtracted = list(added), list(subtracted)
            transcript.used[current[-1]] = ([key.value for key in added], [key.value for key in subtracted])
            super().__init__(added, subtracted, **ring)

    monkeypatch.setattr(member_round, "MaskStream", Recorded)
    world.vectors = {name: vector for name, vector in world.vectors.items() if name not in set(silent)}
    held = set(late)
    world.to_coordinator = lambda member, data: [] if member in held and kind_of(data) is KIND.UPLOAD else [data]
    true_upload = member_round.MemberRound.masked_messages

    def masked(self: member_round.MemberRound, *arguments: object) -> object:
        current.append(self.member)
        return true_upload(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(member_round.MemberRound, "masked_messages", masked)
    world.open()
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    uploads = [Upload.decode(open_envelope(data)) for _, _, data in world.sent(KIND.UPLOAD)]
    transcript.rho = uploads[0].rho
    return transcript


CASES = [
    (count, silent, late)
    for count in (3, 4, 5, 6)
    for silent in range(count - threshold(count) + 1)
    for late in range(count - threshold(count) - silent + 1)
]


@pytest.mark.parametrize(("count", "silent", "late"), CASES)
def test_the_largest_collusion_learns_the_sum_of_the_honest_and_no_other_combination(
    count: int, silent: int, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"org-{index}" for index in range(count)]
    gone, held = names[:silent], names[silent : silent + late]
    transcript = play(monkeypatch, count, gone, held)
    world = transcript.world
    assert len(world.sums()) == 1
    conductor = world.aggregator._conductor
    assert conductor is not None
    facts = conductor.facts
    uploaded = [name for name in names if name not in gone]
    for pool in itertools.combinations(names, largest_collusion(count)):
        known = transcript.known_to(pool, facts)
        honest = [name for name in uploaded if name not in pool]
        unknown = sorted({key for name in honest for part in transcript.used[name] for key in part} - known)
        masks = np.zeros((len(honest), len(unknown)), dtype=int)
        for row, name in enumerate(honest):
            added, subtracted = transcript.used[name]
            for column, key in enumerate(unknown):
                masks[row, column] = (key in added) - (key in subtracted)
        # A combination w of the honest vectors is free of unknown masks exactly if w · masks = 0.
        survivors = [int(name not in held) for name in honest]
        free = len(honest) - (np.linalg.matrix_rank(masks) if unknown else 0)
        assert not (np.array(survivors) @ masks).any()
        # The one free combination is the sum over the honest survivors: it holds T − c vectors or more.
        assert free == 1
        assert sum(survivors) >= threshold(count) - largest_collusion(count) >= 2
