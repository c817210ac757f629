"""What a catalogue's lists say of datasets and versions; nothing in them is signed."""

from pydantic import BaseModel, ConfigDict, Field

from headwater.agreement.documents import HexDigest
from headwater.release.manifest import DatasetName

__all__ = ["Listing", "Listings", "WithdrawnNotice"]

# Of a hundred datasets each. A catalogue that says more would be read for hours, all of it kept in memory.
_MOST_PAGES = 1_000


class WithdrawnNotice(BaseModel):
    """What a list says of a version that was taken back; the signed notice is withdrawn.json among its files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    withdrawn: str = Field(max_length=40)
    reason: str = Field(max_length=2000)
    replaced_by: int | None = Field(default=None, ge=1)


class Listing(BaseModel):
    """One line of a catalogue's list. Nothing in it is signed: it helps to choose, not to trust."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: DatasetName
    version: int = Field(ge=1)
    title: str = Field(max_length=200)
    created: str = Field(max_length=40)
    rows: int = Field(ge=0)
    columns: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    digest: HexDigest
    privacy: str = Field(max_length=60)
    organisations: int = Field(ge=0)
    description: str = Field(default="", max_length=10_000)
    withdrawn: WithdrawnNotice | None = None

    @property
    def private(self) -> bool:
        """Whether it says that it is differentially private; only a verified manifest shows that it is."""
        return self.privacy != "none"


class Listings(BaseModel):
    """An answer of the catalogue: a page of datasets, or the versions of one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    releases: tuple[Listing, ...] = ()
    versions: tuple[Listing, ...] = ()
    pages: int = Field(default=1, ge=1, le=_MOST_PAGES)
