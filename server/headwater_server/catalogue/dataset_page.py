"""Everything that the page of one version shows, read and worded once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater.release import FileEntry
from headwater.release.large import shard_paths
from headwater.release.manifest import Chart, GeneratorTerms, Manifest
from headwater.release.statement import (
    headline,
    not_to_be_used_for,
    protection_statement,
    signatures_in_words,
)
from headwater_server.catalogue.citing import bibtex, citation_text
from headwater_server.catalogue.index import ReleaseEntry, newest_of
from headwater_server.catalogue.loading import loading_snippets
from headwater_server.catalogue.preview import load_preview
from headwater_server.catalogue.settings import CatalogueSettings
from headwater_server.catalogue.signers import signers_of
from headwater_server.catalogue.verdict_page import verdict_of, verdict_view

__all__ = ["FileRow", "dataset_values", "file_rows", "generator_words", "summary_of", "withdrawn_values"]

_WHAT = {
    "data.parquet": "all rows, as Parquet (zstd)",
    "data.parquet.blocks.json": "digests of its blocks, for readers of a part",
    "data.csv.gz": "all rows, as compressed CSV",
    "schema.toml": "columns with their public bounds and categories",
    "withdrawn.json": "the signed notice of the withdrawal",
    "README.md": "the dataset card, as dataset hubs read it",
    "croissant.json": "metadata for machine learning (Croissant, JSON-LD)",
    "statistics.json": "figures of every column",
    "audit.json": "every check of the audit, with its outcome",
    "attestation.json": "signatures of coordinator and organisations (in-toto, DSSE)",
    "manifest.json": "the signed list of everything",
    "SHA256SUMS": "digests, for sha256sum --check",
    "generator/bundle.json": "the generator's description",
    "balanced/data.parquet": "classes in equal shares, with weights",
    "views/data.parquet": "groups of neighbouring rows, for contrastive learning",
}
_CHARTS = {
    "pairs": "Pairs of columns",
    "usefulness": "Usefulness against sample size",
    "bias": "Bias by group",
    "coverage": "Coverage",
}
_GENERATOR: Mapping[GeneratorTerms, tuple[str, str]] = {
    "kept": (
        "The generator is kept",
        "The coordinator keeps the generator that these rows were sampled from. What you find on this page is all "
        "there is of it.",
    ),
    "on request": (
        "More rows on request",
        "The generator stays with the coordinator, which samples more rows for you on request, under limits and with a "
        "place in a queue.",
    ),
    "released": (
        "The generator is released",
        "The generator itself is among the files, so that you can sample as many rows as you like and set conditions. "
        "It was attacked before it was released, as the rows were.",
    ),
}


@dataclass(frozen=True)
class FileRow:
    """A file with what it is."""

    entry: FileEntry
    what: str


def generator_words(terms: GeneratorTerms) -> tuple[str, str]:
    """A heading and a sentence on what readers may have of the generator."""
    return _GENERATOR[terms]


def file_rows(files: Sequence[FileEntry]) -> tuple[Sequence[FileRow], Sequence[FileRow]]:
    """The files of a release, and its plots apart, for there may be hundreds of them."""
    rows = [FileRow(file, _what(file.path)) for file in files]
    order = {path: position for position, path in enumerate(_WHAT)}
    rows.sort(key=lambda row: (order.get(row.entry.path, len(order)), row.entry.path))
    plots = [row for row in rows if row.entry.path.startswith("plots/")]
    return [row for row in rows if row not in plots], plots


def dataset_values(
    entry: ReleaseEntry, versions: Sequence[ReleaseEntry], settings: CatalogueSettings, *, token: bool
) -> Mapping[str, Any]:
    """What the template is given.

    Args:
        entry: the version to show; not withdrawn.
        versions: of its dataset, newest first, withdrawn ones too.
        settings: of the catalogue.
        token: whether its rows are for readers with a token alone.
    """
    manifest = entry.manifest
    provenance, protection = manifest.provenance, manifest.protection
    files, plots = file_rows(list(entry.files.values()))
    page = f"{settings.address}/datasets/{manifest.name}/{manifest.version}"
    return {
        "manifest": manifest,
        "digest": manifest.digest,
        "summary": summary_of(manifest),
        "verdict": verdict_view(entry),
        "preview": load_preview(entry.folder),
        "headline": headline(protection.privacy),
        "statement": protection_statement(provenance.organisations, manifest.unconfirmed_schema, protection),
        "not_for": not_to_be_used_for(),
        "signatures": signatures_in_words(protection),
        "signers": signers_of(entry, settings.charter),
        "charts": [(_CHARTS[chart.kind], chart) for chart in _ordered(manifest.charts)],
        "files": files,
        "plots": plots,
        "has": set(entry.files),
        "shards": shard_paths(entry.files),
        "address": settings.address,
        "generator": generator_words(manifest.generator),
        "snippets": loading_snippets(manifest, settings, token=token),
        "citation": citation_text(manifest),
        "bibtex": bibtex(manifest, page),
        "page": page,
        "versions": versions,
        "newest": newest_of(versions) or entry,
    }


def withdrawn_values(entry: ReleaseEntry, versions: Sequence[ReleaseEntry]) -> Mapping[str, Any]:
    """What the template of a withdrawn version is given; its rows and schema are gone."""
    manifest = entry.manifest
    files, _ = file_rows(list(entry.files.values()))
    return {
        "manifest": manifest,
        "digest": manifest.digest,
        "verdict": verdict_of(manifest),
        "headline": headline(manifest.protection.privacy),
        "files": files,
        "versions": versions,
    }


def summary_of(manifest: Manifest) -> str:
    """One line for search engines and previews of links."""
    begin = " ".join(manifest.description.split())[:160]
    made = (
        f"{manifest.rows:,} synthetic rows of {manifest.columns} columns, made by "
        f"{manifest.provenance.organisations} organisations of {manifest.provenance.consortium}."
    )
    return f"{begin} {made}".strip()


def _ordered(charts: Sequence[Chart]) -> Sequence[Chart]:
    order = list(_CHARTS)
    return sorted(charts, key=lambda chart: (order.index(chart.kind), chart.path))


def _what(path: str) -> str:
    if path in _WHAT:
        return _WHAT[path]
    if path.startswith("generator/"):
        return "a part of the generator"
    if path.startswith("large/"):
        return "a part of very many rows" if path.endswith(".parquet") else "digests of its blocks"
    if path.startswith("data/") or path.endswith(".parquet"):
        return "rows, as Parquet (zstd)"
    return "a plot" if path.endswith(".svg") else ""
