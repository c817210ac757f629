"""Writing a release folder: whole and signed under its final name, or not at all."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater.canonical import sha256_hex
from headwater.errors import InputError, ReleaseRefused, StorageError
from headwater.release.attestation import statement_of
from headwater.release.audit_check import policy_of
from headwater.release.audit_file import PublishedAudit
from headwater.release.blocks import BLOCKS_SUFFIX, BlockDigests
from headwater.release.card import dataset_card
from headwater.release.croissant import croissant_of
from headwater.release.csv_copy import write_csv_copy
from headwater.release.extras import NO_EXTRAS, ReleaseExtras
from headwater.release.facts import ReleaseFacts
from headwater.release.generator_check import check_bundle, check_terms
from headwater.release.hashing import hash_file
from headwater.release.large import shard_paths
from headwater.release.layout import (
    ATTESTATION,
    AUDIT,
    CARD,
    CHECKSUMS,
    CROISSANT,
    CSV,
    DATA,
    MANIFEST,
    SCHEMA,
    STATISTICS,
    checksums,
    media_type,
)
from headwater.release.manifest import NEWEST, Chart, Figure, FileEntry, Manifest, SignedManifest
from headwater.release.replay import replay
from headwater.release.row_files import check_cells, check_extent
from headwater.release.rows import write_rows
from headwater.release.statistics import first_rows, statistics_of
from headwater.release.texts import check_texts
from headwater.release.verdict import publishable
from headwater.schema.table import Table

__all__ = ["DrawnChart", "DrawnFigure", "write_release"]


@dataclass(frozen=True)
class DrawnFigure:
    """A plot of one column: the entry for the manifest, and the bytes of the file."""

    figure: Figure
    content: bytes


@dataclass(frozen=True)
class DrawnChart:
    """A plot of several columns, or of what was measured: the entry for the manifest, and the bytes of the file."""

    chart: Chart
    content: bytes


def write_release(
    folder: Path,
    table: Table,
    facts: ReleaseFacts,
    coordinator_key: Ed25519PrivateKey,
    figures: tuple[DrawnFigure, ...] = (),
    audit: PublishedAudit | None = None,
    charts: tuple[DrawnChart, ...] = (),
    extras: ReleaseExtras | None = None,
) -> SignedManifest:
    """Write data.parquet, the digests of its blocks, schema.toml, README.md, plots, manifest.json and SHA256SUMS; sign.

    With an audit, audit.json and attestation.json as well. The attestation has the coordinator's signature alone, so
    the folder is pending: `verify_release` refuses it until a quorum of organisations' stands beside it.

    Everything is written to a hidden folder beside the final one, synced, and renamed; on any failure the hidden
    folder is removed. Marginals are never written, and the generator only as `extras` has it and as the policy that
    judged lets it be given.

    Args:
        folder: the release's final place; must not exist.
        table: synthetic rows, at least one.
        facts: what the card and the manifest say.
        coordinator_key: the charter's coordinator key.
        figures: plots of the synthetic rows.
        audit: of these very rows; None where the plan asks for none.
        charts: plots of the synthetic rows together, and of what may be told of the audit.
        extras: rows drawn in other ways, and the generator; None for neither.

    Raises:
        InputError: the folder exists, the table is empty, or the schema is not the one in `facts`.
        ReleaseRefused: the events of the privacy claim cost more than it states, or the audit does not let these rows
            be published, or not so much of the generator.
        StorageError: another release took the name while this one was being written.
        OSError: the disk is full or cannot be written.
    """
    _refuse_unusable(folder, table, facts, audit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.part"
    staging.mkdir(mode=0o755)
    try:
        signed = _fill(staging, table, facts, coordinator_key, figures, audit, charts, extras or NO_EXTRAS)
        _sync_tree(staging)
        try:
            # A rename onto a folder that holds anything fails, so a published version is never replaced.
            os.rename(staging, folder)
        except OSError as error:
            if folder.exists():
                raise StorageError(f"{folder} was published by another command meanwhile; run this again") from error
            raise
        _sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return signed


def _refuse_unusable(folder: Path, table: Table, facts: ReleaseFacts, audit: PublishedAudit | None) -> None:
    if folder.exists():
        raise InputError(f"{folder} exists and a published version never changes; release a new version")
    if table.rows < 1:
        raise InputError(f"the synthetic table of {facts.name!r} has no rows; sample at least one")
    if table.schema.digest != facts.provenance.schema_digest:
        raise InputError(f"the rows of {facts.name!r} have another schema than its plan; sample them from its run")
    if facts.privacy != "none":
        # Nothing is published that `headwater verify` would refuse.
        replay(facts.privacy)
    if audit is not None and not publishable(audit.decision.verdict):
        stopped = ", ".join(audit.decision.failing)
        raise ReleaseRefused(f"the audit's verdict is {audit.decision.verdict!r}, at {stopped}; nothing was published")


def _fill(
    staging: Path,
    table: Table,
    facts: ReleaseFacts,
    coordinator_key: Ed25519PrivateKey,
    figures: tuple[DrawnFigure, ...],
    audit: PublishedAudit | None,
    charts: tuple[DrawnChart, ...],
    extras: ReleaseExtras,
) -> SignedManifest:
    schema = table.schema
    write_rows(table, staging / DATA)
    write_csv_copy(staging / DATA, schema, staging / CSV)
    texts: dict[str, bytes] = {drawn.figure.path: drawn.content for drawn in figures}
    texts |= {drawn.chart.path: drawn.content for drawn in charts}
    shown = tuple(drawn.figure for drawn in figures)
    told = tuple(drawn.chart for drawn in charts)
    configurations = tuple(configuration for configuration, _ in extras.configurations)
    beside = extras.write(staging)
    check_extent(staging / DATA, DATA)
    for path in (each for each in beside if each.endswith(".parquet")):
        check_extent(staging / path, path)
        check_cells(staging / path, path, schema)
    # Counted on what was written, as whoever verifies it will.
    first, number = first_rows(staging / DATA)
    texts[STATISTICS] = statistics_of(first, schema, of=number).to_bytes()
    texts[SCHEMA] = schema.to_toml().encode("utf-8")
    texts[CARD] = dataset_card(facts, schema, table.rows, shown, audit, told, configurations, extras.terms).encode(
        "utf-8"
    )
    if audit is not None:
        _refuse_other_rows(hash_file(staging / DATA)[1], audit)
        texts[AUDIT] = audit.to_bytes()
    # What a reader over HTTP checks parts of the rows by.
    for path in sorted({DATA, *(each.path for each in configurations), *shard_paths(beside)}):
        texts[f"{path}{BLOCKS_SUFFIX}"] = BlockDigests.of(staging / path, path).to_bytes()
    protection = facts.protection_under(audit)
    for path, content in texts.items():
        target = staging / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    entries = [_entry(staging, path, texts) for path in sorted([DATA, CSV, *beside, *texts])]
    texts[CROISSANT] = croissant_of(facts, schema, table.rows, entries, configurations, audit)
    (staging / CROISSANT).write_bytes(texts[CROISSANT])
    entries = sorted([*entries, _entry(staging, CROISSANT, texts)], key=lambda entry: entry.path)
    manifest = Manifest(
        format=NEWEST,
        name=facts.name,
        version=facts.version,
        title=facts.title,
        description=facts.description,
        licence=facts.licence,
        created=facts.created,
        rows=table.rows,
        columns=len(schema.columns),
        unconfirmed_schema=facts.unconfirmed(schema),
        protection=protection,
        provenance=facts.provenance,
        figures=shown,
        charts=told,
        configurations=configurations,
        generator=extras.terms,
        making=facts.making,
        files=tuple(entries),
    )
    # Nothing is signed that `headwater verify` would refuse.
    check_terms(manifest, None if audit is None else policy_of(audit))
    check_bundle(staging, manifest)
    check_texts(manifest, schema, audit)
    signed = SignedManifest.sign(manifest, coordinator_key)
    (staging / MANIFEST).write_bytes(signed.to_bytes())
    (staging / CHECKSUMS).write_bytes(checksums(entries, signed.to_bytes()))
    if audit is not None:
        # Only an audited release pays for the library of envelopes.
        from headwater.release.dsse import envelope_of, sign_statement

        statement = statement_of(manifest, signed.to_bytes(), audit)
        (staging / ATTESTATION).write_bytes(
            envelope_of(statement, {signed.coordinator_key: sign_statement(coordinator_key, statement)})
        )
    return signed


def _refuse_other_rows(digest: str, audit: PublishedAudit) -> None:
    if digest != audit.candidate:
        raise ReleaseRefused(
            f"the rows have SHA-256 {digest[:16]}…, those that were audited {audit.candidate[:16]}…; audit these"
        )


def _entry(staging: Path, path: str, texts: Mapping[str, bytes]) -> FileEntry:
    if path in texts:
        size, digest = len(texts[path]), sha256_hex(texts[path])
    else:
        size, digest = hash_file(staging / path)
    return FileEntry(path=path, size_bytes=size, sha256=digest, media_type=media_type(path))


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
