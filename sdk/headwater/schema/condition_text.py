"""Conditions as a person writes them in one line each: `sex=Female`, `age=30..40`, `ward=a|b|`."""

import datetime
from collections.abc import Sequence

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn
from headwater.schema.condition import Between, Condition, Value
from headwater.schema.schema import Schema

__all__ = ["read_condition"]


def read_condition(schema: Schema, texts: Sequence[str]) -> Condition:
    """The conjunction of conditions written as text.

    Args:
        schema: of the rows.
        texts: each `COLUMN=VALUE`. Several values stand with `|` between them, ranges as `LOW..HIGH`, `LOW..` or
            `..HIGH` with both ends included, days as YYYY-MM-DD; nothing after `=` or after a `|` means missing. A
            category that holds `|` itself is found when it is the whole value.

    Raises:
        InputError: a text is of another form, names a column twice, or as `Condition.parse`.
    """
    where: dict[str, list[Value]] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        # A column's own name may hold the sign: the longest name that fits is meant.
        for known in sorted(schema.names, key=len, reverse=True):
            if text.startswith(f"{known}="):
                name, value = known, text[len(known) + 1 :]
                break
        if not sign:
            raise InputError(f"{text!r} is no condition; write COLUMN=VALUE, COLUMN=LOW..HIGH or COLUMN=A|B")
        if name in where:
            raise InputError(f"column {name!r} has two conditions; put them into one, with | between the values")
        column = schema.columns[schema.names.index(name)] if name in schema.names else None
        where[name] = [value] if column is None else _values(column, value)
    return Condition.parse(schema, where)


def _values(column: Column, text: str) -> list[Value]:
    if isinstance(column, CategoricalColumn | BooleanColumn):
        parts = [text] if text in column.categories else text.split("|")
        return [part or None for part in parts]
    return [_ranged(column, part) if part else None for part in text.split("|")]


def _ranged(column: Column, text: str) -> Value:
    if ".." not in text:
        return _single(column, text)
    low, _, high = text.partition("..")
    ends = [_single(column, end) if end else None for end in (low.strip(), high.strip())]
    return Between(ends[0], ends[1])


def _single(column: Column, text: str) -> float | datetime.date:
    try:
        if isinstance(column, DateColumn):
            return datetime.date.fromisoformat(text.strip())
        return float(text)
    except ValueError as error:
        expected = "a day as YYYY-MM-DD" if isinstance(column, DateColumn) else "a number"
        raise InputError(f"{text!r} is no value of {column.name!r}; give {expected}, or LOW..HIGH") from error
