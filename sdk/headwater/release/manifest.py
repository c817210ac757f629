"""The manifest: what a release holds, where it came from and what it does not protect."""

from typing import Annotated, Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    model_serializer,
    model_validator,
)

from headwater.agreement.differencing import Differencing
from headwater.agreement.documents import Document, HexDigest, HexKey, HexSignature, Instant, RunId
from headwater.agreement.generator_terms import GeneratorTerms
from headwater.agreement.signing import is_signed_by, public_key_hex, sign
from headwater.errors import ReleaseRefused
from headwater.release.large import LARGE, check_shard_paths, is_large, shard_path
from headwater.release.privacy_claim import Privacy, PrivacyClaim
from headwater.release.verdict import AuditClaim

__all__ = [
    "BUNDLE",
    "GENERATOR_FILES",
    "MANIFEST_KIND",
    "NEWEST",
    "Audit",
    "Chart",
    "Configuration",
    "DatasetName",
    "Figure",
    "FileEntry",
    "GeneratorTerms",
    "Making",
    "Manifest",
    "Protection",
    "Provenance",
    "ReleasePath",
    "SignedManifest",
]

MANIFEST_KIND = "release-manifest"
"""The word under which a manifest is signed, so that its signature serves no other document."""

_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"

DatasetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""A dataset in a catalogue: lower-case letters, digits and hyphens, at most 64."""

ReleasePath = Annotated[str, StringConstraints(pattern=rf"^{_SEGMENT}(/{_SEGMENT}){{0,3}}$")]
"""A file inside a release: no part begins with a dot, so no path leaves the folder."""


Format = Literal[
    "headwater-release/1", "headwater-release/2", "headwater-release/3", "headwater-release/4", "headwater-release/5"
]

NEWEST: Format = "headwater-release/5"
"""What is written now. It stands for the words of card and croissant.json as well, which are made again to be checked:
they change only with this number (docs/decisions/0036-texts-made-again.md)."""

BUNDLE = "generator/bundle.json"

GENERATOR_FILES = (BUNDLE, "generator/encoding.json", "generator/generator.safetensors")
"""What a released generator consists of, as `headwater.generator.bundle` writes it."""

_SINCE = {
    "headwater-release/4": ("making",),
    NEWEST: (),
}
_SINCE_FOUR = ("charts", "configurations", "generator", "making")


def _kind(value: object) -> str:
    return "none" if isinstance(value, str) else "claim"


Audit = Annotated[Annotated[Literal["none"], Tag("none")] | Annotated[AuditClaim, Tag("claim")], Discriminator(_kind)]
"""What a release says of its audit: the word, or the gist of audit.json."""


class FileEntry(Document):
    """One file of the release, held by its content."""

    path: ReleasePath
    size_bytes: int = Field(ge=0, le=2**53 - 1)
    sha256: HexDigest
    media_type: str = Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$", max_length=100)


class Figure(Document):
    """A plot of one column of the synthetic rows, with the words that say the same."""

    column: str = Field(min_length=1, max_length=200)
    path: ReleasePath
    description: str = Field(min_length=1, max_length=1000)


class Chart(Document):
    """A plot of more than one column, or of what was measured, with the words that say the same."""

    kind: Literal["pairs", "usefulness", "bias", "coverage"]
    path: ReleasePath
    description: str = Field(min_length=1, max_length=2000)


class Configuration(Document):
    """Rows beside data.parquet, drawn from the same generator in another way.

    Attributes:
        name: "balanced": classes in equal shares with a column `weight`; "views": groups from neighbouring latents, by
            `group_id` and `view_id`; "large": very many rows like those of data.parquet.
        path: its Parquet file; of very many rows the first of files that are numbered without gaps.
        rows: in it, or in all of them.
        description: what it is for, with its settings.
    """

    name: Literal["balanced", "views", "large"]
    path: ReleasePath
    rows: int = Field(ge=1, le=2**53 - 1)
    description: str = Field(min_length=1, max_length=1000)


class Protection(Document):
    """What stands between the published rows and the organisations' records; the absence is said aloud.

    Attributes:
        privacy: "none": not differentially private; else what is claimed of it.
        differencing: "one cohort": the plan was `strict`, each organisation refused a sum over others than before;
            "unprotected": cohorts may have changed between rounds, so differences of sums may tell an organisation's
            part (protocol 4.10).
        coordinator_saw: whether the sums over all organisations came to the coordinator with noise.
        audit: "none": no attack on the published rows was measured before they were released; else what came of it.
    """

    privacy: Privacy
    differencing: Differencing
    coordinator_saw: Literal["exact sums", "noisy sums"]
    audit: Audit = "none"

    @model_validator(mode="after")
    def _check_noise(self) -> Self:
        if self.coordinator_saw != ("exact sums" if self.privacy == "none" else "noisy sums"):
            raise ValueError("the coordinator saw noisy sums where there is a privacy claim, and exact ones elsewhere")
        return self

    @classmethod
    def of(cls, privacy: Privacy, differencing: Differencing, audit: "Audit" = "none") -> "Protection":
        """What a run under this privacy protects, and what an audit found of it."""
        saw: Literal["exact sums", "noisy sums"] = "exact sums" if privacy == "none" else "noisy sums"
        return cls(privacy=privacy, differencing=differencing, coordinator_saw=saw, audit=audit)


class Provenance(Document):
    """The run that the rows were sampled from, by digests that its members signed or approved."""

    consortium: str = Field(min_length=1, max_length=200)
    organisations: int = Field(ge=1, le=1_000_000)
    run_id: RunId
    plan_digest: HexDigest
    charter_digest: HexDigest
    schema_digest: HexDigest
    generator_digest: HexDigest | None = None
    software: str = Field(min_length=1, max_length=200)


class Making(Document):
    """How the run ended, as the card tells it.

    Attributes:
        refused_rounds: rounds of the run's climb or training that were not taken.
        ended_on: what the run's climb or training was cut short to, "" where it was not.
        released: the generator that the run ended with, and the run's own attack on it beside its limit, in words.
    """

    refused_rounds: int = Field(default=0, ge=0, le=2**53 - 1)
    ended_on: Literal["", "base", "checkpoint", "rung"] = ""
    released: str = Field(default="", max_length=2000)


class Manifest(Document):
    """All that is signed about one version of a dataset.

    Attributes:
        format: the layout of this document: 5 is written now; of those before 4 with charts, configurations or a
            generator, else 3 with an audit, else 2 with a privacy claim, which software that knows only a smaller
            number must refuse.
        version: 1 for the first release under a name; a version never changes once published.
        unconfirmed_schema: the schema was drafted from rows and no person confirmed every bound and category.
        charts: plots beyond one column.
        configurations: rows drawn in other ways, each name once.
        generator: what readers may have of it.
        making: how the run ended; since format 5.
        files: sorted by path; every file of the folder but manifest.json, SHA256SUMS and attestation.json.
    """

    format: Format
    name: DatasetName
    version: int = Field(ge=1, le=1_000_000)
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    licence: str = Field(min_length=1, max_length=200)
    created: Instant
    rows: int = Field(ge=1, le=2**53 - 1)
    columns: int = Field(ge=1, le=100_000)
    unconfirmed_schema: bool = False
    protection: Protection
    provenance: Provenance
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    generator: GeneratorTerms = "kept"
    making: Making = Making()
    files: tuple[FileEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_privacy(self) -> Self:
        privacy = self.protection.privacy
        more = bool(self.charts or self.configurations or self.generator != "kept")
        needed = _format_before(self.protection, more=more)
        if self.format not in (needed, NEWEST):
            raise ValueError(f"a manifest of {self.format} is not one for what it holds; {needed} is")
        if self.format != NEWEST and self.making != Making():
            raise ValueError(f"how a run ended stands in manifests of {NEWEST}, not of {self.format}")
        if privacy != "none" and privacy.schema_confirmed == self.unconfirmed_schema:
            raise ValueError(
                "the privacy claim and the manifest contradict each other on whether people read the schema"
            )
        return self

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        paths = [entry.path for entry in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("files must be sorted by path, each once")
        for needed in ("README.md", "data.parquet", "schema.toml"):
            if needed not in paths:
                raise ValueError(f"{needed} is not among the files; a release has it")
        if self.format == NEWEST and "croissant.json" not in paths:
            raise ValueError(f"croissant.json is not among the files; a release of {NEWEST} has it")
        if {"SHA256SUMS", "manifest.json"} & set(paths):
            raise ValueError("manifest.json and SHA256SUMS hold the list, so they cannot stand in it")
        if "attestation.json" in paths:
            raise ValueError("attestation.json is signed after the list is fixed, so it cannot stand in it")
        if ("audit.json" in paths) == (self.protection.audit == "none"):
            raise ValueError("audit.json is among the files exactly where there was an audit")
        shown = {f.path for f in self.figures} | {c.path for c in self.charts} | {c.path for c in self.configurations}
        strangers = shown - set(paths)
        if strangers:
            raise ValueError(f"{sorted(strangers)[0]} is shown but not among the files")
        names = [each.name for each in self.configurations]
        if len(set(names)) != len(names):
            raise ValueError("a configuration stands twice; each has its name once")
        self._check_large(paths)
        self._check_generator(paths)
        return self

    def _check_large(self, paths: list[str]) -> None:
        large = next((each for each in self.configurations if each.name == LARGE), None)
        if (large is None) == any(map(is_large, paths)):
            raise ValueError("large/ is among the files exactly where there is a configuration of very many rows")
        if large is not None:
            check_shard_paths(paths)
        if any((each.path == shard_path(0)) != (each.name == LARGE) for each in self.configurations):
            raise ValueError(f"configuration {LARGE} begins in {shard_path(0)}, and no other does")

    def _check_generator(self, paths: list[str]) -> None:
        if (BUNDLE in paths) != (self.generator == "released"):
            raise ValueError(f"{BUNDLE} is among the files exactly where the generator is released")
        beside = {path for path in paths if path.startswith("generator/")}
        if beside and beside != set(GENERATOR_FILES):
            raise ValueError(f"generator/ holds {', '.join(GENERATOR_FILES)} and nothing else")
        # A bundle's digest is that of its own list of files, which thereby names every byte of the generator.
        bundle = self.file(BUNDLE)
        if bundle is not None and bundle.sha256 != self.provenance.generator_digest:
            raise ValueError(f"{BUNDLE} is not the generator that the rows are from; its digest is another")

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Earlier layouts keep their bytes, which are signed."""
        written: dict[str, Any] = handler(self)
        for name in _SINCE.get(self.format, _SINCE_FOUR):
            written.pop(name, None)
        return written

    @property
    def size_bytes(self) -> int:
        """Sum of the sizes of the listed files."""
        return sum(entry.size_bytes for entry in self.files)

    def file(self, path: str) -> FileEntry | None:
        """The entry with exactly this path, or None."""
        return next((entry for entry in self.files if entry.path == path), None)


