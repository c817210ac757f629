"""Files over HTTP: whole, by range, not at all when they are known already."""

import asyncio
import base64
import email
import errno
import hashlib
import os
import random
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from headwater.canonical import sha256_hex
from headwater.errors import StorageError
from headwater_server.catalogue.file_answer import PIECE_BYTES, FileAnswer
from headwater_server.catalogue.ranges import MAXIMUM_RANGES, Span
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import publish

FILES = "/api/v1/releases/visits/1/files/"
DATA = FILES + "data.parquet"


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


def test_parts_come_with_their_places(http: httpx.Client, content: bytes) -> None:
    answer = http.get(DATA, headers={"range": "bytes=-4, 0-3, 100-"})
    assert answer.status_code == 206
    kind = answer.headers["content-type"]
    assert kind.startswith("multipart/byteranges; boundary=")
    assert int(answer.headers["content-length"]) == len(answer.content)
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.content)
    parts = [part for part in message.walk() if not part.is_multipart()]
    size = len(content)
    assert [part["content-range"] for part in parts] == [f"bytes 0-3/{size}", f"bytes 100-{size - 1}/{size}"]
    assert {part.get_content_type() for part in parts} == {"application/vnd.apache.parquet"}
    lines = answer.content.split(b"\r\n\r\n", 1)[1]
    assert lines.startswith(content[:4] + b"\r\n--")
    assert content[100:] + b"\r\n--" in answer.content


def test_digests_are_those_of_the_file(http: httpx.Client, content: bytes) -> None:
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    whole = http.get(DATA, headers={"want-repr-digest": "sha-512=10, sha-256=0"})
    assert (whole.headers["repr-digest"], whole.headers["content-digest"]) == (digest, digest)
    # Of a part, the digest of the whole is known and that of the part is not.
    part = http.get(DATA, headers={"range": "bytes=0-9"})
    assert part.headers["repr-digest"] == digest
    assert "content-digest" not in part.headers
    assert http.head(DATA).headers["repr-digest"] == digest


def test_a_range_means_nothing_to_head(http: httpx.Client, content: bytes) -> None:
    answer = http.head(DATA, headers={"range": "bytes=0-9"})
    assert (answer.status_code, int(answer.headers["content-length"])) == (200, len(content))


def test_last_modified_is_when_the_release_was_made(http: httpx.Client) -> None:
    answer = http.get(DATA)
    assert answer.headers["last-modified"] == "Sat, 21 Nov 2026 12:00:00 GMT"
    known = http.get(DATA, headers={"if-modified-since": answer.headers["last-modified"]})
    assert (known.status_code, known.content) == (304, b"")


def test_another_file_than_the_condition_asks_for_is_not_sent(http: httpx.Client, content: bytes) -> None:
    refused = http.get(DATA, headers={"if-match": '"0"'})
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "precondition_failed")
    assert refused.headers["cache-control"] == "no-store"
    assert http.get(DATA, headers={"if-match": f'"{sha256_hex(content)}"'}).status_code == 200


@pytest.mark.parametrize("asked", ["bytes=9-0", "bytes=x", "bytes=-0", "bytes=" + "9" * 40 + "-"])
def test_malformed_range_has_a_stable_code(http: httpx.Client, content: bytes, asked: str) -> None:
    answer = http.get(DATA, headers={"range": asked})
    assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range")
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_other_units_get_the_whole_file(http: httpx.Client, content: bytes) -> None:
    answer = http.get(DATA, headers={"range": "rows=0-9"})
    assert (answer.status_code, answer.content) == (200, content)


