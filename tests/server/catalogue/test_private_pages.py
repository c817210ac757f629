"""What the pages and the API say of a private dataset beside one that is not."""

import ssl
from collections.abc import Iterator

import httpx
import pytest

from support.catalogue_server import run_catalogue
from support.claims import make_claim
from support.releases import publish


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with run_catalogue(tmp_path_factory.mktemp("catalogue")) as running:
        publish(running.releases, running.consortium, name="bare")
        publish(running.releases, running.consortium, name="private", privacy=make_claim())
        publish(running.releases, running.consortium, name="read", privacy=make_claim(schema_confirmed=False))
        context = ssl.create_default_context(cafile=str(running.ca))
        with httpx.Client(
            base_url=running.url, verify=context, trust_env=False, headers={"accept": "text/html"}
        ) as client:
            yield client


def test_a_private_page_says_what_is_covered_what_was_public_and_what_is_not_covered(http: httpx.Client) -> None:
    page = http.get("/datasets/private").text
    for words in (
        "Differentially private: ε = 0.9995 at δ = 1e-06 for one record, added or removed.",
        'class="callout private"',
        "What ε covers",
        "What was public",
        "Other runs and releases on the same rows",
        "The coordinator saw noisy sums",
        "What it is not to be used for",
    ):
        assert words in page
    assert "NOT DIFFERENTIALLY PRIVATE" not in page
    assert "exact sums" not in page


def test_a_page_without_privacy_is_as_loud_as_it_was(http: httpx.Client) -> None:
    page = http.get("/datasets/bare").text
    assert "Privacy: NONE. This dataset is NOT DIFFERENTIALLY PRIVATE." in page
    assert 'class="callout"' in page


def test_a_schema_that_was_read_from_rows_is_said_on_page_index_and_list(http: httpx.Client) -> None:
    assert "Schema read from the rows, outside ε." in http.get("/datasets/read").text
    assert '<span class="tag warn">schema read from the rows, outside ε</span>' in http.get("/").text
    listed = {entry["name"]: entry["privacy"] for entry in http.get("/api/v1/releases").json()["releases"]}
    assert listed["read"] == "ε = 0.9995 at δ = 1e-06 per record*"


def test_a_schema_that_was_read_from_rows_is_no_calm_green_on_its_page(http: httpx.Client) -> None:
    page = http.get("/datasets/read").text
    assert '<h2 id="privacy" class="grave">Differentially private' in page
    assert page.count('<li class="grave">') == 1
    assert '<li class="grave"><strong>Schema read from the rows, outside ε.</strong>' in page
    assert '<p class="notice">Bounds and categories were drafted from rows' in page
    assert "smallest and largest values of real records; no ε protects them." in page
    assert 'grave"' not in http.get("/datasets/private").text


def test_what_is_not_covered_has_one_heading(http: httpx.Client) -> None:
    page = http.get("/datasets/private").text
    assert page.count("ot cover") == 1
    inside = page.split("What ε does not cover.</strong>")[1].split("</ul>")[0]
    assert inside.count("<li>") == 8


def test_the_index_tells_the_two_apart(http: httpx.Client) -> None:
    page = http.get("/").text
    assert page.count('<span class="tag warn">not differentially private</span>') == 1
    assert page.count('<span class="tag good">ε = 0.9995 at δ = 1e-06 per record</span>') == 2


def test_the_api_has_the_short_words_and_the_whole_claim(http: httpx.Client) -> None:
    listed = {entry["name"]: entry["privacy"] for entry in http.get("/api/v1/releases").json()["releases"]}
    assert (listed["bare"], listed["private"]) == ("none", "ε = 0.9995 at δ = 1e-06 per record")
    protection = http.get("/api/v1/releases/private/1").json()["protection"]
    assert protection["coordinator_saw"] == "noisy sums"
    assert protection["privacy"]["epsilon"] == 0.9995
    assert protection["privacy"]["events"][0]["event"] == {
        "kind": "noisy-counts",
        "records": 1,
        "tables": 15,
        "variance": 2680,
    }
