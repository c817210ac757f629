"""Protocol 7, item 7: members that the coordinator added, and setups shrunk below what 1.2 allows."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.events import SessionClosed
from headwater.secagg.protocol.terms import cohort_problem, largest_collusion
from headwater.secagg.wire.messages import Session
from support.lies import KIND, VICTIM
from support.network import World, kind_of


@pytest.mark.parametrize("count", [3, 4])
def test_a_session_shrunk_below_what_bears_the_colluders_is_refused(count: int) -> None:
    world = World(5, colluders=2)
    world.lie_to([VICTIM], Session, lambda session: dataclasses.replace(session, accepts=session.accepts[:count]))
    world.open()
    (closed,) = world.events_of(VICTIM, SessionClosed)
    assert isinstance(closed, SessionClosed)
    assert "bear at most 1 colluding" in closed.reason


def test_a_required_member_must_take_part() -> None:
    world = World(4)
    world.join(*world.names[1:])
    terms = world.terms(1)
    picky = Participant(world.roster, terms, "org-1", world.identity["org-1"], required_members=["org-0"])
    world.participants["org-1"] = picky
    world.run()
    world.tick(60)
    world.run()
    assert world.events_of("org-1", SessionClosed) == [SessionClosed("this organisation takes no part without org-0")]


def test_the_final_number_of_members_decides_on_collusion() -> None:
    # protocol 1.2: five members bear c = 2, four do not, though the minimum cohort would allow them.
    world = World(5, colluders=2)
    world.join(*world.names[:4])
    world.run()
    world.tick(60)
    world.run()
    assert world.failures() == ["the setup failed: 4 members bear at most 1 colluding ones, the plan allows for 2"]


BEARABLE = {3: 1, 4: 1, 5: 2, 6: 3, 7: 2, 8: 3, 9: 4, 10: 3, 20: 7, 50: 17, 100: 33, 200: 67}
"""protocol 1.2's table, copied from there: members → the largest c."""


@pytest.mark.parametrize("members", BEARABLE)
def test_the_table_of_bearable_collusion_is_the_protocols(members: int) -> None:
    bearable = BEARABLE[members]
    assert largest_collusion(members) == bearable
    assert cohort_problem(members, 3, bearable) is None
    assert cohort_problem(members, 3, bearable + 1) is not None


@pytest.mark.parametrize("colluders", [1, 2, 3])
@pytest.mark.parametrize("shown", range(2, 11))
def test_a_setup_shrunk_to_any_number_is_refused_exactly_by_the_table(shown: int, colluders: int) -> None:
    world = World(10, colluders=colluders)
    world.lie_to([VICTIM], Session, lambda session: dataclasses.replace(session, accepts=session.accepts[:shown]))
    world.open()
    closed = world.events_of(VICTIM, SessionClosed)
    if shown in BEARABLE and BEARABLE[shown] >= colluders:
        assert closed == []
        return
    (event,) = closed
    assert isinstance(event, SessionClosed)
    assert event.reason == f"the session may not begin: {cohort_problem(shown, 3, colluders)}"


@pytest.mark.parametrize("honest_digest", [True, False])
def test_members_that_the_coordinator_added_get_into_nobodys_session(honest_digest: bool) -> None:
    # The coordinator's own charter has two members more, whose keys it holds; it shows the true digest or its own.
    world = World(3)
    pinned = world.roster
    added = {name: Ed25519PrivateKey.generate() for name in ("mal-1", "mal-2")}
    keys = {name: key.public_key().public_bytes_raw() for name, key in added.items()}
    forged = dataclasses.replace(
        pinned, members={**pinned.members, **keys}, charter_digest=bytes(range(32)) if honest_digest else b"f" * 32
    )
    world.aggregator = Aggregator(forged, world.terms(1), world.coordinator_key, now=0.0)
    world.join()
    for name, key in added.items():
        world.participants[name] = Participant(forged, world.terms(1), name, key)
        world.connect(name)
    world.run()
    world.tick(60)
    world.run()
    for name in world.names:
        closed = [event.reason for event in world.events_of(name, SessionClosed) if isinstance(event, SessionClosed)]
        if honest_digest:
            assert closed == ["a Hello comes from 'mal-1', who is not a member of the charter"]
        else:
            # Every signature of the setup is bound to the charter, so not even the invitation is taken.
            assert (name, INVITED_ELSEWHERE) in world.errors
    assert not any(kind_of(data) in (KIND.START, KIND.ACCEPT) for who, _, data in world.traffic if who in world.names)


INVITED_ELSEWHERE = "an INVITATION message of the coordinator has a signature that is not theirs for this session"
