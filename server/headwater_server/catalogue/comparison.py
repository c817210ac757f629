"""What changed between two versions of a dataset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headwater.file_size import size_in_words
from headwater.release import FileEntry
from headwater.release.domain import describe_domain, describe_kind, describe_role
from headwater.release.manifest import Manifest
from headwater.release.statement import headline
from headwater.schema import Column, Schema
from headwater_server.catalogue.column_shifts import ColumnShift, Spread, column_shifts
from headwater_server.catalogue.verdict_page import verdict_of

__all__ = ["Change", "Comparison", "compare_versions"]

Kind = Literal["added", "removed", "changed"]

_FACTS: tuple[tuple[str, Callable[[Manifest], str]], ...] = (
    ("Title", lambda m: m.title),
    ("Description", lambda m: m.description or "none"),
    ("Made", lambda m: m.created[:10]),
    ("Rows", lambda m: f"{m.rows:,}"),
    ("Columns", lambda m: f"{m.columns:,}"),
    ("Size", lambda m: size_in_words(m.size_bytes)),
    ("Verdict", verdict_of),
    (
        "Warning gates",
        lambda m: "none" if m.protection.audit == "none" else ", ".join(m.protection.audit.warned) or "none",
    ),
    (
        "Waived gates",
        lambda m: "none" if m.protection.audit == "none" else ", ".join(m.protection.audit.waived) or "none",
    ),
    ("Attempts", lambda m: "none" if m.protection.audit == "none" else str(m.protection.audit.attempts)),
    ("Privacy", lambda m: headline(m.protection.privacy)),
    ("Sums", lambda m: m.protection.differencing),
    ("Generator", lambda m: m.generator),
    ("Configurations", lambda m: ", ".join(each.name for each in m.configurations) or "none"),
    ("Licence", lambda m: m.licence),
    ("Organisations", lambda m: str(m.provenance.organisations)),
    ("Plan", lambda m: m.provenance.plan_digest[:16]),
    ("Charter", lambda m: m.provenance.charter_digest[:16]),
    ("Schema", lambda m: m.provenance.schema_digest[:16]),
    ("Software", lambda m: m.provenance.software),
)


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        what: a column, a file, a fact.
        kind: whether it is there in one of both alone.
        before: in words, "" where it was not there.
        after: in words, "" where it is no longer.
    """

    what: str
    kind: Kind
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Two versions beside each other.

    Attributes:
        facts: of the manifest that differ.
        same: names of facts that do not.
        columns: of the schema that differ; None where a schema is gone with a withdrawn version.
        kept_columns: columns that are the same in both.
        files: that differ.
        same_files: files with the same content.
        shifts: how far columns moved, the farthest first; None where a version has no statistics.json.
    """

    facts: Sequence[Change]
    same: Sequence[str]
    columns: Sequence[Change] | None
    kept_columns: int
    files: Sequence[Change]
    same_files: int
    shifts: Sequence[ColumnShift] | None


def compare_versions(
    before: Manifest,
    after: Manifest,
    schemas: tuple[Schema, Schema] | None,
    spreads: tuple[Mapping[str, Spread], Mapping[str, Spread]] | None,
) -> Comparison:
    """Compare two versions of one dataset.

    Args:
        before: the one.
        after: the other.
        schemas: of both, where both have one still.
        spreads: of both, where both have statistics.
    """
    facts = [Change(name, "changed", said(before), said(after)) for name, said in _FACTS if said(before) != said(after)]
    same = [name for name, said in _FACTS if said(before) == said(after)]
    columns, kept = (None, 0) if schemas is None else _columns(*schemas)
    files, same_files = _files(before, after)
    return Comparison(
        facts=facts,
        same=same,
        columns=columns,
        kept_columns=kept,
        files=files,
        same_files=same_files,
        shifts=None if spreads is None else column_shifts(*spreads),
    )


def _columns(before: Schema, after: Schema) -> tuple[Sequence[Change], int]:
    one = {column.name: column for column in before.columns}
    other = {column.name: column for column in after.columns}
    changes = _changes({n: _column(c) for n, c in one.items()}, {n: _column(c) for n, c in other.items()})
    # Words may leave out what changed, as the seventh category.
    told = {change.what for change in changes}
    hidden = [name for name in one if name in other and name not in told and one[name] != other[name]]
    changes += [
        Change(name, "changed", f"{_column(one[name])}", "the same in short; see schema.toml") for name in hidden
    ]
    return changes, len([name for name in one if name in other]) - sum(c.kind == "changed" for c in changes)


def _column(column: Column) -> str:
    role = describe_role(column)
    return f"{describe_kind(column)}: {describe_domain(column)}" + (f" ({role})" if role else "")


def _files(before: Manifest, after: Manifest) -> tuple[Sequence[Change], int]:
    one = {file.path: file for file in before.files}
    other = {file.path: file for file in after.files}
    changed = {path for path in one if path in other and one[path].sha256 != other[path].sha256}
    shown = _changes(
        {path: _file(file) for path, file in one.items() if path in changed or path not in other},
        {path: _file(file) for path, file in other.items() if path in changed or path not in one},
    )
    return shown, len([path for path in one if path in other]) - len(changed)


def _file(file: FileEntry) -> str:
    return f"{size_in_words(file.size_bytes)}, {file.sha256[:12]}…"


def _changes(one: Mapping[str, str], other: Mapping[str, str]) -> list[Change]:
    removed = [Change(name, "removed", said, "") for name, said in one.items() if name not in other]
    added = [Change(name, "added", "", said) for name, said in other.items() if name not in one]
    changed = [
        Change(name, "changed", said, other[name])
        for name, said in one.items()
        if name in other and other[name] != said
    ]
    return [*added, *removed, *changed]
