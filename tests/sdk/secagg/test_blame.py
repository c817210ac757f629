"""Who is at fault for a round without a sum: complaints, inquiries, verdicts: protocol 4.2, 4.7, 4.8."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from headwater.errors import PeerError
from headwater.secagg.coordinator.blame import Verdict, judge
from headwater.secagg.coordinator.disputes import Disputes
from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.ring import RingBits, RingVector
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.member.round import MemberRound, Signer
from headwater.secagg.protocol import dealing
from headwater.secagg.protocol.events import MemberDropped, RoundClosed, RoundRefused, SessionClosed
from headwater.secagg.protocol.families import Family
from headwater.secagg.protocol.phases import CoordinatorPhase
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import sign_envelope
from support.lies import KIND, LIAR, flipped, lie_as, patched, play_to_the_end, session_key
from support.network import World, kind_of

NAMES = ["a", "b", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(
    ("pairs", "least", "out"),
    [
        ([], 3, ""),
        ([("b", "d")], 5, "bd"),
        ([("b", "d")], 6, "b"),
        ([("b", "d"), ("b", "e"), ("b", "f")], 6, "b"),
        ([("d", "b"), ("e", "b")], 6, "b"),
        ([("b", "d"), ("d", "b")], 6, "b"),
        ([("b", "z")], 3, ""),
        ([("b", "d"), ("e", "f")], 4, "bde"),
    ],
)
def test_no_disputing_pair_is_in_a_next_cohort(pairs: list[tuple[str, str]], least: int, out: str) -> None:
    left_out = Disputes(pairs).left_out(NAMES, least)
    assert left_out == set(out)
    assert not any(set(pair) <= set(NAMES) - left_out for pair in pairs)


def values(*numbers: int) -> RingVector:
    return np.array(numbers, dtype=np.uint32)


CHECK = values(1, 2, 3, 4)
MASK = {frozenset(pair): values(*range(index, index + 4)) for index, pair in enumerate(("ab", "ac", "bc", "ad", "bd"))}
OWN = {member: values(7, 7, 7, 2**32 - 1) for member in "abc"}


def honest() -> tuple[dict[str, RingVector], dict[str, dict[str, RingVector]], dict[str, dict[str, RingVector]]]:
    """Fronts, what is told, and what a dropped dealer 'd' has, in a round of a, b and c."""
    told = {member: {peer: MASK[frozenset((member, peer))] for peer in "abc" if peer != member} for member in "abc"}
    opened = {"d": {"a": MASK[frozenset("ad")], "b": MASK[frozenset("bd")], "c": values(9, 9, 9, 9)}}
    fronts = {}
    for member in "abc":
        front = CHECK + OWN[member]
        for peer, mask in (told[member] | {"d": opened["d"][member]}).items():
            front = front + mask if peer < member else front - mask
        fronts[member] = front
    return fronts, told, opened


def test_nobody_honest_is_found_at_fault() -> None:
    fronts, told, opened = honest()
    assert judge("abc", CHECK, fronts, OWN, told, opened) == Verdict()


def test_whoever_masked_another_vector_than_all_ends_say_is_convicted() -> None:
    fronts, told, opened = honest()
    fronts["b"] = fronts["b"] + values(0, 0, 0, 1)
    assert judge("abc", CHECK, fronts, OWN, told, opened) == Verdict(convicted=("b",))


def test_whoever_tells_other_masks_than_its_vector_has_is_convicted_and_drags_nobody_along() -> None:
    fronts, told, opened = honest()
    told["c"]["a"] = values(0, 0, 0, 0)
    assert judge("abc", CHECK, fronts, OWN, told, opened) == Verdict(convicted=("c",))


def test_ends_that_tell_different_masks_are_a_dispute_and_convict_nobody() -> None:
    fronts, told, opened = honest()
    other = told["c"]["a"] + values(5, 0, 0, 0)
    fronts["c"] = fronts["c"] + other - told["c"]["a"]
    told["c"]["a"] = other
    assert judge("abc", CHECK, fronts, OWN, told, opened) == Verdict(disputes=(("a", "c"),))


def test_whoever_tells_nothing_is_silent_and_not_convicted() -> None:
    fronts, told, opened = honest()
    fronts["c"] = fronts["c"] + values(0, 0, 0, 1)
    del told["c"]
    assert judge("abc", CHECK, fronts, OWN, told, opened) == Verdict(silent=("c",))


def mask_pairs_otherwise(monkeypatch: pytest.MonkeyPatch, *peers: str) -> None:
    """The liar masks with other secrets of these pairs, and tells the very masks that it used."""
    honestly = MemberRound.masked_messages

    def spoilt(self: MemberRound, vector: RingVector, sign: Signer) -> Iterator[bytes]:
        if self.member == LIAR:
            for peer in set(peers) & set(self.pair_secrets):
                self.pair_secrets[peer] = Secret(flipped(self.pair_secrets[peer].value))
        return honestly(self, vector, sign)

    monkeypatch.setattr(MemberRound, "masked_messages", spoilt)


@pytest.fixture
def liar_masks_otherwise(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The liar masks with another self seed than it dealt; undone by the fixture's `undo`."""
    honestly = MemberRound.masked_messages

    def spoilt(self: MemberRound, vector: RingVector, sign: Signer) -> Iterator[bytes]:
        own = self.self_seed
        if self.member == LIAR and own is not None:
            self.self_seed = Secret(flipped(own.value))
        messages_made = honestly(self, vector, sign)
        self.self_seed = own
        return messages_made

    monkeypatch.setattr(MemberRound, "masked_messages", spoilt)
    return monkeypatch


