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
from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.release import Provenance, ReleaseFacts, SignedManifest, write_release
from headwater.release.manifest import DatasetName
from headwater.schema.table import Table
from headwater_server.figures.columns import draw_columns

if TYPE_CHECKING:
    from headwater.generator.sampler import Sampler

__all__ = ["PublishedRelease", "ReleaseRequest", "RunFacts", "publish_release", "sample_table"]

_BATCH_ROWS = 8192
_NAME: TypeAdapter[str] = TypeAdapter(DatasetName)


@dataclass(frozen=True)
class RunFacts:
    """What the coordinator knows of the run that the rows were sampled from.

    Attributes:
        organisations: how many took part in its last sum.
        differencing: what holds of its sums, by its plan.
        generator_digest: SHA-256 of the bundle, which itself is not released without differential privacy.
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

    Args:
        releases: the folder that the catalogue serves.
        table: synthetic rows.
        request: name and words.
        run: where the rows came from.
        coordinator_key: the charter's coordinator key.
        now: with a time zone.

    Raises:
        InputError: the name cannot be used, or the table has no rows.
        StorageError: another command took the same version meanwhile; nothing was written.
    """
    name = _checked_name(request.name)
    if table.rows < 1:
        raise InputError(f"there are no rows to release as {name!r}; sample at least one")
    version = _next_version(releases / name)
    facts = ReleaseFacts(
        name=name,
        version=version,
        title=request.title or name,
        description=request.description,
        licence=request.licence or "not stated; ask the consortium",
        differencing=run.differencing,
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
    folder = releases / name / str(version)
    signed = write_release(folder, table, facts, coordinator_key, draw_columns(table))
    return _published(signed, folder)


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


def _checked_name(name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"{name!r} cannot name a dataset; use lower-case letters, digits and hyphens, at most 64"
        ) from error


def _next_version(folder: Path) -> int:
    if not folder.is_dir():
        return 1
    taken = [int(entry) for entry in os.listdir(folder) if entry.isdecimal()]
    return max(taken, default=0) + 1
