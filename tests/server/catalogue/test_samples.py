"""Rows on request over HTTP: asked for, watched, downloaded, cancelled, refused."""

import asyncio
import hashlib
import io
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from starlette.types import ASGIApp

from headwater.generator.bundle import Bundle
from headwater.release.sample_statement import SampleRequest, SignedSampleStatement
from headwater_server.catalogue import CatalogueSettings, build_catalogue
from headwater_server.catalogue_limits import CatalogueLimits
from headwater_server.sampling.limits import SampleLimits
from headwater_server.storage.access_port import DatasetAccess, Level
from support.releases import NOON
from support.sampled_release import SampledRelease, sampled_release, small_bundle

ASK = "/api/v1/releases/visits/1/samples"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Iterator[SampledRelease]:
    limits = SampleLimits(jobs_at_once=100, jobs_per_day=100)
    with sampled_release(tmp_path_factory.mktemp("home"), bundle, limits) as made:
        yield made


class Reader:
    """Somebody with a token, and the catalogue as this one sees it."""

    def __init__(self, world: SampledRelease, label: str, *scopes: str) -> None:
        limits = CatalogueLimits.unlimited()
        settings = CatalogueSettings(
            "C", "https://127.0.0.1:1", "127.0.0.1", world.consortium.charter_of, limits=limits
        )
        self._open: Callable[[], ASGIApp] = lambda: build_catalogue(
            world.index, settings, access=world.storage, samples=world.desk
        )
        self._app = self._open()
        self._headers = {"authorization": f"Bearer {world.token(label, *scopes)}"} if label else {}

    def again(self) -> "Reader":
        """The same reader, of a catalogue that has read levels anew."""
        self._app = self._open()
        return self

    def __call__(self, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="https://127.0.0.1", headers=self._headers
            ) as client:
                return await work(client)

        return asyncio.run(run())


@pytest.fixture(scope="module")
def anna(world: SampledRelease) -> Reader:
    return Reader(world, "anna")


def test_a_job_from_the_question_to_the_rows(world: SampledRelease, anna: Reader) -> None:
    async def work(http: httpx.AsyncClient) -> None:
        asked = await http.post(ASK, json={"rows": 500, "where": {"ward": ["a", None]}, "seed": 3})
        assert asked.status_code == 202
        job = asked.json()
        assert re.fullmatch(r"[0-9a-f]{32}", job["id"])
        assert asked.headers["location"] == f"/api/v1/samples/{job['id']}"
        assert (job["state"], job["place"], job["rows"], job["rows_done"]) == ("queued", 1, 500, 0)
        assert job["expected_seconds"] >= 0
        assert "no organisation signed" in job["note"]
        assert "has no privacy budget" in job["note"]
        early = await http.get(f"{asked.headers['location']}/file")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "not_finished")
        assert world.drawer.step()
        done = (await http.get(asked.headers["location"])).json()
        assert (done["state"], done["place"], done["rows_done"]) == ("done", None, 500)
        whole = await http.get(done["file"])
        assert hashlib.sha256(whole.content).hexdigest() == done["sha256"]
        assert whole.headers["etag"] == f'"{done["sha256"]}"'
        assert whole.headers["cache-control"].startswith("private")
        assert set(pq.read_table(io.BytesIO(whole.content)).column("ward").to_pylist()) == {"a", None}
        part = await http.get(done["file"], headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        signed = SignedSampleStatement.model_validate(done["statement"])
        said = signed.verify(world.signed.manifest, world.consortium.charter.charter.coordinator_key)
        assert said.request == SampleRequest(rows=500, where={"ward": ["a", None]}, seed=3)
        gone = (await http.delete(asked.headers["location"])).json()
        assert gone["state"] == "expired"
        late = await http.get(done["file"])
        assert (late.status_code, late.json()["error"]["code"]) == (410, "expired")

    anna(work)


def test_a_dry_run_tells_the_cost_and_asks_for_nothing(world: SampledRelease, anna: Reader) -> None:
    before = len(world.storage.samples())

    async def work(http: httpx.AsyncClient) -> None:
        answer = await http.post(f"{ASK}?dry_run=true", json={"rows": 50_000, "where": {"outcome": "ill"}})
        assert answer.status_code == 200
        found = answer.json()
        assert 0 < found["share"] < 1
        assert found["seconds"] > 0
        assert found["size_bytes"] > 50_000

    anna(work)
    assert len(world.storage.samples()) == before


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 422, "bad_request"),
        (b"[]", "application/json", 422, "bad_request"),
        (b"[" * 60_000, "application/json", 422, "bad_request"),
        (b"{}", "application/json", 422, "bad_request"),
        (b'{"rows": 0}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "balanced": [[]]}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "balanced": [{}, "ward"]}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "rowz": 2}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "where": {"age": NaN}}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "where": {"age": 99999999999999999999}}', "application/json", 422, "bad_request"),
        (b'{"rows": 1, "where": {"agee": 1}}', "application/json", 422, "bad_condition"),
        (b'{"rows": 1, "where": {"age": 1}, "views": 2}', "application/json", 422, "bad_views"),
        (b'{"rows": 99999999}', "application/json", 422, "too_many_rows"),
        (b'{"rows": 1}', "text/plain", 415, "media_type"),
        (b" " * 70_000, "application/json", 413, "too_large"),
    ],
)
def test_bad_requests_have_codes_and_one_line(anna: Reader, body: bytes, kind: str, status: int, code: str) -> None:
    async def work(http: httpx.AsyncClient) -> httpx.Response:
        return await http.post(ASK, content=body, headers={"content-type": kind})

    answer = anna(work)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "\n" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["nowhere/1", "visits/9", "..%2Fvisits/1"])
