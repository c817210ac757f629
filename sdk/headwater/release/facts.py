"""What must be told about a release beyond its rows and schema."""

from typing import Literal

from pydantic import Field

from headwater.agreement.differencing import Differencing
from headwater.agreement.documents import Document, Instant
from headwater.release.manifest import DatasetName, Provenance

__all__ = ["ReleaseFacts"]


class ReleaseFacts(Document):
    """The words and digests that a card and a manifest carry.

    Attributes:
        version: 1 for the first release under this name.
        licence: as the consortium calls its terms; it is asked for them where it named none.
        differencing: what holds of the run's sums, by its plan.
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
    refused_rounds: int = Field(default=0, ge=0)
    ended_on: Literal["", "base", "checkpoint", "rung"] = ""
    released: str = Field(default="", max_length=2000)
    provenance: Provenance
