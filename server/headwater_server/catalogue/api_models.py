"""What the JSON API answers with."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headwater.release import FileEntry
from headwater.release.manifest import Chart, Configuration, Figure, GeneratorTerms, Protection, Provenance
from headwater_server.catalogue.search import MAXIMUM_LETTERS, Query, Task, VerdictShown

__all__ = [
    "ColumnDetail",
    "FileLink",
    "Health",
    "ReleaseDetail",
    "ReleaseList",
    "ReleaseQuery",
    "ReleaseSummary",
    "VersionList",
    "WithdrawalNotice",
]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReleaseQuery(Query):
    """The query string of the list: `Query` with `q` for its words."""

    text: str = Field(
        default="",
        alias="q",
        description="Words that must all stand in name, title, description, columns or consortium; at most 16.",
        examples=["income census"],
        json_schema_extra={"maxLength": MAXIMUM_LETTERS, "pattern": r"^\s*(\S+\s+){0,15}\S*$"},
    )


class WithdrawalNotice(_Answer):
    """Why a version is no longer to be used. Not signed here: check withdrawn.json among its files."""

    withdrawn: str = Field(description="When, in UTC.", examples=["2026-11-22T09:00:00Z"])
    reason: str
    replaced_by: int | None = Field(description="The version to use instead.")


class ReleaseSummary(_Answer):
    """One version in a list. Nothing here is signed: check manifest.json."""

    name: str = Field(examples=["adult"])
    version: int = Field(examples=[1])
    title: str
    description: str = Field(description="For people; may be empty.")
    created: str = Field(description="In UTC.", examples=["2026-11-21T12:00:00Z"])
    rows: int
    columns: int
    size_bytes: int = Field(description="Of all files.")
    digest: str = Field(description="SHA-256 of the manifest's canonical form: the release's identity.")
    privacy: str = Field(description='"none", or ε, δ and what is protected, in a few words.')
    epsilon: float | None = Field(description="That was spent; null: not differentially private.")
    verdict: VerdictShown = Field(description="Of the gate; none: nothing was audited.")
    licence: str
    task: Task | None = Field(description="What the target column is good for; null where the schema is gone.")
    generator: GeneratorTerms = Field(description="What readers may have of the generator.")
    signatures: str = Field(description="Who signed, in words.")
    consortium: str
    organisations: int
    withdrawn: WithdrawalNotice | None = None


class ReleaseList(_Answer):
    """One page of the newest version of every dataset; of one with no other, the newest withdrawn one."""

    releases: tuple[ReleaseSummary, ...]
    total: int = Field(description="On all pages.")
    page: int = Field(description="This one; the last where a later one was asked for.")
    pages: int = Field(description="1 at least.")
    per_page: int


class VersionList(_Answer):
    """All versions of a dataset, newest first."""

    name: str
    versions: tuple[ReleaseSummary, ...]


class FileLink(_Answer):
    """A file and where to get it."""

    file: FileEntry
    url: str = Field(description="Path on this site.")


class ColumnDetail(_Answer):
    """A column of data.parquet."""

    name: str
    kind: Literal["numeric", "categorical", "boolean", "date", "image"]
    description: str = Field(description="Kind in a word or two.")
    values: str = Field(description="Public bounds or categories, shortened to one line.")
    missing: bool = Field(description="Values may be missing.")
    role: Literal["feature", "target"]
    sensitive: bool


class ReleaseDetail(_Answer):
    """One version in full."""

    summary: ReleaseSummary
    description: str
    licence: str
    verdict: VerdictShown
    protection: Protection
    provenance: Provenance
    columns: tuple[ColumnDetail, ...] = Field(description="Empty where the version was withdrawn.")
    figures: tuple[Figure, ...] = Field(description="A plot of each column, with the words that say the same.")
    charts: tuple[Chart, ...] = Field(description="Plots beyond one column.")
    configurations: tuple[Configuration, ...] = Field(description="Rows beside data.parquet, drawn in other ways.")
    generator: GeneratorTerms
    withdrawn: WithdrawalNotice | None
    files: tuple[FileLink, ...]


class Health(_Answer):
    """The catalogue answers."""

    status: Literal["ok"]
    software: str = Field(examples=["headwater 1.0"])
