"""Protocol 7, item 8 (4.10): sums over cohorts that differ by one member, published or finished in secret."""

import dataclasses

import numpy as np
import pytest

from headwater.agreement.differencing import protection_words
from headwater.secagg import Participant
from headwater.secagg.protocol.events import CohortConfirmed, RoundClosed, RoundRefused, RoundSummed, SessionClosed
from headwater.secagg.protocol.families import Family
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Abort, Receipt, Survivors
from support.lies import KIND, VICTIM
from support.network import World, kind_of

COUNTS = Family("counts/main/train")
UPDATES = Family("updates/main/run-1", 3)


def confirming_world(count: int, family: Family | None, strict: bool = True) -> World:
    """A world whose members record the cohorts of a family; the coordinator keeps to it too when `strict`."""
    world = World(count, rounds=9, strict=strict)
    world.attempt = 0
    world.family = family
    world.new_attempt()
    return world


def tell_of_an_abort(world: World) -> None:
    """The coordinator finishes rounds in secret: it opens the sum and tells every member of an abort."""

    def tap(member: str, data: bytes) -> list[bytes]:
        if kind_of(data) is not KIND.RECEIPT:
            return [data]
        true = Receipt.decode(open_envelope(data))
        return [world.forge(Abort(true.sid, true.round, true.rho, "reveal", (), "it broke", (), (), true.previous))]

    world.to_member = tap


def test_a_round_finished_in_secret_cannot_be_retried_without_one_member() -> None:
    world = confirming_world(5, COUNTS, strict=False)
    world.open()
    tell_of_an_abort(world)
    world.play()
    # The coordinator holds the sum of five, and every member believes that there is none.
    assert [total.contributors for total in world.sums()] == [tuple(world.names)]
    for name in world.names:
        (closed,) = world.events_of(name, RoundClosed)
        assert isinstance(closed, RoundClosed)
        assert closed.reason == "it broke"
    # The retry without org-4 would show org-4's vector as a difference.
    world.to_member = lambda member, data: [data]
    forked = [world.forge(abort_of(world))]
    world.chain[:] = forked
    world.new_attempt()
    for name in world.names:
        world.join(name, last_receipt=world.documents_of(name)[-1])
    world.run()
    world.vectors.pop("org-4")
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    for name in world.names[:4]:
        refused = world.events_of(name, RoundRefused)[-1]
        assert isinstance(refused, RoundRefused)
        assert refused.reason.startswith("differencing: the family 'counts/main/train' was summed over another cohort")
        assert "org-4" in refused.reason
    assert len(world.sums()) == 1


def abort_of(world: World) -> Abort:
    """The abort that members were told of instead of the last receipt."""
    true = Receipt.decode(open_envelope(world.sums()[-1].receipt))
    return Abort(true.sid, true.round, true.rho, "reveal", (), "it broke", (), (), true.previous)


def test_a_victim_that_is_never_asked_to_confirm_is_protected_by_those_who_were() -> None:
    # T confirmers open a sum with the victim's vector in it although the victim recorded nothing.
    world = confirming_world(5, COUNTS, strict=False)
    world.open()
    world.to_member = lambda member, data: [] if member == VICTIM and kind_of(data) is KIND.SURVIVORS else [data]
    world.begin()
    world.run()
    world.tick(30)
    world.run()
    assert [total.contributors for total in world.sums()] == [tuple(world.names)]
    assert world.events_of(VICTIM, CohortConfirmed) == []
    world.to_member = lambda member, data: [data]
    world.vectors.pop("org-4")
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    # The victim alone would have confirmed; three of four is no quorum, and three refused by name.
    assert len(world.sums()) == 1
    refused = [name for name in world.names if world.events_of(name, RoundRefused)]
    assert refused
    assert VICTIM not in refused


