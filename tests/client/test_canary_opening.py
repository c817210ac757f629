"""Canaries of a private run, opened after it: over the real channel, for one candidate, and what they show of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headwater.agreement.plan import Plan
from headwater.audit.canaries.commitment import CanarySecret
from headwater.canonical import sha256_hex
from headwater.contribution.canaries import CanarySeed, plant_canaries
from headwater.errors import OutOfOrder, PeerError, ReleaseRefused
from headwater.evidence.candidate import Candidate
from headwater.evidence.candidate_file import pack_candidate
from headwater.evidence.measure import Measure
from headwater.evidence.terms import AuditTerms
from headwater.flower_bundle import bundle_sha256
from headwater.schema.conform import load_table
from headwater.schema.table import Table
from headwater_client import Organisation
from headwater_client.canary_opening import check_opened_for
from headwater_client.membership import Membership
from headwater_client.transport.releases import ReleasesClient
from headwater_server.releasing.canaries import OpenedCanaries, commitments_of, measure_opened
from headwater_server.storage import RunState
from support.private import private_plan
from support.recipes import small_plan, small_table
from support.rpc import shared_loop
from support.served import ServedCoordinator, coordinate, organise

RUN = "0a" * 16
CANARIES = 480


class World:
    """Three organisations that approved a run with canaries, and committed to them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.coordinator = ServedCoordinator(folder / "coordinator", shared_loop())
        self.storage = self.coordinator.storage
        self.homes = {f"org-{number}": folder / f"org-{number}" for number in (1, 2, 3)}
        for member, home in self.homes.items():
            self.coordinator.enrol(member, home)
        assert coordinate("charter", "propose", home=self.coordinator.home.folder).exception is None
        proposed = self.storage.charter()
        assert proposed is not None
        self.charter = proposed.charter
        audit = AuditTerms.model_validate({"policy": "demo", "settings": {"canaries": CANARIES}})
        document = plan.model_dump(by_alias=True) | {"audit": audit, "stub_sha256": bundle_sha256()}
        self.plan = Plan.model_validate(document)
        for home in self.homes.values():
            assert organise("charter", "accept", "--digest", self.charter.digest, home=home).exception is None
        self.coordinator.propose(self.plan, RUN, self.charter.digest)
        for home in self.homes.values():
            with Organisation.open(home) as organisation:
                organisation.approve(RUN, self.plan.digest)

    def secret(self, member: str) -> CanarySecret:
        membership = Membership.open(self.homes[member])
        kept = membership.store.canary_secret(RUN)
        membership.store.close()
        assert kept is not None
        return kept

    def finish(self, table: Table) -> str:
        """End the run with this candidate; its digest."""
        digest = sha256_hex(pack_candidate(table))
        for state in (RunState.STARTING, RunState.RUNNING):
            self.storage.move_run(RUN, state)
        self.storage.set_result(RUN, {"candidate": digest})
        self.storage.move_run(RUN, RunState.FINISHED)
        return digest

    def open(self, member: str) -> list[str]:
        with Organisation.open(self.homes[member]) as organisation:
            return list(organisation.open_canaries())

    def measured(self, table: Table) -> OpenedCanaries:
        return measure_opened(self.storage, RUN, self.plan, self.charter, Candidate(table))

    def remembered(self) -> Table:
        """A candidate that holds every planted copy of every organisation."""
        rows = [small_table(300, seed=9)]
        for member in self.homes:
            seed = CanarySeed(self.secret(member).secret, RUN, 3)
            planted = plant_canaries(rows[0], self.plan, seed)
            assert planted is not None
            rows.append(planted.training_rows)
        return Table.concat(rows)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, private_plan(3.0))
    yield made
    made.coordinator.close()


