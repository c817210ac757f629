"""Which datasets of a catalogue answer a question: words, filters, order and pages."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from headwater.errors import InputError
from headwater.release.manifest import GeneratorTerms

__all__ = [
    "FACETS",
    "MAXIMUM_LETTERS",
    "MAXIMUM_WORDS",
    "Found",
    "Listed",
    "Order",
    "Query",
    "Task",
    "VerdictShown",
    "query_of",
    "search",
]

MAXIMUM_LETTERS = 200
"""A longer question is refused; no title is as long."""

MAXIMUM_WORDS = 16
"""More words in one question are refused; each is looked for in every dataset."""

MAXIMUM_PER_PAGE = 100
_PAGES = 10_000

Task = Literal["classification", "regression", "none"]
VerdictShown = Literal["pass", "pass with warnings", "none"]
Order = Literal["relevance", "newest", "name", "rows", "size", "epsilon"]

FACETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "privacy": ("epsilon", "none"),
        "verdict": get_args(VerdictShown),
        "task": get_args(Task),
        "generator": get_args(GeneratorTerms),
    }
)
"""Filters with a fixed list of values; `licence` has what the catalogue holds."""


@dataclass(frozen=True)
class Listed:
    """What a list shows of a dataset, and what is looked for in it.

    Attributes:
        name: of the dataset.
        version: its newest that was not withdrawn; the newest of all where every one was.
        title: for people.
        description: for people.
        columns: names, in the table's order.
        consortium: who made it.
        organisations: how many took part.
        licence: as the consortium calls its terms.
        created: an instant in UTC, as the manifest has it, which sorts as it reads.
        rows: of data.parquet.
        size_bytes: of all files.
        epsilon: that was spent, None where it is not differentially private.
        verdict: of the gate, "none" where nothing was audited.
        task: what the schema's target is good for.
        generator: what readers may have of it.
        privacy: ε with δ and unit in short, "" where it is not differentially private.
        schema_confirmed: people agreed on bounds and categories; else ε does not cover them.
        withdrawn: every version was withdrawn.
    """

    name: str
    version: int
    title: str
    description: str
    columns: tuple[str, ...]
    consortium: str
    organisations: int
    licence: str
    created: str
    rows: int
    size_bytes: int
    epsilon: float | None
    verdict: VerdictShown
    task: Task
    generator: GeneratorTerms
    privacy: str = ""
    schema_confirmed: bool = True
    withdrawn: bool = False

    @cached_property
    def _places(self) -> tuple[tuple[int, str], ...]:
        """Where words are looked for, with what a hit there is worth."""
        columns = "\n".join(self.columns)
        texts = ((8, f"{self.name}\n{self.title}"), (3, columns), (1, self.description), (1, self.consortium))
        return tuple((worth, _folded(text)) for worth, text in texts)

    def worth(self, words: Sequence[str]) -> int:
        """How well it answers folded words: 0 where one of them stands nowhere, more where they stand in its name."""
        sums = [sum(worth for worth, text in self._places if word in text) for word in words]
        return 0 if 0 in sums else 1 + sum(sums)


class Query(BaseModel):
    """A question to a catalogue; every filter left out lets everything through.

    It is the model of the page's form and of the API's query string alike.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(
        default="", description="Words that must all stand in name, title, description, columns or consortium."
    )
    privacy: Literal["epsilon", "none"] | None = Field(
        default=None, description="epsilon: differentially private; none: not differentially private."
    )
    max_epsilon: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Differentially private with at most this ε."
    )
    licence: str | None = Field(default=None, max_length=200, description="Exactly this licence.")
    verdict: VerdictShown | None = Field(default=None, description="What the gate decided; none: not audited.")
    task: Task | None = Field(default=None, description="What the target column is good for; none: it has no target.")
    generator: GeneratorTerms | None = Field(default=None, description="What readers may have of the generator.")
    min_rows: int | None = Field(default=None, ge=0, le=2**53 - 1, description="At least so many rows.")
    max_rows: int | None = Field(default=None, ge=0, le=2**53 - 1, description="At most so many rows.")
    withdrawn: bool = Field(default=False, description="Whether withdrawn datasets are listed as well.")
    sort: Order = Field(default="relevance", description="Order; relevance without words is newest.")
    page: int = Field(default=1, ge=1, le=_PAGES, description="Counted from 1.")
    per_page: int = Field(default=20, ge=1, le=MAXIMUM_PER_PAGE, description="Datasets on one page.")

    @field_validator("text")
    @classmethod
    def _bounded(cls, text: str) -> str:
        if len(text) > MAXIMUM_LETTERS:
            raise ValueError(f"the search has {len(text):,} letters; give at most {MAXIMUM_LETTERS}")
        if len(text.split()) > MAXIMUM_WORDS:
            raise ValueError(f"the search has {len(text.split())} words; give at most {MAXIMUM_WORDS}")
        return text

    @property
    def words(self) -> tuple[str, ...]:
        """The words to look for, folded, each once."""
        return tuple(dict.fromkeys(_folded(self.text).split()))

    @property
    def narrowed(self) -> bool:
        """Whether anything is asked for at all."""
        asked = self.model_dump(exclude={"sort", "page", "per_page", "withdrawn"}, exclude_defaults=True)
        return bool(asked)


