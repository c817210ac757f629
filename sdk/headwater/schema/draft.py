"""Propose a schema from a table: a start for a person, with every guess marked."""

import datetime
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import (
    LONGEST_NAME,
    LONGEST_TEXT,
    WIDEST_BOUND,
    BooleanColumn,
    CategoricalColumn,
    Column,
    DateColumn,
    NumericColumn,
)
from headwater.schema.decimals import decimals_of
from headwater.schema.draft_images import guess_images
from headwater.schema.image import image_sources
from headwater.schema.odd_cells import OddCells, look_at
from headwater.schema.parsing import days_of, numbers_of, text_of
from headwater.schema.schema import Schema

__all__ = ["Draft", "draft", "draft_with_odd_cells"]

# So many categories are listed whatever the number of rows; more only while they do not rather name records.
_FEW_CATEGORIES = 20
_MOST_CATEGORIES = 256
_RECORD_NAMES_SHARE = 0.5
# Zero or an end of the scale, with so large a share of a column too wide to list, has a meaning of its own.
_SPECIAL_SHARE = 1 / 32
_LISTED_RANGE = 1000
_EXACT_INTEGER = 2**53
_GLANCE = 100
_CODE_WITH_LEADING_ZERO = r"^[+-]?0[0-9]"
_DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
)
_LABELS = ({"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"})
_POSITIVE = {"yes", "true", "y", "t"}
_EPOCH = datetime.date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = ((end - _EPOCH).days for end in (datetime.date.min, datetime.date.max))


@dataclass(frozen=True, slots=True)
class Draft:
    """A schema that was guessed, and what should be said of it.

    Attributes:
        schema: every guess is marked.
        odd_cells: of columns that hold numbers but for some cells, in the order of the table.
    """

    schema: Schema
    odd_cells: tuple[OddCells, ...]


def draft(arrow: pa.Table, target: str | None, name: str) -> Schema:
    """The schema of `draft_with_odd_cells` alone."""
    return draft_with_odd_cells(arrow, target, name).schema


def draft_with_odd_cells(arrow: pa.Table, target: str | None, name: str) -> Draft:
    """Guess a schema from the rows; whoever uses it must confirm what stands in `unconfirmed`.

    | values of a column | becomes |
    | --- | --- |
    | all numbers | numeric between the least and the largest; integer if all are whole, else with their decimals |
    | numbers but for a few cells, as `odd_cells.look_at` has it | numeric, and such a cell may be missing instead |
    | numbers, and it is the target with at most 20 of them | categorical, the numbers as text |
    | numbers too large for float64, or with leading zeros | as text |
    | all dates of one format | date |
    | yes and no, true and false, y and n, t and f | boolean with these labels |
    | text, at most 256 different, or the target | categorical |
    | text, more, but half as many as rows or fewer | the most frequent, the rest "other" |
    | whole numbers up to 255 in columns NAME_0_0, NAME_0_1, … of a whole rectangle, 4 pixels or more | one image |
    | lists of as many whole numbers up to 255, a square number of them | image |
    | text that rather names records (more different than half the rows), other lists, nothing | left out |

    Args:
        arrow: the table, as `read_arrow` gives it.
        target: the column to predict; None for none.
        name: of the schema.

    Raises:
        InputError: no rows, no such target, a target that names records or is empty, a number or a date beyond any
            bound, a name or a table longer than a schema's, or no column left.
    """
    if arrow.num_rows == 0:
        raise InputError("the table has no rows; nothing can be guessed from it")
    if target is not None and target not in arrow.column_names:
        more = ", …" if len(arrow.column_names) > 12 else ""
        raise InputError(f"there is no column {target!r}; the columns are {', '.join(arrow.column_names[:12])}{more}")
    if long := [column for column in arrow.column_names if len(column) > LONGEST_NAME]:
        raise InputError(
            f"column {long[0][:40]!r}… has a name of {len(long[0])} characters, at most {LONGEST_NAME} are taken; "
            "rename it"
        )
    images = guess_images(arrow, target)
    pixels = {name for image in images.values() for name in image_sources(arrow, image)}
    guesses: dict[str, Column | None] = {}
    odd_cells: list[OddCells] = []
    for column in arrow.column_names:
        guesses[column] = images.get(column)
        if column not in images and column not in pixels:
            guesses[column], found = _guess(arrow.column(column), column, column == target)
            odd_cells += [] if found is None else [found]
    if target is not None and guesses[target] is None:
        if odd := next((each for each in odd_cells if each.column == target), None):
            raise InputError(odd.in_words())
        raise InputError(f"column {target!r} holds no value or names records; choose a target with fewer values")
    columns = tuple(column for column in guesses.values() if column is not None)
    if not columns:
        raise InputError("every column is empty or names records; there is nothing to draft a schema of")
    return Draft(Schema.from_document({"name": name, "columns": columns}), tuple(odd_cells))


def _guess(values: pa.ChunkedArray, name: str, is_target: bool) -> tuple[Column | None, OddCells | None]:
    text = text_of(values)
    if text is None or text.null_count == len(text):
        return None, None
    common = {"name": name, "role": "target" if is_target else "feature"}
    numeric, odd = _guess_numeric(values, text, common)
    if numeric is not None:
        return numeric, odd
    column = _guess_date(values, common) or _guess_boolean(text, common) or _guess_categorical(text, common)
    if odd is not None:
        odd = replace(odd, drafted="nothing" if column is None else "categories")
    return column, odd


