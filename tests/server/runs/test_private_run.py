"""A run under a privacy budget: what its rounds cost is what it claims, and more than its budget it never asks for."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headwater.agreement.charge import plan_events
from headwater.errors import StorageError
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.events import NoisyCounts
from headwater.privacy.words import rounded_up
from headwater.recipe.settings import RecipeSettings
from headwater.release.privacy_claim import PrivacyClaim
from headwater.secagg.wire.envelope import open_envelope
from headwater.secagg.wire.messages import Receipt
from headwater_server.cli import app
from headwater_server.runs.budget import RunBudget
from headwater_server.runs.replay import RunJournal
from headwater_server.services.hub import AggregationHub
from headwater_server.storage import BlobStore, RoundEntry, RunState
from support.outlines import outlines
from support.run_world import RUN, RunMember, RunWorld

RECIPE = RecipeSettings.model_validate(
    {"kind": "marginals", "encoding": {"grid_cells": 32}, "private": {"components": 2, "steps": 20}}
)
BUDGET = Budget(epsilon=3.0, most_rows=10_000)


def private_world(folder: Path, *, members: int = 3, retries: int = 0) -> RunWorld:
    return RunWorld(
        folder, members, recipe=RECIPE, privacy=BUDGET.model_copy(update={"retries": retries}), setup_seconds=20.0
    )


def drive(world: RunWorld, *members: RunMember, speed: float = 1.0) -> None:
    async def run() -> None:
        hub = AggregationHub(now=lambda: time.monotonic() * speed)
        async with world.taking_part(hub, *members):
            await world.driver(hub).drive()

    with outlines():
        asyncio.run(run())


def everybody(world: RunWorld) -> list[RunMember]:
    return [world.member(name) for name in world.consortium.keys]


def claimed(world: RunWorld) -> PrivacyClaim:
    result = world.storage.result(RUN)
    assert result is not None
    return PrivacyClaim.model_validate(result["privacy"])


def kinds(world: RunWorld) -> list[str]:
    return [entry.kind for entry in entries(world) if entry.kind in ("start", "receipt", "abort")]


def with_records(folder: Path, records: Sequence[RoundEntry]) -> RunWorld:
    """A run of the same plan that left these records."""
    world = private_world(folder)
    for entry in records:
        world.storage.add_round_entry(RUN, entry)
    return world


def entries(world: RunWorld) -> Sequence[RoundEntry]:
    return world.storage.round_entries(RUN)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunWorld]:
    world = private_world(tmp_path_factory.mktemp("finished"))
    drive(world, *everybody(world))
    yield world
    world.storage.close()


def test_what_a_run_claims_is_what_its_signed_receipts_come_to(finished: RunWorld) -> None:
    """Test 22 of privacy.md: the accountant's number and the replay of the signed events are one."""
    world = finished
    assert world.storage.run_state(RUN) is RunState.FINISHED
    claim = claimed(world)
    receipts = [entry.data for entry in entries(world) if entry.kind == "receipt"]
    charges = [Receipt.decode(open_envelope(data)).charge for data in receipts]
    assert [NoisyCounts.from_document(json.loads(charge)) for charge in charges] == list(claim.noisy_sums)
    assert claim.noisy_sums == plan_events(world.plan)
    assert claim.epsilon == rounded_up(spent(claim.noisy_sums, BUDGET.delta).epsilon) <= BUDGET.epsilon
    assert [(each.round, each.step, each.completed) for each in claim.events] == [
        (1, "columns", True),
        (2, "label", True),
        (3, "pairs", True),
    ]
    assert claim.schema_confirmed
    assert claim.accountant.startswith("privacy loss distributions, dp-accounting ")
    (ready,) = [record for _, record in world.storage.progress(RUN) if record["kind"] == "ready"]
    assert str(ready["privacy"]).startswith("differentially private: at most ε = 3 at")


