"""A run that ends with its audit: masked sums read as plain ones are, whoever drops out or restarts."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headwater.audit import checks as registry
from headwater.contribution import candidate as sampling
from headwater.contribution.auditing import audit_rows, count_all
from headwater.errors import StorageError
from headwater.evidence.candidate import Candidate
from headwater.recipe.machine import build_recipe
from headwater_server.cli.watching import describe
from headwater_server.runs.candidate import CANDIDATE, MEASURES, load_candidate
from headwater_server.services.hub import AggregationHub
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.storage import RunState
from support.audited import SMALL_AUDIT, FloorsCheck, only_floors
from support.private import private_plan
from support.run_world import RUN, RunWorld

pytestmark = pytest.mark.usefixtures("in_outline")


@pytest.fixture(autouse=True)
def _floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", (only_floors,))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunWorld]:
    made = RunWorld(tmp_path, audit=SMALL_AUDIT)
    yield made
    made.storage.close()


async def run(world: RunWorld, *, speed: float = 1.0, **changes: dict[str, Any]) -> None:
    meeting = AggregationHub(now=lambda: time.monotonic() * speed)
    members = [world.member(name, **changes.get(name.replace("-", "_"), {})) for name in world.consortium.keys]
    async with world.taking_part(meeting, *members) as parts:
        await world.driver(meeting).drive()
        await asyncio.gather(*parts)


def evidence(world: RunWorld) -> Any:
    return load_candidate(world.home.runs / RUN / "candidate", world.plan)


def result(world: RunWorld) -> dict[str, object]:
    assert world.storage.run_state(RUN) is RunState.FINISHED, world.detail
    found = world.storage.result(RUN)
    assert found is not None
    return dict(found)


def records(world: RunWorld) -> dict[object, dict[str, Any]]:
    return {record["kind"]: dict(record) for _, record in world.storage.progress(RUN)}


def test_a_run_s_audit_says_what_the_plain_sum_of_the_organisations_counts_says(world: RunWorld) -> None:
    asyncio.run(run(world))
    table, found = evidence(world)
    assert result(world)["candidate"] == found.candidate
    assert (found.organisations, found.failed, found.rows) == (3, "", table.rows)
    train = [audit_rows(rows, world.plan.splits)[0].train for rows in world.rows.values()]
    assert table.rows == sum(part.rows for part in train)
    (measure,) = found.measures
    first = sum(int((part.columns["floor"] == 0).sum()) for part in train)
    assert (measure.check, measure.tally) == ("floors", (first, table.rows))
    # protocol 2.5: masked and plain sums are bit-identical.
    done = drive(build_recipe(world.plan), LocalEngine(list(world.rows.values()), world.plan), Silent(), Cost())
    assert done.audit is not None
    assert done.audit.candidate == (world.home.runs / RUN / "candidate" / CANDIDATE).read_bytes()
    kept = [entry for entry in world.storage.round_entries(RUN) if entry.kind == "sum"][-1]
    assert json.loads(kept.data)["contributors"] == 3
    said = records(world)
    assert describe(said["audit"]).startswith("audit: 3 organisations attacked the candidate on rows that nothing used")
    assert f"{table.rows:,} rows sampled" in describe(said["candidate"])


def test_the_rest_is_summed_when_one_leaves_before_its_counts(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, members=4, audit=SMALL_AUDIT)
    rounds = build_recipe(world.plan)
    drive(rounds, LocalEngine(list(world.rows.values()), world.plan), Silent(), asked := Cost())
    asyncio.run(run(world, speed=50.0, org_2={"leaves_at": asked.sums}))
    table, found = evidence(world)
    assert found.organisations == result(world)["organisations"] == 3
    (measure,) = found.measures
    left = [rows for member, rows in world.rows.items() if member != "org-2"]
    assert measure.trials == sum(audit_rows(rows, world.plan.splits)[0].train.rows for rows in left) < table.rows
    world.storage.close()


@pytest.mark.parametrize("until", ["candidate", "audit"])
def test_a_coordinator_that_was_restarted_keeps_the_candidate_that_was_attacked(
    world: RunWorld, until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted() -> None:
        meeting = AggregationHub()
        members = [world.member(name) for name in world.consortium.keys]
        async with world.taking_part(meeting, *members):
            driving = asyncio.create_task(world.driver(meeting).drive())
            while until not in world.kinds:
                await asyncio.sleep(0.001)
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await meeting.close()
        second = AggregationHub()

        def again(*_: object, **__: object) -> None:
            raise AssertionError("the candidate was sampled twice")

        monkeypatch.setattr(sampling, "read_sampler", again)
        async with world.taking_part(second, *members):
            await world.driver(second).drive()

    asyncio.run(interrupted())
    found = evidence(world)[1]
    assert (found.organisations, found.failed, len(found.measures)) == (3, "", 1)
    assert world.kinds.count("candidate") == world.kinds.count("audit") == 1
    assert records(world)["candidate"]["sha256"] == found.candidate == result(world)["candidate"]


def test_a_generator_that_cannot_be_sampled_is_kept_and_its_audit_failed(
    world: RunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: bytes) -> None:
        raise ZeroDivisionError("a row's value")

    monkeypatch.setattr(sampling, "read_sampler", broken)
    asyncio.run(run(world))
    assert result(world)["candidate"] == "failed: sampling broke (ZeroDivisionError)"
    assert (world.home.runs / RUN / "generator").is_dir()
    table, found = evidence(world)
    assert (table, found.measures, found.candidate) == (None, (), "")
    assert "nothing can be released" in describe(records(world)["candidate"])
    assert "audit" not in world.kinds


def test_counts_that_say_nothing_fail_the_audit_and_not_the_run(
    world: RunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FloorsCheck, "count", lambda self, rows, random: np.zeros(7, np.int64))
    asyncio.run(run(world))
    assert result(world)["candidate"] == "failed: what the organisations counted says nothing: no row was counted"
    assert evidence(world)[1].measures == ()


def test_under_a_budget_the_candidate_is_kept_and_nobody_is_asked(tmp_path: Path) -> None:
    plan = private_plan()
    world = RunWorld(tmp_path, recipe=plan.recipe, privacy=plan.privacy, audit={"policy": "standard"})
    asyncio.run(run(world))
    table, found = evidence(world)
    assert (found.organisations, found.measures, found.failed) == (0, (), "")
    assert table.rows == result(world)["rows"]
    assert "audit" not in world.kinds
    assert "nothing about it is counted on real rows" in describe(records(world)["candidate"])
    world.storage.close()


def test_a_candidate_that_was_altered_on_the_disk_is_refused(world: RunWorld) -> None:
    asyncio.run(run(world))
    folder = world.home.runs / RUN / "candidate"
    data = (folder / CANDIDATE).read_bytes()
    (folder / CANDIDATE).write_bytes(data[:-1] + b"x")
    with pytest.raises(StorageError, match="altered"):
        evidence(world)
    (folder / MEASURES).write_text("{}x")
    with pytest.raises(StorageError, match="does not hold"):
        evidence(world)


def test_one_organisation_s_counts_are_what_its_own_check_counts(world: RunWorld) -> None:
    rows = next(iter(world.rows.values()))
    own, _ = audit_rows(rows, world.plan.splits)
    assert world.plan.audit != "none"
    check = FloorsCheck(Candidate(rows), world.plan.audit.settings)
    assert count_all([check], own, b"question")[:3].sum() == own.train.rows
