"""A member's lost key is replaced by a threshold of the others: real command lines, gRPC, mutual TLS and databases."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from headwater.agreement.charter import Charter
from headwater.agreement.session import roster_of, terms_of
from headwater.errors import InputError, PeerError
from headwater.secagg import Aggregator, Participant
from headwater.secagg.protocol.events import RoundRequested, RoundSummed
from headwater_client import Organisation
from headwater_client.membership import Membership
from headwater_client.transport.aggregation import Contribution, participate
from headwater_server.runs.charters import agreed, charter_for_new_runs
from support.consortium import ConsortiumInMemory
from support.rpc import shared_loop
from support.served import ServedCoordinator, coordinate, organise

FIRST_RUN, SECOND_RUN = "0a" * 16, "0b" * 16


def _ones(request: RoundRequested) -> Contribution:
    return Contribution(np.ones(request.length, dtype=np.uint32))


class World:
    """A coordinator and its organisations, whose first charter all have accepted."""

    def __init__(self, folder: Path, members: int) -> None:
        self.folder = folder
        self.coordinator = ServedCoordinator(folder / "coordinator", shared_loop())
        self.homes = {f"org-{number}": folder / f"org-{number}" for number in range(1, members + 1)}
        for member, home in self.homes.items():
            self.coordinator.enrol(member, home)
        self.first = self.propose()
        self.accept(self.first, *self.homes)

    def propose(self, *options: str) -> Charter:
        """Propose a version by the command line."""
        result = coordinate("charter", "propose", *options, home=self.coordinator.folder)
        if result.exception is not None:
            raise result.exception
        newest = self.coordinator.storage.charter()
        assert newest is not None
        assert result.output.splitlines()[-1] == f"charter {newest.charter.digest}"
        assert "Next: every organisation compares this digest" in result.output
        return newest.charter

    def accept(self, charter: Charter, *members: str) -> str:
        """Accept a version by the command line at each; the last one's output."""
        output = ""
        for member in members:
            result = organise("charter", "accept", "--digest", charter.digest, home=self.homes[member])
            if result.exception is not None:
                raise result.exception
            output = result.output
        return output

    def lose_keys(self, member: str) -> None:
        """The organisation's disk is gone; it enrols anew in an empty folder."""
        shutil.rmtree(self.homes[member])
        self.homes[member] = self.folder / f"{member}-again"
        self.coordinator.enrol(member, self.homes[member])

    def in_force_at(self, member: str) -> Charter:
        """What an organisation holds to."""
        with Organisation.open(self.homes[member]) as organisation:
            return organisation.charter_in_force().charter

    def sum_of_ones(self, charter: Charter, run_id: str, members: tuple[str, ...]) -> list[int]:
        """One round of a run under a charter, each organisation by the keys of its folder."""
        plan = ConsortiumInMemory().plan()
        roster, terms = roster_of(charter, plan), terms_of(plan, run_id, 1)
        hub, loop = self.coordinator.hub, shared_loop()
        stop = threading.Event()
        with ExitStack() as stack:
            stack.callback(stop.set)
            pool = stack.enter_context(ThreadPoolExecutor(len(members)))
            aggregator = Aggregator(roster, terms, self.coordinator.home.charter_key(), now=hub.now())
            opening = hub.open_session(run_id, aggregator, members, persist=lambda _: None, observe=lambda _: None)
            session = loop.run(opening)
            for member in members:
                membership = Membership.open(self.homes[member])
                stack.callback(membership.store.close)
                channel = stack.enter_context(membership.channel())
                participant = Participant(roster, terms, member, membership.identity_key())
                pool.submit(participate, channel, run_id, participant, _ones, stop)
            assert loop.run(session.ready()).members == members
            result = loop.run(session.round(b"count", b"", 8))
            loop.run(hub.end_run(run_id, "the recipe is done"))
        assert isinstance(result, RoundSummed)
        return [int(value) for value in result.vector]

    def close(self) -> None:
        self.coordinator.close()


