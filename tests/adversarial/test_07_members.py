"""Protocol 7, item 7: members that the coordinator added, and setups shrunk below what 1.2 allows."""

import dataclasses

import pytest

from headwater.secagg import Participant
from headwater.secagg.events import (
    SessionClosed,
)
from headwater.secagg.messages import Session
from support.lies import VICTIM
from support.network import World


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
