"""Protocol 7, item 11: shares, Deals, bundles and vectors that are not what was committed to: the liar is named."""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.crypto.shamir import PRIME, split
from headwater.secagg.member.round import MemberRound
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.phases import CoordinatorPhase
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import MessageType
from support.lies import KIND, LIAR, flipped, lie_as, patched, play_to_the_end
from support.network import World, kind_of


def rebuilt(deal: messages.Deal, **changes: object) -> messages.Deal:
    return dataclasses.replace(deal, **changes)  # type: ignore[arg-type]


BAD_DEALS: dict[str, tuple[Callable[[messages.Deal], messages.Deal], str]] = {
    "leaves": (
        lambda deal: rebuilt(deal, openings=((bytes(32), *deal.openings[0][1:]), *deal.openings[1:])),
        "leaves that its signed header does not commit to",
    ),
    "bundle": (lambda deal: rebuilt(deal, bundle=flipped(deal.bundle)), "bundle that its signed header"),
    "members": (lambda deal: rebuilt(deal, openings=deal.openings[:-1]), "another number of members"),
    "sealed": (lambda deal: rebuilt(deal, sealed=(b"", *deal.sealed[1:])), "lacks the sealed shares"),
}


@pytest.mark.parametrize("name", BAD_DEALS)
def test_a_bad_deal_is_refused_and_its_dealer_left_out(name: str) -> None:
    change, reason = BAD_DEALS[name]
    world = World(5)
    world.join()
    world.run(lambda: world.aggregator.phase is CoordinatorPhase.READY)
    lie_as(world, messages.Deal, change)
    world.run()
    assert any(reason in message for who, message in world.errors if who == "")
    play_to_the_end(world)
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


def test_two_deals_for_one_round_are_refused() -> None:
    world = World(5)
    world.open()
    session = world.participants[LIAR]._player.session
    if session is None:
        raise LookupError(LIAR)
    again = dealing.make_deal(session.facts, LIAR, session.ratchets, session.sign)
    with pytest.raises(PeerError, match="dealt twice"):
        world.aggregator.receive(LIAR, again.message, 0.0)
    first = next(data for sender, _, data in world.sent(KIND.DEAL) if sender == LIAR)
    assert world.aggregator.receive(LIAR, first, 0.0) == []
    session.ratchets.advance(2)
    ahead = dealing.make_deal(session.facts, LIAR, session.ratchets, session.sign)
    with pytest.raises(PeerError, match="deals for round 2, round 1 is the next"):
        world.aggregator.receive(LIAR, ahead.message, 0.0)


BAD_REVEALS: dict[str, tuple[Callable[[messages.Reveal], messages.Reveal], str]] = {
    "a changed share": (
        lambda m: dataclasses.replace(m, self_shares=((m.self_shares[0][0], bytes(33)), *m.self_shares[1:])),
        "is not the one dealt to it",
    ),
    "a changed bundle share": (
        lambda m: dataclasses.replace(m, bundle_shares=((m.bundle_shares[0][0], bytes(33)),)),
        "is not the one dealt to it",
    ),
    "a share too few": (lambda m: dataclasses.replace(m, self_shares=m.self_shares[1:]), "other shares than"),
    "both kinds for one dealer": (
        lambda m: dataclasses.replace(m, bundle_shares=tuple(sorted((*m.bundle_shares, ("org-0", bytes(33)))))),
        "other shares than",
    ),
    "another round": (lambda m: dataclasses.replace(m, rho=bytes(32)), "for another round"),
}


@pytest.mark.parametrize("name", BAD_REVEALS)
def test_a_bad_reveal_names_the_liar_and_the_round_completes_without_it(name: str) -> None:
    change, reason = BAD_REVEALS[name]
    world = World(7)
    world.vectors.pop("org-6")
    world.open()
    lie_as(world, messages.Reveal, change)
    play_to_the_end(world)
    assert any(reason in message for who, message in world.errors if who == "")
    (event,) = world.sums()
    assert event.contributors == tuple(world.names[:6])
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


def without_answers(world: World, *kinds: MessageType) -> None:
    """From now on nobody's messages of these kinds arrive."""
    world.to_coordinator = lambda member, data: [] if kind_of(data) in kinds else [data]