@pytest.mark.parametrize("ring_bits", [32, 64])
@pytest.mark.usefixtures("liar_masks_otherwise")
def test_a_member_that_masks_with_another_seed_is_convicted_and_left_out_of_the_run(ring_bits: RingBits) -> None:
    world = World(5, ring_bits=ring_bits)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert (abort.blamed, abort.disputes) == ((LIAR,), ())
    assert abort.reason == f"the check coordinates are off: {LIAR} masked another vector than it says"
    for name in world.names:
        (closed,) = world.events_of(name, RoundClosed)
        assert isinstance(closed, RoundClosed)
        assert closed.blamed == (LIAR,)
    world.play()
    (event,) = world.sums()
    assert event.contributors == ("org-0", "org-2", "org-3", "org-4")
    np.testing.assert_array_equal(event.vector, world.expected(event.contributors))


@pytest.mark.usefixtures("liar_masks_otherwise")
def test_a_dropped_member_does_not_stop_the_search() -> None:
    world = World(7)
    world.vectors.pop("org-5")
    world.open()
    play_to_the_end(world)
    (abort,) = world.aborts()
    assert abort.blamed == (LIAR,)


def test_a_liar_that_falsifies_one_pair_drags_one_member_along_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    mask_pairs_otherwise(monkeypatch, "org-4")
    world = World(7)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert (abort.blamed, abort.disputes) == ((), ((LIAR, "org-4"),))
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-5", "org-6")


def test_a_liar_that_falsifies_every_pair_is_left_out_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(7)
    mask_pairs_otherwise(monkeypatch, *world.names)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert len(abort.disputes) == 6
    world.play()
    assert world.sums()[0].contributors == tuple(name for name in world.names if name != LIAR)


@pytest.mark.usefixtures("liar_masks_otherwise")
def test_a_liar_that_says_nothing_is_left_out_of_the_session() -> None:
    world = World(5)
    world.open()
    world.to_coordinator = lambda name, data: [] if kind_of(data) is KIND.BLOCKS and name == LIAR else [data]
    world.begin()
    world.run()
    assert world.aggregator.phase is CoordinatorPhase.INQUIRING
    world.tick(30)
    world.run()
    (abort,) = world.aborts()
    assert (abort.reason, abort.blamed) == (f"the check coordinates are off: {LIAR} did not answer", ())
    world.play()
    assert LIAR not in world.sums()[0].contributors


