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
import headwater_server.cli.sample as sample_command
from headwater.agreement.charge import plan_events
from headwater.errors import ReleaseRefused
from headwater.privacy.accountant import spent
from headwater.privacy.budget import Budget
from headwater.privacy.words import rounded_up
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


def finished(folder: Path, budget: Budget | None, *, disjoint_people: bool = False) -> RunWorld:
    """A run that is over, in a coordinator's home."""
    recipe = None if budget is None else RECIPE
    world = RunWorld(folder, recipe=recipe, privacy=budget or "none", disjoint_people=disjoint_people)

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
    said = told(world, "release", RUN[:6], "--name", "visits", *given)
    return said, Path(said.strip().splitlines()[-1])


def told(world: RunWorld, *given: str) -> str:
    """What a command on the run prints."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    sample_command.register(app)
    arguments = [*given, "--rows", "50", "--home", str(world.home.folder)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


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


def test_rows_drawn_from_a_run_are_told_as_its_release_tells_them(private: RunWorld, tmp_path: Path) -> None:
    result = private.storage.result(RUN)
    assert result is not None
    said = told(private, "sample", RUN[:6], "--out", str(tmp_path / "rows.csv"))
    claim = PrivacyClaim.model_validate(result["privacy"])
    assert f"Differentially private: ε = {claim.epsilon:g} at δ = 1e-06 for one record, added or removed." in said
    assert "NOT DIFFERENTIALLY PRIVATE" not in said
    # The very same generator, away from the run's records: nothing shows what it was made of.
    folder = private.home.runs / RUN / "generator"
    said = told(private, "sample", str(folder), "--out", str(tmp_path / "others.csv"))
    assert "NOT DIFFERENTIALLY PRIVATE as far as is known: no privacy claim travels with this generator." in said


def test_rows_are_not_drawn_from_a_run_that_claims_less_than_it_cost(private: RunWorld, tmp_path: Path) -> None:
    result = private.storage.result(RUN)
    assert result is not None
    less = dict(result["privacy"]) | {"epsilon": 0.97 * result["privacy"]["epsilon"]}  # type: ignore[index, call-overload]
    private.storage.set_result(RUN, {**result, "privacy": less})
    try:
        with pytest.raises(ReleaseRefused, match="it promises more than it keeps"):
            told(private, "sample", RUN[:6], "--out", str(tmp_path / "rows.csv"))
    finally:
        private.storage.set_result(RUN, result)
    assert list(tmp_path.iterdir()) == []


def test_people_who_are_at_one_organisation_alone_have_the_run_s_epsilon_and_no_sum(
    private: RunWorld, tmp_path: Path
) -> None:
    declared = finished(tmp_path, BUDGET, disjoint_people=True)
    _, folder = release(declared)
    verification = verify_release(folder, declared.charter)
    claim = verification.manifest.protection.privacy
    assert claim != "none"
    assert claim.disjoint_people
    # Each organisation's people are charged the same events, and ε is theirs: the largest, not three times as much.
    assert claim.noisy_sums == plan_events(declared.plan)
    assert claim.epsilon == rounded_up(spent(claim.noisy_sums, claim.delta).epsilon)
    assert verification.replay is not None
    assert rounded_up(verification.replay.epsilon or 0.0) == claim.epsilon
    assert "which the charter declares that nobody's are" in (folder / "README.md").read_text()
    _, other = release(private)
    assert "where k of them do, ε is k times as large or more" in (other / "README.md").read_text()
    declared.storage.close()


def test_a_run_without_a_budget_is_released_as_what_it_is(tmp_path: Path) -> None:
    world = finished(tmp_path, None)
    said, folder = release(world)
    drawn = told(world, "sample", RUN[:6], "--out", str(tmp_path / "rows.csv"))
    assert "NOT DIFFERENTIALLY PRIVATE. Unsigned, no release." in drawn
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