def off_polynomial(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Shares that open something else than the committed secret."""
    return split(flipped(secret), threshold, holders)


def test_a_dealer_whose_shares_open_another_seed_is_named_and_left_out() -> None:
    world = World(5)
    world.faults[LIAR] = lambda: patched(dealing, "split", off_polynomial)
    world.open()
    without_answers(world, KIND.SEED)
    play_to_the_end(world)
    (abort,) = world.aborts()
    assert abort.reason == f"the shares of {LIAR} open another seed than it committed to"
    assert abort.blamed == (LIAR,)
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-4")


def test_a_dealer_that_gives_the_seed_itself_saves_the_round_and_no_other() -> None:
    world = World(5)
    world.faults[LIAR] = lambda: patched(dealing, "split", off_polynomial)
    world.open()
    world.play()
    (event,) = world.sums()
    np.testing.assert_array_equal(event.vector, world.expected(world.names))
    assert [receiver for _, receiver, _ in world.sent(KIND.INQUIRY)] == [LIAR]
    world.play()
    assert world.sums()[1].contributors == ("org-0", "org-2", "org-3", "org-4")


def no_secret(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Shares of a value above 32 bytes."""
    return [(PRIME - 1).to_bytes(33, "big")] * holders


def test_a_dealer_whose_shares_open_nothing_is_named() -> None:
    world = World(5)
    world.faults[LIAR] = lambda: patched(dealing, "split", no_secret)
    world.open()
    without_answers(world, KIND.SEED)
    play_to_the_end(world)
    assert [abort.blamed for abort in world.aborts()] == [(LIAR,)]


def falsified_bundle(
    true_seal: Callable[[Secret, bytes, bytes], bytes], key: Secret, plain: bytes, associated: bytes, *, before: bool
) -> bytes:
    """Seal, with a byte of a bundle of four changed before or after; shares stay true."""
    if len(plain) != 4 * 32:
        return true_seal(key, plain, associated)
    return true_seal(key, flipped(plain), associated) if before else flipped(true_seal(key, plain, associated))


def test_a_dropped_dealer_whose_bundle_is_false_is_named() -> None:
    for place, reason in ((0, "does not open"), (1, "another pair secret than it committed to")):
        world = World(5)
        world.vectors.pop(LIAR)
        false_seal = partial(falsified_bundle, seal, before=place == 1)
        world.faults[LIAR] = partial(patched, dealing, "seal", false_seal)
        world.open()
        play_to_the_end(world)
        (abort,) = world.aborts()
        assert reason in abort.reason
        assert LIAR in abort.reason


def test_shares_that_the_victim_cannot_check_are_refused_by_the_victim() -> None:
    world = World(5)

    def wrong_shares(key: Secret, plain: bytes, associated: bytes) -> bytes:
        return seal(key, flipped(plain) if len(plain) == 66 else plain, associated)

    world.faults[LIAR] = lambda: patched(dealing, "seal", wrong_shares)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert abort.reason == f"org-0 complains of {LIAR}: what it was dealt fails the leaf check"
    assert list(world.sent(KIND.UPLOAD)) == [] or world.sums() == []


def test_a_vector_masked_otherwise_than_agreed_gives_no_sum() -> None:
    world = World(5)
    world.open()
    true_stream = MemberRound._stream

    def unmasked(self: MemberRound, vector: object, masks: object, sign: object) -> object:
        return true_stream(self, vector, MaskStream([], []), sign)  # type: ignore[arg-type]

    world.vectors = {name: vector for name, vector in world.vectors.items() if name != LIAR}
    liar_vector = np.zeros(world.length, dtype=np.uint32)
    world.begin()
    world.run()
    with patched(MemberRound, "_stream", unmasked):
        for data in world.participants[LIAR].upload(1, liar_vector):
            world.send(LIAR, data)
    world.run()
    (abort,) = world.aborts()
    assert abort.reason == f"the check coordinates are off: {LIAR} masked another vector than it says"
    assert abort.blamed == (LIAR,)
    assert world.sums() == []
