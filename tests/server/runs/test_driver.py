"""A run is driven to its one end: finished, failed with a reason, or stopped; never a hang."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from headwater.errors import OutOfOrder
from headwater.generator.bundle import Bundle
from headwater.generator.sampler import read_sampler
from headwater.recipe.machine import build_recipe
from headwater_server.runs import driver as driver_module
from headwater_server.sampling.source import bundle_of, result_of
from headwater_server.services.hub import AggregationHub
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.storage import RunState
from support.run_world import RUN, RunWorld

KINDS = ["setup", "ready", "histograms", "marginals", "fit", "update", "merge"]
OVER = "no session opens any more: "


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunWorld]:
    made = RunWorld(tmp_path)
    yield made
    made.storage.close()


def hub(speed: float = 1.0) -> AggregationHub:
    """A hub whose clock runs this many times as fast."""
    return AggregationHub(now=lambda: time.monotonic() * speed)


async def run(world: RunWorld, *, speed: float = 1.0, **changes: dict[str, Any]) -> list[str]:
    """Drive the run with everybody; what members heard in the end."""
    meeting = hub(speed)
    members = [world.member(name, **changes.get(name.replace("-", "_"), {})) for name in world.consortium.keys]
    async with world.taking_part(meeting, *members) as parts:
        await world.driver(meeting).drive()
        left = {name for name in changes if "leaves_at" in changes[name]}
        await asyncio.gather(*parts)
    return [member.over for member in members if member.member.replace("-", "_") not in left]


def test_a_run_of_three_finishes_with_the_generator_of_plain_sums_and_a_history(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, kind="hybrid")
    heard = asyncio.run(run(world))
    assert world.storage.run_state(RUN) is RunState.FINISHED
    assert heard == [f"{OVER}the run is finished"] * 3
    assert [kind for kind in world.kinds if kind in KINDS] in (KINDS, [*KINDS[:4], "marginals", *KINDS[4:]])
    result = world.storage.result(RUN)
    assert result is not None
    assert (result["organisations"], result["privacy"]) == (3, "none")
    assert result["protection"] == "no protection against differencing"
    folder = world.home.runs / RUN
    assert bundle_of(world.home, RUN, result_of(world.storage, RUN)).encoding.schema == world.plan.schema_
    assert (folder / "health.svg").read_text().count("<svg") == 1
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert lines == [dict(record) for _, record in world.storage.progress(RUN)]
    # protocol 2.5: masked and plain sums are bit-identical, and so is all that follows from them.
    done = drive(build_recipe(world.plan), LocalEngine(list(world.rows.values()), world.plan), Silent(), Cost())
    assert Bundle(read_sampler(done.model), done.encoding).digest == result["generator_digest"]
    world.storage.close()


@pytest.mark.usefixtures("in_outline")
def test_a_run_that_is_not_finished_has_no_generator(world: RunWorld) -> None:
    with pytest.raises(OutOfOrder, match="is starting; only a finished run has a generator"):
        result_of(world.storage, RUN)


@pytest.mark.usefixtures("in_outline")
def test_flower_invites_while_the_run_lasts_and_no_longer(world: RunWorld) -> None:
    asyncio.run(run(world))
    assert (world.flower.started, world.flower.stopped) == ([RUN], [1])


@pytest.mark.usefixtures("in_outline")
def test_a_run_goes_on_while_flower_is_away(world: RunWorld) -> None:
    world.flower.away = True
    asyncio.run(run(world))
    assert world.storage.run_state(RUN) is RunState.FINISHED


@pytest.mark.usefixtures("in_outline")
def test_four_finish_when_one_leaves_before_its_upload(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, members=4)
    asyncio.run(run(world, speed=50.0, org_2={"leaves_at": 2}))
    assert world.storage.run_state(RUN) is RunState.FINISHED
    result = world.storage.result(RUN)
    assert result is not None
    assert result["organisations"] == 3
    dropped = [record for _, record in world.storage.progress(RUN) if record["kind"] == "dropped"]
    assert {record["member"] for record in dropped} == {"org-2"}
    world.storage.close()


@pytest.mark.usefixtures("in_outline")
def test_a_coordinator_that_was_restarted_goes_on_where_it_was(world: RunWorld) -> None:
    async def interrupted() -> None:
        meeting = hub()
        members = [world.member(name) for name in world.consortium.keys]
        async with world.taking_part(meeting, *members):
            driving = asyncio.create_task(world.driver(meeting).drive())
            while "marginals" not in world.kinds:
                await asyncio.sleep(0.01)
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await meeting.close()
        assert world.storage.run_state(RUN) is RunState.RUNNING
        assert not any(member.over for member in members)
        second = hub()
        # Organisations keep what is durable at them: the attempt and the last receipt (protocol 3.5).
        async with world.taking_part(second, *members):
            await world.driver(second).drive()

    asyncio.run(interrupted())
    assert world.storage.run_state(RUN) is RunState.FINISHED
    steps = [kind for kind in world.kinds if kind in KINDS[2:]]
    assert steps.count("histograms") == 1
    assert steps[-1] == "fit"
    sums = [entry for entry in world.storage.round_entries(RUN) if entry.kind == "sum"]
    assert len(sums) == steps.count("histograms") + steps.count("marginals") + steps.count("update")


def test_a_run_that_nobody_joins_fails_with_a_reason(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, setup_seconds=1.0)
    asyncio.run(world.driver(hub(speed=100.0)).drive())
    assert world.storage.run_state(RUN) is RunState.FAILED
    assert "setup of run" in world.detail
    assert world.kinds.count("setup") == 8
    assert world.kinds[-1] == "failed"
    world.storage.close()


def test_a_run_without_enough_approvals_fails_before_anything_is_asked(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, members=4, approve=2)
    asyncio.run(world.driver(hub()).drive())
    assert world.storage.run_state(RUN) is RunState.FAILED
    assert "2 organisations approved" in world.detail
    assert world.detail.endswith("waiting for org-3, org-4")
    assert world.kinds == ["failed"]
    world.storage.close()


def test_a_bug_in_the_fit_ends_the_run_and_tells_no_more_than_its_kind(
    world: RunWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a row's value")

    monkeypatch.setattr(driver_module, "execute", broken)
    heard = asyncio.run(run(world))
    assert world.storage.run_state(RUN) is RunState.FAILED
    assert world.detail == "an error inside the coordinator (ZeroDivisionError); its log says where"
    assert heard == [f"{OVER}the run failed: {world.detail}"] * 3


@pytest.mark.usefixtures("in_outline")
def test_a_disk_that_takes_nothing_pauses_the_run_and_the_next_driver_goes_on(world: RunWorld) -> None:
    (world.home.runs / RUN).write_text("a file where the run's folder should be")

    async def twice() -> list[str]:
        meeting = hub()
        members = [world.member(name) for name in world.consortium.keys]
        async with world.taking_part(meeting, *members) as parts:
            with capture_logs() as logs:
                await world.driver(meeting).drive()
            (line,) = [entry for entry in logs if entry["event"] == "run_paused"]
            assert "cannot be written" in line["reason"]
            assert world.storage.run_state(RUN) is RunState.RUNNING
            assert not any(member.over for member in members)
            (world.home.runs / RUN).unlink()
            await world.driver(meeting).drive()
            await asyncio.gather(*parts)
        return [member.over for member in members]

    assert asyncio.run(twice()) == [f"{OVER}the run is finished"] * 3
    assert world.storage.run_state(RUN) is RunState.FINISHED
    lines = [json.loads(line) for line in (world.home.runs / RUN / "progress.jsonl").read_text().splitlines()]
    assert lines == [dict(record) for _, record in world.storage.progress(RUN)]


@pytest.mark.usefixtures("in_outline")
def test_a_stopped_run_is_over_for_its_members(world: RunWorld) -> None:
    async def stopped() -> list[str]:
        meeting = hub()
        members = [world.member(name) for name in world.consortium.keys]
        async with world.taking_part(meeting, *members) as parts:
            driving = asyncio.create_task(world.driver(meeting).drive())
            while "ready" not in world.kinds:
                await asyncio.sleep(0.01)
            world.storage.move_run(RUN, RunState.STOPPING)
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await asyncio.gather(*parts)
        return [member.over for member in members]

    assert asyncio.run(stopped()) == [f"{OVER}the operator stopped the run"] * 3