def _format_before(protection: Protection, *, more: bool) -> Format:
    """The layout before 5 of a manifest with this protection; `more`: with charts, configurations or a generator."""
    if more:
        return "headwater-release/4"
    if protection.audit != "none":
        return "headwater-release/3"
    return "headwater-release/2" if isinstance(protection.privacy, PrivacyClaim) else "headwater-release/1"


class SignedManifest(Document):
    """The content of manifest.json: the manifest under the signature of the charter's coordinator key.

    The release's digest is the manifest's alone, so that signatures added later do not change it.
    """

    manifest: Manifest
    coordinator_key: HexKey
    coordinator_signature: HexSignature

    @classmethod
    def sign(cls, manifest: Manifest, coordinator_key: Ed25519PrivateKey) -> "SignedManifest":
        """Sign as the coordinator."""
        return cls(
            manifest=manifest,
            coordinator_key=public_key_hex(coordinator_key),
            coordinator_signature=sign(coordinator_key, MANIFEST_KIND, manifest.to_bytes()),
        )

    def verify(self, coordinator_key: str) -> Manifest:
        """Check the signature against a key that was obtained elsewhere, and give the manifest.

        Args:
            coordinator_key: raw Ed25519 key, 64 hexadecimal digits; never this document's own claim.

        Raises:
            ReleaseRefused: another key signed, or the signature is wrong.
        """
        if self.coordinator_key != coordinator_key:
            raise ReleaseRefused(
                f"the release is signed by key {self.coordinator_key[:16]}…, the charter names "
                f"{coordinator_key[:16]}…; do not use it, ask the consortium"
            )
        if not is_signed_by(coordinator_key, MANIFEST_KIND, self.manifest.to_bytes(), self.coordinator_signature):
            raise ReleaseRefused("the coordinator's signature on manifest.json is wrong; do not use the release")
        return self.manifest
