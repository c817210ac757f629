"""What rows are asked for: for some columns, the values that they may have."""

import datetime
import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn
from headwater.schema.decimals import first_unit, last_unit
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["Allowed", "Between", "Condition", "Value", "Where"]

Mask = NDArray[np.bool_]
_EPOCH = datetime.date(1970, 1, 1)
_NAMED = 5
_SHOWN_WHOLE = 1e15


@dataclass(frozen=True, slots=True)
class Between:
    """Numbers or days from `lower` to `upper`, both included; None leaves a side open.

    Attributes:
        lower: a number, or a day for a date column.
        upper: likewise.
    """

    lower: float | datetime.date | None = None
    upper: float | datetime.date | None = None


Value = str | bool | float | datetime.date | Between | None
"""One thing that a column may be; None is a missing value."""

Where = Mapping[str, Value | Collection[Value]]
"""A column's name to the value, or the collection of values, that it may have."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The values that one column may have.

    Attributes:
        codes: indices into the categories of a categorical or boolean column.
        intervals: of a numeric or date column, disjoint, ascending, both ends included, within the schema's bounds;
            special values are in none of them.
        special: special values of a numeric column.
        missing: whether the value may be missing.
    """

    codes: frozenset[int] = frozenset()
    intervals: tuple[tuple[float, float], ...] = ()
    special: frozenset[float] = frozenset()
    missing: bool = False

    def matches(self, column: Column, values: NDArray[Any]) -> Mask:
        """Which values are allowed: bool, shape of `values`, which are as in `Table.columns`."""
        if isinstance(column, CategoricalColumn | BooleanColumn):
            found = np.isin(values, sorted(self.codes))
            return found | (values < 0) if self.missing else found
        found = np.zeros(values.shape, np.bool_)
        for lower, upper in self.intervals:
            found |= (values >= lower) & (values <= upper)
        if isinstance(column, NumericColumn) and column.special_values:
            found &= ~np.isin(values, column.special_values)
        if self.special:
            found |= np.isin(values, sorted(self.special))
        return found | np.isnan(values) if self.missing else found


@dataclass(frozen=True)
class Condition:
    """A conjunction: every named column has one of its allowed values.

    Attributes:
        schema: of the rows.
        columns: index of a column in the schema to what it may be; empty means any row.
    """

    schema: Schema
    columns: Mapping[int, Allowed]

    @classmethod
    def parse(cls, schema: Schema, where: Where | None) -> "Condition":
        """Read what a person asked for.

        Args:
            schema: of the rows.
            where: by column: a category, a label or truth value of a boolean column, a number, a day, a `Between`, None
                for missing; or a collection of these, of which one shall hold.

        Raises:
            InputError: no such column or category, a value of the wrong kind, or one that the schema rules out.
        """
        columns: dict[int, Allowed] = {}
        for name, wanted in (where or {}).items():
            if name not in schema.names:
                near = difflib.get_close_matches(name, schema.names, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(schema.names[:_NAMED])} …"
                raise InputError(f"the schema has no column {name!r} to set a condition on{hint}")
            place = schema.names.index(name)
            values = list(wanted) if isinstance(wanted, Collection) and not isinstance(wanted, str) else [wanted]
            if not values:
                raise InputError(f"the condition on {name!r} allows no value; name at least one")
            columns[place] = _allowed(schema.columns[place], values)
        return cls(schema, dict(sorted(columns.items())))

    def joined(self, other: "Condition") -> "Condition":
        """Both conditions at once.

        Raises:
            InputError: both name the same column.
        """
        if twice := set(self.columns) & set(other.columns):
            name = self.schema.names[min(twice)]
            raise InputError(f"column {name!r} has two conditions; put them into one")
        return Condition(self.schema, dict(sorted({**self.columns, **other.columns}.items())))

    def matches(self, table: Table) -> Mask:
        """Which rows satisfy the condition: bool, shape (rows,)."""
        found = np.ones(table.rows, np.bool_)
        for place, allowed in self.columns.items():
            column = self.schema.columns[place]
            found &= allowed.matches(column, table.columns[column.name])
        return found

    def __str__(self) -> str:
        """The condition as the command line writes it."""
        parts = [_written(self.schema.columns[place], allowed) for place, allowed in self.columns.items()]
        return ", ".join(parts) or "any row"


