"""What every answer tells browsers, and requests that are made to confuse."""

import re
from collections.abc import Iterator

import pytest

from headwater_server.catalogue.access.sessions import COOKIE
from headwater_server.catalogue.headers import PAGE_POLICY
from headwater_server.storage.access_port import READ_REGISTERED, Level
from support.access_site import AccessSite, site_of_visits

HTML = {"accept": "text/html"}
PATHS = (
    "/",
    "/datasets/visits",
    "/datasets/nosuch",
    "/sign-in",
    "/api",
    "/api/v1/releases",
    "/static/catalogue.css",
    "/nowhere",
    "/?q=" + "x" * 9000,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessSite]:
    made = site_of_visits(tmp_path_factory.mktemp("site"))
    made.put("visits", Level.REGISTERED)
    yield made
    made.storage.close()


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_keeps_browsers_to_this_site(site: AccessSite, path: str) -> None:
    for headers in ({}, HTML, HTML | {"authorization": "Bearer wrong"}):
        found = site.ask(path, headers=headers).headers
        assert found["content-security-policy"] == PAGE_POLICY
        assert found["x-content-type-options"] == "nosniff"
        assert found["x-frame-options"] == "DENY"
        assert found["referrer-policy"] == "no-referrer"
        assert found["cross-origin-opener-policy"] == "same-origin"
        assert found["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in found["permissions-policy"]
        assert "unsafe" not in found["content-security-policy"]


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/static/catalogue.css"])
def test_no_page_has_script_or_style_in_it(site: AccessSite, path: str) -> None:
    text = site.ask(path, headers=HTML).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text, re.IGNORECASE)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_other_machines_are_told_to_come_by_tls_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    from headwater_server.catalogue import CatalogueSettings, FolderReleaseIndex, build_catalogue

    site = AccessSite(tmp_path_factory.mktemp("open"))
    assert "strict-transport-security" not in site.ask("/").headers
    settings = CatalogueSettings("C", "https://x", "0.0.0.0", lambda version: None, default_level="closed")
    site.app = build_catalogue(FolderReleaseIndex(site.releases), settings)
    assert int(site.ask("/").headers["strict-transport-security"].split("=")[1]) >= 31536000
    site.storage.close()


def test_the_cookie_is_for_this_host_and_its_own_pages_alone(site: AccessSite) -> None:
    answer = site.ask("/sign-in", method="POST", data={"token": site.token(READ_REGISTERED), "next": "//evil.example"})
    parts = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
    assert parts[0].startswith(f"{COOKIE.lower()}=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= set(parts)
    assert not any(part.startswith("domain") for part in parts)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": f"{COOKIE}="},
        {"cookie": f"{COOKIE}=1.2.3"},
        {"cookie": f"{COOKIE}=99999999999.catalogue.{'0' * 64}"},
        {"cookie": f"{COOKIE}=" + "9" * 5000},
        {"cookie": "\x00=\x01; [];;,=="},
        {"cookie": f'{COOKIE}="a\\073b"; {COOKIE}=c'},
        {"cookie": "=".join(["a"] * 2000)},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "bearer\t" + "x" * 300},
        {"authorization": b"Bearer \xff\xfe"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer hw_' OR 1=1 --"},
        {"x-forwarded-for": "127.0.0.1", "x-forwarded-user": "operator", "forwarded": "for=127.0.0.1"},
        {"x-http-method-override": "DELETE"},
        {"x-original-url": "/static/catalogue.css", "x-rewrite-url": "/sign-in"},
        {"host": "evil.example"},
        {"accept": "text/html" + ",x" * 3000},
        {"range": "bytes=0-1,2-3", "if-range": '"', "if-none-match": '"' * 500},
    ],
)
def test_no_header_opens_the_rows(site: AccessSite, headers: dict[str, str]) -> None:
    answer = site.ask("/api/v1/releases/visits/1/files/data.parquet", headers=headers)
    assert answer.status_code in (401, 403)
    assert answer.headers["content-type"] == "application/json"
    assert b"PAR1" not in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/../api/v1/releases/visits/1/files/data.parquet",
        "/static/%2e%2e/api/v1/releases/visits/1/files/data.parquet",
        "/api/v1/releases/visits/1/files/README.md/../data.parquet",
        "/api/v1/releases/visits/1/files/plots/../data.parquet",
        "/api/v1/releases/visits/1/files/plots%2f..%2fdata.parquet",
        "/api/v1/releases/visits/1/files/data.parquet%00.svg",
        "/api/v1/releases/visits/1/files/data.parquet%0a",
        "/api/v1/releases/visits/01/files/data.parquet",
        "/api/v1/releases/visits/1/files//data.parquet",
        "/api/v1//releases/visits/1/files/data.parquet",
        "/api/v1/releases/visits/1/files/data.parquet/",
        "/sign-in/../api/v1/releases/visits/1/files/data.parquet",
        "/datasets/visits/1/files/data.parquet",
        "/%61pi/v1/releases/visits/1/files/data.parquet",
    ],
)
def test_no_spelling_of_a_path_opens_the_rows(site: AccessSite, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS", "TRACE", "get"):
        answer = site.ask(path, method=method)
        assert not answer.is_success or method == "OPTIONS", (method, path)
        assert b"PAR1" not in answer.content


def test_a_page_of_another_site_reads_nothing_that_needs_a_token(site: AccessSite) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = site.ask("/api/v1/releases/visits/1/files/data.parquet", method=method, headers=headers)
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers
