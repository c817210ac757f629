"""The JSON API: search, one version in full, tags, and one shape for every refusal."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from headwater.release.layout import DATA, MANIFEST, SCHEMA
from headwater.release.verification import read_manifest
from headwater.release.withdrawal import WITHDRAWN, SignedWithdrawal, Withdrawal
from headwater_server.catalogue import CatalogueSettings, FolderReleaseIndex, build_catalogue
from headwater_server.catalogue.api_errors import CODES
from headwater_server.catalogue_limits import CatalogueLimits
from support.claims import make_claim
from support.in_process import InProcess
from support.releases import Consortium, make_consortium, make_table, publish

RELEASES = "/api/v1/releases"


class Site:
    """A catalogue in this process over three datasets, one of which has a withdrawn version."""

    def __init__(self, folder: Path) -> None:
        self.releases, self.consortium = folder / "releases", make_consortium()
        for name in ("labs", "stays", "visits", "visits"):
            publish(self.releases, self.consortium, make_table(40), name=name)
        publish(self.releases, self.consortium, make_table(60), name="noisy", privacy=make_claim())
        _withdraw(self.releases / "visits" / "2", self.consortium)
        self.http = InProcess(self.app())

    def app(self, **changes: object) -> ASGIApp:
        chosen = CatalogueSettings(
            consortium="Three Hospitals",
            address="https://127.0.0.1:9445",
            host="127.0.0.1",
            charter=self.consortium.charter_of,
            **{"limits": CatalogueLimits.unlimited(), **changes},  # type: ignore[arg-type]
        )
        return build_catalogue(FolderReleaseIndex(self.releases), chosen)


def _withdraw(folder: Path, consortium: Consortium) -> None:
    manifest = read_manifest((folder / MANIFEST).read_bytes()).manifest
    said = Withdrawal(
        name=manifest.name,
        version=manifest.version,
        release=manifest.digest,
        withdrawn="2026-11-22T09:00:00Z",
        reason="ages of one ward were coded in months",
        replaced_by=1,
    )
    (folder / WITHDRAWN).write_bytes(SignedWithdrawal.sign(said, consortium.coordinator_key).to_bytes())
    for path in (DATA, SCHEMA):
        (folder / path).unlink()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("api"))


@pytest.fixture
def http(site: Site) -> InProcess:
    return site.http


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["releases"]]


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The message of a refusal in the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.json()["error"]["code"] == code
    return str(answer.json()["error"]["message"])


def test_words_and_filters_narrow_the_list(http: InProcess) -> None:
    assert sorted(names(http.get(RELEASES))) == ["labs", "noisy", "stays", "visits"]
    assert names(http.get(f"{RELEASES}?q=LABS%20ward")) == ["labs"]
    assert names(http.get(f"{RELEASES}?privacy=epsilon")) == ["noisy"]
    assert names(http.get(f"{RELEASES}?min_rows=50")) == ["noisy"]
    assert names(http.get(f"{RELEASES}?q=nowhere")) == []
    assert names(http.get(f"{RELEASES}?sort=name&privacy=none")) == ["labs", "stays", "visits"]


def test_pages_cover_the_list_once(http: InProcess) -> None:
    seen = []
    for page in (1, 2, 3, 4):
        answer = http.get(f"{RELEASES}?sort=name&per_page=1&page={page}").json()
        assert (answer["total"], answer["pages"], answer["page"], answer["per_page"]) == (4, 4, page, 1)
        seen += [each["name"] for each in answer["releases"]]
    assert seen == ["labs", "noisy", "stays", "visits"]


def test_one_version_is_told_in_full(http: InProcess) -> None:
    told = http.get(f"{RELEASES}/noisy/1").json()
    assert told["summary"]["epsilon"] == told["protection"]["privacy"]["epsilon"]
    assert (told["verdict"], told["generator"], told["withdrawn"]) == ("none", "kept", None)
    assert [(each["name"], each["kind"], each["role"]) for each in told["columns"]][-2:] == [
        ("readmitted", "boolean", "target"),
        ("admitted", "date", "feature"),
    ]
    assert told["columns"][0]["values"] == "0 to 120"
    urls = {each["file"]["path"]: each["url"] for each in told["files"]}
    assert http.get(urls[DATA]).status_code == 200


def test_a_withdrawn_version_says_so_everywhere(http: InProcess) -> None:
    versions = http.get(f"{RELEASES}/visits").json()["versions"]
    assert [(each["version"], each["withdrawn"] is not None) for each in versions] == [(2, True), (1, False)]
    told = http.get(f"{RELEASES}/visits/2").json()
    assert told["withdrawn"]["reason"] == "ages of one ward were coded in months"
    assert told["columns"] == []
    assert refused(http.get(f"{RELEASES}/visits/2/files/{DATA}"), 410, "withdrawn")
    assert [each["version"] for each in http.get(RELEASES).json()["releases"] if each["name"] == "visits"] == [1]


def test_health_says_nothing_of_datasets_and_needs_no_token(site: Site) -> None:
    closed = InProcess(site.app(token_digest="0" * 64))
    assert closed.get("/api/v1/health").json()["status"] == "ok"
    refused(closed.get(RELEASES), 401, "token_required")


@pytest.mark.parametrize(
    "path", [RELEASES, f"{RELEASES}?q=labs", f"{RELEASES}/visits", f"{RELEASES}/labs/1", "/api/v1/charter"]
)
def test_a_known_answer_is_not_sent_again(http: InProcess, path: str) -> None:
    first = http.get(path)
    for tag in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        again = http.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert http.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    assert http.head(path).headers["content-length"] == str(len(first.content))


@pytest.mark.parametrize(
    "query", ["colour=red", "text=labs", "q=labs&colour=red", "Q=labs", "page[]=1", "%00=1", "=", "%ff=%ff"]
)
def test_unknown_parameters_are_refused_without_repeating_them(http: InProcess, query: str) -> None:
    said = refused(http.get(f"{RELEASES}?{query}"), 422, "unknown_parameter")
    assert "colour" not in said


def test_calls_without_parameters_refuse_all(http: InProcess) -> None:
    for path in ("/api/v1/charter", "/api/v1/health", f"{RELEASES}/labs", f"{RELEASES}/labs/1", "/api/v1/charters/1"):
        refused(http.get(f"{path}?x=1"), 422, "unknown_parameter")


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=1.5", "page=", "page=x", "page=99999999999999999999", "per_page=101", "sort=up",
        "privacy=yes", "max_epsilon=0", "max_epsilon=nan", "max_epsilon=inf", "min_rows=-1", "withdrawn=perhaps",
        f"q={'x' * 201}", f"q={'a+' * 20}", f"licence={'x' * 201}", f"page={'9' * 5000}",
    ],
)  # fmt: skip
def test_values_that_a_parameter_cannot_have_are_refused_by_its_name(http: InProcess, query: str) -> None:
    said = refused(http.get(f"{RELEASES}?{query}"), 422, "invalid_parameter")
    assert said.startswith(query.partition("=")[0])
    assert len(said) < 300


@pytest.mark.parametrize("path", ["/api/v1/nowhere", f"{RELEASES}/nowhere", f"{RELEASES}/labs/9", f"{RELEASES}/"])
def test_what_there_is_not_is_not_found(http: InProcess, path: str) -> None:
    refused(http.get(path), 404, "not_found")


@pytest.mark.parametrize("path", [RELEASES, f"{RELEASES}/labs/1", "/api/v1/health", f"{RELEASES}/labs/1/files/{DATA}"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_told_which_there_are(http: InProcess, path: str, method: str) -> None:
    answer = http.request(method, path)
    refused(answer, 405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


def test_what_the_route_is_never_asked_has_the_one_shape_too(site: Site, http: InProcess) -> None:
    refused(http.get(RELEASES, headers={"content-length": "9" * 12}), 413, "too_large")
    refused(http.get(f"{RELEASES}?q={'x' * 9000}"), 414, "uri_too_long")
    refused(http.get(RELEASES, headers={"x-long": "x" * 20_000}), 431, "headers_too_large")
    refused(http.get(f"{RELEASES}/labs/1/files/{DATA}", headers={"range": "bytes=999999999-"}), 416, "range")
    few = InProcess(site.app(limits=CatalogueLimits(requests_per_minute=1)))
    answers = [few.get(RELEASES) for _ in range(5)]
    refused(answers[-1], 429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) >= 1


HOSTILE = (
    "\0", "%00", "\u202e", "\ufeff", "../" * 40, "%2e%2e%2f", "%252e", "';--", "<script>", "${jndi:x}", "{{7*7}}",
    "\ud7ff", "𝔘𝔫𝔦", "İ", "ﬀ", "\r\nset-cookie: x=1", "%", "%zz", "%ff%fe", "+", "?", "#", "\\", "|",
    "e\u0301" * 100, "a" * 10_240,
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_answered_or_refused(http: InProcess, text: str) -> None:
    quoted = quote(text, safe="")
    for path in (
        f"{RELEASES}?q={quoted}",
        f"{RELEASES}?licence={quoted}",
        f"{RELEASES}?{quoted}=1",
        f"{RELEASES}/{quoted}",
        f"{RELEASES}/labs/{quoted}",
        f"{RELEASES}/labs/1/files/{quoted}",
        f"{RELEASES}/labs/1/{quoted}",
        f"/api/v1/charters/{quoted}",
    ):
        _check(http.get(path))


@pytest.mark.parametrize("raw", [b"q=%ED%A0%80", b"q=\xff\xfe", b"q=%", b"q=%u0041", b"&&&==", b"q=1;q=2", b"\xc0\xaf"])
def test_bytes_that_are_no_text_are_answered_or_refused(http: InProcess, raw: bytes) -> None:
    _check(http.get_raw(b"/api/v1/releases", raw))
    _check(http.get_raw(b"/api/v1/releases/" + raw.replace(b"/", b""), b""))


@pytest.mark.parametrize("digits", [18, 19, 4000, 5000])
def test_numbers_of_any_length_in_a_path_are_refused(http: InProcess, digits: int) -> None:
    for path in ("/api/v1/charters/{}", RELEASES + "/labs/{}", RELEASES + "/labs/{}/files/x", "/datasets/labs/{}"):
        assert http.get(path.format("9" * digits)).status_code in (404, 422)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_text_anywhere_is_answered_or_refused(http: InProcess, query: str, name: str, key: str) -> None:
    _check(http.get(RELEASES, params={"q": query, key or "page": name}))
    _check(http.get_raw(f"/api/v1/releases/{name}/{query}".encode("utf-8", "replace"), b""))


def _check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        body = answer.json()
        assert set(body["error"]) == {"code", "message"}
        assert body["error"]["message"].isprintable() or answer.status_code == 405


def test_a_failure_of_the_catalogue_tells_nothing_of_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/srv/headwater/state.db")

    monkeypatch.setattr("headwater_server.catalogue.api.listed_datasets", broken)
    answer = site.http.get(RELEASES, raising=False)
    assert "/srv" not in refused(answer, 500, "internal")


def test_the_document_describes_every_refusal_and_who_may_ask(http: InProcess) -> None:
    document = http.get("/api/v1/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operations = {call["operationId"]: call for item in document["paths"].values() for call in item.values()}
    assert {"download_file", "get_charter", "get_health", "get_release", "get_statistics", "list_releases"} <= set(
        operations
    )
    for name, call in operations.items():
        assert call["tags"], name
        assert call["summary"], name
        for status in ("401", "403", "405", "413", "422", "429"):
            schema = call["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (name, status)
            example = call["responses"][status]["content"]["application/json"]["example"]
            assert example["error"]["code"] == CODES[int(status)]
    assert {"404", "410", "416"} <= set(operations["download_file"]["responses"])
    assert "HTTPValidationError" not in json.dumps(document)
