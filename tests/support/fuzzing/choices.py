"""A row of bytes read as a row of decisions, so that hypothesis and a coverage-guided fuzzer drive one code."""

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choices"]

Item = TypeVar("Item")


class Choices:
    """Reads decisions off the front of bytes; when they are used up, every decision is the first."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data, self._at = data, 0

    @property
    def empty(self) -> bool:
        """Whether every byte was read."""
        return self._at >= len(self._data)

    def below(self, limit: int) -> int:
        """A number from 0 to limit − 1; one byte up to 256, else three."""
        return int.from_bytes(self.take(1 if limit <= 256 else 3), "big") % max(1, limit)

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def take(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self._data))
