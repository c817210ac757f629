"""A run that was driven to its end in a coordinator's home, and the command that releases it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import tomlkit
import typer
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

import headwater_server.cli.release as command
import headwater_server.cli.sample as sample_command
from headwater.agreement.generator_terms import GeneratorTerms
from headwater.canonical import sha256_hex
from headwater.evidence.terms import AuditTerms
from headwater.privacy.budget import Budget
from headwater.recipe.settings import RecipeSettings
from headwater.release.attempts import Attempt
from headwater.release.dsse import sign_statement
from headwater.release.policy.waiver import Waiver
from headwater_server.releasing.folders import ReleaseFolders
from headwater_server.releasing.settling import settle
from headwater_server.services.hub import AggregationHub
from headwater_server.services.ports import ReleaseRecord
from headwater_server.settings import CoordinatorSettings
from support.drawings import drawn_once
from support.run_world import RUN, RunWorld

__all__ = [
    "AUDIT",
    "BUDGET",
    "PASSES",
    "RECIPE",
    "attempt",
    "finished",
    "invoked",
    "last_attempt",
    "release",
    "sign",
    "told",
    "waiting",
    "waive",
]

BUDGET = Budget(epsilon=2.0, most_rows=5000)
RECIPE = RecipeSettings.model_validate(
    {"kind": "marginals", "encoding": {"grid_cells": 32}, "private": {"components": 2, "steps": 20}}
)
AUDIT = AuditTerms(policy="demo")
PASSES = ("--licence", "CC-BY-4.0")


def finished(
    folder: Path,
    budget: Budget | None,
    *,
    disjoint_people: bool = False,
    audit: object = AUDIT,
    terms: GeneratorTerms = "kept",
) -> RunWorld:
    """A run that is over, in a coordinator's home."""
    recipe = None if budget is None else RECIPE
    folder.mkdir(exist_ok=True)
    world = RunWorld(
        folder, recipe=recipe, privacy=budget or "none", disjoint_people=disjoint_people, audit=audit, generator=terms
    )

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


def attempt(world: RunWorld, *given: str, name: str = "visits") -> tuple[int, str]:
    """One attempt to release the run: exit status, and what the command prints."""
    result = invoked(world, "release", RUN[:6], "--name", name, *PASSES, *given)
    return result.exit_code, result.output


def waive(world: RunWorld, gates: Sequence[str], members: Sequence[str] = ("org-1", "org-3")) -> str:
    """Have gates waived: prepared by the command, signed by members."""
    options = [option for gate in gates for option in ("--waive", gate)]
    status, said = attempt(world, *options, "--reason", "a test on few rows", "--expires", "2099-01-01")
    assert status == 3, said
    for record in world.storage.waivers():
        for member in members:
            signature = Waiver.from_bytes(record.document).signed_by(world.consortium.keys[member])
            world.storage.add_waiver_signature(record.waiver_digest, member, signature)
    return said


def waiting(world: RunWorld, *given: str) -> str:
    """Release the run, with waivers for what a budget leaves unmeasured; what the last attempt prints."""
    status, said = attempt(world, *given)
    if status == 3:
        waive(world, last_attempt(world).failing)
        status, said = attempt(world, *given)
    assert status == 0, said
    return said


def last_attempt(world: RunWorld) -> Attempt:
    """What the log says of the last attempt."""
    return Attempt.from_bytes(world.storage.attempts(RUN)[-1])


def release(world: RunWorld, *given: str) -> tuple[str, Path]:
    """What the command prints, and the folder that every organisation's signature published."""
    said = waiting(world, *given)
    digest = said.strip().splitlines()[-1].split()[-1]
    for member in world.consortium.keys:
        sign(world, digest, member)
    (published,) = settle(world.storage, ReleaseFolders(world.home))
    return said, world.home.releases / published.name / str(published.version)


def sign(world: RunWorld, digest: str, member: str, decision: str = "approve") -> ReleaseRecord:
    """A member's decision on a release, recorded."""
    record = world.storage.release(digest)
    assert record is not None
    signed = world.consortium.release_decision(
        digest,
        member,
        decision,
        statement_signature=sign_statement(world.consortium.keys[member], record.statement),
        statement_digest=sha256_hex(record.statement),
    )
    return world.storage.record_release_decision(signed, datetime.now(UTC))


def told(world: RunWorld, *given: str, columns: str = "300") -> str:
    """What a command on the run prints."""
    result = invoked(world, *given, columns=columns)
    assert result.exit_code == 0, result.output
    return result.output


def invoked(world: RunWorld, *given: str, columns: str = "300") -> Result:
    """A command on the run, and how it ended."""
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    sample_command.register(app)
    arguments = [*given, "--home", str(world.home.folder)]
    with drawn_once():
        return CliRunner().invoke(app, arguments, env={"COLUMNS": columns}, catch_exceptions=False)
