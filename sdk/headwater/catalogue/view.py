"""One dataset as a notebook shows it: what it is, what protects the people behind it, how to cite and load it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from headwater.file_size import size_in_words
from headwater.release import FileEntry, Manifest
from headwater.release.domain import describe_domain, describe_kind, describe_role
from headwater.release.statement import citation, headline, not_to_be_used_for, signatures_in_words, verdict_in_words
from headwater.release.withdrawal import Withdrawal
from headwater.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Dataset"]

_UNAUDITED = "not audited: no attack on the published rows was measured before they were released"
_SHOWN_COLUMNS = 12


@dataclass(frozen=True)
class Dataset:
    """One version of a dataset, as its signed manifest and schema describe it; its rows are not loaded yet.

    Attributes:
        manifest: verified under the pinned charter.
        schema: its columns, held to the manifest's digest; None for a withdrawn version, of which the evidence alone is
            left.
        url: of the catalogue.
        withdrawal: the consortium's notice that it took the version back; None where it stands.
    """

    manifest: Manifest
    schema: Schema | None
    url: str
    withdrawal: Withdrawal | None = None
    _load: "Callable[..., Any]" = field(repr=False, compare=False, default=lambda **_: None)

    @property
    def name(self) -> str:
        """As `load_dataset` takes it."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """1 for the first."""
        return self.manifest.version

    @property
    def title(self) -> str:
        """For people."""
        return self.manifest.title

    @property
    def rows(self) -> int:
        """Synthetic rows of the default configuration."""
        return self.manifest.rows

    @property
    def columns(self) -> Sequence[str]:
        """Names, in order."""
        return () if self.schema is None else self.schema.names

    @property
    def configurations(self) -> Sequence[str]:
        """What `config` may be."""
        return ("default", *(each.name for each in self.manifest.configurations))

    @property
    def files(self) -> Sequence[FileEntry]:
        """All files of the release."""
        return self.manifest.files

    @property
    def licence(self) -> str:
        """Under which the rows may be used."""
        return self.manifest.licence

    @property
    def privacy(self) -> str:
        """What differential privacy there is, or that there is none, in one line."""
        return headline(self.manifest.protection.privacy)

    @property
    def verdict(self) -> str:
        """What came of its audit, in words."""
        audit = self.manifest.protection.audit
        return _UNAUDITED if audit == "none" else verdict_in_words(audit)

    @property
    def signatures(self) -> str:
        """Who stands behind it."""
        return signatures_in_words(self.manifest.protection)

    @property
    def citation(self) -> str:
        """How to cite it."""
        made = self.manifest
        return citation(made.provenance.consortium, made.title, made.name, made.version, made.created)

    def load(self, **options: Any) -> Any:
        """Its rows; options as of `headwater.load_dataset`."""
        return self._load(**options)

    def to_dict(self) -> Mapping[str, Any]:
        """All of it as values of JSON; the form of `headwater show --json`."""
        manifest = self.manifest
        withdrawn = self.withdrawal
        return {
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "description": manifest.description,
            "catalogue": self.url,
            "consortium": manifest.provenance.consortium,
            "organisations": manifest.provenance.organisations,
            "created": manifest.created,
            "rows": self.rows,
            "columns": [
                {"name": column.name, "kind": describe_kind(column), "role": describe_role(column)}
                for column in self._columns
            ],
            "configurations": list(self.configurations),
            "generator": manifest.generator,
            "privacy": self.privacy,
            "protection": manifest.protection.model_dump(mode="json"),
            "verdict": self.verdict,
            "signatures": self.signatures,
            "licence": self.licence,
            "citation": self.citation,
            "digest": manifest.digest,
            "size_bytes": manifest.size_bytes,
            "files": [entry.model_dump(mode="json") for entry in self.files],
            "withdrawn": None if withdrawn is None else withdrawn.model_dump(mode="json"),
        }

    def __repr__(self) -> str:
        """A few lines for a terminal."""
        shown = ", ".join(self.columns[:_SHOWN_COLUMNS])
        more = f", … {len(self.columns) - _SHOWN_COLUMNS} more" if len(self.columns) > _SHOWN_COLUMNS else ""
        lines = [
            f"Dataset {self.name!r}, version {self.version}: {_line(self.title)}",
            *self._withdrawn(),
            f"  {self.privacy}",
            f"  audit: {self.verdict}",
            f"  {self.rows:,} rows of {self.manifest.columns} columns: {_line(shown)}{more}",
            f"  configurations: {', '.join(self.configurations)}",
            f"  {size_in_words(self.manifest.size_bytes)} in {len(self.files)} files; licence: {_line(self.licence)}",
            f"  cite: {_line(self.citation)}",
            '  load: .load(as_="pandas")',
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """For notebooks: no script, no style sheet, nothing from a network; every text escaped."""
        private = self.manifest.protection.privacy != "none"
        edge = "#2e7d32" if private and self.withdrawal is None else "#b26a00"
        facts = [
            ("privacy", self.privacy),
            ("audit", self.verdict),
            ("signatures", self.signatures),
            ("rows", f"{self.rows:,}"),
            ("configurations", ", ".join(self.configurations)),
            ("made", f"{self.manifest.created[:10]} by {self.manifest.provenance.organisations} organisations of "
                     f"{self.manifest.provenance.consortium}"),
            ("licence", self.licence),
            ("cite", self.citation),
            ("digest", self.manifest.digest),
        ]  # fmt: skip
        rows = "".join(f"<tr><th style='text-align:left'>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts)
        columns = "".join(
            f"<tr><td><code>{escape(column.name)}</code></td><td>{escape(describe_kind(column))}</td>"
            f"<td>{escape(describe_domain(column))}</td><td>{escape(describe_role(column))}</td></tr>"
            for column in self._columns
        )
        files = "".join(
            f"<tr><td><code>{escape(entry.path)}</code></td><td>{escape(size_in_words(entry.size_bytes))}</td></tr>"
            for entry in self.files
        )
        unfit = "".join(f"<li>{escape(line)}</li>" for line in not_to_be_used_for())
        said = "".join(f"<p><strong>{escape(line.strip())}</strong></p>" for line in self._withdrawn())
        return (
            f"<div style='border-left:4px solid {edge};padding-left:1em'>"
            f"<h3>{escape(self.title)}</h3><p>{escape(self.name)}, version {self.version}</p>{said}"
            f"<p>{escape(self.manifest.description)}</p><table>{rows}</table>"
            f"<details><summary>{self.manifest.columns} columns</summary><table><tr><th>name</th><th>kind</th>"
            f"<th>values</th><th>role</th></tr>{columns}</table></details>"
            f"<details><summary>{len(self.files)} files, {escape(size_in_words(self.manifest.size_bytes))}</summary>"
            f"<table>{files}</table></details>"
            f"<details><summary>not to be used for</summary><ul>{unfit}</ul></details></div>"
        )

    @property
    def _columns(self) -> Sequence[Column]:
        return () if self.schema is None else self.schema.columns

    def _withdrawn(self) -> Sequence[str]:
        said = self.withdrawal
        if said is None:
            return ()
        instead = "" if said.replaced_by is None else f" Use version {said.replaced_by}."
        return (f"  WITHDRAWN on {said.withdrawn[:10]}: {said.sentence}{instead}",)


def _line(text: str) -> str:
    """Text of others in one line without characters that would command a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
