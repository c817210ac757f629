"""Rows drawn on request by the coordinator: asked for, waited for, downloaded, and held to what was signed."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headwater.agreement.documents import first_problem
from headwater.agreement.succession import CharterHistory
from headwater.catalogue.client import CatalogueClient
from headwater.catalogue.dataset import check_name
from headwater.catalogue.fetching import Arriving
from headwater.catalogue.known import home_folder
from headwater.catalogue.pinning import follow_charter
from headwater.catalogue.refusals import Busy, RequestRefused
from headwater.catalogue.sample_check import RELEASE_SUFFIX, STATEMENT_SUFFIX, check_statement
from headwater.catalogue.selection import find_dataset
from headwater.catalogue.transfer import fetch_file
from headwater.errors import HeadwaterError, InputError, ReleaseRefused, TransportError
from headwater.release import FileEntry, Manifest, SignedManifest
from headwater.release.sample_statement import SampleRequest, SignedSampleStatement
from headwater.schema.condition_json import where_as_json

if TYPE_CHECKING:
    import pyarrow as pa

    from headwater.schema.condition import Where

__all__ = [
    "STATEMENT_SUFFIX",
    "Sample",
    "SampleCost",
    "SampleProgress",
    "draw_sample",
    "estimate_sample",
    "request_sample",
]

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
# As a release's files are called; another name stands in no message but the reader's own.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_LONGEST_NAME = 255
_OVER = {"failed", "cancelled", "expired"}


class SampleProgress(BaseModel):
    """Where a job is, as the catalogue tells it; nothing in it is signed.

    Attributes:
        id: of the job.
        state: queued, drawing, done, failed, cancelled or expired.
        place: 0 while it is drawn, 1 for the next; None once it is over.
        expected_seconds: until it is done.
        rows: asked for.
        rows_done: drawn so far.
        statement: what was signed, of a job that is done.
        error: why it failed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    state: Literal["queued", "drawing", "done", "failed", "cancelled", "expired"]
    place: int | None = Field(default=None, ge=0)
    expected_seconds: float = Field(default=0.0, ge=0)
    rows: int = Field(ge=1)
    rows_done: int = Field(default=0, ge=0)
    statement: SignedSampleStatement | None = None
    error: dict[str, str] | None = None


class SampleCost(BaseModel):
    """What a request would take, as the catalogue tells it.

    Attributes:
        share: of the generator's rows that satisfy the condition.
        seconds: of drawing.
        size_bytes: of the file as Parquet, roughly.
        method: "plain", "exact", "rejection", "balanced" or "views".
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    share: float
    seconds: float
    size_bytes: int
    method: str = Field(max_length=40)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that were drawn, and what vouches for them.

    Attributes:
        file: Parquet or CSV; beside it, under its name and `.statement.json` and `.release.json`, what was signed of it
            and of its release, by which `headwater verify` checks it again.
        statement: verified; its digest is what to cite.
    """

    file: Path
    statement: SignedSampleStatement

    def arrow(self) -> "pa.Table":
        """The rows as an Arrow table."""
        if self.statement.statement.request.format == "parquet":
            import pyarrow.parquet as pq

            return pq.read_table(self.file)
        import pyarrow.csv

        return pyarrow.csv.read_csv(self.file)


