"""Rows on request over HTTP: ask, look, download, cancel."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response

from headwater.agreement.documents import first_problem
from headwater.release import FileEntry
from headwater.release.sample_statement import SampleFormat, SampleRequest, SignedSampleStatement
from headwater.release.statement import privacy_in_short
from headwater_server.catalogue.access import current_reader
from headwater_server.catalogue.files import answer_file
from headwater_server.catalogue.index import ReleaseEntry, ReleaseIndex
from headwater_server.sampling.desk import SampleDesk
from headwater_server.sampling.jobs import SampleJob, SampleState
from headwater_server.sampling.worker_process import DrawRefused

__all__ = ["SampleAnswer", "SampleEstimate", "samples_router"]

_MAXIMUM_BODY_BYTES = 65_536
_STATUS = {
    "bad_request": 422,
    "bad_condition": 422,
    "bad_balance": 422,
    "bad_views": 422,
    "impossible_condition": 422,
    "too_many_rows": 422,
    "too_slow": 422,
    "too_much_memory": 422,
    "generator_kept": 403,
    "no_sample_scope": 403,
    "forbidden": 403,
    "withdrawn": 410,
    "expired": 410,
    "not_finished": 409,
    "too_large": 413,
    "media_type": 415,
    "one_at_a_time": 429,
    "too_many_jobs": 429,
    "daily_limit": 429,
}
"""Of every code; 503 for what is the coordinator's own affair."""

_KINDS = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "csv.gz": "application/gzip"}
_NOTE = "Drawn on request: no organisation signed these rows and no gate saw them. "
_POST_PROCESSING = "Drawing is post-processing: it costs nothing beyond the generator's own budget."
_NO_BUDGET = "The generator has no privacy budget, so nothing bounds what many drawn rows tell of its training rows."


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class SampleProblem(_Answer):
    """Why a job failed."""

    code: str
    message: str


class SampleAnswer(_Answer):
    """A job: queued, drawing, done, failed, cancelled or expired."""

    id: str
    state: SampleState
    place: Annotated[int | None, Field(description="0 while it is drawn, 1 next; null once it is over.")]
    expected_seconds: Annotated[float, Field(description="Until it is done, from now on.")]
    name: str
    version: int
    release: str
    rows: int
    rows_done: int
    format: SampleFormat
    created: str
    started: str
    finished: str
    keep_hours: Annotated[int, Field(description="How long the file can be had after it is done.")]
    sha256: str
    size_bytes: int
    file: Annotated[str, Field(description="Where the file is; empty where there is none.")]
    statement: Annotated[dict[str, Any] | None, Field(description="What the coordinator signed about the file.")]
    error: SampleProblem | None
    privacy: str
    note: str


class SampleEstimate(_Answer):
    """What a request would take, found by drawing a little of it."""

    rows: int
    method: str
    share: Annotated[float, Field(description="Of the generator's rows, that satisfy the condition.")]
    estimated: bool
    left_out: Annotated[float, Field(description="Share of rows in classes too rare for the balance.")]
    acceptance: Annotated[float, Field(description="Share of rows begun that are taken.")]
    seconds: float
    size_bytes: Annotated[int, Field(description="Of the file as Parquet, roughly.")]
    privacy: str
    note: str


def _owner() -> str:
    """Who asks: the token that was shown, which the catalogue's access let through for its scope."""
    reader = current_reader()
    if not reader.may_sample:
        raise _Coded(DrawRefused("no_sample_scope", "your token may not draw rows; ask for one of scope sample"))
    return reader.token_id


class _Coded(HTTPException):
    """A refusal with its code."""

    def __init__(self, refused: DrawRefused) -> None:
        super().__init__(_STATUS.get(refused.code, 503), str(refused))
        self.code = refused.code


_Owner = Annotated[str, Depends(_owner)]
_NO_JOB = "you have no such job; it was forgotten, or another reader asked for it"


def _request_schema() -> dict[str, Any]:
    """Of the body; a schema in a document cannot refer to definitions of its own."""
    schema = SampleRequest.model_json_schema()
    del schema["$defs"]
    properties = schema["properties"]
    properties["where"]["additionalProperties"] = True
    by_column = {key: value for key, value in properties["balanced"].items() if key != "title"}
    names = {"type": "array", "items": {"type": "string"}}
    properties["balanced"] = {"title": "Balanced", "anyOf": [by_column, names, {"type": "string"}]}
    return schema


_REQUEST_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _request_schema()}}},
}


def samples_router(releases: ReleaseIndex, desk: SampleDesk) -> APIRouter:
    """The routes of rows on request."""
    router = APIRouter(prefix="/api/v1", tags=["samples"])

    @router.post(
        "/releases/{name}/{version:int}/samples",
        operation_id="request_sample",
        status_code=202,
        response_model=SampleAnswer,
        responses={200: {"model": SampleEstimate, "description": "With dry_run: what it would take."}},
        openapi_extra=_REQUEST_BODY,
    )
    async def request_sample(
        request: Request,
        name: str,
        version: int,
        owner: _Owner,
        dry_run: Annotated[bool, Query(description="Say what it would take, and draw nothing.")] = False,
    ) -> Response:
        """Have rows drawn from the generator of a release whose terms allow it; or, with dry_run, say the cost."""
        body = await _body(request)
        return await run_in_threadpool(_ask, name, version, owner, body, dry_run)

    def _ask(name: str, version: int, owner: str, body: bytes, dry_run: bool) -> Response:
        entry = releases.find(name, version)
        if entry is None:
            raise HTTPException(404, "there is no such version in this catalogue; see /api/v1/releases")
        try:
            _refuse_withdrawn(entry)
            wanted = _read(body)
            if dry_run:
                estimate = desk.estimate(owner, entry.manifest, entry.folder, wanted)
                found = SampleEstimate.model_validate(asdict(estimate) | {"rows": wanted.rows} | _words(entry))
                return JSONResponse(found.model_dump(mode="json"))
            job = desk.ask(owner, entry.manifest, entry.folder, wanted)
        except DrawRefused as refused:
            raise _Coded(refused) from refused
        headers = {"location": f"/api/v1/samples/{job.job_id}"}
        return JSONResponse(_answer(job, desk, entry).model_dump(mode="json"), status_code=202, headers=headers)

    _add_jobs(router, releases, desk)
    return router