def test_no_release_no_job(anna: Reader, path: str) -> None:
    async def work(http: httpx.AsyncClient) -> httpx.Response:
        return await http.post(f"/api/v1/releases/{path}/samples", json={"rows": 1})

    assert anna(work).status_code == 404


def test_jobs_are_their_owners_alone_and_need_the_scope(world: SampledRelease, anna: Reader) -> None:
    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        return await http.post(ASK, json={"rows": 10})

    for stranger, status, code in (
        (Reader(world, "cleo", "read:registered"), 403, "forbidden"),
        (Reader(world, ""), 401, "token_required"),
    ):
        refused = stranger(ask)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    place = anna(ask).headers["location"]
    bert = Reader(world, "bert")
    for method, path in (("GET", place), ("DELETE", place), ("GET", f"{place}/file")):

        async def look(http: httpx.AsyncClient, method: str = method, path: str = path) -> httpx.Response:
            return await http.request(method, path)

        assert bert(look).status_code == 404
    assert anna(lambda http: http.get(place)).json()["state"] == "queued"
    assert anna(lambda http: http.delete(place)).json()["state"] == "cancelled"


def test_rows_of_a_dataset_that_was_closed_to_the_reader_since_are_kept_back(world: SampledRelease) -> None:
    reader = Reader(world, "zoe")

    async def ask(http: httpx.AsyncClient) -> str:
        return str((await http.post(ASK, json={"rows": 10})).json()["id"])

    async def fetch(http: httpx.AsyncClient) -> httpx.Response:
        return await http.get(f"/api/v1/samples/{job}/file")

    job = reader(ask)
    while world.drawer.step():
        pass
    assert reader(fetch).status_code == 200
    world.storage.set_dataset_access("visits", DatasetAccess(Level.REGISTERED), NOON)
    try:
        answer = reader.again()(fetch)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    finally:
        world.storage.set_dataset_access("visits", DatasetAccess(Level.PUBLIC), NOON)


def test_failed_job_says_why(world: SampledRelease, anna: Reader) -> None:
    async def work(http: httpx.AsyncClient) -> None:
        place = (await http.post(ASK, json={"rows": 10})).headers["location"]
        bundle = world.home.runs / ("ab" * 16)
        bundle.rename(bundle.with_name("away"))
        world.drawer.step()
        bundle.with_name("away").rename(bundle)
        failed = (await http.get(place)).json()
        assert (failed["state"], failed["error"]["code"]) == ("failed", "no_generator")
        assert (await http.get(f"{place}/file")).status_code == 410

    anna(work)


def test_openapi_names_the_request(anna: Reader) -> None:
    page = anna(lambda http: http.get("/api/v1/openapi.json")).json()
    asked = page["paths"]["/api/v1/releases/{name}/{version}/samples"]["post"]
    assert "where" in asked["requestBody"]["content"]["application/json"]["schema"]["properties"]