def request_sample(
    name: str,
    rows: int,
    *,
    version: int | None = None,
    where: "Where | None" = None,
    balanced: str | Sequence[str] | Mapping[str, Mapping[str, float] | None] | None = None,
    views: int = 1,
    view_std: float = 0.2,
    seed: int = 0,
    format: Literal["parquet", "csv", "csv.gz"] = "parquet",
    out: str | Path | None = None,
    catalogue: str | None = None,
    on_progress: Callable[[SampleProgress], None] = lambda _progress: None,
) -> Sample:
    """Have the coordinator draw rows of a dataset's generator, and fetch them.

    Where a release's terms say "on request" nobody but the coordinator has the generator: it draws, within limits, for
    who holds a token of scope `sample`. Waits for its turn; Ctrl-C cancels the job.

    Args:
        name: of the dataset, as `headwater list` shows it.
        rows: how many; with views, rows and not groups.
        version: None for the newest.
        where: a condition on all rows, as `Condition.parse` reads it.
        balanced: a column, several, or columns with the shares of their values.
        views: rows of a group of neighbouring latents.
        view_std: how far views lie from their group's first row.
        seed: equal requests with equal seeds get equal rows.
        format: of the file.
        out: the file to write; by default one under $HEADWATER_HOME/samples.
        catalogue: the address of one known catalogue, where several have the name.
        on_progress: told of the job's place, state and rows whenever it was looked at.

    Raises:
        RequestRefused: the catalogue does not draw this, with its code and the reason in one line.
        InputError: no known catalogue has the dataset, or a file is in the way.
        ReleaseRefused: what came is not what was asked for, or not signed by the coordinator.
        TransportError: the catalogue could not be reached.

    Guarantee: under a privacy budget drawing is post-processing and costs nothing beyond the card's ε; no organisation
    signed the rows.
    """
    shares = {} if balanced is None else balanced
    asked = _asked(
        {
            "rows": rows,
            "where": where_as_json(where),
            "balanced": shares,
            "views": views,
            "view_std": view_std,
            "seed": seed,
            "format": format,
        }
    )
    check_name(name)
    home = home_folder()
    known, chosen = find_dataset(home, name, version, catalogue)
    target = Path(out) if out is not None else home / "samples" / f"{name}-{chosen}-{asked.digest[:16]}.{format}"
    with CatalogueClient(known) as client:
        history = follow_charter(home, client)
        signed, _ = client.manifest(name, chosen, history)
        return draw_sample(client, history, signed, asked, target, on_progress)


def draw_sample(
    client: CatalogueClient,
    history: CharterHistory,
    release: SignedManifest,
    request: SampleRequest,
    target: Path,
    on_progress: Callable[[SampleProgress], None] = lambda _progress: None,
    pause: Callable[[float], None] = time.sleep,
) -> Sample:
    """Ask, wait, fetch and verify; as `request_sample`, of a release whose manifest was verified.

    Args:
        client: of the catalogue that has it.
        history: of the charter, through the pinned one.
        release: the manifest, verified under it.
        request: what to ask for.
        target: the file; stands under its name only when it is whole and what was signed.
        on_progress: told whenever the job was looked at.
        pause: how to wait.

    Raises:
        HeadwaterError: as `request_sample`.
    """
    manifest = release.manifest
    if manifest.generator == "kept":
        # Known from what was signed: nobody is sent for a token that opens nothing.
        raise RequestRefused(
            f"the generator of {manifest.name} version {manifest.version} is kept: its rows are all that is published "
            "of it",
            code="generator_kept",
        )
    _refuse_unusable(target)
    what = f"a sample of {manifest.name} version {manifest.version}"
    document = request.model_dump(mode="json")
    progress = _progress(client.ask("POST", _path(manifest), what, document), client)
    job = f"/api/v1/samples/{progress.id}"
    try:
        progress = _wait(client, job, what, progress, on_progress, pause)
        signed = _statement(progress, manifest, history, request)
        said = signed.statement
        entry = FileEntry(
            path=target.name if _PLAIN_NAME.fullmatch(target.name) else "sample",
            size_bytes=said.size_bytes,
            sha256=said.sha256,
            media_type="application/octet-stream",
        )
        fetch_file(_JobFile(client, f"{job}/file"), manifest.name, manifest.version, entry, target, lambda _size: None)
    except BaseException:
        # Nobody waits for it any more; where the catalogue is away the job ends by its own time.
        with suppress(HeadwaterError):
            client.ask("DELETE", job, what)
        raise
    target.with_name(target.name + RELEASE_SUFFIX).write_bytes(release.to_bytes())
    target.with_name(target.name + STATEMENT_SUFFIX).write_bytes(signed.to_bytes())
    return Sample(target, signed)