def test_scripts_of_other_sites_may_read_public_files_and_send_no_secret(http: httpx.Client) -> None:
    answer = http.get(DATA, headers={"origin": "https://elsewhere.example", "range": "bytes=0-3"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "content-range" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    preflight = http.options(DATA, headers={"origin": "https://elsewhere.example"})
    assert preflight.status_code == 204
    assert "range" in preflight.headers["access-control-allow-headers"]
    assert "authorization" not in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in http.get("/").headers


def test_files_behind_a_token_are_for_its_holder_alone(tmp_path: Path) -> None:
    with run_catalogue(tmp_path, token="let me in") as running:
        publish(running.releases, running.consortium)
        context = ssl.create_default_context(cafile=str(running.ca))
        headers = {"authorization": "Bearer let me in", "origin": "https://elsewhere.example"}
        with httpx.Client(base_url=running.url, verify=context, trust_env=False) as client:
            answer = client.get(DATA, headers=headers)
            refused = client.options(DATA, headers={"origin": "https://elsewhere.example"})
            known = {"if-none-match": answer.headers["etag"]}
            again, signed_out = client.get(DATA, headers=headers | known), client.get(DATA, headers=known)
    assert answer.status_code == 200
    # A browser asks each time before it shows its copy, so that one does not outlive session, token or level.
    assert (again.status_code, signed_out.status_code) == (304, 401)
    for each in (answer, again):
        assert each.headers["cache-control"] == "private, no-cache"
        assert each.headers["vary"] == "authorization, cookie"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert refused.status_code == 401


@pytest.mark.parametrize("place", ["/datasets/visits/latest/files/", "/api/v1/releases/visits/latest/files/"])
def test_latest_leads_on_and_is_kept_by_nobody(http: httpx.Client, content: bytes, place: str) -> None:
    answer = http.get(place + "data.parquet")
    assert (answer.status_code, answer.headers["location"]) == (307, DATA)
    assert answer.headers["cache-control"] == "no-cache"
    assert http.get(place + "data.parquet", follow_redirects=True).content == content
    assert http.get(place + "nothing").status_code == 404


def test_short_name_leads_to_the_one_address_of_a_file(http: httpx.Client) -> None:
    answer = http.head("/datasets/visits/1/files/data.parquet")
    assert (answer.status_code, answer.headers["location"]) == (308, DATA)
    assert http.get("/datasets/visits/1/files/plots/001-age.svg", follow_redirects=True).status_code == 200
    assert http.get("/datasets/visits/2/files/data.parquet").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fetc%2fpasswd", "%2e%2e/manifest.json", "plots/..%2fdata.parquet", "data.parquet%00", "data.parquet/",
        "DATA.PARQUET", "plots", "", "%ff", "..\\data.parquet", "data.parquet%20", "/data.parquet",
        "x" * 5000,
    ],
)  # fmt: skip
def test_only_what_the_manifest_lists_is_there(http: httpx.Client, path: str) -> None:
    answer = http.get(httpx.URL(http.base_url.join("/")).copy_with(raw_path=f"{FILES}{path}".encode()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_link_in_a_release_leads_nowhere(tmp_path: Path) -> None:
    with run_catalogue(tmp_path) as running:
        folder = publish(running.releases, running.consortium).folder
        kept = (folder / "data.parquet").rename(tmp_path / "elsewhere")
        (folder / "data.parquet").symlink_to(kept)
        context = ssl.create_default_context(cafile=str(running.ca))
        with httpx.Client(base_url=running.url, verify=context, trust_env=False) as client:
            answer = client.get(DATA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "damaged")


def test_a_damaged_file_is_not_begun(tmp_path: Path) -> None:
    with run_catalogue(tmp_path) as running:
        folder = publish(running.releases, running.consortium).folder
        context = ssl.create_default_context(cafile=str(running.ca))
        os.truncate(folder / "data.parquet", 10)
        with httpx.Client(base_url=running.url, verify=context, trust_env=False) as client:
            answer = client.get(DATA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "damaged")


@pytest.mark.parametrize("cold", [False, True])
def test_a_file_of_many_pieces_arrives_whole(tmp_path: Path, cold: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = random.Random(7).randbytes(3 * PIECE_BYTES + 17)
    (tmp_path / "file").write_bytes(content)
    if cold:
        # As on a file system that cannot tell what is in memory.
        monkeypatch.setattr(os, "preadv", _never_now)
    assert _sent(FileAnswer(tmp_path / "file", len(content), {}, "text/plain")) == content
    spans = [Span(1, PIECE_BYTES + 2)]
    assert _sent(FileAnswer(tmp_path / "file", len(content), {}, "text/plain", spans)) == content[1 : PIECE_BYTES + 2]


def test_nothing_more_is_read_for_a_reader_who_has_gone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(50 * PIECE_BYTES))
    assert len(_sent(FileAnswer(tmp_path / "file", 50 * PIECE_BYTES, {}, "text/plain"), gone=True)) <= 2 * PIECE_BYTES


def test_a_file_that_shrinks_on_its_way_breaks_the_answer_off(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(4 * PIECE_BYTES))
    with pytest.raises(StorageError, match="shorter than its manifest says"):
        _sent(FileAnswer(tmp_path / "file", 4 * PIECE_BYTES, {}, "text/plain"), shrink=tmp_path / "file")


def _never_now(*arguments: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "no")


def _sent(answer: FileAnswer, *, gone: bool = False, shrink: Path | None = None) -> bytes:
    """What an answer sends; `gone`: to nobody; `shrink`: a file that ends after the first piece."""
    body = bytearray()

    async def receive() -> Message:
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            body.extend(message["body"])
            if shrink is not None:
                os.truncate(shrink, PIECE_BYTES)

    asyncio.run(answer({"type": "http", "method": "GET", "headers": []}, receive, send))
    return bytes(body)
