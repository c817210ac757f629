"""Protocol 7, item 11: whoever lies, no honest member is convicted, and questions of blame open nothing."""

import dataclasses
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest

from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.crypto.shamir import reconstruct, split
from headwater.secagg.member.round import MemberRound
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.pairing import self_mask_key
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import MessageType, open_envelope, sign_envelope
from headwater.secagg.wire.messages import Blocks, Inquiry, Reveal, Seed, Survivors, Upload
from support.lies import KIND, LIAR, VICTIM, flipped, lie_as, patched, play_to_the_end, session_key, uploaded_digest
from support.network import World, kind_of

Lie = Callable[[World, ExitStack], None]


def wrong_seals(world: World, stack: ExitStack) -> None:
    """Shares that nobody can check."""
    world.faults[LIAR] = lambda: patched(
        dealing, "seal", lambda key, plain, extra: seal(key, flipped(plain) if len(plain) == 66 else plain, extra)
    )


def off_polynomial(world: World, stack: ExitStack) -> None:
    """Shares of another seed than committed to."""
    world.faults[LIAR] = lambda: patched(dealing, "split", lambda secret, *sizes: split(flipped(secret), *sizes))


def off_polynomial_and_no_seed(world: World, stack: ExitStack) -> None:
    """The same, and another seed when asked for it."""
    off_polynomial(world, stack)
    lie_as(world, Seed, lambda seed: dataclasses.replace(seed, seed=flipped(seed.seed)))


def false_bundle(world: World, stack: ExitStack) -> None:
    """A bundle of other pair secrets, and no Upload."""

    def false_seal(key: Secret, plain: bytes, extra: bytes) -> bytes:
        return seal(key, flipped(plain) if len(plain) % 32 == 0 else plain, extra)

    world.faults[LIAR] = lambda: patched(dealing, "seal", false_seal)
    world.vectors.pop(LIAR)


def unmasked(world: World, stack: ExitStack) -> None:
    """A vector without masks."""
    true_stream = MemberRound._stream

    def stream(self: MemberRound, vector: object, masks: object, sign: object) -> object:
        return true_stream(self, vector, MaskStream([], []) if self.member == LIAR else masks, sign)  # type: ignore[arg-type]

    stack.enter_context(patched(MemberRound, "_stream", stream))


def denying(*peers: str) -> Lie:
    """A vector without masks, and other masks told for some pairs."""

    def lie(world: World, stack: ExitStack) -> None:
        unmasked(world, stack)

        def change(blocks: Blocks) -> Blocks:
            rows = tuple((peer, flipped(mask) if peer in peers else mask) for peer, mask in blocks.masks)
            return dataclasses.replace(blocks, masks=rows)

        lie_as(world, Blocks, change)

    return lie


def denying_and_a_dropped_member(world: World, stack: ExitStack) -> None:
    """The same while an honest member is away, whose bundle is opened."""
    world.vectors.pop("org-6")
    denying("org-0", "org-3")(world, stack)


def silent(world: World, stack: ExitStack) -> None:
    """A vector without masks, and no answer."""
    unmasked(world, stack)
    world.to_coordinator = lambda member, data: [] if member == LIAR and kind_of(data) is KIND.BLOCKS else [data]


def accusing(world: World, stack: ExitStack) -> None:
    """A complaint without a cause, instead of a vector."""

    def tap(member: str, data: bytes) -> list[bytes]:
        if member != LIAR or kind_of(data) is not KIND.CHUNK:
            return [data]
        body = messages.Complaint(1, "org-0", "seal").encode()
        return [sign_envelope(KIND.COMPLAINT, LIAR, body, session_key(world, LIAR), world.sid())]

    world.to_coordinator = tap


def false_reveal(world: World, stack: ExitStack) -> None:
    """Shares that were not dealt."""
    lie_as(
        world,
        Reveal,
        lambda m: dataclasses.replace(m, self_shares=((m.self_shares[0][0], bytes(33)), *m.self_shares[1:])),
    )


LIES: list[Lie] = [
    wrong_seals,
    off_polynomial,
    off_polynomial_and_no_seed,
    false_bundle,
    unmasked,
    denying("org-0"),
    denying("org-0", "org-2", "org-3", "org-4", "org-5", "org-6"),
    denying_and_a_dropped_member,
    silent,
    accusing,
    false_reveal,
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_no_single_liar_gets_an_honest_member_convicted(lie: Lie) -> None:
    world = World(7, rounds=6)
    with ExitStack() as stack:
        lie(world, stack)
        world.open()
        for _ in range(3):
            if not world.aggregator.closed:
                play_to_the_end(world)
    for abort in world.aborts():
        assert set(abort.blamed) <= {LIAR}, abort.reason
        # Of a pair of whom one lies the liar is always one.
        assert all(LIAR in pair for pair in abort.disputes), abort.reason
    # The run goes on: the last round has a sum, it is exact, and the honest majority is in it.
    assert world.sums()
    for total in world.sums():
        np.testing.assert_array_equal(total.vector, world.expected(total.contributors))
    assert len(world.sums()[-1].contributors) >= 5


def revealed_world() -> World:
    """Five members revealed; the round stays open for them."""
    world = World(5)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) in (KIND.RECEIPT, KIND.ABORT) else [data]
    world.play()
    return world


def answers(world: World, member: str) -> list[bytes]:
    """What a member told when it was asked about blame."""
    return [data for sender, _, data in world.traffic if sender == member and kind_of(data) in (KIND.SEED, KIND.BLOCKS)]


