"""Rows on request as a researcher has them: asked for over TLS, drawn, fetched, verified; or refused, or cancelled."""

import datetime
import hashlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

import headwater
from headwater.catalogue import add_catalogue
from headwater.catalogue.opening import catalogue
from headwater.catalogue.refusals import AccessRefused, RequestRefused
from headwater.catalogue.sample_check import STATEMENT_SUFFIX, samples_in, verify_sample
from headwater.catalogue.samples import SampleProgress, request_sample
from headwater.cli import app
from headwater.errors import InputError, ReleaseRefused
from headwater.generator import Between
from headwater.release.sample_statement import read_sample_statement
from headwater_server.catalogue import CatalogueSettings, build_catalogue
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.sampling.jobs import SampleState
from headwater_server.sampling.limits import SampleLimits
from support.authority import write_authority
from support.catalogue_server import serve_https
from support.releases import make_consortium
from support.sampled_release import SampledRelease, sampled_release, small_bundle


class Spoiling:
    """Stands in front of the catalogue and answers in its place where a test says so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.answers = app, dict[str, object]()
        self.tokens: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for part, answer in self.answers.items():
            if f"{scope['method']} {scope['path']}".startswith(part):
                await JSONResponse(answer)(scope, receive, send)
                return
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SampledRelease, str, Path, Spoiling]]:
    folder = tmp_path_factory.mktemp("coordinator")
    ca = write_authority(folder)
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.read_text())).hexdigest()
    limits = SampleLimits(jobs_at_once=20, rows_per_job=500_000)
    with sampled_release(folder / "home", small_bundle(), limits, consortium=make_consortium(digest)) as made:
        settings = CatalogueSettings(
            "Three Hospitals",
            "https://127.0.0.1:9445",
            "127.0.0.1",
            made.consortium.charter_of,
            limits=CatalogueLimits.unlimited(),
        )
        spoiling = Spoiling(build_catalogue(made.index, settings, access=made.storage, samples=made.desk))
        # The catalogue looks tokens up once a second: these are there before anybody asks.
        spoiling.tokens = {"anna": made.token("anna"), "cleo": made.token("cleo", "read:registered")}
        ended = threading.Event()
        drawing = threading.Thread(target=made.drawer.run, args=(ended,), daemon=True)
        drawing.start()
        try:
            with serve_https(spoiling, folder) as url:
                yield made, url, ca, spoiling
        finally:
            ended.set()
            drawing.join(30)


@pytest.fixture
def url(
    world: tuple[SampledRelease, str, Path, Spoiling], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A researcher's home that knows the catalogue, with a token that may draw."""
    made, url, ca, spoiling = world
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "home"))
    add_catalogue(tmp_path / "home", url, ca.read_text(), made.consortium.digest, spoiling.tokens["anna"])
    yield url
    spoiling.answers.clear()


def test_rows_come_with_what_was_signed(
    world: tuple[SampledRelease, str, Path, Spoiling], url: str, tmp_path: Path
) -> None:
    told: list[SampleProgress] = []
    out = tmp_path / "rows.parquet"
    where = {"ward": ["a", None], "age": Between(30, 60), "seen": Between(datetime.date(2021, 1, 1), None)}
    with catalogue(url) as opened:
        sample = opened.request_sample("visits", 700, where=where, seed=4, out=out, on_progress=told.append)
    table = sample.arrow()
    assert table.equals(pq.read_table(out))
    assert table.num_rows == 700
    assert set(table.column("ward").to_pylist()) == {"a", None}
    assert [told[0].state, told[-1].state] == ["queued", "done"]
    beside = read_sample_statement(Path(f"{out}{STATEMENT_SUFFIX}").read_bytes())
    assert beside == sample.statement
    said = beside.verify(world[0].signed.manifest, world[0].consortium.charter.charter.coordinator_key)
    beside.check_file(out)
    assert said.request.rows == 700
    with pytest.raises(InputError, match="is there already"):
        request_sample("visits", 1, out=out)


def test_a_sample_is_verified_again_without_a_network(url: str, tmp_path: Path) -> None:
    del url
    folder = tmp_path / "kept"
    folder.mkdir()
    sample = request_sample("visits", 30, out=folder / "(rows of) ward ä.parquet")
    home = tmp_path / "home"
    assert list(samples_in(folder)) == [sample.file]
    assert verify_sample(home, sample.file) == sample.statement.statement
    shown = CliRunner().invoke(app, ["verify", str(folder)])
    assert shown.exit_code == 0, shown.output
    assert "30 rows on request of visits version 1, signed by the coordinator alone" in shown.output
    content = sample.file.read_bytes()
    sample.file.write_bytes(content + b" ")
    with pytest.raises(ReleaseRefused, match="is not the sample that was signed"):
        verify_sample(home, sample.file)
    sample.file.write_bytes(content)
    beside = folder / f"{sample.file.name}{STATEMENT_SUFFIX}"
    signed = beside.read_bytes()
    beside.write_bytes(signed.replace(b'"rows":30', b'"rows":31'))
    with pytest.raises(ReleaseRefused):
        verify_sample(home, sample.file)
    beside.write_bytes(signed)
    (folder / f"{sample.file.name}.release.json").unlink()
    with pytest.raises(ReleaseRefused, match=r"release\.json is missing"):
        verify_sample(home, sample.file)


