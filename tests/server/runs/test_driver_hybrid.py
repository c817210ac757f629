"""A hybrid on a mixture over the coordinator's own driver: to its end, and from its records after a restart."""

import asyncio
import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from headwater.generator.bundle import Bundle
from headwater.generator.sampler import read_sampler
from headwater.recipe.machine import build_recipe
from headwater_server.cli.watching import describe, follow
from headwater_server.services.hub import AggregationHub
from headwater_server.simulation.driving import Cost, LocalEngine, Silent, drive
from headwater_server.storage import RunState
from support.refined import HYBRID_PLAN
from support.run_world import RUN, RunWorld

pytestmark = pytest.mark.usefixtures("in_outline")

RECIPE = HYBRID_PLAN.recipe.model_copy(
    update={
        # One round: no earlier one can be asked.
        "rounds": 1,
        "mixture": HYBRID_PLAN.recipe.mixture.model_copy(update={"rows_per_component": (100,), "rounds": 2}),
    }
)
STEPS = ["refine", "update", "merge", "evaluate", "judge"]


def test_a_restarted_coordinator_ends_a_hybrid_with_the_generator_of_plain_sums(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, recipe=RECIPE)

    async def interrupted() -> None:
        meeting = AggregationHub(now=time.monotonic)
        members = [world.member(name) for name in world.consortium.keys]
        async with world.taking_part(meeting, *members):
            driving = asyncio.create_task(world.driver(meeting).drive())
            while "update" not in world.kinds:
                await asyncio.sleep(0.01)
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await meeting.close()
        assert world.storage.run_state(RUN) is RunState.RUNNING
        second = AggregationHub(now=time.monotonic)
        async with world.taking_part(second, *members):
            await world.driver(second).drive()

    asyncio.run(interrupted())
    assert world.storage.run_state(RUN) is RunState.FINISHED
    assert [kind for kind in world.kinds if kind in STEPS] == STEPS
    result = world.storage.result(RUN)
    assert result is not None
    done = drive(build_recipe(world.plan), LocalEngine(list(world.rows.values()), world.plan), Silent(), Cost())
    # What was recomputed from stored sums is what was never interrupted.
    assert Bundle(read_sampler(done.model), done.encoding).digest == result["generator_digest"]
    records = {str(record["kind"]): record for _, record in world.storage.progress(RUN)}
    assert all(describe(records[kind]) for kind in STEPS)
    assert "judgement" in describe(records["judge"])
    shown = io.StringIO()
    follow(world.storage, RUN, Console(file=shown, width=40), lambda: False)
    *lines, last = shown.getvalue().splitlines()
    assert sum("mixture, rung" in line for line in lines) == 1
    assert last.startswith(f"run {RUN} finished: the generator is ready to be released; recipe hybrid: ")
    assert last.endswith(f"{result['released']}; NOT DIFFERENTIALLY PRIVATE")
    world.storage.close()
