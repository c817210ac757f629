"""`release` of a run that was driven: what is published says of differential privacy what the run's rounds come to."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit
import typer
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

import headwater_server.cli.release as command
from headwater.errors import ReleaseRefused
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeSettings
from headwater.release import verify_release
from headwater.release.privacy_claim import PrivacyClaim
from headwater_server.release import privacy_of
from headwater_server.services.hub import AggregationHub
from headwater_server.settings import CoordinatorSettings
from support.claims import make_claim
from support.run_world import RUN, RunWorld

BUDGET = Budget(epsilon=2.0, most_rows=5000)
RECIPE = RecipeSettings.model_validate(
    {"kind": "marginals", "encoding": {"grid_cells": 32}, "private": {"components": 2, "steps": 20}}
)


def finished(folder: Path, budget: Budget | None) -> RunWorld:
    """A run that is over, in a coordinator's home."""
    world = RunWorld(folder, recipe=None if budget is None else RECIPE, privacy=budget or "none")

    async def run() -> None:
        hub = AggregationHub(now=time.monotonic)
        async with world.taking_part(hub, *(world.member(name) for name in world.consortium.keys)):
            await world.driver(hub).drive()

    asyncio.run(run())
    settings = CoordinatorSettings(consortium="Test consortium", database=f"sqlite:///{folder / 'state.db'}")
    (world.home.folder / "settings.toml").write_text(tomlkit.dumps(settings.model_dump()))
    world.home.keys.mkdir()
    key = world.home.keys / "charter.key"
    key.write_bytes(world.consortium.coordinator_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    return world


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunWorld]:
    world = finished(tmp_path_factory.mktemp("private"), BUDGET)
    yield world
    world.storage.close()


def release(world: RunWorld, *given: str) -> tuple[str, Path]:
    """What the command prints, and the folder that it published."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    arguments = ["release", RUN[:6], "--name", "visits", "--rows", "50", "--home", str(world.home.folder), *given]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output, Path(result.output.strip().splitlines()[-1])


def test_a_private_run_is_released_with_what_its_rounds_came_to(private: RunWorld) -> None:
    said, folder = release(private)
    result = private.storage.result(RUN)
    assert result is not None
    claim = PrivacyClaim.model_validate(result["privacy"])
    verification = verify_release(folder, private.charter)
    assert verification.manifest.protection.privacy == claim
    assert verification.replay is not None
    assert verification.replay.epsilon is not None
    assert verification.replay.epsilon <= claim.epsilon <= BUDGET.epsilon
    assert f"Differentially private: ε = {claim.epsilon:g} at δ = 1e-06 for one record, added or removed." in said
    assert "NOT DIFFERENTIALLY PRIVATE" not in said
    card = (folder / "README.md").read_text()
    assert "fitted to noisy counts" in card
    assert "**The coordinator saw noisy sums.**" in card
    names = {path.name for path in folder.iterdir()}
    assert names == {"README.md", "SHA256SUMS", "data.parquet", "manifest.json", "plots", "schema.toml"}


def test_a_schema_that_was_read_from_rows_is_said_to_be_outside(private: RunWorld) -> None:
    said, folder = release(private, "--schema-from-rows")
    manifest = verify_release(folder, private.charter).manifest
    assert "Schema read from the rows, outside ε." in said
    assert "**Schema read from the rows, outside ε.**" in (folder / "README.md").read_text()
    assert manifest.unconfirmed_schema
    assert manifest.protection.privacy != "none"
    assert not manifest.protection.privacy.schema_confirmed


def test_a_run_without_a_budget_is_released_as_what_it_is(tmp_path: Path) -> None:
    world = finished(tmp_path, None)
    said, folder = release(world)
    assert "NOT DIFFERENTIALLY PRIVATE" in said
    assert verify_release(folder, world.charter).manifest.protection.privacy == "none"
    world.storage.close()


@pytest.mark.parametrize("stored", ["none", None, {}, {"epsilon": 1.0}])
def test_a_private_plan_is_never_released_as_none(private: RunWorld, stored: object) -> None:
    with pytest.raises(ReleaseRefused, match="does not say what it spent of its budget"):
        privacy_of(private.plan, stored)


def test_a_claim_of_another_budget_or_of_no_budget_is_refused(private: RunWorld) -> None:
    other = json.loads(make_claim().to_bytes())
    with pytest.raises(ReleaseRefused, match="of another budget"):
        privacy_of(private.plan, other)
    with pytest.raises(ReleaseRefused, match="its plan has no budget"):
        privacy_of(private.plan.model_copy(update={"privacy": "none"}), other)
