"""What sampling on request may take of the coordinator."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SampleLimits"]


class SampleLimits(BaseModel):
    """Table `samples` of settings.toml; unknown keys are refused.

    Attributes:
        rows_per_job: most rows of one request.
        jobs_at_once: of one reader, waiting or drawn.
        jobs_per_day: of one reader in 24 hours.
        queue_length: jobs of all readers that wait.
        disk_mib: results of all jobs together.
        keep_hours: how long a result can be downloaded.
        seconds_per_job: after which drawing is given up.
        memory_mib: of the process that draws, and of the one that measures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows_per_job: int = Field(default=10_000_000, ge=1, le=2**40)
    jobs_at_once: int = Field(default=2, ge=1, le=1000)
    jobs_per_day: int = Field(default=20, ge=1, le=1_000_000)
    queue_length: int = Field(default=50, ge=1, le=100_000)
    disk_mib: int = Field(default=20_480, ge=1, le=2**30)
    keep_hours: int = Field(default=24, ge=1, le=24 * 365)
    seconds_per_job: int = Field(default=1800, ge=1, le=7 * 86_400)
    memory_mib: int = Field(default=4096, ge=512, le=2**20)
