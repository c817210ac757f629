"""What a job of drawing rows on request is, and what the coordinator keeps of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

__all__ = ["SampleJob", "SampleState", "SampleStore", "SampleTotal"]


class SampleState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    DRAWING = "drawing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def over(self) -> bool:
        """Nothing is drawn any more."""
        return self not in (SampleState.QUEUED, SampleState.DRAWING)


@dataclass(frozen=True, slots=True)
class SampleJob:
    """One request for rows.

    Attributes:
        job_id: 32 random hexadecimal digits, which nobody guesses.
        owner: who asked, as the catalogue's access knows it; kept no longer than the job.
        name: of the dataset.
        version: of the dataset.
        release_digest: of its manifest.
        request: a `SampleRequest` in canonical form.
        rows: asked for.
        expected_seconds: of drawing, by a trial.
        created: when it was asked for; all moments are instants in UTC.
        state: where it is.
        rows_done: drawn so far.
        starts: how often drawing began; more than once after a restart of the coordinator.
        started: when drawing began last.
        finished: when it was over.
        statement: signed, of a finished one.
        sha256: of the file.
        size_bytes: of the file.
        code: why it failed; "" elsewhere.
        message: likewise, for people.
    """

    job_id: str
    owner: str = field(repr=False)
    name: str
    version: int
    release_digest: str
    request: bytes
    rows: int
    expected_seconds: float
    created: str
    state: SampleState = SampleState.QUEUED
    rows_done: int = 0
    starts: int = 0
    started: str = ""
    finished: str = ""
    statement: bytes = b""
    sha256: str = ""
    size_bytes: int = 0
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class SampleTotal:
    """How much was ever asked of one release, by nobody in particular."""

    name: str
    version: int
    jobs: int
    rows: int


class SampleStore(Protocol):
    """Jobs, durably; every method is one transaction and may raise `StorageError`."""

    def add_sample(self, job: SampleJob) -> None:
        """Record a queued job, and count its rows for its release."""
        ...

    def sample(self, job_id: str) -> SampleJob | None:
        """One job."""
        ...

    def samples(self, *states: SampleState) -> Sequence[SampleJob]:
        """Jobs in one of these states, or all, in the order they were asked for."""
        ...

    def claim_sample(self, now: str) -> SampleJob | None:
        """Begin the job that waited longest: it is being drawn from now on. None where none waits."""
        ...

    def requeue_samples(self) -> None:
        """Put jobs that were being drawn back where they stood in the queue."""
        ...

    def sample_progress(self, job_id: str, rows_done: int) -> None:
        """Record how far the drawing is."""
        ...

    def settle_sample(
        self,
        job_id: str,
        state: SampleState,
        now: str,
        *,
        statement: bytes = b"",
        sha256: str = "",
        size_bytes: int = 0,
        code: str = "",
        message: str = "",
    ) -> bool:
        """End a job that is queued or drawn; False where it was over already, which nothing changes."""
        ...

    def expire_sample(self, job_id: str) -> None:
        """Mark the result of a job as gone."""
        ...

    def forget_sample(self, job_id: str) -> None:
        """Remove a job, with who asked for it."""
        ...

    def sample_totals(self) -> Sequence[SampleTotal]:
        """What was asked of each release, by name and version."""
        ...
