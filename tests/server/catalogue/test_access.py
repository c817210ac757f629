"""Who gets in: token, cookie, and nobody on an open address without either."""

import hashlib
import ssl
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater_server.catalogue import CatalogueSettings
from headwater_server.catalogue.access.sessions import COOKIE, SESSION_SECONDS, Sessions, local_path
from support.catalogue_server import RunningCatalogue, run_catalogue
from support.releases import publish

TOKEN = "a-token-of-the-consortium"
HTML = {"accept": "text/html"}
PROTECTED = (
    "/",
    "/datasets/visits",
    "/api/v1/charter",
    "/api/v1/releases",
    "/api/v1/openapi.json",
    "/api/v1/releases/visits/1/files/data.parquet",
    "/nowhere",
    "/sign-in/x",
)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalogue]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue"), token=TOKEN) as running:
        publish(running.releases, running.consortium)
        yield running


@pytest.fixture
def http(catalogue: RunningCatalogue) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(catalogue.ca))
    with httpx.Client(base_url=catalogue.url, verify=context, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_required"),
        ({"authorization": "Bearer wrong"}, "bad_token"),
        ({"authorization": "Bearer"}, "bad_token"),
        ({"authorization": f"Basic {TOKEN}"}, "token_required"),
        ({"cookie": f"{COOKIE}={TOKEN}"}, "token_required"),
        ({"cookie": f"{COOKIE}=99999999999.catalogue.{'0' * 64}"}, "token_required"),
        ({"cookie": "=;;,[]"}, "token_required"),
    ],
)
def test_without_the_token_nothing_is_served(http: httpx.Client, path: str, headers: dict[str, str], code: str) -> None:
    answer = http.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == code
    assert "visits" not in answer.text


@pytest.mark.parametrize("path", PROTECTED[:-2])
def test_token_opens_everything(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_browser_is_sent_to_the_form_and_back(http: httpx.Client) -> None:
    sent = http.get("/datasets/visits", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=/datasets/visits")
    assert "Access token" in http.get(sent.headers["location"], headers=HTML).text
    assert "is for readers with a token" in http.get(sent.headers["location"]).text
    assert "token of scope <code>runs</code>" in http.get("/sign-in?next=/runs").text
    signed_in = http.post("/sign-in", data={"token": TOKEN, "next": "/datasets/visits"})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/datasets/visits")
    cookie = signed_in.headers["set-cookie"]
    assert TOKEN not in cookie
    assert all(word in cookie.lower() for word in ("secure", "httponly", "samesite=strict", "path=/"))
    assert http.get("/datasets/visits", headers=HTML).status_code == 200


def test_wrong_token_in_the_form_is_refused(http: httpx.Client) -> None:
    answer = http.post("/sign-in", data={"token": "wrong", "next": "/"}, headers=HTML)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "Nobody was given this token" in answer.text
    assert "wrong" not in answer.text


def test_form_larger_than_any_token_is_refused(http: httpx.Client) -> None:
    assert http.post("/sign-in", content=b"token=" + b"x" * 10_000).status_code == 413


def test_files_behind_a_token_stay_out_of_shared_caches(http: httpx.Client) -> None:
    answer = http.get(PROTECTED[5], headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.headers["cache-control"].startswith("private")


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "evil", "", "/a\nb", "/ä"])
def test_sign_in_never_leads_elsewhere(target: str) -> None:
    assert local_path(target) == "/"


def test_session_ends_after_its_time() -> None:
    clock = [1000.0]
    sessions = Sessions(b"k" * 32, lambda: clock[0])
    value = sessions.issue("0123abcd")
    assert sessions.token_id(value) == "0123abcd"
    clock[0] += SESSION_SECONDS
    assert sessions.token_id(value) is None


@given(st.text(max_size=90))
def test_nobody_invents_a_session(value: str) -> None:
    assert Sessions(b"k" * 32, lambda: 0.0).token_id(value) is None


def test_session_of_another_key_is_refused() -> None:
    value = Sessions(b"a" * 32, lambda: 0.0).issue("0123abcd")
    assert Sessions(b"b" * 32, lambda: 0.0).token_id(value) is None
    other = value.replace("0123abcd", "ffffffff")
    assert Sessions(b"a" * 32, lambda: 0.0).token_id(other) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "data.example.org", ""])
def test_open_catalogue_on_an_open_address_is_refused(host: str) -> None:
    with pytest.raises(InputError, match="set a token"):
        CatalogueSettings("C", "https://data.example.org", host, lambda version: None)
    digest = hashlib.sha256(b"t").hexdigest()
    CatalogueSettings("C", "https://data.example.org", host, lambda version: None, token_digest=digest)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_loopback_may_be_open(host: str) -> None:
    assert CatalogueSettings("C", "https://127.0.0.1:9445", host, lambda version: None).token_digest is None


@pytest.mark.parametrize("address", ["http://x", "https://x/path", "x", "https://x\n"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="HOST:PORT"):
        CatalogueSettings("C", address, "127.0.0.1", lambda version: None)
