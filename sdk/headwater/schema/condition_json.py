"""Conditions as JSON: `{"sex": "Female", "age": {"lower": 30, "upper": 40}, "ward": ["a", null]}`."""

import datetime
from collections.abc import Collection, Mapping

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, DateColumn
from headwater.schema.condition import Between, Condition, Value, Where
from headwater.schema.schema import Schema

__all__ = ["condition_as_json", "condition_from_json", "where_as_json"]

_EPOCH = datetime.date(1970, 1, 1)
_ENDS = {"lower", "upper"}


def where_as_json(where: Where | None) -> dict[str, object]:
    """What a person asked for as JSON values: days as YYYY-MM-DD, a range by its two ends, None for missing.

    Args:
        where: as `Condition.parse` reads it.
    """
    written: dict[str, object] = {}
    for name, wanted in (where or {}).items():
        if isinstance(wanted, Collection) and not isinstance(wanted, str):
            written[name] = [_as_json(value) for value in wanted]
        else:
            written[name] = _as_json(wanted)
    return written


def condition_from_json(schema: Schema, document: Mapping[str, object]) -> Condition:
    """The condition that `where_as_json` wrote, or somebody by hand.

    Args:
        schema: of the rows.
        document: by column: a value, null for missing, `{"lower": …, "upper": …}` with null for an open side, or a
            list of these.

    Raises:
        InputError: another form, or as `Condition.parse`.
    """
    where: dict[str, Value | list[Value]] = {}
    for name, wanted in document.items():
        days = name in schema.names and isinstance(schema.columns[schema.names.index(name)], DateColumn)
        if isinstance(wanted, list):
            where[name] = [_value(name, value, days=days) for value in wanted]
        else:
            where[name] = _value(name, wanted, days=days)
    return Condition.parse(schema, where)


def condition_as_json(condition: Condition) -> dict[str, object]:
    """A condition that was read already, such as from the command line, as JSON values."""
    written: dict[str, object] = {}
    for place, allowed in condition.columns.items():
        column = condition.schema.columns[place]
        values: list[object] = []
        if isinstance(column, CategoricalColumn | BooleanColumn):
            values += [column.categories[code] for code in sorted(allowed.codes)]
        else:
            said = _day_of if isinstance(column, DateColumn) else float
            values += sorted(allowed.special)
            values += [{"lower": said(low), "upper": said(high)} for low, high in allowed.intervals]
        written[column.name] = [*values, *([None] if allowed.missing else [])]
    return written


def _day_of(number: float) -> str:
    return (_EPOCH + datetime.timedelta(days=int(number))).isoformat()


def _as_json(value: Value) -> object:
    match value:
        case Between():
            return {"lower": _as_json(value.lower), "upper": _as_json(value.upper)}
        case datetime.datetime():
            return value.date().isoformat()
        case datetime.date():
            return value.isoformat()
        case _:
            return value


def _value(name: str, written: object, *, days: bool) -> Value:
    match written:
        case dict() if written and set(written) <= _ENDS:
            return Between(*(_end(name, written.get(end), days=days) for end in ("lower", "upper")))
        case str() if days:
            return _day(name, written)
        case None | str() | bool() | int() | float():
            return written
        case _:
            raise InputError(
                f'the condition on {name!r} is neither a value, null, {{"lower": …, "upper": …}} nor a list of these; '
                "write one of them"
            )


def _end(name: str, written: object, *, days: bool) -> float | datetime.date | None:
    if isinstance(written, str) and days:
        return _day(name, written)
    if written is None or (isinstance(written, int | float) and not isinstance(written, bool)):
        return written
    raise InputError(f"an end of the range on {name!r} is neither a number, a day nor null; write one of them")


def _day(name: str, written: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(written)
    except ValueError as error:
        raise InputError(f"column {name!r} holds days; write them as YYYY-MM-DD") from error
