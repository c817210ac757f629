"""The schema of a table that nobody wrote one for, as simulation and demo take it."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headwater.errors import InputError
from headwater.schema import Schema
from headwater.schema.draft import draft_with_odd_cells
from headwater.schema.row_lines import lines_of_rows

__all__ = ["DraftedSchema", "draft_schema"]


@dataclass(frozen=True, slots=True)
class DraftedSchema:
    """A schema read from rows.

    Attributes:
        schema: with its guesses marked.
        warnings: one line for each column that may hold numbers and was not taken so, with cells of the table.
    """

    schema: Schema
    warnings: tuple[str, ...]


def draft_schema(table: pa.Table, target: str | None, name: str, file: Path | None) -> DraftedSchema:
    """Read a schema from rows that must all hold to it.

    Args:
        table: as read.
        target: the column to predict; None for none.
        name: of the schema.
        file: where the rows were read, to name lines in; None where they have no file.

    Raises:
        InputError: nothing can be drafted, or a column of numbers holds cells that are none: whoever runs this has all
            rows, so the line shows them.
    """
    draft = draft_with_odd_cells(table, target, name)
    rows = [row for odd in draft.odd_cells for row in odd.rows]
    lines = {} if file is None else lines_of_rows(file, rows)
    refused = [odd for odd in draft.odd_cells if odd.drafted == "numbers"]
    if refused:
        others = f" (and so in {len(refused) - 1} more columns)" if len(refused) > 1 else ""
        raise InputError(refused[0].in_words(lines) + others)
    return DraftedSchema(draft.schema, tuple(odd.in_words(lines) for odd in draft.odd_cells))