@pytest.mark.parametrize("name", ["x" * 250 + ".parquet", "a\0b.parquet"])
def test_a_name_that_no_file_can_have_is_refused_before_anything_is_drawn(url: str, tmp_path: Path, name: str) -> None:
    del url
    with pytest.raises(InputError, match="names no file"):
        request_sample("visits", 1, out=tmp_path / name)


def test_without_a_name_the_file_is_kept_at_home(url: str, tmp_path: Path) -> None:
    sample = headwater.request_sample("visits", 20, balanced="outcome", format="csv.gz")
    assert sample.file.parent == tmp_path / "home" / "samples"
    assert "weight" in sample.arrow().column_names


@pytest.mark.parametrize(
    ("asked", "code", "line"),
    [
        ({"rows": 10, "where": {"wardd": "a"}}, "bad_condition", "did you mean 'ward'?"),
        ({"rows": 10, "views": 2, "where": {"ward": "a"}}, "bad_views", "views are drawn of any row"),
        ({"rows": 600_000}, "too_many_rows", "a job may have 500,000"),
    ],
)
def test_refusals_come_with_their_line(
    world: tuple[SampledRelease, str, Path, Spoiling], url: str, asked: dict[str, object], code: str, line: str
) -> None:
    with pytest.raises(RequestRefused, match=r"the catalogue refused") as caught:
        request_sample("visits", **asked)  # type: ignore[arg-type]
    assert (caught.value.code, line in str(caught.value)) == (code, True), str(caught.value)


def test_a_token_without_the_scope_is_told_so(
    world: tuple[SampledRelease, str, Path, Spoiling], url: str, tmp_path: Path
) -> None:
    with catalogue(url, token=world[3].tokens["cleo"]) as opened:
        signed, _ = opened._client.manifest("visits", 1, opened.history)
        from headwater.catalogue.samples import draw_sample
        from headwater.release.sample_statement import SampleRequest

        with pytest.raises(AccessRefused, match="does not open"):
            draw_sample(opened._client, opened.history, signed, SampleRequest(rows=1), tmp_path / "x.parquet")

        # Of a generator that is kept nobody is sent for another token: none would open it.
        kept = signed.model_copy(update={"manifest": signed.manifest.model_copy(update={"generator": "kept"})})
        with pytest.raises(RequestRefused, match="is kept: its rows are all that is published") as caught:
            draw_sample(opened._client, opened.history, kept, SampleRequest(rows=1), tmp_path / "x.parquet")
        assert caught.value.code == "generator_kept"


def test_interrupted_wait_cancels_the_job(world: tuple[SampledRelease, str, Path, Spoiling], url: str) -> None:
    def interrupt(progress: SampleProgress) -> None:
        seen.append(progress.id)
        raise KeyboardInterrupt

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        request_sample("visits", 400_000, on_progress=interrupt)
    job = world[0].storage.sample(seen[0])
    assert job is not None
    assert job.state is SampleState.CANCELLED


def test_other_rows_than_were_asked_for_are_refused(
    world: tuple[SampledRelease, str, Path, Spoiling], url: str, tmp_path: Path
) -> None:
    first = request_sample("visits", 30, seed=1, out=tmp_path / "first.parquet")
    answer = {"id": "0" * 32, "state": "done", "rows": 30, "statement": first.statement.model_dump(mode="json")}
    world[3].answers["POST /api/v1/releases"] = answer
    with pytest.raises(ReleaseRefused, match="other rows than were asked for"):
        request_sample("visits", 30, seed=2, out=tmp_path / "second.parquet")
    world[3].answers["POST /api/v1/releases"] = answer | {"statement": None}
    with pytest.raises(ReleaseRefused, match="nothing that is signed"):
        request_sample("visits", 30, seed=1, out=tmp_path / "second.parquet")
    # What is signed and what comes must be one: no file is left under its name.
    world[3].answers["POST /api/v1/releases"] = answer
    world[3].answers[f"GET /api/v1/samples/{'0' * 32}/file"] = {"not": "the rows"}
    with pytest.raises(ReleaseRefused, match="none was kept"):
        request_sample("visits", 30, seed=1, out=tmp_path / "second.parquet")
    assert not (tmp_path / "second.parquet").exists()


def run(*given: object) -> str:
    """The command as a person gives it."""
    result = CliRunner().invoke(app, ["sample", *map(str, given)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_the_command_waits_and_leaves_rows_and_statement(url: str, tmp_path: Path) -> None:
    out = tmp_path / "ill.parquet"
    asked = ["visits", "--on-request", "--rows", 60, "--where", "outcome=ill", "--where", "age=30..60"]
    assert "60 rows: the condition holds for" in run(*asked, "--dry-run")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]
    said = run(*asked, "--balanced", "smoker", "--out", out)
    assert "60 rows" in said
    assert "NOT DIFFERENTIALLY PRIVATE" in said
    rows = pq.read_table(out).to_pandas()
    assert set(rows["outcome"]) == {"ill"}
    assert rows["weight"].gt(0).all()
    signed = read_sample_statement(Path(f"{out}{STATEMENT_SUFFIX}").read_bytes())
    assert signed.statement.digest in said
    for wrong, line in ((["--start", 5], "leave out --start"), (["--out", tmp_path / "x.xml"], "ends in none of")):
        with pytest.raises(InputError, match=line):
            run(*asked, "--out", tmp_path / "y.parquet", *wrong)
    with pytest.raises(InputError, match="goes with --on-request"):
        run("visits", "--dry-run")
