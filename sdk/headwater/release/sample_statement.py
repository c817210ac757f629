"""What the coordinator signs about rows that it drew on request: of which generator, how, and which bytes."""

from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BeforeValidator, Field, JsonValue, model_validator

from headwater.agreement.documents import Document, HexDigest, HexKey, HexSignature, Instant
from headwater.agreement.signing import is_signed_by, public_key_hex, sign
from headwater.errors import InputError, ReleaseRefused
from headwater.release.hashing import hash_file
from headwater.release.manifest import DatasetName, Manifest

__all__ = [
    "MAXIMUM_STATEMENT_BYTES",
    "SAMPLE_KIND",
    "SampleFormat",
    "SampleRequest",
    "SampleStatement",
    "SignedSampleStatement",
    "read_sample_statement",
]

SAMPLE_KIND = "sample-statement"
"""The word under which a statement is signed, so that its signature serves no other document."""

MAXIMUM_STATEMENT_BYTES = 2**20
"""A larger statement is not read; a request has 64 KiB at most."""

SampleFormat = Literal["parquet", "csv", "csv.gz"]


def _by_name(value: object) -> object:
    """A column, or several, stand for equal shares of each one's values."""
    if isinstance(value, str):
        return {value: None}
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value)
    return value


class SampleRequest(Document):
    """Which rows are asked for; equal requests of one generator are answered with equal rows.

    Attributes:
        rows: how many; with views, rows and not groups.
        where: a condition on all rows, as `headwater.schema.condition_json` writes it.
        balanced: by column the share of each value ("" for missing), or None for equal shares; a list of columns, or
            one column, is read as well.
        views: rows of a group of neighbouring latents; 1 for single rows.
        view_std: how far views lie from their group's first row.
        seed: row i of a seed is the same in every request that is otherwise the same.
        format: of the file.
    """

    rows: int = Field(ge=1, le=2**53 - 1)
    where: dict[str, JsonValue] = Field(default_factory=dict)
    balanced: Annotated[dict[str, dict[str, float] | None], BeforeValidator(_by_name)] = Field(default_factory=dict)
    views: int = Field(default=1, ge=1, le=2**31 - 1)
    view_std: float = Field(default=0.2, ge=0, le=1e6)
    seed: int = Field(default=0, ge=0, le=2**53 - 1)
    format: SampleFormat = "parquet"

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        try:
            self.to_bytes()
        except InputError as error:
            # A number that no canonical form can hold would have no digest to sign.
            raise ValueError("it holds a number beyond 2^53; write it with a decimal point") from error
        return self


class SampleStatement(Document):
    """What is said of one file of rows drawn on request.

    No organisation signed these rows, and no gate saw them: a sample is cited beside the release whose generator it
    was drawn from, whose audit is of that generator's released rows. Of privacy it costs nothing more than the
    generator did: drawing is post-processing.

    Attributes:
        name: of the dataset.
        version: of the dataset.
        release: digest of its manifest.
        generator: digest of the bundle that drew.
        request: what was asked for.
        rows: in the file.
        size_bytes: of the file.
        sha256: of the file.
        created: when it was drawn.
        software: that drew it.
    """

    format: Literal["headwater-sample/1"] = "headwater-sample/1"
    name: DatasetName
    version: int = Field(ge=1, le=1_000_000)
    release: HexDigest
    generator: HexDigest
    request: SampleRequest
    rows: int = Field(ge=1, le=2**53 - 1)
    size_bytes: int = Field(ge=1, le=2**53 - 1)
    sha256: HexDigest
    created: Instant
    software: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.rows != self.request.rows:
            raise ValueError("the file has another number of rows than was asked for")
        return self


class SignedSampleStatement(Document):
    """A statement under the signature of the charter's coordinator key."""

    statement: SampleStatement
    coordinator_key: HexKey
    coordinator_signature: HexSignature

    @classmethod
    def sign(cls, statement: SampleStatement, coordinator_key: Ed25519PrivateKey) -> "SignedSampleStatement":
        """Sign as the coordinator."""
        return cls(
            statement=statement,
            coordinator_key=public_key_hex(coordinator_key),
            coordinator_signature=sign(coordinator_key, SAMPLE_KIND, statement.to_bytes()),
        )

    def verify(self, manifest: Manifest, coordinator_key: str) -> SampleStatement:
        """Check the signature, and that the rows were drawn for this very release from its generator.

        Args:
            manifest: of the release, verified already.
            coordinator_key: raw Ed25519 key of the charter that the release was made under, 64 hexadecimal digits;
                never this document's own claim.

        Raises:
            ReleaseRefused: another key signed, the signature is wrong, or it is about another release or generator.
        """
        if self.coordinator_key != coordinator_key:
            raise ReleaseRefused(
                f"the sample is signed by key {self.coordinator_key[:16]}…, the charter names "
                f"{coordinator_key[:16]}…; do not use it, ask the consortium"
            )
        said = self.statement
        if not is_signed_by(coordinator_key, SAMPLE_KIND, said.to_bytes(), self.coordinator_signature):
            raise ReleaseRefused("the coordinator's signature on the sample's statement is wrong; do not use the rows")
        if (said.name, said.version, said.release) != (manifest.name, manifest.version, manifest.digest):
            raise ReleaseRefused(
                f"the sample was drawn for {said.name} version {said.version}, release {said.release[:16]}…, and not "
                f"for {manifest.name} version {manifest.version}, release {manifest.digest[:16]}…; ask for it again"
            )
        if said.generator != manifest.provenance.generator_digest:
            raise ReleaseRefused(
                "the sample was drawn from another generator than its release names; do not use it, tell the consortium"
            )
        return said

    def check_file(self, file: Path) -> None:
        """Check that a file is the one that the statement is about.

        Raises:
            ReleaseRefused: it is another one, or was changed.
        """
        said = self.statement
        size, digest = hash_file(file)
        if (size, digest) != (said.size_bytes, said.sha256):
            raise ReleaseRefused(
                f"{file} is not the sample that was signed: {size:,} bytes with SHA-256 {digest[:16]}…, expected "
                f"{said.size_bytes:,} with {said.sha256[:16]}…; ask for it again"
            )


def read_sample_statement(data: bytes) -> SignedSampleStatement:
    """Read a signed statement without believing it yet.

    Raises:
        ReleaseRefused: too large, or not a statement in canonical form.
    """
    if len(data) > MAXIMUM_STATEMENT_BYTES:
        raise ReleaseRefused(f"the sample's statement has more than {MAXIMUM_STATEMENT_BYTES:,} bytes; do not use it")
    try:
        return SignedSampleStatement.from_bytes(data)
    except InputError as error:
        raise ReleaseRefused(f"the sample's statement cannot be believed: {error}") from error
