"""Where rows are asked for: requests are checked, put in the queue, looked up and cancelled."""

import contextlib
import datetime
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.agreement.documents import instant_of
from headwater.errors import InputError
from headwater.release.layout import SCHEMA
from headwater.release.manifest import Manifest
from headwater.release.sample_statement import SampleRequest
from headwater.schema.condition_json import condition_from_json
from headwater.schema.schema import Schema
from headwater_server.sampling.jobs import SampleJob, SampleState, SampleStore
from headwater_server.sampling.limits import SampleLimits
from headwater_server.sampling.worker_process import DrawRefused, Worker

__all__ = ["Estimate", "Place", "SampleDesk", "check_offered", "generator_folder", "result_file"]

_MEASURING_SECONDS = 60.0
_MOST_WAITING = 8
_BUNDLE = "bundle.json"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request would take, by a trial.

    Attributes:
        method: "plain", "exact", "rejection", "balanced" or "views".
        share: of the generator's rows that satisfy the condition.
        estimated: whether the share was found by drawing.
        left_out: share of rows in classes too rare for a balance.
        acceptance: share of rows begun that are taken.
        seconds: of drawing.
        size_bytes: of the file, as Parquet.
    """

    method: str
    share: float
    estimated: bool
    left_out: float
    acceptance: float
    seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands: 0 for one that is being drawn, 1 for the next, None once it is over; and for how long."""

    place: int | None
    seconds: float


