"""At most so many rows of each person: what makes a budget for persons hold."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.contribution.splits import row_positions
from headwater.errors import InputError
from headwater.schema.table import Table

__all__ = ["clip_entities", "records_of_persons"]


def clip_entities(table: Table, entities: pa.ChunkedArray, most: int) -> Table:
    """Keep at most `most` rows of each person, and none that is nobody's.

    Args:
        table: rows as conformed to the schema.
        entities: whose each row is, in the same order; null where nobody is named.
        most: rows of one person.

    Returns:
        The rows kept, in their order.

    Raises:
        InputError: there are not as many entries as rows.

    Guarantee: which rows of a person are kept follows from that person's rows alone, so that a person who comes or
        goes changes at most `most` rows.
    """
    if len(entities) != table.rows:
        raise InputError(
            f"{len(entities):,} entries say whose the {table.rows:,} rows are; the source must give one for each row"
        )
    person = _numbers(entities)
    # Equal rows stand at equal positions: then the order among a person's own rows decides.
    order = np.lexsort((np.arange(table.rows), row_positions(table), person))
    starts = np.flatnonzero(np.diff(person[order], prepend=-2))
    rank = np.arange(table.rows) - np.repeat(starts, np.diff(np.append(starts, table.rows)))
    kept = np.zeros(table.rows, np.bool_)
    kept[order] = (rank < most) & (person[order] >= 0)
    return table.take(kept)


def records_of_persons(entities: pa.ChunkedArray) -> NDArray[np.int64]:
    """How many rows each person has, in no order that says whose they are; rows that are nobody's count for none.

    Args:
        entities: whose each row is; null where nobody is named.
    """
    person = _numbers(entities)
    counts = np.unique(person[person >= 0], return_counts=True)[1]
    return np.sort(counts.astype(np.int64))


def _numbers(entities: pa.ChunkedArray) -> NDArray[np.int64]:
    """A whole number for each person; -1 for nobody: null, NaN, the empty string."""
    values = entities
    if pa.types.is_dictionary(values.type):
        # One word may stand in a dictionary twice, and a null in it: the words themselves count.
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        raise InputError(f"the column that names persons holds {values.type}; give one with text, numbers or dates")
    values = values.combine_chunks()
    encoded = values.dictionary_encode()
    named = pc.is_valid(values).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(values.type):
        named &= ~pc.is_nan(values).fill_null(True).to_numpy(zero_copy_only=False)
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        named &= pc.not_equal(values, "").fill_null(False).to_numpy(zero_copy_only=False)
    return np.where(named, np.asarray(encoded.indices.fill_null(-1), np.int64), -1)