def signed_by_liar(world: World, message: messages.Message) -> bytes:
    return sign_envelope(message.TYPE, LIAR, message.encode(), session_key(world, LIAR), world.sid())


def wrong_shares_for_all(key: Secret, plain: bytes, associated: bytes) -> bytes:
    return seal(key, flipped(plain) if len(plain) == 66 else plain, associated)


def test_a_complaint_ends_the_round_and_keeps_the_pair_apart() -> None:
    world = World(7)
    world.faults[LIAR] = lambda: patched(dealing, "seal", wrong_shares_for_all)
    world.open()
    world.play()
    (abort,) = world.aborts()
    assert abort.disputes == (("org-0", LIAR),)
    refused = world.events_of("org-0", RoundRefused)
    assert [event.reason for event in refused if isinstance(event, RoundRefused)] == [
        f"the shares of {LIAR} are not those it committed to: leaf check failed"
    ]
    # Everybody else complained too, late: the dealer stands in most disputes and goes alone.
    world.play()
    assert world.sums()[0].contributors == tuple(name for name in world.names if name != LIAR)


def test_a_strict_run_ends_by_name_when_a_member_of_its_cohort_must_be_left_out() -> None:
    world = World(5, strict=True, family=Family("counts/main", None))
    world.open()
    world.play()
    assert len(world.sums()) == 1

    def wrong_seals(deal: messages.Deal) -> messages.Deal:
        return dataclasses.replace(deal, sealed=tuple(sealed and flipped(sealed) for sealed in deal.sealed))

    lie_as(world, messages.Deal, wrong_seals)
    # The Deal of the second round was made before; the one of the third goes with the second's Upload.
    for _ in range(3):
        world.play()
    assert world.aborts()[0].disputes == (("org-0", LIAR),)
    assert world.failures() == [f"strict: every sum is over one cohort, and {LIAR} is left out"]


def test_a_false_accuser_goes_with_whom_it_accuses() -> None:
    world = World(7, answering=False)
    world.open()
    world.begin()
    world.run()
    world.deliver_to_coordinator(LIAR, signed_by_liar(world, messages.Complaint(1, "org-4", "leaf")))
    world.run()
    world.answering = True
    world.play()
    assert world.sums()[0].contributors == ("org-0", "org-2", "org-3", "org-5", "org-6")


def test_a_complaint_about_a_round_that_ended_otherwise_changes_nothing() -> None:
    world = World(7)
    world.open()
    world.play()
    for number in (0, 1):
        late = messages.Complaint(number, "org-0", "leaf")
        assert world.aggregator.receive(LIAR, signed_by_liar(world, late), world.now) == []
    world.play()
    assert [total.contributors for total in world.sums()] == [tuple(world.names)] * 2


def test_a_late_complaint_of_the_round_that_one_ended_is_in_the_log() -> None:
    world = World(7)
    world.faults[LIAR] = lambda: patched(dealing, "seal", wrong_shares_for_all)
    world.open()
    world.play()
    dropped = {event.member for event in world.aggregator_events if isinstance(event, MemberDropped)}
    assert dropped == set(world.names) - {LIAR}


def test_a_liar_among_the_fewest_takes_one_member_along_before_it_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(5)
    mask_pairs_otherwise(monkeypatch, *world.names)
    world.open()
    for _ in range(2):
        world.play()
    assert LIAR not in world.sums()[0].contributors


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        (messages.Complaint(1, LIAR, "leaf"), "no other member of the session"),
        (messages.Complaint(1, "zed", "leaf"), "no other member of the session"),
        (messages.Complaint(2, "org-0", "leaf"), "did not begin"),
        (messages.Complaint(2**62, "org-0", "leaf"), "did not begin"),
    ],
)
def test_a_complaint_without_cause_is_refused(complaint: messages.Complaint, reason: str) -> None:
    world = World(5, answering=False)
    world.open()
    world.begin()
    world.run()
    with pytest.raises(PeerError, match=reason):
        world.aggregator.receive(LIAR, signed_by_liar(world, complaint), world.now)
    assert world.aborts() == []


