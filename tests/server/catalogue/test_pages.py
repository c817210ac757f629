"""The pages and the API over real TLS: what they show, refuse and never leak."""

import json
import re
import ssl
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from headwater.canonical import sha256_hex
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import make_table, publish

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium)
        publish(running.releases, running.consortium, make_table(rows=300, seed=8))
        yield running


@pytest.fixture
def http(catalogue: RunningCatalogue) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(catalogue.ca))
    with httpx.Client(base_url=catalogue.url, verify=context, trust_env=False) as client:
        yield client


class Outline(HTMLParser):
    """What a screen reader and a content policy care about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_index_lists_the_newest_version_of_each_dataset(http: httpx.Client) -> None:
    page = http.get("/", headers=HTML)
    assert page.status_code == 200
    assert page.text.count('href="/datasets/visits"') == 1
    assert "version 2" in page.text
    assert "not differentially private" in page.text


@pytest.mark.parametrize(
    "sentence",
    [
        "NOT DIFFERENTIALLY PRIVATE",
        "No protection against differencing",
        "The coordinator saw exact sums",
        "no organisation has signed yet",
        "What it is not to be used for",
        "headwater verify visits-2",
        "headwater download visits",
    ],
)
def test_dataset_page_says(http: httpx.Client, sentence: str) -> None:
    assert sentence in http.get("/datasets/visits", headers=HTML).text


def test_hostile_column_name_is_text_on_the_page(http: httpx.Client) -> None:
    page = http.get("/datasets/visits", headers=HTML).text
    assert "<b>crea" not in page
    assert "&lt;b&gt;crea|tinine`&lt;/b&gt;" in page


def test_older_version_points_to_the_newest(http: httpx.Client) -> None:
    assert "This is an older version" in http.get("/datasets/visits/1", headers=HTML).text
    assert "This is an older version" not in http.get("/datasets/visits/2", headers=HTML).text


@pytest.mark.parametrize("path", ["/", "/datasets/visits", "/sign-in", "/nowhere"])
def test_pages_hold_no_inline_script_and_pass_their_own_policy(http: httpx.Client, path: str) -> None:
    page = http.get(path, headers=HTML, follow_redirects=True)
    outline = Outline(page.text)
    assert outline.all("script") == [{"src": "/static/catalogue.js", "defer": None}]
    assert not outline.all("style")
    assert not [tag for tag, attributes in outline.tags if "style" in attributes]
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"


def test_pages_can_be_read_without_seeing_them(http: httpx.Client) -> None:
    outline = Outline(http.get("/datasets/visits", headers=HTML).text)
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("h1")) == 1
    assert len(outline.all("main")) == 1
    assert all(image.get("alt") is not None for image in outline.all("img"))
    figures = [image for image in outline.all("img") if "plots" in (image["src"] or "")]
    assert len(figures) == 6
    assert all("synthetic values" in (image["alt"] or "") for image in figures if "pairs" not in (image["src"] or ""))
    assert all(cell.get("scope") in {"col", "row"} for cell in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_link_of_a_page_leads_somewhere(http: httpx.Client) -> None:
    outline = Outline(http.get("/datasets/visits", headers=HTML).text)
    targets = {a["href"] for a in outline.all("a")} | {i["src"] for i in outline.all("img")}
    for target in sorted(target for target in targets if target and target.startswith("/")):
        assert http.head(target).status_code == 200, target


def test_api_lists_versions_and_files(http: httpx.Client) -> None:
    (newest,) = http.get("/api/v1/releases").json()["releases"]
    assert (newest["name"], newest["version"], newest["rows"], newest["privacy"]) == ("visits", 2, 300, "none")
    versions = http.get("/api/v1/releases/visits").json()["versions"]
    assert [entry["version"] for entry in versions] == [2, 1]
    detail = http.get("/api/v1/releases/visits/1").json()
    for link in detail["files"]:
        answer = http.get(link["url"])
        assert sha256_hex(answer.content) == link["file"]["sha256"]


def test_api_describes_itself(http: httpx.Client) -> None:
    document = http.get("/api/v1/openapi.json").json()
    assert "/api/v1/releases/{name}/{version}/files/{path}" in json.dumps(document)
    assert "/datasets" not in json.dumps(document["paths"])


def test_charter_is_served_as_signed(http: httpx.Client, catalogue: RunningCatalogue) -> None:
    assert http.get("/api/v1/charter").content == catalogue.consortium.charter.to_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/datasets/other",
        "/datasets/visits/3",
        "/datasets/visits/0",
        "/datasets/visits/99999999999999999999999",
        "/datasets/VISITS",
        "/api/v1/releases/other",
        "/api/v1/releases/visits/3",
        "/api/v1/releases/visits/1/files/nothing.txt",
        "/static/nothing.css",
    ],
)
def test_what_is_not_there_is_a_404_for_people_and_programs(http: httpx.Client, path: str) -> None:
    program = http.get(path)
    assert program.status_code == 404
    assert program.json()["error"]["code"] == "not_found"
    person = http.get(path, headers=HTML)
    assert person.status_code == 404
    if not path.startswith("/api/"):
        assert "<h1>Not found</h1>" in person.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/releases/visits/1/files/../../../../ca.crt",
        "/api/v1/releases/visits/1/files/..%2f..%2f..%2fca.crt",
        "/api/v1/releases/visits/1/files/%2e%2e/%2e%2e/%2e%2e/ca.crt",
        "/api/v1/releases/visits/1/files//etc/passwd",
        "/api/v1/releases/visits/1/files/plots/../manifest.json",
        "/api/v1/releases/..%2f/1/files/ca.crt",
        "/api/v1/releases/visits%00/1/files/manifest.json",
        "/static/..%2f..%2findex.py",
        "/datasets/..%2f..",
    ],
)
def test_no_path_climbs_out_of_a_release(catalogue: RunningCatalogue, path: str) -> None:
    # By hand: every HTTP client would tidy the dots away before sending.
    context = ssl.create_default_context(cafile=str(catalogue.ca))
    host, port = re.fullmatch(r"https://(.*):(\d+)", catalogue.url).groups()  # type: ignore[union-attr]
    import socket

    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"CERTIFICATE" not in answer
    assert b"root:" not in answer


def test_unlisted_file_in_a_published_folder_is_not_served(http: httpx.Client, catalogue: RunningCatalogue) -> None:
    (catalogue.releases / "visits" / "1" / "private.txt").write_text("x")
    assert http.get("/api/v1/releases/visits/1/files/private.txt").status_code == 404


def test_broken_folder_does_not_hide_the_others(http: httpx.Client, catalogue: RunningCatalogue) -> None:
    broken = catalogue.releases / "broken" / "1"
    broken.mkdir(parents=True, exist_ok=True)
    (broken / "manifest.json").write_text("{}")
    (catalogue.releases / "stray.txt").write_text("x")
    assert [entry["name"] for entry in http.get("/api/v1/releases").json()["releases"]] == ["visits"]
    assert http.get("/datasets/broken").status_code == 404


def test_write_methods_are_refused(http: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert http.request(method, "/api/v1/releases").status_code == 405


def test_empty_catalogue_says_so(tmp_path: Path) -> None:
    with run_catalogue(tmp_path) as empty:
        context = ssl.create_default_context(cafile=str(empty.ca))
        page = httpx.get(empty.url, verify=context, headers=HTML, trust_env=False)
        assert "Nothing has been released yet" in page.text