def estimate_sample(client: CatalogueClient, manifest: Manifest, request: SampleRequest) -> SampleCost:
    """What a request would take: the share of its condition, seconds and bytes. Nothing is put in the queue.

    Raises:
        RequestRefused: the catalogue does not draw this.
        TransportError: the catalogue could not be reached, or does not answer as a catalogue does.
    """
    what = f"a sample of {manifest.name} version {manifest.version}"
    answer = client.ask("POST", f"{_path(manifest)}?dry_run=true", what, request.model_dump(mode="json"))
    try:
        return SampleCost.model_validate(json.loads(answer))
    except (ValueError, RecursionError) as error:
        raise TransportError(f"{client.known.url} does not answer as a catalogue; check the address") from error


def _refuse_unusable(target: Path) -> None:
    """Before anything is asked for: rows that were drawn shall have a place."""
    longest = _LONGEST_NAME - len(STATEMENT_SUFFIX)
    if not target.name or "\0" in str(target) or len(os.fsencode(target.name)) > longest:
        raise InputError(f"{str(target)[:80]!r} names no file; give a name of 1 to {longest} bytes")
    if not target.parent.is_dir() and target.parent.exists():
        raise InputError(f"{target.parent} is no folder; name another file")
    if target.exists():
        raise InputError(f"{target} is there already; name another file")


class _JobFile:
    """The one file of a job, as `fetch_file` wants it."""

    def __init__(self, client: CatalogueClient, path: str) -> None:
        self._client, self._path = client, path

    @property
    def streams(self) -> int:
        return self._client.streams

    def manifest(self, name: str, version: int, charter: object) -> tuple[SignedManifest, bytes]:
        raise InputError(f"a sample of {name} version {version} has no manifest; ask the catalogue for the release's")

    def attestation(self, name: str, version: int) -> bytes:
        raise InputError(f"a sample of {name} version {version} has no attestation; ask for the release's")

    def open_file(
        self, name: str, version: int, entry: FileEntry, start: int = 0, stop: int | None = None
    ) -> AbstractContextManager[Arriving]:
        return self._client.open_path(self._path, entry, start, stop)


def _asked(values: Mapping[str, object]) -> SampleRequest:
    try:
        return SampleRequest.model_validate(values)
    except ValidationError as error:
        raise InputError(f"the request is not valid: {first_problem(error)}; correct it") from error


def _path(manifest: Manifest) -> str:
    return f"/api/v1/releases/{quote(manifest.name, safe='')}/{manifest.version}/samples"


def _progress(body: bytes, client: CatalogueClient) -> SampleProgress:
    try:
        return SampleProgress.model_validate(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise TransportError(f"{client.known.url} does not answer as a catalogue; check the address") from error


def _wait(
    client: CatalogueClient,
    job: str,
    what: str,
    progress: SampleProgress,
    on_progress: Callable[[SampleProgress], None],
    pause: Callable[[float], None],
) -> SampleProgress:
    on_progress(progress)
    while progress.state != "done":
        if progress.state in _OVER:
            said = progress.error or {}
            line = "".join(
                letter if letter.isprintable() else " " for letter in said.get("message", "ask again")[:1000]
            )
            raise RequestRefused(f"the job is {progress.state}: {line}", said.get("code", progress.state))
        seconds = min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, progress.expected_seconds / 10))
        pause(seconds)
        try:
            progress = _progress(client.ask("GET", job, what), client)
        except Busy as error:
            pause(error.wait_seconds)
            continue
        on_progress(progress)
    return progress


def _statement(
    progress: SampleProgress, manifest: Manifest, history: CharterHistory, request: SampleRequest
) -> SignedSampleStatement:
    signed = progress.statement
    if signed is None:
        raise ReleaseRefused("the catalogue says nothing that is signed about the sample; do not use it")
    said = check_statement(signed, manifest, history)
    if said.request != request:
        raise ReleaseRefused("the catalogue drew other rows than were asked for; do not use them, tell the consortium")
    return signed