def test_a_complaint_after_the_upload_is_refused() -> None:
    world = World(5)
    world.vectors.pop("org-4")
    world.open()
    world.begin()
    world.run()
    with pytest.raises(PeerError, match="no cause"):
        world.aggregator.receive(LIAR, signed_by_liar(world, messages.Complaint(1, "org-0", "leaf")), world.now)


@pytest.fixture
def convicted(liar_masks_otherwise: pytest.MonkeyPatch) -> World:
    """A world after the liar's conviction; it is honest again."""
    world = World(5)
    world.open()
    world.play()
    liar_masks_otherwise.undo()
    assert world.aborts()[0].blamed == (LIAR,)
    return world


def test_whoever_is_blamed_does_not_come_back_in_a_next_session(convicted: World) -> None:
    world = convicted
    world.new_attempt()
    world.join(last_receipt=world.chain[-1])
    world.run()
    assert ("", f"{LIAR} is blamed by an abort of this run, which goes on without it") in world.errors
    world.play()
    assert world.sums()[-1].contributors == ("org-0", "org-2", "org-3", "org-4")


def test_members_refuse_a_session_with_whoever_they_hold_an_abort_against() -> None:
    world = World(5)
    world.excluded = (LIAR,)
    world.open()
    (closed,) = world.events_of("org-0", SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert closed.reason == f"an abort of this run blames {LIAR}; nothing more is shared with them in it"


def test_members_refuse_a_start_with_whoever_they_saw_blamed(convicted: World) -> None:
    world = convicted
    world.aggregator._attendance.left_out.clear()
    world.play()
    assert world.sums() == []
    (refused,) = world.events_of("org-0", RoundRefused)
    assert isinstance(refused, RoundRefused)
    assert refused.reason == f"an abort of this run blames {LIAR}; nothing more is shared with them in it"


def test_an_inquiry_of_another_cohort_is_refused() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.RECEIPT else [data]
    world.play()
    for seed in (0, 1):
        with pytest.raises(PeerError, match="another ρ"):
            world.participants[LIAR].receive(world.forge(messages.Inquiry(1, bytes(32), seed)), world.now)


def test_nothing_is_told_before_the_reveal_or_after_the_end() -> None:
    world = World(3)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.QUORUM else [data]
    world.play()
    current = world.participants[LIAR]._player.round
    assert current is not None
    inquiry = messages.Inquiry(1, current.rho, 1)
    with pytest.raises(PeerError, match="before this member revealed"):
        world.participants[LIAR].receive(world.forge(inquiry), world.now)
    world.tick(60)
    world.run()
    assert world.participants[LIAR].receive(world.forge(inquiry), world.now) == []


def told_by(world: World, member: str, seed: int) -> Mapping[str, bytes] | bytes:
    current = world.participants[member]._player.round
    assert current is not None
    answer = current.tell(messages.Inquiry(1, current.rho, seed))
    return dict(answer.masks) if isinstance(answer, messages.Blocks) else answer.seed


def test_both_ends_of_an_honest_pair_tell_the_same_sixteen_bytes() -> None:
    world = World(5)
    world.open()
    world.to_member = lambda member, data: [] if kind_of(data) is KIND.RECEIPT else [data]
    world.play()
    for low in world.names:
        masks = told_by(world, low, 0)
        assert isinstance(masks, dict)
        assert {len(mask) for mask in masks.values()} == {16}
        for high, mask in masks.items():
            other = told_by(world, high, 0)
            assert isinstance(other, dict)
            assert other[low] == mask
