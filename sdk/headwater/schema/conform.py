"""Bring a table into its schema's form, and name everything that stands in the way."""

from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.columns import ImageColumn
from headwater.schema.convert import Problem, convert_column
from headwater.schema.image import convert_image, image_sources
from headwater.schema.reading import Rows, rows_of
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["Problem", "check", "conform", "load_table"]


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
        others = f"{len(refused) - 1} more {'problem' if len(refused) == 2 else 'problems'}"
        more = f" (and {others}: headwater schema check lists them)" if len(refused) > 1 else ""
        if not more and refused[0].rows:
            more = " (headwater schema check says where)"
        raise InputError(f"the table does not hold to schema {schema.name!r}: {where}{refused[0].what}{more}")
    return Table(schema, columns, arrow.num_rows), tuple(problems)


def check(arrow: pa.Table, schema: Schema) -> tuple[Problem, ...]:
    """Every problem at once: of the table, of the schema's columns in order, then the columns it does not know."""
    return tuple(_convert(arrow, schema)[1])


def load_table(source: Rows, schema: Schema) -> Table:
    """A table of this schema from a path, an Arrow table or a pandas data frame.

    Raises:
        InputError: it cannot be read, or does not hold to the schema.
    """
    return conform(rows_of(source), schema)[0]


def _convert(arrow: pa.Table, schema: Schema) -> tuple[dict[str, NDArray[Any]], list[Problem]]:
    columns: dict[str, NDArray[Any]] = {}
    names = arrow.column_names
    if len(set(names)) != len(names):
        return columns, [Problem("", "refused", "a column name stands twice; rename one", 0)]
    problems = []
    if arrow.num_rows == 0:
        problems.append(Problem("", "refused", "it has no rows; give at least one", 0))
    known, used = set(names), set(schema.names)
    for column in schema.columns:
        if isinstance(column, ImageColumn):
            columns[column.name], found = convert_image(arrow, column)
            problems.extend(found)
            used |= image_sources(arrow, column)
            continue
        if column.name not in known:
            what = f"missing from the table; add the {column.kind} column"
            problems.append(Problem(column.name, "refused", what, 0))
            continue
        columns[column.name], found = convert_column(arrow.column(column.name), column)
        problems.extend(found)
    problems.extend(Problem(name, "ignored", "not in the schema; ignored", 0) for name in names if name not in used)
    return columns, problems