@dataclass(frozen=True)
class Found:
    """One page of an answer.

    Attributes:
        hits: on this page, in order.
        total: on all pages.
        of: datasets in the catalogue, those that the question left out as well.
        withdrawn: datasets among all that were withdrawn, shown or not.
        page: this one, the last where a later one was asked for.
        pages: 1 at least.
        counts: by filter and value, how many there would be if this filter alone were set to it.
    """

    hits: tuple[Listed, ...]
    total: int
    of: int
    withdrawn: int
    page: int
    pages: int
    counts: Mapping[str, Mapping[str, int]]


def query_of(fields: Mapping[str, str]) -> Query:
    """The question that a form sends; empty fields ask for nothing, strangers are left alone.

    Raises:
        InputError: a field has a value that it cannot have, or the words are too long.
    """
    given = {name: value.strip() for name, value in fields.items() if name in Query.model_fields and value.strip()}
    try:
        return Query.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "search"
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(said if name == "text" else f"{name.replace('_', ' ')}: {said}") from error


def search(listed: Sequence[Listed], query: Query) -> Found:
    """Answer a question.

    Args:
        listed: the catalogue, one for each dataset.
        query: what is asked.

    Returns:
        One page of those that pass every filter and hold every word.
    """
    words = query.words
    known = [each for each in listed if query.withdrawn or not each.withdrawn]
    worth = {each.name: each.worth(words) for each in known}
    answering = [each for each in known if worth[each.name]]
    tests = _tests(query)
    hits = [each for each in answering if all(test(each) for test in tests.values())]
    hits.sort(key=lambda each: each.name)
    for key, reverse in _keys(query, worth):
        hits.sort(key=key, reverse=reverse)
    pages = max(1, -(-len(hits) // query.per_page))
    page = min(query.page, pages)
    begin = (page - 1) * query.per_page
    return Found(
        hits=tuple(hits[begin : begin + query.per_page]),
        total=len(hits),
        of=len(known),
        withdrawn=sum(each.withdrawn for each in listed),
        page=page,
        pages=pages,
        counts=_counts(answering, tests),
    )


def _folded(text: str) -> str:
    """Without case and accents, so that "Klinik Zürich" is found by "zurich"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _value(each: Listed, facet: str) -> str:
    match facet:
        case "privacy":
            return "none" if each.epsilon is None else "epsilon"
        case "verdict":
            return each.verdict
        case "task":
            return each.task
        case "generator":
            return each.generator
        case _:
            return each.licence


def _tests(query: Query) -> dict[str, Callable[[Listed], bool]]:
    """By name of the filter, whether a dataset passes it; only filters that are set."""
    tests: dict[str, Callable[[Listed], bool]] = {}
    for facet in (*FACETS, "licence"):
        wanted = getattr(query, facet)
        if wanted is not None:
            tests[facet] = lambda each, facet=facet, wanted=wanted: _value(each, facet) == wanted  # type: ignore[misc]
    if (most := query.max_epsilon) is not None:
        tests["max_epsilon"] = lambda each: each.epsilon is not None and each.epsilon <= most
    if (least := query.min_rows) is not None:
        tests["min_rows"] = lambda each: each.rows >= least
    if (largest := query.max_rows) is not None:
        tests["max_rows"] = lambda each: each.rows <= largest
    return tests


def _counts(
    answering: Sequence[Listed], tests: Mapping[str, Callable[[Listed], bool]]
) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for facet in (*FACETS, "licence"):
        others = [test for name, test in tests.items() if name != facet]
        values = [_value(each, facet) for each in answering if all(test(each) for test in others)]
        known = FACETS.get(facet) or sorted({_value(each, facet) for each in answering})
        counts[facet] = {value: values.count(value) for value in known}
    return counts


def _keys(query: Query, worth: Mapping[str, int]) -> Sequence[tuple[Callable[[Listed], float | str], bool]]:
    """What to sort by, the last key first, and whether large comes before small; names have been sorted before."""
    newest: tuple[Callable[[Listed], float | str], bool] = (lambda each: each.created, True)
    match query.sort:
        case "name":
            return []
        case "rows":
            return [(lambda each: each.rows, True)]
        case "size":
            return [(lambda each: each.size_bytes, True)]
        case "epsilon":
            # What has no ε protects least: it comes last.
            return [newest, (lambda each: float("inf") if each.epsilon is None else each.epsilon, False)]
        case "newest":
            return [newest]
        case "relevance":
            return [newest, (lambda each: worth[each.name], True)]