def rho_of(world: World) -> bytes:
    """ρ of the first round."""
    return next(Upload.decode(open_envelope(data)).rho for _, _, data in world.sent(KIND.UPLOAD))


def test_inquiries_repeated_in_every_form_open_no_more_than_the_reveal_did() -> None:
    world = revealed_world()
    rho = rho_of(world)
    for _ in range(2):
        for kind in (0, 1, 0):
            world.deliver_to_member(VICTIM, world.forge(Inquiry(1, rho, kind)))
    told = answers(world, VICTIM)
    # Repeated, the answers are the same: no second set of masks, nothing that could be subtracted.
    assert len({open_envelope(data).body for data in told}) == 2
    seed = next(Seed.decode(open_envelope(data)) for data in told if kind_of(data) is KIND.SEED)
    blocks = next(Blocks.decode(open_envelope(data)) for data in told if kind_of(data) is KIND.BLOCKS)
    # The seed is the one that T of the shares on the wire open anyway.
    conductor = world.aggregator._conductor
    assert conductor is not None
    facts = conductor.facts
    reveals = {sender: Reveal.decode(open_envelope(data)) for sender, _, data in world.sent(KIND.REVEAL)}
    shares = {facts.rank(holder): dict(reveal.self_shares)[VICTIM] for holder, reveal in reveals.items()}
    assert reconstruct(shares, facts.quorum) == seed.seed
    # And the blocks are four values of each pair's mask, on the coordinates whose values are public.
    assert {len(mask) for _, mask in blocks.masks} == {4 * 4}
    assert self_mask_key(Secret(seed.seed), rho).value[:16] not in {mask for _, mask in blocks.masks}


@pytest.mark.parametrize("point", [KIND.SURVIVORS, KIND.QUORUM])
@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_told_before_this_members_own_reveal(point: MessageType, seed: int) -> None:
    world = World(5)
    world.open()
    lost = {point, KIND.RECEIPT}
    world.to_member = lambda member, data: [] if member == VICTIM and kind_of(data) in lost else [data]
    world.begin()
    world.run()
    world.deliver_to_member(VICTIM, world.forge(Inquiry(1, rho_of(world), seed)))
    assert world.errors == [(VICTIM, "an inquiry of round 1 came before this member revealed")]
    assert answers(world, VICTIM) == []


@pytest.mark.parametrize("seed", [0, 1])
def test_a_member_called_dropped_is_not_asked_for_its_seed(seed: int) -> None:
    # Its pair masks come from its bundle; with its own seed too, its vector would be open.
    world = World(5)
    world.open()

    def without_victim(view: Survivors) -> Survivors:
        return dataclasses.replace(view, uploads=tuple(row for row in view.uploads if row[0] != VICTIM))

    world.lie_to(world.names, Survivors, without_victim)
    world.play()
    world.to_member = lambda member, data: [data]
    world.deliver_to_member(VICTIM, world.forge(Inquiry(1, rho_of(world), seed)))
    assert answers(world, VICTIM) == []
    assert uploaded_digest(world, VICTIM)


@pytest.mark.parametrize(
    ("inquiry", "reason"),
    [
        (lambda rho: Inquiry(1, bytes(32), 1), "another ρ"),
        (lambda rho: Inquiry(2, rho, 1), "which did not begin here"),
        (lambda rho: Inquiry(2**62, rho, 0), "which did not begin here"),
    ],
    ids=["another ρ", "a later round", "a far round"],
)
def test_an_inquiry_of_another_round_is_refused(inquiry: Callable[[bytes], Inquiry], reason: str) -> None:
    world = revealed_world()
    world.deliver_to_member(VICTIM, world.forge(inquiry(rho_of(world))))
    assert reason in world.errors[-1][1]
    assert answers(world, VICTIM) == []


def test_nothing_is_told_once_the_rounds_document_came() -> None:
    world = World(5)
    world.open()
    world.play()
    for seed in (0, 1):
        world.deliver_to_member(VICTIM, world.forge(Inquiry(1, rho_of(world), seed)))
    assert world.errors == []
    assert answers(world, VICTIM) == []


def test_an_inquiry_signed_by_somebody_else_is_refused() -> None:
    world = revealed_world()
    body = Inquiry(1, rho_of(world), 1).encode()
    data = sign_envelope(KIND.INQUIRY, "", body, session_key(world, LIAR), world.sid())
    world.deliver_to_member("org-0", data)
    assert world.errors == [
        ("org-0", "an INQUIRY message of the coordinator has a signature that is not theirs for this session")
    ]


def test_a_member_outside_a_rounds_cohort_cannot_end_it_by_refusing() -> None:
    world = World(5)
    world.open()
    # It keeps its Deal of round 2 back, so the round begins without it; then it refuses that round.
    world.to_coordinator = lambda member, data: [] if member == LIAR and kind_of(data) is KIND.DEAL else [data]
    world.play()
    world.begin()
    world.run()
    world.tick(30)
    body = messages.Refusal(2, "not with me").encode()
    world.deliver_to_coordinator(LIAR, sign_envelope(KIND.REFUSAL, LIAR, body, session_key(world, LIAR), world.sid()))
    world.run()
    assert world.aborts() == []
    assert world.sums()[-1].contributors == ("org-0", "org-2", "org-3", "org-4")
