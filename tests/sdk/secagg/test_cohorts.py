"""One cohort for a family of sums, kept by every organisation for itself: protocol 4.10."""

import dataclasses

import pytest

from headwater.errors import InputError
from headwater.secagg.protocol.events import (
    CohortConfirmed,
    RoundClosed,
    RoundRefused,
    RoundRequested,
    Send,
    SessionClosed,
)
from headwater.secagg.protocol.families import Family
from headwater.secagg.wire.envelope import MessageType, open_envelope
from headwater.secagg.wire.messages import Receipt, Survivors
from support.network import World, kind_of

COUNTS = Family("counts/main/train")
ALL = ("org-0", "org-1", "org-2", "org-3", "org-4")


def strict_world() -> World:
    world = World(5, rounds=6)
    world.strict, world.family = True, COUNTS
    world.new_attempt()
    world.attempt = 1
    world.aggregator = type(world.aggregator)(world.roster, world.terms(1), world.coordinator_key, now=world.now)
    return world


def test_the_cohort_is_stored_before_the_confirm_leaves() -> None:
    world = strict_world()
    world.open()
    world.play()
    for member in ALL:
        events = world.member_events[member]
        stored = next(place for place, event in enumerate(events) if isinstance(event, CohortConfirmed))
        sent = next(
            place
            for place, event in enumerate(events)
            if isinstance(event, Send) and kind_of(event.data) is MessageType.CONFIRM
        )
        assert stored < sent
        assert events[stored] == CohortConfirmed(1, COUNTS, ALL)


def test_a_second_sum_without_one_member_is_refused_by_all_others() -> None:
    world = strict_world()
    world.open()
    world.play()

    def without_one(survivors: Survivors) -> Survivors:
        return dataclasses.replace(survivors, uploads=survivors.uploads[:4])

    world.lie_to(ALL[:4], Survivors, without_one)
    world.play()
    for member in ALL[:4]:
        (refused,) = world.events_of(member, RoundRefused)
        assert isinstance(refused, RoundRefused)
        assert "differencing" in refused.reason
        assert "org-4" in refused.reason
    assert len(world.sums()) == 1


def test_the_coordinator_waits_for_the_one_cohort_and_then_says_who_is_away() -> None:
    world = strict_world()
    world.open()
    world.play()
    world.disconnect("org-4")
    world.begin()
    world.run()
    assert not world.failures()
    world.tick(1000)
    assert world.failures() == ["strict: every sum is over one cohort, and org-4 is away"]


def test_a_member_of_the_cohort_that_falls_in_a_later_upload_ends_the_round_and_is_waited_for() -> None:
    world = strict_world()
    world.open()
    world.play()
    world.begin()
    world.run(until=lambda: len(world.events_of("org-4", RoundRequested)) == 2)
    world.disconnect("org-4")
    world.run()
    (abort,) = world.aborts()
    assert abort.reason == "strict: every sum is over one cohort, and org-4 is away"
    assert {survivors_round(data) for _, _, data in world.sent(MessageType.SURVIVORS)} == {1}
    world.connect("org-4")
    world.run()
    world.play()
    assert [total.contributors for total in world.sums()] == [ALL, ALL]


def survivors_round(data: bytes) -> int:
    """Of which round the survivors are."""
    return Survivors.decode(open_envelope(data)).round


def test_a_next_setup_without_a_member_of_the_cohort_fails_by_name() -> None:
    world = strict_world()
    world.open()
    world.play()
    world.aggregator.close("over", world.now)
    world.new_attempt()
    world.join(*ALL[:4])
    world.run()
    world.tick(1000)
    assert world.failures() == ["strict: every sum is over one cohort, and org-4 is away"]


def test_a_member_that_fell_before_the_first_confirm_stays_outside() -> None:
    world = strict_world()
    world.open()
    world.begin()
    world.run(until=lambda: bool(world.events_of("org-4", RoundRequested)))
    world.disconnect("org-4")
    world.run()
    world.connect("org-4")
    world.run()
    world.play()
    assert [total.contributors for total in world.sums()] == [ALL[:4], ALL[:4]]


def test_a_session_that_lacks_a_member_of_an_earlier_run_is_left() -> None:
    world = World(5)
    world.cohorts = {"org-0": {COUNTS: [("org-0", "org-1", "org-9")]}}
    world.open()
    (closed,) = world.events_of("org-0", SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "summed with org-9, who is not in this session" in closed.reason


def test_a_cohort_confirmed_in_another_run_binds_this_one() -> None:
    world = strict_world()
    world.cohorts = {"org-2": {COUNTS: [ALL[:4]]}}
    world.open()
    world.play()
    (refused,) = world.events_of("org-2", RoundRefused)
    assert isinstance(refused, RoundRefused)
    assert "org-4" in refused.reason
    assert not world.sums()


def test_without_a_family_nothing_is_recorded_or_refused() -> None:
    world = World(5)
    world.open()
    world.play()
    world.disconnect("org-4")
    world.play()
    assert [total.contributors for total in world.sums()] == [ALL, ALL[:4]]
    assert not any(world.events_of(member, CohortConfirmed) for member in ALL)


def test_the_charge_reaches_members_and_receipts() -> None:
    world = World(3)
    world.open()
    world.begin(charge=b'{"mechanism":"none"}')
    world.run()
    (requested,) = world.events_of("org-0", RoundRequested)
    assert isinstance(requested, RoundRequested)
    assert requested.charge == b'{"mechanism":"none"}'
    receipt = Receipt.decode(open_envelope(world.sums()[0].receipt))
    assert receipt.charge == requested.charge


def test_a_receipt_with_another_charge_is_refused() -> None:
    world = World(3)
    world.open()
    world.lie_to(["org-1"], Receipt, lambda receipt: dataclasses.replace(receipt, charge=b"free"))
    world.play()
    assert not world.events_of("org-1", RoundClosed)
    assert any("another charge" in text for member, text in world.errors if member == "org-1")


def test_a_charge_above_its_limit_is_refused_here() -> None:
    world = World(3)
    world.open()
    with pytest.raises(InputError, match="4096"):
        world.begin(charge=bytes(5000))