class SampleDesk:
    """What the catalogue's API does with requests for rows.

    Args:
        store: of jobs.
        runs: a folder for each run, with its generator.
        results: a folder for each job's file.
        limits: of all jobs.
        measure: process for trials, apart from the one that draws.
        now: an aware moment.
    """

    def __init__(
        self,
        store: SampleStore,
        runs: Path,
        results: Path,
        limits: SampleLimits,
        measure: Worker,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self.limits = limits
        self._store, self._runs, self._results = store, runs, results
        self._measure, self._now = measure, now
        self._asking = threading.Lock()
        self._tried: set[str] = set()
        self._turns = threading.Lock()

    def close(self) -> None:
        """End the process for trials."""
        self._measure.stop()

    def rest(self, seconds: float) -> None:
        """Give the memory of trials back where nobody asked for so long."""
        self._measure.rest(seconds)

    def estimate(self, owner: str, manifest: Manifest, folder: Path, request: SampleRequest) -> Estimate:
        """Try a request out, one of each owner at a time.

        Args:
            owner: who asks, as the catalogue's access knows it.
            manifest: of the release.
            folder: of the release.
            request: as it was asked.

        Raises:
            DrawRefused: the generator is not offered, the request cannot be met, or another of this owner is being
                tried; with the line that says why.
        """
        check_offered(manifest)
        self._check_rows(request)
        try:
            schema = Schema.from_toml((folder / SCHEMA).read_text("utf-8"))
            condition_from_json(schema, request.where)
        except InputError as error:
            raise DrawRefused("bad_condition", str(error)) from error
        order = {
            "bundle": str(generator_folder(manifest, folder, self._runs)),
            "digest": manifest.provenance.generator_digest,
            "request": request.model_dump(mode="json"),
        }
        with self._turn(owner):
            found = self._measure.obey(order, _MEASURING_SECONDS)
        return Estimate(**(found or {}))  # type: ignore[arg-type]

    def ask(self, owner: str, manifest: Manifest, folder: Path, request: SampleRequest) -> SampleJob:
        """Put a request in the queue.

        Args:
            owner: who asks, as the catalogue's access knows it.
            manifest: of the release.
            folder: of the release.
            request: as it was asked.

        Raises:
            DrawRefused: as `estimate`, or a limit is reached.
        """
        check_offered(manifest)
        self._check_rows(request)
        # Before the trial, which costs seconds, and once more with the lock held.
        self._check_limits(owner, 0)
        estimate = self.estimate(owner, manifest, folder, request)
        if estimate.seconds > self.limits.seconds_per_job:
            raise DrawRefused(
                "too_slow",
                f"drawing would take about {estimate.seconds:,.0f} s, a job may take {self.limits.seconds_per_job:,}; "
                "ask for fewer rows, or a wider condition",
            )
        job = SampleJob(
            job_id=secrets.token_hex(16),
            owner=owner,
            name=manifest.name,
            version=manifest.version,
            release_digest=manifest.digest,
            request=request.to_bytes(),
            rows=request.rows,
            expected_seconds=estimate.seconds,
            created=instant_of(self._now()),
        )
        with self._asking:
            self._check_limits(owner, estimate.size_bytes)
            self._store.add_sample(job)
        return job

    def find(self, owner: str, job_id: str) -> SampleJob | None:
        """A job of this owner; None for another's as for none, so that nobody learns which there are."""
        job = self._store.sample(job_id)
        return job if job is not None and job.owner == owner else None

    def cancel(self, owner: str, job_id: str) -> SampleJob | None:
        """End a job that waits or is drawn, or give up its result; again is the same as once."""
        job = self.find(owner, job_id)
        if job is None:
            return None
        if not self._store.settle_sample(job_id, SampleState.CANCELLED, instant_of(self._now())):
            self._store.expire_sample(job_id)
            with contextlib.suppress(FileNotFoundError):
                self.result(job).unlink()
        return self._store.sample(job_id)

    def result(self, job: SampleJob) -> Path:
        """Where a finished job's file is."""
        return result_file(self._results, job)

    def place(self, job: SampleJob) -> Place:
        """Where a job stands in the queue, and how long it will take from now on."""
        if job.state.over:
            return Place(None, 0.0)
        seconds, place = 0.0, 0
        for other in self._store.samples(SampleState.QUEUED, SampleState.DRAWING):
            drawn = other.state is SampleState.DRAWING
            seconds += other.expected_seconds * (1 - other.rows_done / other.rows if drawn else 1)
            place += not drawn
            if other.job_id == job.job_id:
                return Place(0 if drawn else place, seconds)
        return Place(None, 0.0)

    @contextlib.contextmanager
    def _turn(self, owner: str) -> Iterator[None]:
        """One of the places before the process for trials; an owner has one, so that nobody takes all of them."""
        with self._turns:
            if owner in self._tried:
                raise DrawRefused("one_at_a_time", "another request of yours is being looked at; ask when it is done")
            if len(self._tried) >= _MOST_WAITING:
                raise DrawRefused("busy", "too many requests are being looked at; ask again in a minute")
            self._tried.add(owner)
        try:
            yield
        finally:
            with self._turns:
                self._tried.discard(owner)

    def _check_rows(self, request: SampleRequest) -> None:
        if request.rows > self.limits.rows_per_job:
            raise DrawRefused(
                "too_many_rows",
                f"{request.rows:,} rows are asked for, a job may have {self.limits.rows_per_job:,}; ask in parts with "
                "different seeds",
            )

    def _check_limits(self, owner: str, size_bytes: int) -> None:
        jobs = self._store.samples()
        mine = [job for job in jobs if job.owner == owner]
        limits = self.limits
        if sum(not job.state.over for job in mine) >= limits.jobs_at_once:
            raise DrawRefused(
                "too_many_jobs",
                f"{limits.jobs_at_once} jobs of yours are not finished, which is the most; wait, or cancel one",
            )
        since = instant_of(self._now() - _DAY)
        if sum(job.created >= since for job in mine) >= limits.jobs_per_day:
            raise DrawRefused(
                "daily_limit", f"you asked {limits.jobs_per_day} times in 24 hours, which is the most; ask tomorrow"
            )
        if sum(job.state is SampleState.QUEUED for job in jobs) >= limits.queue_length:
            raise DrawRefused("queue_full", f"{limits.queue_length} jobs wait, which is the most; ask later")
        held = sum(job.size_bytes for job in jobs if job.state is SampleState.DONE)
        if held + size_bytes > limits.disk_mib * 2**20:
            raise DrawRefused(
                "no_room",
                f"results may have {limits.disk_mib:,} MiB on the coordinator's disk and this one would not fit; ask "
                "for fewer rows, or later",
            )


def check_offered(manifest: Manifest) -> None:
    """Refuse a release whose generator nobody but the consortium may ask.

    Raises:
        DrawRefused: its terms say "kept", or it names no generator.
    """
    if manifest.generator == "kept" or manifest.provenance.generator_digest is None:
        raise DrawRefused(
            "generator_kept",
            f"the generator of {manifest.name} version {manifest.version} is kept by the consortium; only the released "
            "rows can be had",
        )


def generator_folder(manifest: Manifest, folder: Path, runs: Path) -> Path:
    """Where the bundle of a release's generator lies: among its files, or with its run.

    Raises:
        DrawRefused: it is in neither place.
    """
    for place in (folder / "generator", runs / manifest.provenance.run_id / "generator"):
        if (place / _BUNDLE).is_file():
            return place
    raise DrawRefused(
        "no_generator",
        f"the generator of {manifest.name} version {manifest.version} is not at the coordinator any more; tell the "
        "consortium",
    )


def result_file(results: Path, job: SampleJob) -> Path:
    """Where a job's file is, or will be."""
    ending = SampleRequest.from_bytes(job.request).format
    return results / job.job_id / f"{job.name}-{job.version}-sample.{ending}"
