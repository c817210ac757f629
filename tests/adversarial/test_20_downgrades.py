"""Protocol 7, item 20: a weaker suite, a smaller T, a narrower ring, or no secure aggregation at all."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from headwater.agreement.plan import AggregationTerms
from headwater.errors import PeerError
from headwater.secagg.protocol.events import RoundRefused, SessionClosed
from headwater.secagg.protocol.terms import SessionTerms, threshold
from headwater.secagg.wire import messages
from headwater.secagg.wire.envelope import open_envelope, sign_envelope
from headwater.secagg.wire.messages import SUITE, Hello, Hellos, Quorum, Start, Survivors
from support.lies import KIND, VICTIM
from support.network import World, kind_of

WEAKER = ["HW-SecAgg/1-x25519", "HW-SecAgg/0", "none", ""]


def with_suite(world: World, member: str, data: bytes, suite: str) -> bytes:
    """A member's Hello with another suite, truly signed by that member, which colludes."""
    hello = dataclasses.replace(Hello.decode(open_envelope(data)), suite=suite)
    return sign_envelope(KIND.HELLO, member, hello.encode(), world.identity[member], world.setup_context())


@pytest.mark.parametrize("suite", WEAKER)
def test_a_weaker_suite_is_refused_by_members_although_its_owner_signed_it(suite: str) -> None:
    world = World(5)
    world.lie_to(
        [VICTIM], Hellos, lambda shown: Hellos((with_suite(world, "org-0", shown.hellos[0], suite), *shown.hellos[1:]))
    )
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert closed.reason == "the Hello of org-0 names another suite; all members must agree on it"


@pytest.mark.parametrize("suite", WEAKER)
def test_a_weaker_suite_is_refused_by_the_coordinator(suite: str) -> None:
    world = World(5)
    world.to_coordinator = lambda member, data: (
        [with_suite(world, member, data, suite)] if member == VICTIM and kind_of(data) is KIND.HELLO else [data]
    )
    world.open()
    assert ("", f"the Hello of {VICTIM} names another suite; all members must agree on it") in world.errors


def test_there_is_one_suite_and_it_is_the_hybrid() -> None:
    assert SUITE == "HW-SecAgg/1-x25519-mlkem768"
    hello = next(field for field in dataclasses.fields(Hello) if field.name == "encapsulation_key")
    assert hello.default is dataclasses.MISSING


def test_no_message_carries_a_threshold_ring_or_modulus() -> None:
    # What a coordinator cannot say it cannot lower: Flower's setup message carries all of these.
    words = {"threshold", "quorum", "ring", "ring_bits", "modulus", "clip", "scale", "bits", "minimum", "colluders"}
    for name in messages.__all__:
        kind = getattr(messages, name)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            assert not words & {field.name for field in dataclasses.fields(kind)}, name


def test_a_smaller_cohort_does_not_lower_t() -> None:
    # n = 6 has T = 5. The cohort of five is allowed; T(5) = 4 of them are no quorum, and neither are four survivors.
    world = World(6)
    assert (threshold(6), threshold(5)) == (5, 4)
    world.open()
    world.disconnect("org-5")
    world.lie_to([VICTIM], Quorum, lambda quorum: Quorum(quorum.round, quorum.confirms[:4]))
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert refusal.reason == "4 members confirmed, 5 must"


def test_four_survivors_of_a_cohort_of_five_are_too_few_in_a_session_of_six() -> None:
    world = World(6)
    world.open()
    world.disconnect("org-5")
    world.lie_to([VICTIM], Survivors, lambda view: dataclasses.replace(view, uploads=view.uploads[:4]))
    world.play()
    (refusal,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refusal, RoundRefused)
    assert refusal.reason == "4 members uploaded, at least 5 must"


def test_a_coordinator_that_sums_in_a_narrower_ring_than_the_plan_gets_no_sum() -> None:
    # Its plan digest is the members', its ring is not: what members mask has another size than it counts with.
    class Wide(World):
        def terms(self, attempt: int) -> SessionTerms:
            return dataclasses.replace(super().terms(attempt), ring_bits=64)

    world = Wide(3, ring_bits=64)
    narrow = dataclasses.replace(world.terms(1), ring_bits=32)
    world.aggregator = type(world.aggregator)(world.roster, narrow, world.coordinator_key, now=0.0)
    world.open()
    world.begin()
    world.run()
    world.tick(600)
    assert {text for _, text in world.errors if "bytes" in text}
    assert world.sums() == []
    assert [event.reason for event in world.aborts()] == ["0 members uploaded, a round needs 3"]
    sizes = [
        len(messages.Chunk.decode(open_envelope(data)).data)
        for sender, _, data in world.sent(KIND.CHUNK)
        if sender in world.names
    ]
    assert set(sizes) == {8 * (4 + world.length)}


def test_a_start_without_a_session_is_refused() -> None:
    world = World(3)
    world.join(VICTIM)
    world.run()
    start = Start(1, 5, 0, 0, bytes(32), bytes(32), b"", bytes(32), ())
    with pytest.raises(PeerError, match="in no session"):
        world.participants[VICTIM].receive(world.forge(start, world.setup_context()), 0.0)


@pytest.mark.parametrize("entry", ["enabled", "secure", "secure_aggregation", "threshold", "modulus"])
def test_no_plan_can_turn_secure_aggregation_off_or_choose_its_threshold(entry: str) -> None:
    with pytest.raises(ValidationError):
        AggregationTerms.model_validate({"on_membership_change": "continue", entry: 0})


def test_a_vector_in_the_clear_gives_no_sum_and_names_its_member() -> None:
    # The member's own software is downgraded: it uploads x itself.
    world = World(5)
    world.open()
    world.vectors.pop(VICTIM)
    world.begin()
    world.run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headwater.secagg.crypto.masks.MaskStream.apply_at", lambda self, values, begin, lane=0: None)
        for data in world.participants[VICTIM].upload(1, np.zeros(5, np.uint32)):
            world.send(VICTIM, data)
    world.run()
    assert world.sums() == []
    (abort,) = world.aborts()
    assert abort.blamed == (VICTIM,)
    assert VICTIM in abort.reason
