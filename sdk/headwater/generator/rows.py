"""Synthetic rows with what goes beside them, and the endless sequence that they are read from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.schema.schema import Schema
from headwater.schema.table import Table

__all__ = ["BLOCK_ROWS", "Block", "Rows", "extra_names", "read_blocks"]

BLOCK_ROWS = 8192
"""Rows that are drawn from one seed; every block of a sequence has a seed of its own."""


@dataclass(frozen=True)
class Rows:
    """A table with columns beside the schema's.

    Attributes:
        table: of the schema.
        extra: by role ("weight", "group_id", "view_id") the values of further columns, each of shape (rows,).
    """

    table: Table
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def take(self, indices: NDArray[Any] | slice) -> "Rows":
        """The rows at these positions, in that order."""
        if isinstance(indices, slice):
            # Only as many places as are taken, however long the table.
            chosen: NDArray[Any] = np.arange(*indices.indices(self.table.rows))
        else:
            chosen = np.arange(self.table.rows)[indices]
        return Rows(self.table.take(chosen), {role: values[chosen] for role, values in self.extra.items()})

    @classmethod
    def concat(cls, parts: Sequence["Rows"]) -> "Rows":
        """All rows, in order."""
        extra = {role: np.concatenate([part.extra[role] for part in parts]) for role in parts[0].extra}
        return cls(Table.concat([part.table for part in parts]), extra)

    def to_arrow(self, *, dictionaries: bool = False) -> pa.Table:
        """The schema's columns, as `Table.to_arrow`, then the others under the names of `extra_names`."""
        arrow = self.table.to_arrow(dictionaries=dictionaries)
        names = extra_names(self.table.schema, tuple(self.extra))
        for role, values in self.extra.items():
            arrow = arrow.append_column(names[role], pa.array(values))
        return arrow


Block = Callable[[int], Iterator[Rows]]
"""The rows of a block by its number, in parts as they are ready; `BLOCK_ROWS` or fewer, always as many."""


def extra_names(schema: Schema, roles: Sequence[str]) -> dict[str, str]:
    """A name for each further column that the schema has not: the role, or `synthetic_` before it.

    Raises:
        InputError: the schema has both.
    """
    names = {}
    for role in roles:
        free = [name for name in (role, f"synthetic_{role}") if name not in schema.names]
        if not free:
            raise InputError(f"the schema has columns {role!r} and 'synthetic_{role}'; none is left for the {role}")
        names[role] = free[0]
    return names


def read_blocks(block: Block, block_rows: int, batch_size: int, start: int) -> Iterator[Rows]:
    """Yield the rows of blocks 0, 1, 2 … without end, from a position on, in batches.

    Args:
        block: the rows of each block.
        block_rows: how many every block has.
        batch_size: rows of each batch.
        start: position of the first row; the rows before it in its block are drawn and left out.

    Guarantee: row i is the same whatever the start and the batches; memory is that of a block and a batch.

    Raises:
        InputError: a batch of no row, or a negative start.
    """
    if batch_size < 1 or start < 0:
        raise InputError(f"batches of {batch_size} rows from row {start} cannot be read; say 1 or more, from 0 on")
    number, skipped = divmod(start, block_rows)
    waiting: list[Rows] = []
    held = 0
    while True:
        for part in block(number):
            place, skipped = min(skipped, part.table.rows), max(0, skipped - part.table.rows)
            while place < part.table.rows:
                some = part.take(slice(place, place + batch_size - held))
                waiting.append(some)
                place, held = place + some.table.rows, held + some.table.rows
                if held == batch_size:
                    yield Rows.concat(waiting)
                    waiting, held = [], 0
        number += 1
