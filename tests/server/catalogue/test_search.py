"""What a question to the catalogue finds, in which order, and what it refuses."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater_server.catalogue.search import FACETS, MAXIMUM_LETTERS, MAXIMUM_WORDS, Listed, Query, query_of, search

BASE = Listed(
    name="adult",
    version=2,
    title="Income of adults",
    description="A census of one year.",
    columns=("age", "education", "hours per week"),
    consortium="River hospitals",
    organisations=5,
    licence="CC-BY-4.0",
    created="2026-11-20T12:00:00Z",
    rows=30_000,
    size_bytes=2_000_000,
    epsilon=1.0,
    verdict="pass",
    task="classification",
    generator="released",
)
VISITS = replace(
    BASE,
    name="visits",
    title="Hospital visits in Zürich",
    description="Stays of adults.",
    columns=("age", "ward"),
    licence="CC0",
    created="2026-11-21T12:00:00Z",
    rows=500,
    size_bytes=9_000,
    epsilon=None,
    verdict="pass with warnings",
    task="none",
    generator="kept",
)
PRICES = replace(
    BASE,
    name="prices",
    title="House prices",
    description="",
    columns=("rooms",),
    created="2026-11-19T12:00:00Z",
    epsilon=3.0,
    verdict="none",
    task="regression",
    generator="on request",
)
GONE = replace(BASE, name="gone", title="Withdrawn rows", withdrawn=True)
ALL = (BASE, VISITS, PRICES, GONE)


def names(**asked: object) -> list[str]:
    return [each.name for each in search(ALL, Query.model_validate(asked)).hits]


def test_no_question_lists_everything_but_the_withdrawn_newest_first() -> None:
    assert names() == ["visits", "adult", "prices"]
    assert names(withdrawn=True) == ["visits", "adult", "gone", "prices"]


def test_every_word_must_stand_somewhere() -> None:
    assert names(text="adult census") == ["adult"]
    assert names(text="age ward") == ["visits"]
    assert names(text="adult nowhere") == []


def test_a_hit_in_the_name_comes_before_one_in_the_description() -> None:
    assert names(text="adult") == ["adult", "visits"]
    assert names(text="adult", sort="newest") == ["visits", "adult"]


@pytest.mark.parametrize("text", ["zurich", "ZÜRICH", "Zürich"])
def test_case_and_accents_do_not_matter(text: str) -> None:
    assert names(text=text) == ["visits"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"privacy": "epsilon"}, ["adult", "prices"]),
        ({"privacy": "none"}, ["visits"]),
        ({"max_epsilon": 1.0}, ["adult"]),
        ({"licence": "CC0"}, ["visits"]),
        ({"verdict": "none"}, ["prices"]),
        ({"verdict": "pass with warnings"}, ["visits"]),
        ({"task": "regression"}, ["prices"]),
        ({"generator": "released"}, ["adult"]),
        ({"min_rows": 501}, ["adult", "prices"]),
        ({"max_rows": 500}, ["visits"]),
        ({"privacy": "epsilon", "task": "classification"}, ["adult"]),
        ({"min_rows": 10, "max_rows": 1}, []),
    ],
)
def test_filters(asked: dict[str, object], found: list[str]) -> None:
    assert names(**asked) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("name", ["adult", "prices", "visits"]),
        ("rows", ["adult", "prices", "visits"]),
        ("size", ["adult", "prices", "visits"]),
        ("epsilon", ["adult", "prices", "visits"]),
        ("newest", ["visits", "adult", "prices"]),
    ],
)
def test_orders(sort: str, found: list[str]) -> None:
    assert names(sort=sort) == found


def test_pages_hold_every_hit_once_and_a_page_past_the_end_is_the_last() -> None:
    seen = [each.name for page in (1, 2) for each in search(ALL, Query(page=page, per_page=2)).hits]
    assert seen == ["visits", "adult", "prices"]
    last = search(ALL, Query(page=9, per_page=2))
    assert (last.page, last.pages, [each.name for each in last.hits]) == (2, 2, ["prices"])
    none = search((), Query())
    assert (none.page, none.pages, none.total, none.of) == (1, 1, 0, 0)


def test_counts_say_what_one_filter_would_leave() -> None:
    found = search(ALL, Query(privacy="epsilon"))
    assert found.counts["privacy"] == {"epsilon": 2, "none": 1}
    assert found.counts["task"] == {"classification": 1, "regression": 1, "none": 0}
    assert found.counts["licence"] == {"CC-BY-4.0": 2, "CC0": 0}
    assert (found.total, found.of) == (2, 3)


@given(st.sampled_from(sorted(FACETS)), st.text(max_size=40))
def test_counts_are_what_a_search_finds(facet: str, text: str) -> None:
    query = query_of({"text": text[:40]})
    counts = search(ALL, query).counts[facet]
    for value, count in counts.items():
        assert search(ALL, query.model_copy(update={facet: value})).total == count


@given(st.text(alphabet=string.printable + "äß\u0000\u202e𝒜<>&'\"%;", max_size=MAXIMUM_LETTERS))
def test_any_short_text_is_answered_or_refused_in_one_line(text: str) -> None:
    if len(text.split()) > MAXIMUM_WORDS:
        with pytest.raises(InputError, match="words; give at most"):
            query_of({"text": text})
    else:
        found = search(ALL, query_of({"text": text}))
        assert 0 <= found.total <= found.of


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": "a" * 201}, "the search has 201 letters; give at most 200"),
        ({"text": "a " * 20}, "the search has 20 words; give at most 16"),
        ({"min_rows": "many"}, "min rows: "),
        ({"min_rows": "-1"}, "min rows: "),
        ({"max_epsilon": "inf"}, "max epsilon: "),
        ({"privacy": "some"}, "privacy: "),
        ({"sort": "rows; drop table"}, "sort: "),
        ({"page": "0"}, "page: "),
        ({"page": "9" * 400}, "page: "),
        ({"per_page": "1000000"}, "per page: "),
        ({"licence": "x" * 201}, "licence: "),
    ],
)
def test_impossible_questions_are_refused_by_name_without_what_was_sent(fields: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        query_of(fields)
    assert str(refused.value).startswith(said)
    assert not any(value in str(refused.value) for value in fields.values() if len(value) > 2)


def test_a_form_with_everything_left_empty_asks_for_nothing() -> None:
    empty = dict.fromkeys(Query.model_fields, " ") | {"utm_source": "elsewhere"}
    assert query_of(empty) == Query()
    assert not query_of(empty).narrowed
    assert query_of({"text": "age"}).narrowed
