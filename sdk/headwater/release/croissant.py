"""croissant.json: the release as machines of other catalogues read it, filled from what was measured.

Croissant 1.1 with the vocabulary of responsible AI (RAI). Addresses of files are relative to the document, since a
release is immutable and the catalogue that serves it may move.

Source: MLCommons Croissant 1.1 and RAI 1.0, docs.mlcommons.org/croissant.
"""

import json
import re
from collections.abc import Mapping, Sequence

from headwater.release.audit_file import PublishedAudit
from headwater.release.domain import describe_domain
from headwater.release.facts import ReleaseFacts
from headwater.release.large import LARGE, LARGE_FILES
from headwater.release.layout import DATA
from headwater.release.licences import licence_address
from headwater.release.manifest import Configuration, FileEntry
from headwater.release.measured_words import biases_in_words, closeness_in_words, usefulness_in_words
from headwater.release.statement import citation, headline, not_to_be_used_for, protection_statement
from headwater.schema import (
    BooleanColumn,
    CategoricalColumn,
    Column,
    DateColumn,
    ImageColumn,
    NumericColumn,
    Schema,
)

__all__ = ["croissant_of"]

VERSION = "http://mlcommons.org/croissant/1.1"
RAI_VERSION = "http://mlcommons.org/croissant/RAI/1.0"

_CONTEXT: Mapping[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "conformsTo": "dct:conformsTo",
    "headwater": "urn:headwater:",
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
} | {
    word: f"cr:{word}"
    for word in (
        *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileObject"),
        *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
        *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
        *("separator", "source", "subField", "transform"),
    )
}

# What Croissant's own reader takes for Parquet.
_PARQUET = "application/x-parquet"
_FILE_SET: Mapping[str, object] = {
    "@type": "cr:FileSet",
    "@id": "large-files",
    "name": "large-files",
    "description": "Very many rows, in files that are numbered from 0.",
    "encodingFormat": _PARQUET,
    "includes": LARGE_FILES,
}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def croissant_of(
    facts: ReleaseFacts,
    schema: Schema,
    rows: int,
    files: Sequence[FileEntry],
    configurations: Sequence[Configuration] = (),
    audit: PublishedAudit | None = None,
) -> bytes:
    """Write the metadata of one version of a dataset.

    Args:
        facts: who made it, from what.
        schema: the columns.
        rows: synthetic rows.
        files: every file of the release that is written already.
        configurations: rows drawn in other ways.
        audit: as it is published; None where there was none.

    Returns:
        JSON-LD, UTF-8, indented. Categories' columns tell their values, targets and sensitive columns are marked by
        `headwater:role` and `headwater:sensitive`.
    """
    provenance = facts.provenance
    maker = {"@type": "Organization", "name": provenance.consortium}
    document: dict[str, object] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI_VERSION],
        "name": facts.name,
        "alternateName": facts.title,
        "description": f"{facts.description or facts.title} ({rows:,} synthetic rows. {headline(facts.privacy)})",
        "version": f"{facts.version}.0.0",
        "datePublished": facts.created,
        "license": licence_address(facts.licence) or facts.licence,
        "creator": maker,
        "publisher": maker,
        "citeAs": citation(provenance.consortium, facts.title, facts.name, facts.version, facts.created),
        "keywords": ["synthetic", "tabular", "headwater"],
        "isLiveDataset": False,
        **_responsible(facts, schema, rows, audit),
        "distribution": [*map(_file, files), *([_FILE_SET] if LARGE in {each.name for each in configurations} else [])],
        "recordSet": [
            _records("default", f"{rows:,} synthetic rows", {"fileObject": {"@id": DATA}}, schema),
            *(_records(each.name, each.description, _source(each), schema) for each in configurations),
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _responsible(facts: ReleaseFacts, schema: Schema, rows: int, audit: PublishedAudit | None) -> dict[str, object]:
    provenance = facts.provenance
    sensitive = [column.name for column in schema.columns if column.sensitive]
    statements = protection_statement(
        provenance.organisations, facts.unconfirmed(schema), facts.protection_under(audit)
    )
    useful = () if audit is None else usefulness_in_words(audit)
    target = schema.target
    aim = "" if target is None else f" The column meant for prediction is {target.name}."
    unmeasured = ("Bias by group was not measured: this release was not audited.",)
    return {
        "rai:dataCollection": (
            f"No row was collected: {rows:,} rows were sampled from a generator that {provenance.organisations} "
            f"organisations of {provenance.consortium} made together. Their records stayed with them; only masked "
            "contributions left, and only the sums of these could be read."
        ),
        "rai:dataCollectionType": ["Synthetic data"],
        "rai:dataCollectionMissingData": (
            "Missing values are synthetic as well: a column whose schema allows them has them as often as the "
            "generator gives them."
        ),
        "rai:dataPreprocessingProtocol": [
            "Each organisation brought its records to the schema before anything was counted: numbers outside public "
            "bounds were clipped, values outside public lists became a catch-all category or missing.",
            f"Rows were sampled and written by {provenance.software}, run {provenance.run_id}.",
        ],
        "rai:dataUseCases": [
            f"Training and comparing models, teaching, and trying methods before asking for real records.{aim}",
            *useful,
            *(f"Not for: {line}" for line in not_to_be_used_for()),
        ],
        "rai:dataLimitations": [
            *(f"{said.short}: {said.full}" for said in statements),
            *(() if audit is None else closeness_in_words(audit)),
        ],
        "rai:dataBiases": list(unmeasured if audit is None else biases_in_words(audit)),
        "rai:personalSensitiveInformation": [
            headline(facts.privacy),
            f"Sensitive columns: {', '.join(sensitive)}." if sensitive else "The schema marks no column as sensitive.",
            "No row is a person's record, and single rows may come close to one where nothing bounds that.",
        ],
        "rai:dataReleaseMaintenancePlan": (
            "A version never changes; a better one has a new number. A version that must not be used any more is "
            "withdrawn with a signed reason, and its page stays."
        ),
    }


def _file(entry: FileEntry) -> dict[str, object]:
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": entry.path,
        "contentUrl": entry.path,
        "contentSize": f"{entry.size_bytes} B",
        "encodingFormat": _PARQUET if entry.path.endswith(".parquet") else entry.media_type,
        "sha256": entry.sha256,
    }


