"""What a table's rounds would each work out again, kept for as long as the table is in use."""

import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from headwater.schema.table import Table

__all__ = ["Remembered"]

T = TypeVar("T")


class Remembered(Generic[T]):
    """One value a table, under the key that it was worked out by; it goes with the table.

    It holds what would be computed again from the same arguments, so it changes no result.
    """

    def __init__(self) -> None:
        """Remember nothing."""
        self._kept: dict[int, tuple[weakref.ref[Table], Hashable, T]] = {}

    def get(self, table: Table, key: Hashable, work_out: Callable[[], T]) -> T:
        """The table's value: as it was kept under this key, or worked out now and kept in place of another key's."""
        place = id(table)
        entry = self._kept.get(place)
        if entry is not None and entry[0]() is table and entry[1] == key:
            return entry[2]
        value = work_out()

        def forget(_: object) -> None:
            self._kept.pop(place, None)

        self._kept[place] = (weakref.ref(table, forget), key, value)
        return value
