"""Parts of pages that are made without a server: citations, addresses of questions, the API in words, kept pages."""

import pytest
from starlette.requests import Request

from headwater_server.catalogue.api_page import operations_of, schemas_of, type_in_words
from headwater_server.catalogue.citing import bibtex, citation_cff
from headwater_server.catalogue.index import FolderReleaseIndex
from headwater_server.catalogue.index_page import index_form, page_url
from headwater_server.catalogue.page_cache import PageCache, RenderedPage
from headwater_server.catalogue.search import Query, query_of, search
from support.releases import make_consortium, publish


def test_a_title_cannot_add_a_field_to_a_citation(tmp_path_factory: pytest.TempPathFactory) -> None:
    import yaml

    releases = tmp_path_factory.mktemp("releases")
    publish(releases, make_consortium(name="A & B {Ltd} 100%"))
    entry = FolderReleaseIndex(releases).find("visits", 1)
    assert entry is not None
    hostile = 'Visits"\nlicense: mine\n}, author = {me}, x = {\\'
    manifest = entry.manifest.model_copy(update={"title": hostile})
    said = yaml.safe_load(citation_cff(manifest, "https://x/datasets/visits/1"))
    assert said["title"] == hostile
    assert "license" not in said
    entry_text = bibtex(manifest, "https://x/datasets/visits/1")
    assert r"author       = {{A \& B \{Ltd\} 100\%}}" in entry_text
    assert r"\}, author = \{me\}, x = \{\textbackslash{}" in entry_text


def test_an_address_holds_what_is_asked_and_nothing_else() -> None:
    assert page_url(Query()) == "/"
    query = Query(text="a&b=c d", privacy="epsilon", min_rows=1000)
    assert page_url(query, page=2) == "/?text=a%26b%3Dc+d&privacy=epsilon&min_rows=1000&page=2"
    assert page_url(query, privacy=None, text="", min_rows=None, withdrawn=True) == "/?withdrawn=true"


def test_a_chosen_value_that_no_dataset_has_stays_in_its_list() -> None:
    query = query_of({"licence": "ODbL", "min_rows": "77"})
    form = index_form(query, search((), query))
    chosen = {s.name: [c.label for c in s.choices if c.chosen] for s in form.selects}
    assert chosen["licence"] == ["ODbL"]
    assert chosen["min_rows"] == ["at least 77"]
    assert [active.url for active in form.active] == ["/?min_rows=77", "/?licence=ODbL"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/FileLink"}}, "list of FileLink"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or nothing"),
        ({"enum": ["a", "b"]}, "a | b"),
        ({"const": "none"}, "none"),
        ({}, "anything"),
    ],
)
def test_types_are_said_in_words(schema: dict[str, object], words: str) -> None:
    assert type_in_words(schema) == words


def test_an_empty_document_has_no_calls() -> None:
    assert operations_of({}) == []
    assert schemas_of({}) == []


def asked(tag: str = "") -> Request:
    headers = [(b"if-none-match", tag.encode())] if tag else []
    return Request({"type": "http", "headers": headers})


def test_kept_pages_are_made_once_and_the_oldest_goes_first() -> None:
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return text

    cache = PageCache(pages=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.made(key, lambda key=key: make(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_kept_pages_stay_within_their_room() -> None:
    cache = PageCache(size_bytes=10)
    for key in ("a", "b"):
        cache.made(key, lambda: "x" * 8)
    assert cache.get("a") is None
    assert cache.get("b") is not None
    cache.made("large", lambda: "x" * 80)
    assert cache.get("large") is not None


def test_a_browser_that_has_the_page_is_told_so() -> None:
    page = RenderedPage("<p>é</p>")
    assert page.answer(asked()).body == "<p>é</p>".encode()
    assert page.answer(asked(page.etag)).status_code == 304
    assert page.answer(asked(f'"other", W/{page.etag}')).status_code == 304
    assert page.answer(asked('"other"')).status_code == 200
