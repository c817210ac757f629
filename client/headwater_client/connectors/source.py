"""The protocol that a source of rows implements."""

from typing import Protocol, runtime_checkable

import pyarrow as pa

from headwater.schema import Schema

__all__ = ["RowSource", "select_columns"]


@runtime_checkable
class RowSource(Protocol):
    """Gives the organisation's rows as an Arrow table, each time they are asked for.

    Implement it to connect a database, a warehouse or a service. What is required:

    | what | rule |
    | --- | --- |
    | columns | every column of the schema that the source has, under the schema's names; further ones are dropped |
    | types | natural ones (integers, floats, strings, booleans, dates); text that spells them is converted later |
    | missing | Arrow nulls; an empty string is a value |
    | rows | one per record, in an order that is the same while the data are the same |
    | repeat | a second `read` of unchanged data gives the same table: splits and retries depend on it |
    | failure | `headwater.errors.InputError` when the person can mend it, with no value of a row in the message |

    `read` is called from a thread of the agent, never from two at once. Checks against the schema are not the
    source's job: `headwater.schema.conform` makes them for every source alike.
    """

    def read(self, schema: Schema) -> pa.Table:
        """Read all rows.

        Args:
            schema: what the plan names; a source may read no other columns.

        Raises:
            InputError: the rows cannot be read.
        """


def select_columns(table: pa.Table, schema: Schema) -> pa.Table:
    """The schema's columns that a table has, in the schema's order.

    A missing column is left out here and reported by the schema's own check, with all other problems at once.
    """
    present = set(table.column_names)
    return table.select([name for name in schema.names if name in present])
