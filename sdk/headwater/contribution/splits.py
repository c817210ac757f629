"""Which of an organisation's rows train, which validate, and which are kept for audits."""

import hashlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headwater.images.lifting import LiftedTable
from headwater.recipe.settings import SplitShares
from headwater.schema.table import Table

__all__ = ["SplitName", "packed_rows", "row_positions", "split_rows"]

SplitName = Literal["train", "validation", "audit"]

# One key for all plans and runs: a row that trained in one run never audits the next. It is public: the split is
# there to keep parts apart, and an organisation's rows are not guessed from it, as nobody else sees the parts.
_KEY = b"headwater/split/1"


def row_positions(table: Table) -> NDArray[np.float64]:
    """A position in [0, 1) for each row, fixed by its values alone: equal rows stand at equal positions.

    Args:
        table: rows as conformed to the schema.

    Returns:
        float64, shape (rows,).
    """
    if isinstance(table, LiftedTable):
        # Scores differ from run to run; the pictures fixed the positions.
        return table.positions
    return (keyed_hashes(packed_rows(table), _KEY) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keyed_hashes(packed: NDArray[np.floating], key: bytes) -> NDArray[np.uint64]:
    """BLAKE2b of each row's bytes under a key, eight bytes of it.

    Args:
        packed: shape (rows, numbers of a row).
        key: up to 64 bytes.

    Returns:
        uint64, shape (rows,).
    """
    width = packed.shape[1] * packed.itemsize
    data = packed.tobytes()
    keyed = hashlib.blake2b(key=key, digest_size=8)
    digests = bytearray()
    for start in range(0, len(data), width):
        row = keyed.copy()
        row.update(data[start : start + width])
        digests += row.digest()
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)


def packed_rows(table: Table) -> NDArray[np.float64]:
    """Every row's values as numbers: equal rows have equal bits.

    Args:
        table: rows as conformed to the schema.

    Returns:
        float64 of little-endian bytes, shape (rows, numbers of a row); missing is -inf, a category its code.
    """
    places = np.cumsum([0, *(_width(table.columns[name]) for name in table.schema.names)])
    packed = np.empty((table.rows, places[-1]), dtype="<f8")
    for place, end, name in zip(places, places[1:], table.schema.names, strict=False):
        values = table.columns[name].reshape(table.rows, end - place)
        # Missing is one value whatever its bits, and so is zero.
        packed[:, place:end] = np.where(np.isnan(values), -np.inf, values) + 0.0 if values.dtype.kind == "f" else values
    return packed


def _width(values: NDArray[Any]) -> int:
    """Numbers that a row has in a column: 1, or an image's pixels."""
    return values.shape[1] if values.ndim == 2 else 1


def split_rows(table: Table, shares: SplitShares, part: SplitName) -> Table:
    """The rows of one part, in their order.

    Args:
        table: an organisation's rows.
        shares: of the plan.
        part: which.

    Guarantee: parts are disjoint, also over runs with the same shares; equal rows are in one part.
    """
    positions = row_positions(table)
    # Audit stands at the low end and train at the high one: a larger train share takes from validation first.
    low, high = {
        "audit": (0.0, shares.audit),
        "validation": (shares.audit, shares.audit + shares.validation),
        "train": (shares.audit + shares.validation, 2.0),
    }[part]
    return table.take((positions >= low) & (positions < high))
