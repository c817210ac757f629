"""Convert one column's values to the arrays of its schema, and note all that stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.schema.columns import BooleanColumn, CategoricalColumn, DateColumn, NumericColumn
from headwater.schema.decimals import rounded
from headwater.schema.parsing import days_of, numbers_of, text_of
from headwater.schema.row_lines import place_in_words

__all__ = ["PlainColumn", "Problem", "Severity", "convert_column"]

PlainColumn = NumericColumn | CategoricalColumn | BooleanColumn | DateColumn
"""A column with one value a row."""

_NAMED_ROWS = 3
# In units of the last decimal, and of the number itself.
_NOISE = 1e-6
_LAST_DIGITS = 1e-15

Severity = Literal["refused", "changed", "ignored"]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a table departs from its schema; never with a value of the table.

    Attributes:
        column: its name; "" for the table itself.
        severity: "refused": the table cannot take part; "changed": values are clipped, rounded or mapped;
            "ignored": a column that the schema does not know.
        what: what is, what was expected, and what happens or is to be done.
        count: rows concerned; 0 where rows do not matter.
        rows: the first few of them, counted from 0, where they are known.
    """

    column: str
    severity: Severity
    what: str
    count: int
    rows: tuple[int, ...] = ()

    def with_places(self, lines: Mapping[int, int]) -> str:
        """What is the matter, and where its first rows stand.

        Args:
            lines: of `row_lines.lines_of_rows`.
        """
        if not self.rows:
            return self.what
        more = ", …" if self.count > len(self.rows) else ""
        return f"{self.what} ({', '.join(place_in_words(row, lines) for row in self.rows)}{more})"


def convert_column(values: pa.ChunkedArray, column: PlainColumn) -> tuple[NDArray[Any], list[Problem]]:
    """One column in the form of `Table.columns`, and its problems.

    Returns:
        float64 or int32, shape (values,); a refused value is as if missing. Bounds and categories hold for the rest.
    """
    problems: list[Problem] = []

    def note(severity: Severity, rows: Mask, what: str) -> None:
        count = int(np.count_nonzero(rows))
        if count:
            counted = "1 value is" if count == 1 else f"{count} values are"
            first = tuple(np.flatnonzero(rows)[:_NAMED_ROWS].tolist())
            problems.append(Problem(column.name, severity, f"{counted} {what}", count, first))

    converted, refused = _convert(values, column, note)
    missing = np.isnan(converted) if converted.dtype == np.float64 else converted < 0
    if not column.missing:
        note("refused", missing & ~refused, "missing, the schema allows none; fill them or allow missing")
    return converted, problems


def _convert(values: pa.ChunkedArray, column: PlainColumn, note: "_Note") -> tuple[NDArray[Any], Mask]:
    match column:
        case NumericColumn():
            return _numbers(values, column, note)
        case DateColumn():
            return _days(values, column, note)
        case CategoricalColumn() | BooleanColumn():
            return _codes(values, column, note)


def _remedy(column: PlainColumn) -> str:
    return "mend or empty them" if column.missing else "mend them, or empty them and allow missing"


class _Note(Protocol):
    def __call__(self, severity: Severity, rows: Mask, what: str) -> None: ...


def _numbers(values: pa.ChunkedArray, column: NumericColumn, note: _Note) -> tuple[F64, Mask]:
    numbers, unreadable = numbers_of(values)
    note("refused", unreadable, f"not numeric; {_remedy(column)}")
    infinite = np.isinf(numbers)
    note("refused", infinite, f"infinite; {_remedy(column)}")
    numbers[infinite] = np.nan
    free = ~np.isnan(numbers)
    if column.special_values:
        free &= ~np.isin(numbers, column.special_values)
    if column.integer:
        whole = np.rint(numbers)
        fractional = free & (whole != numbers)
        note("changed", fractional, "not whole; rounded")
        numbers[fractional] = whole[fractional]
    outside = free & ((numbers < column.lower) | (numbers > column.upper))
    note("changed", outside, f"outside {column.lower:.12g} to {column.upper:.12g}; clipped")
    numbers[outside] = np.clip(numbers[outside], column.lower, column.upper)
    if column.decimals is not None:
        _round(numbers, free, column.decimals, note)
    return numbers, unreadable | infinite


def _round(numbers: F64, free: Mask, decimals: int, note: _Note) -> None:
    """Round what is within bounds and no special value, in place."""
    given = numbers[free]
    near = rounded(given, decimals)
    finer = np.zeros(len(numbers), np.bool_)
    # What only the last digits of a float64 hold, as in .1 + .2, was never written down by anybody.
    finer[free] = np.abs(near - given) > _NOISE * 10.0**-decimals + _LAST_DIGITS * np.abs(given)
    note("changed", finer, f"of more than {decimals} decimals; rounded")
    numbers[free] = near


def _days(values: pa.ChunkedArray, column: DateColumn, note: _Note) -> tuple[F64, Mask]:
    days, unreadable = days_of(values, column.format)
    note("refused", unreadable, f"not written as dates {column.format}; {_remedy(column)}")
    outside = (days < column.lower_day) | (days > column.upper_day)
    note("changed", outside, f"outside {column.lower} to {column.upper}; clipped")
    days[outside] = np.clip(days[outside], column.lower_day, column.upper_day)
    return days, unreadable


def _codes(
    values: pa.ChunkedArray, column: CategoricalColumn | BooleanColumn, note: _Note
) -> tuple[NDArray[np.int32], Mask]:
    text = text_of(values)
    if text is None:
        present = np.array(pc.is_valid(values), dtype=np.bool_)
        note("refused", present, f"of type {values.type}, which is not text; convert them")
        return np.full(len(values), -1, np.int32), present
    categories = pa.array(column.categories, pa.string())
    codes = np.asarray(pc.fill_null(pc.index_in(text, value_set=categories, skip_nulls=True), -1), np.int32).copy()
    unknown = (codes < 0) & np.array(pc.is_valid(text), dtype=np.bool_)
    other = column.other if isinstance(column, CategoricalColumn) else None
    if other is None:
        note("refused", unknown, f"in none of the {len(column.categories)} categories; mend them or add them")
        return codes, unknown
    note("changed", unknown, "in no category; mapped to its other")
    codes[unknown] = column.categories.index(other)
    return codes, np.zeros(len(codes), np.bool_)