def _add_jobs(router: APIRouter, releases: ReleaseIndex, desk: SampleDesk) -> None:
    """What the owner of a job may do with it."""

    def answer(job: SampleJob) -> SampleAnswer:
        return _answer(job, desk, releases.find(job.name, job.version))

    def own(job_id: str, owner: str) -> SampleJob:
        job = desk.find(owner, job_id)
        if job is None:
            raise HTTPException(404, _NO_JOB)
        return job

    @router.head("/samples/{job_id}", include_in_schema=False)
    @router.get("/samples/{job_id}", operation_id="get_sample")
    def get_sample(job_id: str, owner: _Owner) -> SampleAnswer:
        """Where a job is, and what the coordinator signed once it is done."""
        return answer(own(job_id, owner))

    @router.delete("/samples/{job_id}", operation_id="cancel_sample")
    def cancel_sample(job_id: str, owner: _Owner) -> SampleAnswer:
        """Cancel a job that waits or is drawn; remove the file of one that is done."""
        job = desk.cancel(owner, job_id)
        if job is None:
            raise HTTPException(404, _NO_JOB)
        return answer(job)

    @router.head("/samples/{job_id}/file", include_in_schema=False)
    @router.get("/samples/{job_id}/file", operation_id="download_sample", response_class=FileResponse)
    def download_sample(request: Request, job_id: str, owner: _Owner) -> Response:
        """The rows of a finished job, by range as other files."""
        job = own(job_id, owner)
        if job.state is not SampleState.DONE or not (file := desk.result(job)).is_file():
            over = job.state.over
            raise _Coded(
                DrawRefused(
                    "expired" if over else "not_finished",
                    f"this job is {job.state}; {'ask for it again' if over else 'look again when it is done'}",
                )
            )
        entry = releases.find(job.name, job.version)
        try:
            _refuse_withdrawn(entry)
            # The dataset may have been closed to this reader since; its name stands in no path that the door sees.
            if not current_reader().may_read(job.name):
                raise DrawRefused("forbidden", "your token is not good for the rows of this dataset any more")
        except DrawRefused as refused:
            raise _Coded(refused) from refused
        kind = SampleRequest.from_bytes(job.request).format
        listed = FileEntry(path=file.name, size_bytes=job.size_bytes, sha256=job.sha256, media_type=_KINDS[kind])
        return answer_file(request, file, listed, datetime.fromisoformat(job.finished), file.name, public=False)


def _refuse_withdrawn(entry: ReleaseEntry | None) -> None:
    if entry is None or entry.withdrawn is not None:
        raise DrawRefused("withdrawn", "this version was withdrawn, and nothing is drawn of it any more; use another")


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A form of another site cannot send this kind, so no page of strangers asks in a reader's name.
        raise _Coded(DrawRefused("media_type", "the request is not application/json; send it as that"))
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAXIMUM_BODY_BYTES:
            raise _Coded(DrawRefused("too_large", f"a request has {_MAXIMUM_BODY_BYTES:,} bytes at most"))
    return body


def _read(body: bytes) -> SampleRequest:
    try:
        return SampleRequest.model_validate(json.loads(body))
    except ValidationError as error:
        raise DrawRefused("bad_request", f"the request is not valid: {first_problem(error)}; correct it") from error
    except (ValueError, RecursionError) as error:
        raise DrawRefused("bad_request", "the request is not JSON; send an object with at least rows") from error


def _words(entry: ReleaseEntry) -> dict[str, str]:
    privacy = entry.manifest.protection.privacy
    return {
        "privacy": privacy_in_short(privacy),
        "note": _NOTE + (_NO_BUDGET if privacy == "none" else _POST_PROCESSING),
    }


def _answer(job: SampleJob, desk: SampleDesk, entry: ReleaseEntry | None) -> SampleAnswer:
    place = desk.place(job)
    statement = SignedSampleStatement.from_bytes(job.statement) if job.statement else None
    done = job.state is SampleState.DONE
    words = (
        {"privacy": "", "note": "This release is not in the catalogue any more."} if entry is None else _words(entry)
    )
    return SampleAnswer(
        id=job.job_id,
        state=job.state,
        place=place.place,
        expected_seconds=round(place.seconds, 1),
        name=job.name,
        version=job.version,
        release=job.release_digest,
        rows=job.rows,
        rows_done=job.rows_done,
        format=SampleRequest.from_bytes(job.request).format,
        created=job.created,
        started=job.started,
        finished=job.finished,
        keep_hours=desk.limits.keep_hours,
        sha256=job.sha256,
        size_bytes=job.size_bytes,
        file=f"/api/v1/samples/{job.job_id}/file" if done else "",
        statement=None if statement is None else statement.model_dump(mode="json"),
        error=SampleProblem(code=job.code, message=job.message) if job.code else None,
        **words,
    )