@pytest.mark.parametrize("after", ["same run", "next session", "other run"])
def test_one_way_counts_over_another_cohort_than_two_way_counts_are_refused(after: str) -> None:
    # One family: whatever is counted on the same table and split. The later Task is another, the cohort smaller.
    world = confirming_world(5, COUNTS, strict=False)
    world.open()
    world.play(task=b'{"kind":"marginals"}')
    assert len(world.sums()) == 1
    if after != "same run":
        chain = [] if after == "other run" else world.chain
        other = confirming_world(5, COUNTS, strict=False)
        other.identity, other.coordinator_key, other.roster = world.identity, world.coordinator_key, world.roster
        other.cohorts, other.chain = world.cohorts, chain
        other.attempt = world.attempt if chain else 0
        other.new_attempt()
        for name in other.names:
            other.join(name, last_receipt=chain[-1] if chain else None)
        other.run()
        world = other
    before = len(world.sums())
    world.vectors.pop("org-4")
    world.begin(task=b'{"kind":"histograms"}')
    world.run()
    world.tick(600)
    world.run()
    assert len(world.sums()) == before
    for name in world.names[:4]:
        refused = world.events_of(name, RoundRefused)[-1]
        assert isinstance(refused, RoundRefused)
        assert "differencing" in refused.reason


def test_a_session_with_other_members_is_left_before_any_vector() -> None:
    world = confirming_world(5, COUNTS)
    world.cohorts = {VICTIM: {COUNTS: [("org-0", VICTIM, "org-2", "org-7")]}}
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "summed with org-7, who is not in this session" in closed.reason


def test_an_update_run_bears_a_change_of_three_and_refuses_one_of_one() -> None:
    world = confirming_world(10, UPDATES, strict=False)
    world.open()
    for name in world.names[7:]:
        world.disconnect(name)
    world.play()
    for name in world.names[7:]:
        world.connect(name)
    world.run()
    world.play()
    assert [len(total.contributors) for total in world.sums()] == [7, 10]
    world.disconnect("org-0")
    world.play()
    assert len(world.sums()) == 2
    assert any("differencing" in abort.reason and "org-0" in abort.reason for abort in world.aborts())


def test_a_coordinator_that_calls_a_confirmed_member_dropped_is_refused_by_all_who_confirmed_it() -> None:
    world = confirming_world(5, COUNTS)
    world.open()
    world.play()
    world.lie_to(
        world.names[:4],
        Survivors,
        lambda survivors: dataclasses.replace(survivors, uploads=survivors.uploads[:4]),
    )
    world.play()
    assert len(world.sums()) == 1
    assert sum(len(world.events_of(name, RoundRefused)) for name in world.names[:4]) == 4


def test_three_round_differencing_works_under_continue_and_its_results_say_so() -> None:
    # What the plan's word warns of, shown to be true: two sums over cohorts that differ by one member give its vector.
    world = confirming_world(5, None, strict=False)
    world.open()
    world.play()
    world.disconnect("org-4")
    world.play()
    whole, without = world.sums()
    assert isinstance(whole, RoundSummed)
    np.testing.assert_array_equal(whole.vector - without.vector, world.vectors["org-4"])
    assert "no protection against differencing" in protection_words("continue")
    assert "no protection against differencing" not in protection_words("strict")


def test_a_restarted_member_is_held_to_the_cohort_on_its_record() -> None:
    world = confirming_world(5, COUNTS, strict=False)
    world.open()
    world.play()
    stored = world.cohorts[VICTIM]
    assert stored == {COUNTS: [tuple(world.names)]}
    # The process restarts with what it stored; its memory of the session is gone.
    restarted = Participant(
        world.roster, world.terms(2), VICTIM, world.identity[VICTIM], world.chain[-1], cohorts=stored
    )
    world.new_attempt()
    for name in world.names:
        world.cohorts.pop(name, None)
        world.join(name, last_receipt=world.chain[-1])
    world.participants[VICTIM] = restarted
    world.run()
    world.vectors.pop("org-4")
    world.begin()
    world.run()
    world.tick(600)
    world.run()
    (refused,) = world.events_of(VICTIM, RoundRefused)
    assert isinstance(refused, RoundRefused)
    assert "differencing" in refused.reason
