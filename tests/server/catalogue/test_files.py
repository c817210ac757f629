"""Files over HTTP: whole, by range, not at all when they are known already."""

import ssl
from collections.abc import Iterator

import httpx
import pytest

from headwater.canonical import sha256_hex
from headwater_server.catalogue.files import MAXIMUM_RANGES
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import publish

DATA = "/api/v1/releases/visits/1/files/data.parquet"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium)
        yield running


@pytest.fixture(scope="module")
def http(catalogue: RunningCatalogue) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(catalogue.ca))
    with httpx.Client(base_url=catalogue.url, verify=context, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def content(catalogue: RunningCatalogue) -> bytes:
    return (catalogue.releases / "visits" / "1" / "data.parquet").read_bytes()


def test_etag_is_the_sha256_of_the_file(http: httpx.Client, content: bytes) -> None:
    answer = http.get(DATA)
    assert answer.content == content
    assert answer.headers["etag"] == f'"{sha256_hex(content)}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-disposition"] == 'attachment; filename="visits-1-data.parquet"'


def test_head_tells_the_size_and_sends_nothing(http: httpx.Client, content: bytes) -> None:
    answer = http.head(DATA)
    assert int(answer.headers["content-length"]) == len(content)
    assert answer.content == b""


@pytest.mark.parametrize("tag", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
def test_known_file_is_not_sent_again(http: httpx.Client, content: bytes, tag: str) -> None:
    answer = http.get(DATA, headers={"if-none-match": tag.format(sha256_hex(content))})
    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == f'"{sha256_hex(content)}"'


def test_other_etag_gets_the_file(http: httpx.Client) -> None:
    assert http.get(DATA, headers={"if-none-match": '"0"'}).status_code == 200


@pytest.mark.parametrize(("asked", "part"), [("0-3", slice(0, 4)), ("100-", slice(100, None)), ("-4", slice(-4, None))])
def test_range_is_served(http: httpx.Client, content: bytes, asked: str, part: slice) -> None:
    answer = http.get(DATA, headers={"range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == content[part]
    assert answer.headers["content-range"].endswith(f"/{len(content)}")


def test_range_of_another_content_gets_the_whole_file(http: httpx.Client, content: bytes) -> None:
    answer = http.get(DATA, headers={"range": "bytes=5-9", "if-range": '"other"'})
    assert (answer.status_code, answer.content) == (200, content)


def test_range_beyond_the_end_is_refused(http: httpx.Client, content: bytes) -> None:
    answer = http.get(DATA, headers={"range": f"bytes={len(content)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_more_ranges_than_a_reader_needs_are_refused(http: httpx.Client) -> None:
    many = ",".join(f"{start}-{start}" for start in range(0, 2 * MAXIMUM_RANGES + 2, 2))
    assert http.get(DATA, headers={"range": f"bytes={many}"}).status_code == 416
    few = ",".join(f"{start}-{start}" for start in range(0, 2 * MAXIMUM_RANGES, 2))
    assert http.get(DATA, headers={"range": f"bytes={few}"}).status_code == 206


def test_drawing_may_style_itself_and_nothing_else(http: httpx.Client) -> None:
    answer = http.get("/api/v1/releases/visits/1/files/plots/001-age.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script" not in answer.text


def test_text_is_served_as_text_in_a_sandbox(http: httpx.Client) -> None:
    answer = http.get("/api/v1/releases/visits/1/files/README.md")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
