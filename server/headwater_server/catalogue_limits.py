"""How much one reader may ask of the catalogue, and how large a request may be."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CatalogueLimits"]


class CatalogueLimits(BaseModel):
    """`[catalogue_limits]` of settings.toml; unknown keys are refused, 0 sets no limit to a rate.

    Each rate is per token, or per address for readers without one. What was not used for a minute can be used at
    once, so the first minute may take twice as many.

    Attributes:
        requests_per_minute: pages and answers of the API.
        file_requests_per_minute: files and ranges of them; a reader of Parquet sends many small ones.
        sign_ins_per_minute: tokens sent by the form, and tokens that are none; always per address.
        samples_per_minute: orders of rows to be drawn.
        header_bytes: all header lines of a request together.
        target_bytes: path and query as they are sent.
        body_bytes: body of a request; orders of rows are the longest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int = Field(default=1200, ge=0, le=10**9)
    file_requests_per_minute: int = Field(default=12_000, ge=0, le=10**9)
    sign_ins_per_minute: int = Field(default=10, ge=0, le=10**9)
    samples_per_minute: int = Field(default=10, ge=0, le=10**9)
    header_bytes: int = Field(default=16 * 1024, ge=1024, le=64 * 1024)
    target_bytes: int = Field(default=8 * 1024, ge=256, le=64 * 1024)
    body_bytes: int = Field(default=64 * 1024, ge=1024, le=16 * 2**20)

    @classmethod
    def unlimited(cls) -> "CatalogueLimits":
        """No limits to rates, for measuring a catalogue or asking it many things in a test."""
        return cls(requests_per_minute=0, file_requests_per_minute=0, sign_ins_per_minute=0, samples_per_minute=0)