def _marked(common: dict[str, Any], **guesses: object) -> dict[str, Any]:
    """A column's fields, with what was guessed marked; whether it is sensitive is always for a person to say."""
    return {**common, **guesses, "unconfirmed": ("kind", *guesses, "sensitive")}


def _guess_numeric(
    values: pa.ChunkedArray, text: pa.ChunkedArray, common: dict[str, Any]
) -> tuple[NumericColumn | None, OddCells | None]:
    kind = values.type
    # A glance at the first rows spares most columns of text the whole reading.
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind) or numbers_of(values.slice(0, _GLANCE))[1].mean() > 0.5:
        return None, None
    numbers, unreadable = numbers_of(values)
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0 or pc.any(pc.match_substring_regex(text, _CODE_WITH_LEADING_ZERO)).as_py():
        return None, None
    distinct, counts = np.unique(finite, return_counts=True)
    odd = look_at(text, unreadable, common["name"], len(distinct)) if unreadable.any() else None
    if unreadable.any() and (odd is None or odd.drafted != "numbers"):
        return None, odd
    if common["role"] == "target" and len(distinct) <= _FEW_CATEGORIES:
        return None, odd
    integer = bool((distinct == np.rint(distinct)).all())
    if integer and max(-distinct[0], distinct[-1]) > _EXACT_INTEGER:
        return None, odd
    if max(-distinct[0], distinct[-1]) > WIDEST_BOUND:
        raise InputError(
            f"column {common['name']!r} holds numbers beyond ±{WIDEST_BOUND:g}; mend them, or write its bounds into a "
            "schema, which clips them"
        )
    decimals = None if integer else decimals_of(distinct)
    fields = _marked(
        common,
        lower=float(distinct[0]),
        upper=float(distinct[-1]),
        integer=integer,
        **({} if decimals is None else {"decimals": decimals}),
        # A cell that is no number counts as missing: whoever empties it is not refused.
        missing=bool(np.isnan(numbers).any()),
        special_values=_special_values(distinct, counts, integer),
    )
    return NumericColumn.model_validate(fields), odd


def _special_values(distinct: NDArray[np.float64], counts: NDArray[np.int64], integer: bool) -> tuple[float, ...]:
    if len(distinct) <= _FEW_CATEGORIES or (integer and distinct[-1] - distinct[0] <= _LISTED_RANGE):
        return ()
    shares = counts / counts.sum()
    ends = (distinct == 0) | (distinct == distinct[0]) | (distinct == distinct[-1])
    return tuple(float(value) for value in distinct[ends & (shares >= _SPECIAL_SHARE)])


def _guess_date(values: pa.ChunkedArray, common: dict[str, Any]) -> DateColumn | None:
    for pattern in _DATE_FORMATS:
        # A glance at the first rows spares most columns of text the whole reading.
        if days_of(values.slice(0, _GLANCE), pattern)[1].any():
            continue
        days, unreadable = days_of(values, pattern)
        known = days[~np.isnan(days)]
        if len(known) and not unreadable.any():
            if known.min() < _FIRST_DAY or known.max() > _LAST_DAY:
                raise InputError(
                    f"column {common['name']!r} holds dates outside the years 1 to 9999; mend them, or write its "
                    "bounds into a schema, which clips them"
                )
            lower, upper = (_EPOCH + datetime.timedelta(days=int(day)) for day in (known.min(), known.max()))
            missing = len(known) < len(days)
            return DateColumn.model_validate(_marked(common, lower=lower, upper=upper, format=pattern, missing=missing))
    return None


def _guess_boolean(text: pa.ChunkedArray, common: dict[str, Any]) -> BooleanColumn | None:
    labels = pc.unique(text).drop_null()
    if len(labels) != 2 or {label.lower() for label in labels.to_pylist()} not in _LABELS:
        return None
    false, true = sorted(labels.to_pylist(), key=lambda label: label.lower() in _POSITIVE)
    fields = _marked(common, false=false, true=true, missing=text.null_count > 0)
    return BooleanColumn.model_validate(fields)


def _guess_categorical(text: pa.ChunkedArray, common: dict[str, Any]) -> CategoricalColumn | None:
    present = len(text) - text.null_count
    found = pc.value_counts(text.drop_null())
    labels, counts = found.field("values").to_pylist(), np.asarray(found.field("counts"))
    if len(labels) > max(_FEW_CATEGORIES, _RECORD_NAMES_SHARE * present) or max(map(len, labels)) > LONGEST_TEXT:
        return None
    missing = text.null_count > 0
    if len(labels) <= _MOST_CATEGORIES or common["role"] == "target":
        return CategoricalColumn.model_validate(_marked(common, categories=sorted(labels), missing=missing))
    order = sorted(range(len(labels)), key=lambda place: (-counts[place], labels[place]))
    kept = {labels[place] for place in order[: _MOST_CATEGORIES - 1]} | {"other"}
    return CategoricalColumn.model_validate(_marked(common, categories=sorted(kept), other="other", missing=missing))