def test_run_status_says_what_the_run_spent_so_far(finished: RunWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("headwater_server.cli.runs.open_storage", lambda home: finished.storage)
    result = CliRunner().invoke(app, ["run", "status", RUN, "--home", str(finished.home.folder)])
    assert result.exception is None, result.exception
    assert f"privacy: of the budget of ε = 3, {claimed(finished).epsilon:g} is spent\n" in result.output


def test_an_aborted_round_that_is_not_paid_for_ends_the_run_before_anything_more_is_asked(tmp_path: Path) -> None:
    world = private_world(tmp_path, members=4)
    drive(world, *everybody(world)[:3], world.member("org-4", refuses=True))
    assert world.storage.run_state(RUN) is RunState.FAILED
    assert kinds(world) == ["start", "abort"]
    assert world.detail.startswith("1 round was begun for 0 sums, and what was begun counts as released: with the")
    assert "the budget is 3, so nothing more is asked; propose a run whose budget has retries; of the" in world.detail
    assert world.detail.endswith("is spent all the same")
    assert "\n" not in world.detail
    world.storage.close()


def test_a_run_that_falls_below_its_threshold_ends_with_what_it_spent_and_asks_nothing_more(tmp_path: Path) -> None:
    world = private_world(tmp_path)
    drive(world, *everybody(world)[:2], world.member("org-3", leaves_at=2))
    assert world.storage.run_state(RUN) is RunState.FAILED
    # The second sum was begun, so it is paid; the third was not.
    assert kinds(world) == ["start", "receipt", "start", "abort"]
    charged = RunBudget(world.plan, RunJournal(world.storage, BlobStore(world.home.blobs), RUN)).rounds
    assert [(each.step, each.completed) for each in charged] == [("columns", True), ("label", False)]
    assert tuple(each.event for each in charged) == plan_events(world.plan)[:2]
    whole = rounded_up(spent([each.event for each in charged], BUDGET.delta).epsilon)
    assert world.detail.endswith(f"of the budget of ε = 3, {whole:g} is spent all the same")
    assert "\n" not in world.detail
    assert world.storage.result(RUN) is None
    world.storage.close()


def test_an_aborted_round_that_is_paid_for_is_tried_again_and_stands_in_the_claim(tmp_path: Path) -> None:
    world = private_world(tmp_path, members=4, retries=1)
    drive(world, *everybody(world)[:3], world.member("org-4", refuses=True))
    assert world.storage.run_state(RUN) is RunState.FINISHED
    claim = claimed(world)
    assert [(each.step, each.completed) for each in claim.events] == [
        ("columns", False),
        ("columns", True),
        ("label", True),
        ("pairs", True),
    ]
    assert claim.aborted == 1
    assert claim.epsilon == rounded_up(spent(claim.noisy_sums, BUDGET.delta).epsilon) <= BUDGET.epsilon
    world.storage.close()


def test_a_round_that_a_crash_left_open_counts_after_the_restart(tmp_path: Path, finished: RunWorld) -> None:
    # As the records were in the middle of the first round.
    crashed = with_records(tmp_path, [entry for entry in entries(finished)[:5] if entry.kind in ("charge", "start")])
    assert kinds(crashed) == ["start"]
    drive(crashed, *everybody(crashed))
    assert crashed.storage.run_state(RUN) is RunState.FAILED
    assert crashed.detail.startswith("1 round was begun for 0 sums")
    assert kinds(crashed) == ["start"]
    crashed.storage.close()


def test_a_run_without_a_budget_keeps_no_charges_and_says_so(tmp_path: Path) -> None:
    world = RunWorld(tmp_path)
    drive(world, *everybody(world))
    assert "charge" not in {entry.kind for entry in entries(world)}
    result = world.storage.result(RUN)
    assert result is not None
    assert result["privacy"] == "none"
    (ready,) = [record for _, record in world.storage.progress(RUN) if record["kind"] == "ready"]
    assert ready["privacy"] == "NOT DIFFERENTIALLY PRIVATE"
    world.storage.close()


@pytest.mark.parametrize("damage", ["no charge", "no JSON", "no start"])
def test_records_that_do_not_say_what_a_round_cost_release_nothing(
    tmp_path: Path, finished: RunWorld, damage: str
) -> None:
    lost = {"no charge": "charge", "no start": "start"}.get(damage)
    kept = [entry for entry in entries(finished) if entry.kind != lost]
    if damage == "no JSON":
        kept = [RoundEntry(entry.kind, b"{" if entry.kind == "charge" else entry.data) for entry in kept]
    damaged = with_records(tmp_path, kept)
    with pytest.raises(StorageError, match="do not say what its rounds cost"):
        RunBudget(damaged.plan, RunJournal(damaged.storage, BlobStore(damaged.home.blobs), RUN)).claim()
    damaged.storage.close()
