"""Bring a table into its schema's form, and name everything that stands in the way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import BooleanColumn, CategoricalColumn, Column, DateColumn, NumericColumn
from headwater.schema.reading import read_arrow
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["Problem", "check", "conform", "load_table"]

Severity = Literal["refused", "changed", "ignored"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a table departs from its schema; never with a value of the table.

    Attributes:
        column: its name; "" for the table itself.
        severity: "refused": the table cannot take part; "changed": values are clipped, rounded or mapped;
            "ignored": a column that the schema does not know.
        what: what is, what was expected, and what happens or is to be done.
        count: rows concerned; 0 where rows do not matter.
    """

    column: str
    severity: Severity
    what: str
    count: int


class _Notes:
    """Problems of one column, collected as it is converted."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.problems: list[Problem] = []

    def add(self, severity: Severity, what: str, count: int = 0) -> None:
        self.problems.append(Problem(self.column, severity, what, count))


def conform(arrow: pa.Table, schema: Schema) -> tuple[Table, tuple[Problem, ...]]:
    """Convert a table, clipping what is out of bounds and mapping unknown categories to "other".

    Returns:
        The table, and everything that was changed or ignored on the way.

    Raises:
        InputError: something is refused; the line names the first problem and how many more there are.
    """
    columns, problems = _convert(arrow, schema)
    refused = [problem for problem in problems if problem.severity == "refused"]
    if refused:
        where = f"column {refused[0].column!r}: " if refused[0].column else ""
        more = f" (and {len(refused) - 1} more problems: headwater schema check lists them)" if len(refused) > 1 else ""
        raise InputError(f"the table does not hold to schema {schema.name!r}: {where}{refused[0].what}{more}")
    return Table(schema, columns, arrow.num_rows), tuple(problems)


def check(arrow: pa.Table, schema: Schema) -> tuple[Problem, ...]:
    """Every problem at once, in the order of the schema's columns."""
    return tuple(_convert(arrow, schema)[1])


def load_table(source: "str | Path | pa.Table | Any", schema: Schema) -> Table:
    """A table of this schema from a path, an Arrow table or a pandas data frame.

    Raises:
        InputError: it cannot be read, or does not hold to the schema.
    """
    if isinstance(source, str | Path):
        arrow = read_arrow(source)
    elif isinstance(source, pa.Table):
        arrow = source
    elif type(source).__module__.split(".")[0] == "pandas":
        arrow = pa.Table.from_pandas(source, preserve_index=False)
    else:
        raise InputError(f"rows come as {type(source).__name__}; give a path, an Arrow table or a pandas data frame")
    return conform(arrow, schema)[0]


def _convert(arrow: pa.Table, schema: Schema) -> tuple[dict[str, NDArray[Any]], list[Problem]]:
    problems: list[Problem] = []
    columns: dict[str, NDArray[Any]] = {}
    if arrow.num_rows == 0:
        problems.append(Problem("", "refused", "it has no rows; give at least one", 0))
    if len(set(arrow.column_names)) != len(arrow.column_names):
        problems.append(Problem("", "refused", "a column name stands twice; rename one", 0))
        return columns, problems
    for column in schema.columns:
        if column.name not in arrow.column_names:
            problems.append(Problem(column.name, "refused", f"missing from the table; add the {column.kind} column", 0))
            continue
        notes = _Notes(column.name)
        values = _convert_column(arrow.column(column.name), column, notes)
        if not column.missing:
            absent = int(np.count_nonzero(np.isnan(values) if values.dtype.kind == "f" else values < 0))
            unreadable = sum(problem.count for problem in notes.problems if problem.severity == "refused")
            if absent > unreadable:
                notes.add(
                    "refused", f"{absent - unreadable} values are missing; the schema allows none", absent - unreadable
                )
        columns[column.name] = values
        problems.extend(notes.problems)
    known = set(schema.names)
    problems.extend(
        Problem(name, "ignored", "not in the schema; ignored", 0) for name in arrow.column_names if name not in known
    )
    return columns, problems


def _convert_column(values: pa.ChunkedArray, column: Column, notes: _Notes) -> NDArray[Any]:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    match column:
        case NumericColumn():
            return _numeric(values, column, notes)
        case DateColumn():
            return _dates(values, column, notes)
        case CategoricalColumn() | BooleanColumn():
            return _codes(values, column, notes)


