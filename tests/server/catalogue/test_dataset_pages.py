"""What the page of a dataset says of verdict, signers, withdrawal, citing and loading; and what differs between two."""

import ssl
from collections.abc import Iterator

import httpx
import pytest
import yaml

from support.shown_site import ShownSite, shown_site

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShownSite]:
    with shown_site(tmp_path_factory.mktemp("site")) as shown:
        yield shown


@pytest.fixture
def http(site: ShownSite) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(site.catalogue.ca))
    with httpx.Client(base_url=site.url, verify=context, trust_env=False, headers=HTML) as client:
        yield client


@pytest.mark.parametrize(
    "words",
    [
        "Verdict: passed",
        "Releases with differential privacy: ε of at most 3",
        "What each of the 14 gates asked",
        "Do the checks find faults that were planted, and leave a safe table alone?",
        "2 attempts at the gate, all logged",
        "3 of 3 organisations signed this version",
        "East Hospital",
        "An audit finds the leaks that it looks for, in the rows that it has; it bounds nothing.",
        "The generator is kept",
    ],
)
def test_an_audited_page_says(http: httpx.Client, words: str) -> None:
    assert words in http.get("/datasets/visits").text


def test_a_signature_that_does_not_hold_is_not_shown_as_one(site: ShownSite, http: httpx.Client) -> None:
    from headwater_server.catalogue.index import FolderReleaseIndex
    from headwater_server.catalogue.signers import signers_of

    file = site.catalogue.releases / "visits" / "3" / "attestation.json"
    whole = file.read_bytes()
    entry = FolderReleaseIndex(site.catalogue.releases).find("visits", 3)
    assert entry is not None
    try:
        file.write_bytes(whole.replace(b'"payload": "e', b'"payload": "f'))
        assert signers_of(entry, site.catalogue.consortium.charter_of).signed == 0
    finally:
        file.write_bytes(whole)
    assert signers_of(entry, site.catalogue.consortium.charter_of).signed == 3


def test_an_unaudited_page_says_that_nobody_attacked_it(http: httpx.Client) -> None:
    page = http.get("/datasets/other-visits").text
    assert "Verdict: not audited" in page
    assert "No organisation has signed this version" in page


def test_a_withdrawn_version_keeps_its_page_without_rows_and_downloads(http: httpx.Client) -> None:
    page = http.get("/datasets/visits/1")
    assert page.status_code == 200
    assert "Ages of one ward were coded in months." in page.text
    assert 'href="/datasets/visits/2">version 2</a> instead' in page.text
    assert "data.parquet" not in page.text
    assert "First rows" not in page.text


@pytest.mark.parametrize(
    "tool",
    [
        'headwater.load_dataset("visits", version=3)',
        'pd.read_parquet(\n    "https://127.0.0.1:9445/api/v1/releases/visits/3/files/data.parquet",\n)',
        "pl.scan_parquet(",
        "FROM read_parquet('https://127.0.0.1:9445/api/v1/releases/visits/3/files/data.parquet')",
        "from datasets import load_dataset",
        "curl --fail",
        "sha256sum --check",
    ],
)
def test_code_to_load_it_names_this_catalogue(http: httpx.Client, tool: str) -> None:
    import html

    assert tool in html.unescape(http.get("/datasets/visits").text)


def test_citations_are_files_that_their_readers_understand(http: httpx.Client) -> None:
    cff = http.get("/datasets/visits/3/CITATION.cff")
    assert 'filename="CITATION.cff"' in cff.headers["content-disposition"]
    said = yaml.safe_load(cff.text)
    assert (said["type"], said["version"], said["title"]) == ("dataset", "3", "Hospital visits")
    bib = http.get("/datasets/visits/3/citation.bib").text
    assert bib.startswith("@misc{visits-3,")
    assert bib.count("{") == bib.count("}")


def test_pages_are_kept_and_asked_for_again_by_their_tag(http: httpx.Client) -> None:
    first = http.get("/datasets/visits")
    again = http.get("/datasets/visits", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "private, no-cache"


def test_differences_name_facts_columns_and_files(http: httpx.Client) -> None:
    page = http.get("/datasets/visits/compare?from=2&to=3").text
    for words in ("Version 2 and version 3", "not audited", "pass, policy standard-", "audit.json", "added"):
        assert words in page


@pytest.mark.parametrize("query", ["", "?from=2", "?to=2", "?from=3&to=3", "?from=1&to=3"])
def test_any_two_versions_can_be_compared_withdrawn_ones_too(http: httpx.Client, query: str) -> None:
    assert http.get(f"/datasets/visits/compare{query}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datasets/visits/compare?from=9&to=1", 404),
        ("/datasets/visits/compare?from=x", 400),
        ("/datasets/visits/compare?from=%31%00", 400),
        ("/datasets/visits/compare?from=-1", 400),
        (f"/datasets/visits/compare?to={'9' * 500}", 400),
        ("/datasets/nobody/compare", 404),
        (f"/?text={'a' * 201}", 400),
        ("/?min_rows=many", 400),
    ],
)
def test_impossible_addresses_are_refused_as_pages(http: httpx.Client, path: str, status: int) -> None:
    answer = http.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "%' UNION SELECT",
        "../../etc/passwd",
        "\u202e\u0000x",
        "{{7*7}}",
        "a\r\nX: y",
    ],
)
def test_a_hostile_search_is_text_and_finds_nothing(http: httpx.Client, hostile: str) -> None:
    page = http.get("/", params={"text": hostile})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "No dataset answers this search" in page.text
    assert "x" not in page.headers


def test_withdrawn_datasets_are_listed_only_when_asked_for(http: httpx.Client) -> None:
    assert http.get("/").text.count('class="card"') == 3
    assert "Version 2" not in http.get("/").text


def test_the_api_page_names_every_call_and_object(http: httpx.Client) -> None:
    page = http.get("/api").text
    document = http.get("/api/v1/openapi.json").json()
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="s-{name}"' in page