@pytest.fixture
def four(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, 4)
    yield world
    world.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, 3)
    yield world
    world.close()


def test_three_of_four_members_replace_the_key_that_the_fourth_lost(four: World) -> None:
    plan = ConsortiumInMemory().plan()
    four.coordinator.propose(plan, FIRST_RUN, four.first.digest)
    four.lose_keys("org-4")
    second = four.propose()
    assert (second.version, second.previous) == (2, four.first.digest)
    shown = organise("charter", "show", home=four.homes["org-1"]).output
    assert "ORG-4 (org-4) has another key" in shown
    assert "0 of the 4 members of version 1 have signed version 2; it is not in force yet: 3 more of" in shown.lower()

    # One below the threshold, the newcomer's own key included: version 1 stays in force for everybody.
    four.accept(second, "org-1", "org-2", "org-4")
    assert charter_for_new_runs(four.coordinator.storage) == four.first
    assert four.in_force_at("org-1") == four.first
    assert "1 more of org-3, org-4 must" in coordinate("charter", "show", home=four.coordinator.folder).output

    assert "3 of the 4 members of version 1 have signed version 2, 3 had to: it is in force" in four.accept(
        second, "org-3"
    )
    assert charter_for_new_runs(four.coordinator.storage) == second
    assert {four.in_force_at(member) == second for member in four.homes} == {True}
    shown = coordinate("charter", "show", home=four.coordinator.folder).output
    assert shown.splitlines()[-1] == f"charter {second.digest}"
    # What was proposed under version 1 stands under it to its end.
    assert agreed(four.coordinator.storage, FIRST_RUN)[1] == four.first

    members = tuple(four.homes)
    assert four.sum_of_ones(second, SECOND_RUN, members) == [4] * 8


def test_the_member_with_a_new_key_has_no_part_in_what_the_former_charter_named(four: World) -> None:
    plan = ConsortiumInMemory().plan()
    four.coordinator.propose(plan, FIRST_RUN, four.first.digest)
    four.lose_keys("org-4")
    membership = Membership.open(four.homes["org-4"])
    with pytest.raises(InputError, match="no member 'org-4' with this identity key"):
        Participant(roster_of(four.first, plan), terms_of(plan, FIRST_RUN, 1), "org-4", membership.identity_key())
    membership.store.close()
    with Organisation.open(four.homes["org-4"]) as organisation:
        with pytest.raises(PeerError, match="gives 'org-4' another key"):
            organisation.charter()
        second = four.propose()
        organisation.accept_charter(second.digest)
    four.accept(second, "org-1", "org-2", "org-3")
    with Organisation.open(four.homes["org-4"]) as organisation, pytest.raises(InputError, match="version 1"):
        organisation.approve(FIRST_RUN, plan.digest)


def test_with_three_members_a_lost_key_cannot_be_replaced_and_the_operator_is_told(three: World) -> None:
    three.lose_keys("org-3")
    with pytest.raises(InputError, match="could never come in force: 3 of the 3 members of version 1 must sign it"):
        three.propose()
    assert charter_for_new_runs(three.coordinator.storage) == three.first


def test_a_member_leaves_and_never_comes_back_by_an_older_version(four: World) -> None:
    second = four.propose("--remove", "org-4")
    assert "You are not a member of this version" in organise("charter", "show", home=four.homes["org-4"]).output
    four.accept(second, "org-4", "org-1", "org-2")
    assert four.in_force_at("org-3") == second
    # An older database is put back under a coordinator that serves: version 1 alone, signed as it was.
    with sqlite3.connect(four.coordinator.folder / "state.db") as connection:
        connection.execute("DELETE FROM charters WHERE version = 2")
    connection.close()
    for command in (("show",), ("accept", "--digest", four.first.digest)):
        refused = organise("charter", *command, home=four.homes["org-3"]).exception
        assert isinstance(refused, PeerError)
        assert "rolled back: the coordinator shows version 1 as the newest, version 2 is in force here" in str(refused)