def _parse(values: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.ChunkedArray:
    """Convert distinct values one by one where the whole does not convert; unreadable ones become null."""
    try:
        return convert(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        encoded = pc.dictionary_encode(values).combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0)
    parsed = []
    for index in range(len(encoded.dictionary)):
        try:
            parsed.append(convert(encoded.dictionary.slice(index, 1))[0].as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            parsed.append(None)
    return pc.take(pa.array(parsed), encoded.indices)


def _floats(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pc.utf8_trim_whitespace(values)
    return values.cast(pa.float64(), safe=False)


def _numeric(values: pa.ChunkedArray, column: NumericColumn, notes: _Notes) -> NDArray[np.float64]:
    present = len(values) - values.null_count
    parsed = _parse(values, _floats)
    unreadable = present - (len(parsed) - parsed.null_count)
    if unreadable:
        notes.add("refused", f"{unreadable} values are not numbers; mend them or leave them empty", unreadable)
    numbers = np.array(pc.fill_null(parsed, np.nan), dtype=np.float64)
    infinite = int(np.count_nonzero(np.isinf(numbers)))
    if infinite:
        notes.add("refused", f"{infinite} values are infinite; mend them or leave them empty", infinite)
    special = np.isin(numbers, column.special_values) if column.special_values else np.zeros(len(numbers), np.bool_)
    if column.integer:
        with np.errstate(invalid="ignore"):
            fractional = int(np.count_nonzero(np.isfinite(numbers) & ~special & (numbers != np.rint(numbers))))
        if fractional:
            notes.add("changed", f"{fractional} values are not whole; they are rounded", fractional)
        numbers = np.where(special, numbers, np.rint(numbers))
    with np.errstate(invalid="ignore"):
        outside = ~special & ((numbers < column.lower) | (numbers > column.upper)) & np.isfinite(numbers)
    if count := int(np.count_nonzero(outside)):
        notes.add(
            "changed", f"{count} values are outside {column.lower:g} to {column.upper:g}; they are clipped", count
        )
        numbers = np.where(outside, np.clip(numbers, column.lower, column.upper), numbers)
    return numbers


def _dates(values: pa.ChunkedArray, column: DateColumn, notes: _Notes) -> NDArray[np.float64]:
    def convert(part: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_string(part.type) or pa.types.is_large_string(part.type):
            return pc.strptime(pc.utf8_trim_whitespace(part), format=column.format, unit="s").cast(pa.date32())
        return part.cast(pa.date32(), safe=False)

    present = len(values) - values.null_count
    parsed = _parse(values, convert).cast(pa.date32())
    unreadable = present - (len(parsed) - parsed.null_count)
    if unreadable:
        notes.add("refused", f"{unreadable} values are not dates of the form {column.format}; mend them", unreadable)
    days = np.array(pc.fill_null(parsed.cast(pa.int32()).cast(pa.float64()), np.nan), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        outside = (days < column.lower_day) | (days > column.upper_day)
    if count := int(np.count_nonzero(outside)):
        notes.add("changed", f"{count} values are outside {column.lower} to {column.upper}; they are clipped", count)
        days = np.where(outside, np.clip(days, column.lower_day, column.upper_day), days)
    return days


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(values.type):
        # NaN is how a data frame writes missing; it is no category.
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values.cast(pa.string())


def _codes(values: pa.ChunkedArray, column: CategoricalColumn | BooleanColumn, notes: _Notes) -> NDArray[np.int32]:
    try:
        text = _text(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        notes.add("refused", f"values of type {values.type} are not text; convert them", len(values))
        return np.full(len(values), -1, np.int32)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    found = pc.index_in(text, value_set=pa.array(column.categories, pa.string()), skip_nulls=True)
    codes = np.array(pc.fill_null(found, -1), dtype=np.int32)
    unknown = (codes < 0) & np.array(pc.is_valid(text))
    if count := int(np.count_nonzero(unknown)):
        other = column.other if isinstance(column, CategoricalColumn) else None
        if other is None:
            notes.add("refused", f"{count} values are in none of its {len(column.categories)} categories", count)
        else:
            notes.add("changed", f"{count} values are in none of its categories; they become its other", count)
            codes[unknown] = column.categories.index(other)
    return codes