def by_name(measures: tuple[Measure, ...]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def test_opened_canaries_show_what_a_candidate_remembers(world: World) -> None:
    table = world.remembered()
    assert world.open("org-1") == []
    digest = world.finish(table)
    assert world.measured(table) == OpenedCanaries((), ("org-1", "org-2", "org-3"))
    assert [world.open(member) for member in ("org-1", "org-2")] == [[RUN], [RUN]]
    assert world.measured(table).missing == ("org-3",)
    # Whoever looks at the run or at its releases reads who it is and what to do, before the gate is asked.
    for command in (("run", "status", RUN[:8]), ("releases",)):
        told = coordinate(*command, home=world.coordinator.home.folder).output
        assert "Canaries not opened by org-3: G2 and G3 are without them." in told, told
        assert "headwater-org release open-canaries" in told
    assert world.open("org-3") == [RUN]
    assert world.open("org-3") == []
    assert f"{RUN}  finished; plan " in coordinate("run", "list", home=world.coordinator.home.folder).output
    for command in (("run", "status", RUN[:8]), ("releases",)):
        assert "not opened" not in coordinate(*command, home=world.coordinator.home.folder).output
    found = world.measured(table)
    assert found.missing == ()
    # Whoever has the openings computes the same.
    assert world.measured(table) == found
    measures = by_name(found.measures)
    exposure, control = measures["canaries.exposure"], measures["canaries.control"]
    assert exposure.p_value is not None
    assert exposure.p_value < 1e-6
    assert control.p_value is not None
    assert control.p_value > 1e-3
    one_run = measures["canaries.one-run"]
    assert one_run.value is not None
    assert one_run.value > 0.5
    assert one_run.details["delta"] == world.plan.privacy.delta  # type: ignore[union-attr]
    assert {each.candidate for each in world.storage.canary_openings(RUN)} == {digest}
    assert len(commitments_of(world.storage, RUN)) == 3


def test_canaries_say_nothing_of_a_candidate_that_does_not_know_them(world: World) -> None:
    table = small_table(400, seed=9)
    world.finish(table)
    for member in world.homes:
        world.open(member)
    exposure = by_name(world.measured(table).measures)["canaries.exposure"]
    assert exposure.p_value is not None
    assert exposure.p_value > 1e-3


def test_nothing_is_opened_before_the_run_is_over_or_for_another_candidate(world: World) -> None:
    table = small_table(50)
    membership = Membership.open(world.homes["org-1"])
    try:
        with membership.channel() as channel:
            client = ReleasesClient(channel)
            assert client.candidate(RUN) == ""
            with pytest.raises(OutOfOrder, match="no candidate yet"):
                client.open_canaries(RUN, "00" * 32, world.secret("org-1"))
            digest = world.finish(table)
            assert client.candidate(RUN) == digest
            with pytest.raises(PeerError, match="for another candidate"):
                client.open_canaries(RUN, "00" * 32, world.secret("org-1"))
            for wrong in (world.secret("org-2"), replace(world.secret("org-1"), salt=bytes(32))):
                with pytest.raises(PeerError, match="opened another secret"):
                    client.open_canaries(RUN, digest, wrong)
    finally:
        membership.store.close()
    assert not world.storage.canary_openings(RUN)


def test_a_release_of_other_rows_than_canaries_were_opened_for_is_refused(world: World) -> None:
    table = small_table(50, seed=9)
    world.finish(table)
    world.open("org-1")
    membership = Membership.open(world.homes["org-1"])
    try:
        # As a release has the rows: through the file.
        check_opened_for(membership.store, RUN, world.plan, load_table(table.to_arrow(), world.plan.schema_))
        with pytest.raises(ReleaseRefused, match="may have known the canaries"):
            check_opened_for(membership.store, RUN, world.plan, table.take(np.arange(49)))
        # The candidate that was opened for stays, whatever is named later.
        assert membership.store.keep_opening(RUN, "ab" * 32) == sha256_hex(pack_candidate(table))
    finally:
        membership.store.close()


def test_without_a_budget_the_secret_never_leaves(tmp_path: Path) -> None:
    world = World(tmp_path, small_plan("marginals", 1))
    try:
        world.finish(small_table(50))
        assert [world.open(member) for member in world.homes] == [[], [], []]
        assert organise("release", "open-canaries", home=world.homes["org-1"]).output.strip() == "Nothing to open."
    finally:
        world.coordinator.close()
