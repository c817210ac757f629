"""From a finished run to a published dataset: sample, draw, write, sign."""

import datetime
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter, ValidationError

from headwater import __version__
from headwater.agreement.differencing import Differencing
from headwater.agreement.documents import first_problem
from headwater.agreement.plan import Plan
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError, ReleaseRefused
from headwater.release import Provenance, ReleaseFacts, SignedManifest, write_release
from headwater.release.manifest import DatasetName
from headwater.release.privacy_claim import Privacy, PrivacyClaim
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_release

if TYPE_CHECKING:
    from headwater.generator.sampler import Sampler

__all__ = [
    "PublishedRelease",
    "ReleaseRequest",
    "RunFacts",
    "checked_name",
    "facts_of",
    "next_version",
    "privacy_of",
    "publish_release",
    "sample_table",
]

_BATCH_ROWS = 8192
_NAME: TypeAdapter[str] = TypeAdapter(DatasetName)


@dataclass(frozen=True)
class RunFacts:
    """What the coordinator knows of the run that the rows were sampled from.

    Attributes:
        organisations: how many took part in its last sum.
        differencing: what holds of its sums, by its plan.
        generator_digest: SHA-256 of the bundle, which itself is not released.
        released: what its generator is, and the run's own attack on it, in words.
        refused_rounds: rounds of its climb or training that were not taken.
        ended_on: what its climb or training was cut short to: "rung", "base", "checkpoint", or "" where it was not.
    """

    consortium: str
    organisations: int
    run_id: str
    plan_digest: str
    charter_digest: str
    generator_digest: str | None
    differencing: Differencing
    privacy: Privacy
    schema_from_rows: bool = False
    released: str = ""
    refused_rounds: int = 0
    ended_on: Literal["", "base", "checkpoint", "rung"] = ""


@dataclass(frozen=True)
class ReleaseRequest:
    """What the operator asks for.

    Attributes:
        name: of the dataset, the same over all its versions.
        title: for people; the name where it is empty.
        licence: the consortium's terms in a few words; empty where it stated none.
    """

    name: str
    title: str = ""
    description: str = ""
    licence: str = ""


@dataclass(frozen=True)
class PublishedRelease:
    """A release under its final name."""

    name: str
    version: int
    folder: Path
    digest: str
    rows: int
    size_bytes: int


def privacy_of(plan: Plan, stored: object, *, schema_from_rows: bool = False) -> Privacy:
    """What a release of a run may say of differential privacy.

    Args:
        plan: of the run.
        stored: "privacy" of the run's result.
        schema_from_rows: a program read the schema's bounds and categories from rows, though it is marked as confirmed.

    Raises:
        ReleaseRefused: plan and result contradict each other, or what the result claims does not hold together.
    """
    if isinstance(plan.privacy, str):
        if stored not in ("none", None):
            raise ReleaseRefused(
                "the run's result claims differential privacy, its plan has no budget; propose it anew"
            )
        return "none"
    try:
        claim = PrivacyClaim.model_validate(stored)
    except ValidationError as error:
        raise ReleaseRefused(
            f"the run's result does not say what it spent of its budget: {first_problem(error)}; propose the run anew"
        ) from error
    if not claim.is_of(plan.privacy):
        raise ReleaseRefused("the run's result is of another budget than its plan's; propose the run anew")
    if schema_from_rows:
        claim = claim.model_copy(update={"schema_confirmed": False})
    return claim


def sample_table(
    sampler: "Sampler",
    encoding: Encoding,
    rows: int,
    seed: int,
    *,
    device: str = "cpu",
    on_rows: Callable[[int], None] | None = None,
) -> Table:
    """Sample synthetic rows from a generator.

    Args:
        sampler: the run's generator, of whichever kind.
        encoding: the run's encoding, which turns codes into values.
        rows: how many, at least 1.
        seed: of every draw; it is kept by the coordinator and not published.
        device: where the network runs.
        on_rows: told how many rows there are so far, after each batch.

    Raises:
        InputError: fewer than one row.
    """
    if rows < 1:
        raise InputError(f"{rows} rows were asked for; ask for at least 1")
    tables: list[Table] = []
    done = 0
    for table in sampler.tables(encoding, rows, seed, batch_size=_BATCH_ROWS, device=device):
        tables.append(table)
        done += table.rows
        if on_rows is not None:
            on_rows(done)
    return Table.concat(tables)


def publish_release(
    releases: Path,
    table: Table,
    request: ReleaseRequest,
    run: RunFacts,
    coordinator_key: Ed25519PrivateKey,
    now: datetime.datetime,
) -> PublishedRelease:
    """Write the next version of a dataset into `releases/NAME/VERSION`; the rename of the folder publishes it.

    No gate, no audit and no organisation is asked: `headwater-coordinator release` never calls it, tests and programs
    that have no consortium do.

    Args:
        releases: the folder that the catalogue serves.
        table: synthetic rows.
        request: name and words.
        run: where the rows came from.
        coordinator_key: the charter's coordinator key.
        now: with a time zone.

    Raises:
        InputError: the name cannot be used, or the table has no rows.
        ReleaseRefused: the events of the privacy claim cost more than it states.
        StorageError: another command took the same version meanwhile; nothing was written.
    """
    name = checked_name(request.name)
    if table.rows < 1:
        raise InputError(f"there are no rows to release as {name!r}; sample at least one")
    version = next_version(releases, name)
    facts = facts_of(name, version, table, request, run, now)
    folder = releases / name / str(version)
    figures, charts = draw_release(table, None)
    signed = write_release(folder, table, facts, coordinator_key, figures, charts=charts)
    return _published(signed, folder)


def facts_of(
    name: str, version: int, table: Table, request: ReleaseRequest, run: RunFacts, now: datetime.datetime
) -> ReleaseFacts:
    """What card and manifest of a release say.

    Args:
        name: checked.
        version: of the dataset.
        table: synthetic rows.
        request: words.
        run: where the rows came from.
        now: with a time zone.
    """
    return ReleaseFacts(
        name=name,
        version=version,
        title=request.title or name,
        description=request.description,
        licence=request.licence or "not stated; ask the consortium",
        differencing=run.differencing,
        privacy=run.privacy,
        schema_from_rows=run.schema_from_rows,
        refused_rounds=run.refused_rounds,
        released=run.released,
        ended_on=run.ended_on,
        created=now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        provenance=Provenance(
            consortium=run.consortium,
            organisations=run.organisations,
            run_id=run.run_id,
            plan_digest=run.plan_digest,
            charter_digest=run.charter_digest,
            schema_digest=table.schema.digest,
            generator_digest=run.generator_digest,
            software=f"headwater {__version__}",
        ),
    )


def _published(signed: SignedManifest, folder: Path) -> PublishedRelease:
    manifest = signed.manifest
    return PublishedRelease(
        name=manifest.name,
        version=manifest.version,
        folder=folder,
        digest=manifest.digest,
        rows=manifest.rows,
        size_bytes=manifest.size_bytes,
    )


def checked_name(name: str) -> str:
    """A name that a dataset can have.

    Raises:
        InputError: it cannot.
    """
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"{name!r} cannot name a dataset; use lower-case letters, digits and hyphens, at most 64"
        ) from error


def next_version(releases: Path, name: str) -> int:
    """One more than the highest version of a dataset that is published.

    Args:
        releases: the folder that the catalogue serves.
        name: checked.
    """
    folder = releases / name
    if not folder.is_dir():
        return 1
    taken = [int(entry) for entry in os.listdir(folder) if entry.isdecimal()]
    return max(taken, default=0) + 1
