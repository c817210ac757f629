"""What empties the queue: one job after the other is drawn by another process, signed, and swept in time."""

import datetime
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from headwater import __version__
from headwater.agreement.documents import instant_of
from headwater.errors import HeadwaterError
from headwater.release.manifest import Manifest
from headwater.release.sample_statement import SampleRequest, SampleStatement, SignedSampleStatement
from headwater_server.sampling.desk import check_offered, generator_folder, result_file
from headwater_server.sampling.jobs import SampleJob, SampleState, SampleStore
from headwater_server.sampling.limits import SampleLimits
from headwater_server.sampling.worker_process import DrawRefused, Worker

__all__ = ["Release", "SampleDrawer"]

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0
_REST_SECONDS = 120.0
_MOST_STARTS = 3
_DAY = datetime.timedelta(days=1)


class Release(Protocol):
    """A published version, as the catalogue's index holds it."""

    @property
    def manifest(self) -> Manifest:
        """As signed."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


class SampleDrawer:
    """Draws what waits; the only one who does.

    Args:
        store: of jobs.
        find: a published version that is not withdrawn, or None.
        runs: a folder for each run, with its generator.
        results: a folder for each job's file.
        limits: of all jobs.
        worker: process that draws.
        key: the charter's coordinator key.
        now: an aware moment.
    """

    def __init__(
        self,
        store: SampleStore,
        find: Callable[[str, int], Release | None],
        runs: Path,
        results: Path,
        limits: SampleLimits,
        worker: Worker,
        key: Ed25519PrivateKey,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._store, self._find, self._runs, self._results = store, find, runs, results
        self._limits, self._worker, self._key, self._now = limits, worker, key, now

    def run(self, stop: threading.Event, on_idle: Callable[[float], None] = lambda _seconds: None) -> None:
        """Draw until told to stop; what is being drawn then waits again, and starts anew with the next coordinator.

        Args:
            stop: set by whoever ends the coordinator.
            on_idle: told, while nothing waits, after how many seconds of rest memory should be given back.
        """
        self._store.requeue_samples()
        told = ""
        try:
            while not stop.is_set():
                try:
                    self.sweep()
                    idle = not self.step(stop.is_set)
                    told = ""
                except (HeadwaterError, OSError) as error:
                    # Said once, tried again until the operator has mended it.
                    if str(error) != told:
                        _log.error("samples_delayed", reason=str(error))
                    told, idle = str(error), True
                if idle:
                    self._worker.rest(_REST_SECONDS)
                    on_idle(_REST_SECONDS)
                    stop.wait(_PAUSE_SECONDS)
        finally:
            self._worker.stop()

    def close(self) -> None:
        """End the process that draws, whatever it draws."""
        self._worker.stop()

    def step(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Draw the job that waited longest; False where none waits."""
        job = self._store.claim_sample(instant_of(self._now()))
        if job is None:
            return False
        folder = self._results / job.job_id
        shutil.rmtree(folder, ignore_errors=True)
        try:
            signed = self._draw(job, stopping)
        except DrawRefused as error:
            shutil.rmtree(folder, ignore_errors=True)
            self._store.settle_sample(
                job.job_id, SampleState.FAILED, self._moment(), code=error.code, message=str(error)
            )
            _log.warning("sample_failed", name=job.name, version=job.version, code=error.code)
            return True
        if signed is None:
            shutil.rmtree(folder, ignore_errors=True)
            return True
        kept = self._store.settle_sample(
            job.job_id,
            SampleState.DONE,
            self._moment(),
            statement=signed.to_bytes(),
            sha256=signed.statement.sha256,
            size_bytes=signed.statement.size_bytes,
        )
        if not kept:
            # Cancelled between the last row and here.
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def sweep(self) -> None:
        """Remove results that are too old, jobs of which nothing is left, and folders of no job."""
        now = self._now()
        old = instant_of(now - datetime.timedelta(hours=self._limits.keep_hours))
        # A day longer at least: the limit of a day counts jobs.
        older = instant_of(now - datetime.timedelta(hours=self._limits.keep_hours) - _DAY)
        kept = set()
        for job in self._store.samples():
            if job.state is SampleState.DONE and job.finished <= old:
                shutil.rmtree(self._results / job.job_id, ignore_errors=True)
                self._store.expire_sample(job.job_id)
            elif job.state.over and job.finished <= older:
                self._store.forget_sample(job.job_id)
            elif job.state in (SampleState.DONE, SampleState.DRAWING):
                kept.add(job.job_id)
        if self._results.is_dir():
            for folder in self._results.iterdir():
                if folder.name not in kept:
                    shutil.rmtree(folder, ignore_errors=True)

    def _draw(self, job: SampleJob, stopping: Callable[[], bool]) -> SignedSampleStatement | None:
        """The rows in their file; None where nobody wants them any more."""
        if job.starts > _MOST_STARTS:
            raise DrawRefused("interrupted", f"drawing began {_MOST_STARTS} times and never ended; ask again, for less")
        release = self._find(job.name, job.version)
        if release is None or release.manifest.digest != job.release_digest:
            raise DrawRefused("withdrawn", f"{job.name} version {job.version} is not in the catalogue any more")
        manifest, request = release.manifest, SampleRequest.from_bytes(job.request)
        check_offered(manifest)
        out = result_file(self._results, job)
        out.parent.mkdir(parents=True, mode=0o700)
        held = sum(other.size_bytes for other in self._store.samples(SampleState.DONE))
        order = {
            "bundle": str(generator_folder(manifest, release.folder, self._runs)),
            "digest": manifest.provenance.generator_digest,
            "request": request.model_dump(mode="json"),
            "out": str(out),
            "most_bytes": max(1, self._limits.disk_mib * 2**20 - held),
        }

        def unwanted() -> bool:
            present = self._store.sample(job.job_id)
            return stopping() or present is None or present.state.over

        done = self._worker.obey(
            order, self._limits.seconds_per_job, lambda rows: self._store.sample_progress(job.job_id, rows), unwanted
        )
        if done is None:
            return None
        statement = SampleStatement(
            name=job.name,
            version=job.version,
            release=manifest.digest,
            generator=str(manifest.provenance.generator_digest),
            request=request,
            rows=int(str(done["rows"])),
            size_bytes=int(str(done["size_bytes"])),
            sha256=str(done["sha256"]),
            created=self._moment(),
            software=f"headwater {__version__}",
        )
        return SignedSampleStatement.sign(statement, self._key)

    def _moment(self) -> str:
        return instant_of(self._now())
