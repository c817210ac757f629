"""What a list shows of each dataset, read from its release once."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from headwater.release.layout import SCHEMA
from headwater.release.statement import privacy_in_short
from headwater.schema import Schema
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.catalogue.search import Listed, Task

__all__ = ["listed_datasets", "listed_of", "task_of"]

_NO_TASK: Task = "none"


def listed_datasets(releases: ReleaseIndex) -> Sequence[Listed]:
    """Every dataset of a catalogue by its newest version."""
    return [listed_of(entry) for entry in releases.latest()]


def listed_of(entry: ReleaseEntry) -> Listed:
    """One version as a list shows it."""
    manifest, withdrawn = entry.manifest, entry.withdrawn is not None
    # The schema goes with the rows.
    columns, task = ((), _NO_TASK) if withdrawn else _schema_facts(entry.folder)
    privacy, audit = manifest.protection.privacy, manifest.protection.audit
    return Listed(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=manifest.description,
        columns=columns,
        consortium=manifest.provenance.consortium,
        organisations=manifest.provenance.organisations,
        licence=manifest.licence,
        created=manifest.created,
        rows=manifest.rows,
        size_bytes=manifest.size_bytes,
        epsilon=None if privacy == "none" else privacy.epsilon,
        verdict="none" if audit == "none" else audit.verdict,
        task=task,
        generator=manifest.generator,
        privacy="" if privacy == "none" else privacy_in_short(privacy).rstrip("*"),
        schema_confirmed=privacy == "none" or privacy.schema_confirmed,
        withdrawn=withdrawn,
    )


def task_of(schema: Schema) -> Task:
    """What the target of a schema is good for."""
    target = schema.target
    if target is None:
        return "none"
    return "classification" if target.kind in ("categorical", "boolean") else "regression"


@lru_cache(maxsize=1024)
def _schema_facts(folder: Path) -> tuple[tuple[str, ...], Task]:
    schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    return schema.names, task_of(schema)
