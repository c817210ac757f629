"""Jobs of drawing rows on request in SQL."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from headwater_server.sampling.jobs import SampleJob, SampleState, SampleTotal
from headwater_server.storage import tables
from headwater_server.storage.database import Database

__all__ = ["SqlSamples"]

_JOBS, _TOTALS = tables.sample_jobs, tables.sample_totals
_OPEN = (SampleState.QUEUED.value, SampleState.DRAWING.value)


class SqlSamples:
    """`Storage`'s part about jobs; see `headwater_server.sampling.jobs.SampleStore` for what each method promises."""

    _database: Database

    def add_sample(self, job: SampleJob) -> None:
        """Record a queued job, and count its rows."""
        same = (_TOTALS.c.name == job.name) & (_TOTALS.c.version == job.version)
        with self._database.transaction() as connection:
            connection.execute(insert(_JOBS).values(**asdict(job)))
            counted = connection.execute(
                update(_TOTALS).where(same).values(jobs=_TOTALS.c.jobs + 1, rows=_TOTALS.c.rows + job.rows)
            )
            if counted.rowcount == 0:
                connection.execute(insert(_TOTALS).values(name=job.name, version=job.version, jobs=1, rows=job.rows))

    def sample(self, job_id: str) -> SampleJob | None:
        """One job."""
        with self._database.transaction() as connection:
            row = connection.execute(select(_JOBS).where(_JOBS.c.job_id == job_id)).one_or_none()
        return None if row is None else _job(row)

    def samples(self, *states: SampleState) -> Sequence[SampleJob]:
        """Jobs in the order they were asked for."""
        query = select(_JOBS).order_by(_JOBS.c.number)
        if states:
            query = query.where(_JOBS.c.state.in_([state.value for state in states]))
        with self._database.transaction() as connection:
            return [_job(row) for row in connection.execute(query)]

    def claim_sample(self, now: str) -> SampleJob | None:
        """Begin the job that waited longest."""
        queued = _JOBS.c.state == SampleState.QUEUED.value
        with self._database.transaction() as connection:
            row = connection.execute(select(_JOBS).where(queued).order_by(_JOBS.c.number).limit(1)).one_or_none()
            if row is None:
                return None
            # The condition once more: a job may have been cancelled since it was looked at.
            claimed = connection.execute(
                update(_JOBS)
                .where(_JOBS.c.job_id == row.job_id, queued)
                .values(state=SampleState.DRAWING.value, starts=_JOBS.c.starts + 1, started=now, rows_done=0)
            )
            if claimed.rowcount != 1:
                return None
            return _job(connection.execute(select(_JOBS).where(_JOBS.c.job_id == row.job_id)).one())

    def requeue_samples(self) -> None:
        """Put jobs that were being drawn back where they stood."""
        with self._database.transaction() as connection:
            connection.execute(
                update(_JOBS)
                .where(_JOBS.c.state == SampleState.DRAWING.value)
                .values(state=SampleState.QUEUED.value, rows_done=0)
            )

    def sample_progress(self, job_id: str, rows_done: int) -> None:
        """Record how far the drawing is."""
        with self._database.transaction() as connection:
            connection.execute(
                update(_JOBS)
                .where(_JOBS.c.job_id == job_id, _JOBS.c.state == SampleState.DRAWING.value)
                .values(rows_done=rows_done)
            )

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
        """End a job that is queued or drawn."""
        values: dict[str, Any] = {
            "state": state.value,
            "finished": now,
            "statement": statement,
            "sha256": sha256,
            "size_bytes": size_bytes,
            "code": code,
            "message": message,
        }
        if state is SampleState.DONE:
            values["rows_done"] = _JOBS.c.rows
        with self._database.transaction() as connection:
            ended = connection.execute(
                update(_JOBS).where(_JOBS.c.job_id == job_id, _JOBS.c.state.in_(_OPEN)).values(**values)
            )
            return ended.rowcount == 1

    def expire_sample(self, job_id: str) -> None:
        """Mark the result of a job as gone."""
        with self._database.transaction() as connection:
            connection.execute(
                update(_JOBS)
                .where(_JOBS.c.job_id == job_id, _JOBS.c.state == SampleState.DONE.value)
                .values(state=SampleState.EXPIRED.value)
            )

    def forget_sample(self, job_id: str) -> None:
        """Remove a job, with who asked for it."""
        with self._database.transaction() as connection:
            connection.execute(delete(_JOBS).where(_JOBS.c.job_id == job_id))

    def sample_totals(self) -> Sequence[SampleTotal]:
        """What was asked of each release."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(_TOTALS).order_by(_TOTALS.c.name, _TOTALS.c.version)).all()
        return [SampleTotal(row.name, row.version, row.jobs, row.rows) for row in rows]


def _job(row: Row[Any]) -> SampleJob:
    values = dict(row._mapping)
    values.pop("number")
    return SampleJob(**{**values, "state": SampleState(row.state)})