def _source(configuration: Configuration) -> Mapping[str, object]:
    if configuration.name == LARGE:
        return {"fileSet": {"@id": _FILE_SET["@id"]}}
    return {"fileObject": {"@id": configuration.path}}


def _records(name: str, description: str, source: Mapping[str, object], schema: Schema) -> dict[str, object]:
    taken: set[str] = set()
    fields = []
    for position, column in enumerate(schema.columns):
        # An id is an address: a name that is none is told in words alone.
        plain = _PLAIN_NAME.fullmatch(column.name) and column.name not in taken
        short = column.name if plain else f"column-{position + 1:03d}"
        taken.add(short)
        fields.append(_field(f"{name}/{short}", column, source))
    more = {"balanced": (("weight", "sc:Float"),), "views": (("group_id", "sc:Integer"), ("view_id", "sc:Integer"))}
    fields += [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{each}",
            "name": each,
            "dataType": kind,
            "source": {**source, "extract": {"column": each}},
        }
        for each, kind in more.get(name, ())
        if each not in taken
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def _field(identity: str, column: Column, source: Mapping[str, object]) -> dict[str, object]:
    role = {"headwater:role": "target"} if column.role == "target" else {}
    sensitive = {"headwater:sensitive": True} if column.sensitive else {}
    shape = (
        {"isArray": True, "arrayShape": f"{column.height},{column.width}"} if isinstance(column, ImageColumn) else {}
    )
    return {
        "@type": "cr:Field",
        "@id": identity,
        "name": column.name,
        "description": describe_domain(column),
        "dataType": _kind(column),
        **shape,
        **role,
        **sensitive,
        "source": {**source, "extract": {"column": column.name}},
    }


def _kind(column: Column) -> str:
    match column:
        case NumericColumn():
            # Croissant's reader has no missing whole number.
            return "sc:Integer" if column.integer and not column.missing else "sc:Float"
        case CategoricalColumn() | BooleanColumn():
            return "sc:Text"
        case DateColumn():
            return "sc:Date"
        case ImageColumn():
            return "cr:UInt8"
