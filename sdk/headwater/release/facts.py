"""What must be told about a release beyond its rows and schema."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from headwater.agreement.differencing import Differencing
from headwater.agreement.documents import Document, Instant
from headwater.release.manifest import Audit, DatasetName, Making, Manifest, Protection, Provenance
from headwater.release.privacy_claim import Privacy
from headwater.release.verdict import AuditClaim
from headwater.schema import Schema

if TYPE_CHECKING:
    from headwater.release.audit_file import PublishedAudit

__all__ = ["ReleaseFacts"]


class ReleaseFacts(Document):
    """The words and digests that a card and a manifest carry.

    Attributes:
        version: 1 for the first release under this name.
        licence: as the consortium calls its terms; it is asked for them where it named none.
        differencing: what holds of the run's sums, by its plan.
        privacy: what is claimed of it, or "none": the word is required, there is no default.
        schema_from_rows: a program read bounds and categories from rows, whatever the schema itself says.
        refused_rounds: rounds of the run's climb or training that were not taken.
        released: the generator that the run ended with, and the run's own attack on it beside its limit, in words.
        ended_on: what the run's climb or training was cut short to, "" where it was not.
    """

    name: DatasetName
    version: int = Field(ge=1, le=1_000_000)
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    licence: str = Field(default="not stated; ask the consortium", min_length=1, max_length=200)
    created: Instant
    differencing: Differencing
    privacy: Privacy
    schema_from_rows: bool = False
    refused_rounds: int = Field(default=0, ge=0)
    ended_on: Literal["", "base", "checkpoint", "rung"] = ""
    released: str = Field(default="", max_length=2000)
    provenance: Provenance

    @classmethod
    def of(cls, manifest: Manifest) -> "ReleaseFacts":
        """The facts that a manifest of the newest layout was written from."""
        said, making = manifest.protection, manifest.making
        return cls(
            name=manifest.name,
            version=manifest.version,
            title=manifest.title,
            description=manifest.description,
            licence=manifest.licence,
            created=manifest.created,
            differencing=said.differencing,
            privacy=said.privacy,
            schema_from_rows=manifest.unconfirmed_schema,
            refused_rounds=making.refused_rounds,
            ended_on=making.ended_on,
            released=making.released,
            provenance=manifest.provenance,
        )

    @property
    def making(self) -> Making:
        """How the run ended, as the manifest signs it."""
        return Making(refused_rounds=self.refused_rounds, ended_on=self.ended_on, released=self.released)

    @property
    def protection(self) -> Protection:
        """As the manifest signs it."""
        return Protection.of(self.privacy, self.differencing)

    def protection_under(self, audit: "PublishedAudit | None") -> Protection:
        """As the manifest of an audited release signs it; the same as `protection` where there was no audit."""
        claim: Audit = "none" if audit is None else AuditClaim.of(audit)
        return Protection.of(self.privacy, self.differencing, claim)

    def unconfirmed(self, schema: Schema) -> bool:
        """Whether bounds and categories of the rows' schema are a program's guess that no person confirmed."""
        return self.schema_from_rows or bool(schema.unconfirmed)
