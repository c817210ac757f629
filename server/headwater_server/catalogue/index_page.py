"""The state of the form above the list of datasets: what can be chosen, what is, and where each choice leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from headwater_server.catalogue.search import Found, Query

__all__ = ["Active", "Choice", "IndexForm", "Select", "index_form", "page_url"]

_SELECTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("privacy", "Privacy", {"epsilon": "differentially private", "none": "not differentially private"}),
    ("verdict", "Verdict", {"pass": "passed", "pass with warnings": "passed with warnings", "none": "not audited"}),
    ("task", "Task", {"classification": "classification", "regression": "regression", "none": "no target column"}),
    ("generator", "Generator", {"released": "released", "on request": "rows on request", "kept": "kept"}),
)
_ROWS = {1_000: "1,000", 10_000: "10,000", 100_000: "100,000", 1_000_000: "a million"}
_ORDERS = {
    "relevance": "best match",
    "newest": "newest first",
    "name": "name",
    "rows": "most rows",
    "size": "largest",
    "epsilon": "smallest ε",
}


@dataclass(frozen=True)
class Choice:
    """One option of a list; `count` is how many datasets it would leave, None where that is not told."""

    value: str
    label: str
    chosen: bool
    count: int | None = None


@dataclass(frozen=True)
class Select:
    """A list to choose from; its first option is "any"."""

    name: str
    label: str
    choices: Sequence[Choice]


@dataclass(frozen=True)
class Active:
    """A filter that is set, and the address without it."""

    label: str
    url: str


@dataclass(frozen=True)
class IndexForm:
    """Everything above and below the list.

    Attributes:
        selects: filters.
        order: what it can be sorted by.
        active: filters and words that are set.
        before: address of the page before, "" on the first.
        after: address of the next page, "" on the last.
        with_withdrawn: address of the same question with withdrawn datasets.
    """

    selects: Sequence[Select]
    order: Select
    active: Sequence[Active]
    before: str
    after: str
    with_withdrawn: str


def page_url(query: Query, **changes: object) -> str:
    """The address of a question with some of it changed; what is as by default is left out."""
    changed = query.model_copy(update=changes)
    fields = changed.model_dump(exclude_defaults=True, exclude_none=True)
    asked = urlencode({name: str(value).lower() if value is True else str(value) for name, value in fields.items()})
    return f"/?{asked}" if asked else "/"


def index_form(query: Query, found: Found) -> IndexForm:
    """The form for a question and its answer."""
    selects = [
        Select(name, label, _choices(words, getattr(query, name), found.counts[name]))
        for name, label, words in _SELECTS
    ]
    licences = {value: value for value in found.counts["licence"]}
    if query.licence is not None:
        licences.setdefault(query.licence, query.licence)
    selects.insert(2, Select("licence", "Licence", _choices(licences, query.licence, found.counts["licence"])))
    rows = {str(least): f"at least {words}" for least, words in _ROWS.items()}
    least = None if query.min_rows is None else str(query.min_rows)
    if query.min_rows is not None:
        rows.setdefault(str(query.min_rows), f"at least {query.min_rows:,}")
    selects.append(Select("min_rows", "Rows", [Choice(value, words, value == least) for value, words in rows.items()]))
    order = [Choice(value, words, value == query.sort) for value, words in _ORDERS.items()]
    return IndexForm(
        selects=selects,
        order=Select("sort", "Sort by", order),
        active=_active(query),
        before=page_url(query, page=found.page - 1) if found.page > 1 else "",
        after=page_url(query, page=found.page + 1) if found.page < found.pages else "",
        with_withdrawn=page_url(query, page=1, withdrawn=True),
    )


def _choices(words: Mapping[str, str], chosen: str | None, counts: Mapping[str, int]) -> Sequence[Choice]:
    return [Choice(value, label, value == chosen, counts.get(value, 0)) for value, label in words.items()]


def _active(query: Query) -> Sequence[Active]:
    active = [Active(f"“{query.text}”", page_url(query, text="", page=1))] if query.text else []
    for name, label, words in _SELECTS:
        if (value := getattr(query, name)) is not None:
            active.append(Active(f"{label}: {words[value]}", page_url(query, page=1, **{name: None})))
    if query.withdrawn:
        active.append(Active("withdrawn as well", page_url(query, page=1, withdrawn=False)))
    for name, label in (
        ("licence", "Licence: {}"),
        ("max_epsilon", "ε of at most {}"),
        ("min_rows", "at least {:,} rows"),
        ("max_rows", "at most {:,} rows"),
    ):
        if (value := getattr(query, name)) is not None:
            active.append(Active(label.format(value), page_url(query, page=1, **{name: None})))
    return active
