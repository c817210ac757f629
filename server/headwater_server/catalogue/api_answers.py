"""Releases as the JSON API tells them."""

from functools import lru_cache
from pathlib import Path

from headwater.release.domain import describe_domain, describe_kind
from headwater.release.layout import SCHEMA
from headwater.release.statement import privacy_in_short, signatures_in_words
from headwater.schema import Schema
from headwater_server.catalogue.api_models import (
    ColumnDetail,
    FileLink,
    ReleaseDetail,
    ReleaseSummary,
    WithdrawalNotice,
)
from headwater_server.catalogue.files import file_url
from headwater_server.catalogue.index import ReleaseEntry
from headwater_server.catalogue.listing import listed_of

__all__ = ["detail_of", "summary_of"]


def summary_of(entry: ReleaseEntry) -> ReleaseSummary:
    """One version as lists tell it."""
    manifest, listed = entry.manifest, listed_of(entry)
    return ReleaseSummary(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=manifest.description,
        created=manifest.created,
        rows=manifest.rows,
        columns=manifest.columns,
        size_bytes=manifest.size_bytes,
        digest=manifest.digest,
        privacy=privacy_in_short(manifest.protection.privacy),
        epsilon=listed.epsilon,
        verdict=listed.verdict,
        licence=manifest.licence,
        task=listed.task if entry.withdrawn is None else None,
        generator=manifest.generator,
        signatures=signatures_in_words(manifest.protection),
        consortium=manifest.provenance.consortium,
        organisations=manifest.provenance.organisations,
        withdrawn=_notice(entry),
    )


def detail_of(entry: ReleaseEntry) -> ReleaseDetail:
    """One version in full."""
    manifest, summary = entry.manifest, summary_of(entry)
    name, version = manifest.name, manifest.version
    return ReleaseDetail(
        summary=summary,
        description=manifest.description,
        licence=manifest.licence,
        verdict=summary.verdict,
        protection=manifest.protection,
        provenance=manifest.provenance,
        columns=_columns(entry.folder) if entry.withdrawn is None else (),
        figures=manifest.figures,
        charts=manifest.charts,
        configurations=manifest.configurations,
        generator=manifest.generator,
        withdrawn=summary.withdrawn,
        files=tuple(FileLink(file=f, url=file_url(name, version, f.path)) for f in entry.files.values()),
    )


@lru_cache(maxsize=256)
def _columns(folder: Path) -> tuple[ColumnDetail, ...]:
    """Of a published folder, whose schema never changes."""
    schema = Schema.from_toml((folder / SCHEMA).read_text(encoding="utf-8"))
    return tuple(
        ColumnDetail(
            name=column.name,
            kind=column.kind,
            description=describe_kind(column),
            values=describe_domain(column),
            missing=column.missing,
            role="target" if column.role == "target" else "feature",
            sensitive=column.sensitive,
        )
        for column in schema.columns
    )


def _notice(entry: ReleaseEntry) -> WithdrawalNotice | None:
    said = entry.withdrawn
    if said is None:
        return None
    return WithdrawalNotice(withdrawn=said.withdrawn, reason=said.reason, replaced_by=said.replaced_by)