def _allowed(column: Column, values: list[Value]) -> Allowed:
    missing = any(value is None for value in values)
    if missing and not column.missing:
        raise InputError(f"column {column.name!r} is never missing by its schema; leave that out of the condition")
    rest = [value for value in values if value is not None]
    match column:
        case CategoricalColumn() | BooleanColumn():
            return Allowed(codes=frozenset(_category(column, value) for value in rest), missing=missing)
        case NumericColumn() | DateColumn():
            special = column.special_values if isinstance(column, NumericColumn) else ()
            ends = [_ends(column, value) for value in rest]
            # A number alone may be a special value; no range holds one.
            alone = [
                not isinstance(value, Between) and low in special for value, (low, _) in zip(rest, ends, strict=True)
            ]
            named = frozenset(low for (low, _), own in zip(ends, alone, strict=True) if own)
            ranged = [_within_bounds(column, *pair) for pair, own in zip(ends, alone, strict=True) if not own]
            return Allowed(intervals=_merged(ranged), special=named, missing=missing)
        case _:
            raise InputError(f"column {column.name!r} is of kind {column.kind}, which takes no condition; leave it out")


def _category(column: CategoricalColumn | BooleanColumn, value: Value) -> int:
    if isinstance(value, bool) and isinstance(column, BooleanColumn):
        return int(value)
    if isinstance(value, str) and value in column.categories:
        return column.categories.index(value)
    shown = ", ".join(repr(category) for category in column.categories[:_NAMED])
    more = ", …" if len(column.categories) > _NAMED else ""
    near = difflib.get_close_matches(value, column.categories, 1) if isinstance(value, str) else []
    hint = f"did you mean {near[0]!r}? It" if near else "it"
    raise InputError(f"column {column.name!r} has no category {value!r}; {hint} has {shown}{more}")


def _ends(column: NumericColumn | DateColumn, value: Value) -> tuple[float, float]:
    """Least and largest number of what was asked for."""
    lower, upper = (value.lower, value.upper) if isinstance(value, Between) else (value, value)
    low = -math.inf if lower is None else _number(column, lower)
    high = math.inf if upper is None else _number(column, upper)
    if low > high:
        raise InputError(f"the condition on {column.name!r} goes from a larger value to a smaller one; turn it round")
    return low, high


def _within_bounds(column: NumericColumn | DateColumn, low: float, high: float) -> tuple[float, float]:
    """The part of a range that the schema's bounds leave, of values that have no more decimals than the column."""
    bounds = (column.lower_day, column.upper_day) if isinstance(column, DateColumn) else (column.lower, column.upper)
    low, high = max(low, float(bounds[0])), min(high, float(bounds[1]))
    if low > high:
        raise InputError(
            f"the condition on {column.name!r} holds no value between its schema's bounds "
            f"{column.lower} and {column.upper}; widen it"
        )
    decimals = column.decimals if isinstance(column, NumericColumn) and not column.integer else 0
    if decimals is not None:
        scale = 10.0**decimals
        low = float(first_unit(np.asarray(low), decimals)) / scale
        high = float(last_unit(np.asarray(high), decimals)) / scale
    if low > high:
        fine = f"numbers of at most {decimals} decimal{'' if decimals == 1 else 's'}" if decimals else "whole numbers"
        raise InputError(
            f"column {column.name!r} holds {fine}, of which the condition on it allows none; widen it or name one"
        )
    return float(low), float(high)


def _number(column: NumericColumn | DateColumn, value: object) -> float:
    if isinstance(column, DateColumn):
        if isinstance(value, datetime.datetime):
            value = value.date()
        if isinstance(value, datetime.date):
            return float((value - _EPOCH).days)
        raise InputError(f"column {column.name!r} holds days; give a datetime.date or a Between of two")
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and math.isnan(value))
    ):
        raise InputError(f"column {column.name!r} holds numbers; give a number or a Between of two")
    try:
        return float(value)
    except OverflowError:
        # Further out than float64 reaches is beyond every bound.
        return math.inf if value > 0 else -math.inf


def _merged(intervals: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for low, high in sorted(intervals):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _written(column: Column, allowed: Allowed) -> str:
    words: list[str] = []
    if isinstance(column, CategoricalColumn | BooleanColumn):
        words += [column.categories[code] for code in sorted(allowed.codes)]
    else:
        as_text = _day if isinstance(column, DateColumn) else _plain
        words += [as_text(value) for value in sorted(allowed.special)]
        words += [
            as_text(low) if low == high else f"{as_text(low)}..{as_text(high)}" for low, high in allowed.intervals
        ]
    return f"{column.name}={'|'.join([*words, *([''] if allowed.missing else [])])}"


def _plain(value: float) -> str:
    # The shortest text that reads back as this number; a whole number without its point.
    return f"{value:.0f}" if value.is_integer() and abs(value) < _SHOWN_WHOLE else repr(value)


def _day(value: float) -> str:
    return (_EPOCH + datetime.timedelta(days=int(value))).isoformat()
