"""A hybrid under a budget with masks, ledgers and receipts: what it claims is what was charged, sum by sum."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from headwater.agreement.charge import plan_events
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.events import event_of
from headwater.privacy.words import rounded_up
from headwater.recipe.settings import RecipeSettings
from headwater.release.privacy_claim import PrivacyClaim
from headwater.release.replay import replay
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Receipt
from headwater_server.runs.replay import RunJournal
from headwater_server.services.hub import AggregationHub
from headwater_server.storage import BlobStore, RunState
from support.run_world import RUN, RunWorld

pytestmark = pytest.mark.usefixtures("in_outline")

STEPS = 3
RECIPE = RecipeSettings.model_validate(
    {
        "kind": "hybrid",
        "encoding": {"grid_cells": 32},
        "private": {
            "components": 2,
            "steps": 20,
            "critic": {"steps": STEPS, "width": 4, "draws": 64, "rate": 0.2},
        },
    }
)
BUDGET = Budget(epsilon=3.0, most_rows=10_000)


def test_card_receipts_and_replay_come_to_one_epsilon(tmp_path: Path) -> None:
    world = RunWorld(tmp_path, 3, recipe=RECIPE, privacy=BUDGET, setup_seconds=20.0)

    async def run() -> None:
        hub = AggregationHub(now=time.monotonic)
        async with world.taking_part(hub, *(world.member(name) for name in world.consortium.keys)):
            await world.driver(hub).drive()

    asyncio.run(run())
    assert world.storage.run_state(RUN) is RunState.FINISHED, world.detail
    result = world.storage.result(RUN)
    assert result is not None
    claim = PrivacyClaim.model_validate(result["privacy"])
    chain = RunJournal(world.storage, BlobStore(tmp_path / "blobs"), RUN).chain
    charged = [event_of(json.loads(Receipt.decode(open_envelope(data)).charge)) for data in chain]
    assert charged == list(claim.noisy_sums)
    assert [each.step for each in claim.events] == ["columns", "label", "pairs", *["critic"] * STEPS]
    assert claim.gradients == STEPS
    whole = spent(plan_events(world.plan), BUDGET.delta).epsilon
    assert claim.epsilon == rounded_up(whole) <= BUDGET.epsilon
    replayed = replay(claim)
    assert replayed.epsilon is not None
    assert rounded_up(replayed.epsilon) == claim.epsilon
    assert "critic" in str(result["released"])
    world.storage.close()
