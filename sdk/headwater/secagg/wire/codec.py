"""The strict binary form of messages: one encoding for each value, and no other bytes accepted.

Numbers have 8 big-endian bytes, everything of variable size stands behind its length in 4, and every length has a
limit that is checked before anything is read. Any bytes give a value or a `PeerError`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from headwater.errors import InputError, PeerError

__all__ = [
    "MAXIMUM_CHUNK",
    "MAXIMUM_MESSAGE",
    "MAXIMUM_TOGETHER",
    "TOGETHER_BYTES",
    "Blob",
    "Bulk",
    "Fixed",
    "Layout",
    "Listing",
    "Number",
    "Reader",
    "Text",
    "Tuple",
    "wire_text",
]

MAXIMUM_CHUNK = 2**20
"""Bytes of bulk data that one chunk message carries."""

MAXIMUM_MESSAGE = 4 * 2**20
"""Bytes of the largest message, a setup of 1,000 members; anything longer is refused unread (protocol 4.9)."""

TOGETHER_BYTES = MAXIMUM_CHUNK + 2**18
"""Messages that wait for a connection go together up to here: a chunk, and small messages behind it."""

MAXIMUM_TOGETHER = 256
"""Messages that may come together: without it, one delivery could hold two million empty ones."""


class Reader:
    """Reads values off the front of received bytes; whatever does not fit raises `PeerError`."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Begin at the first byte."""
        self._data = data
        self._size = len(data)
        self._at = 0

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._at

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        begin, end = self._at, self._at + size
        if end > self._size:
            raise PeerError(f"a message ends inside a field of {size} bytes; it was cut or is malformed")
        self._at = end
        return bytes(self._data[begin:end])

    def view(self, size: int) -> memoryview:
        """The next `size` bytes where they stand, not copied."""
        begin = self.skip(size)
        return memoryview(self._data)[begin : self._at]

    def skip(self, size: int) -> int:
        """Pass the next `size` bytes by; returns where they begin."""
        begin = self._at
        if size > self._size - begin:
            raise PeerError(f"a message ends inside a field of {size} bytes; it was cut or is malformed")
        self._at = begin + size
        return begin

    def length(self, maximum: int) -> int:
        """A 4-byte length, at most `maximum`."""
        length = int.from_bytes(self.take(4), "big")
        if length > maximum:
            raise PeerError(f"a message claims a field of {length} items or bytes, at most {maximum} are allowed")
        return length

    def end(self) -> None:
        """Refuse bytes that nothing asked for."""
        if self._at != self._size:
            raise PeerError(f"a message has {self._size - self._at} bytes too many; it is malformed")


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number from 0 to `maximum`."""

    maximum: int = 2**63 - 1

    def write(self, value: int) -> bytes:
        """Encode."""
        if not 0 <= value <= self.maximum:
            raise InputError(f"{value} does not fit a message field of 0 to {self.maximum}")
        return value.to_bytes(8, "big")

    def read(self, reader: Reader) -> int:
        """Decode."""
        value = int.from_bytes(reader.take(8), "big")
        if value > self.maximum:
            raise PeerError(f"a message has the number {value}, at most {self.maximum} is allowed")
        return value


@dataclass(frozen=True, slots=True)
class Fixed:
    """Exactly `size` bytes, such as a digest, a key or a share."""

    size: int

    def write(self, value: bytes) -> bytes:
        """Encode."""
        if len(value) != self.size:
            raise InputError(f"a message field of {self.size} bytes was given {len(value)}")
        return value

    def read(self, reader: Reader) -> bytes:
        """Decode."""
        return reader.take(self.size)


@dataclass(frozen=True, slots=True)
class Blob:
    """At most `maximum` bytes behind their length."""

    maximum: int = MAXIMUM_MESSAGE

    def write(self, value: bytes) -> bytes:
        """Encode."""
        if len(value) > self.maximum:
            raise InputError(f"a message field has {len(value)} bytes, at most {self.maximum} fit")
        return len(value).to_bytes(4, "big") + value

    def read(self, reader: Reader) -> bytes:
        """Decode."""
        return reader.take(reader.length(self.maximum))


@dataclass(frozen=True, slots=True)
class Bulk:
    """At most `maximum` bytes behind their length, read where they stand: bulk data is not copied."""

    maximum: int

    def write(self, value: bytes | memoryview) -> bytes:
        """Encode."""
        return Blob(self.maximum).write(bytes(value))

    def read(self, reader: Reader) -> memoryview:
        """Decode."""
        return reader.view(reader.length(self.maximum))


@dataclass(frozen=True, slots=True)
class Text:
    """At most `maximum` bytes of UTF-8 behind their length, printable."""

    maximum: int = 64

    def write(self, value: str) -> bytes:
        """Encode."""
        return Blob(self.maximum).write(value.encode())

    def read(self, reader: Reader) -> str:
        """Decode."""
        try:
            text = Blob(self.maximum).read(reader).decode()
        except UnicodeDecodeError as error:
            raise PeerError("a message has a text field that is not UTF-8; it is malformed") from error
        if not text.isprintable():
            raise PeerError("a message has a text field with unprintable characters; it is malformed")
        return text


@dataclass(frozen=True, slots=True)
class Tuple:
    """Values of the given layouts, one after the other."""

    items: tuple["Layout", ...]

    def write(self, value: tuple[Any, ...]) -> bytes:
        """Encode."""
        return b"".join([item.write(part) for item, part in zip(self.items, value, strict=True)])

    def read(self, reader: Reader) -> tuple[Any, ...]:
        """Decode."""
        return tuple([item.read(reader) for item in self.items])


@dataclass(frozen=True, slots=True)
class Listing:
    """At most `maximum` items behind their count; with `key`, in strictly ascending order of it.

    The order makes the encoding unique and refuses repeated members at the door (protocol 3.2, 4.5).
    """

    item: "Layout"
    maximum: int
    key: Callable[[Any], str] | None = None

    def write(self, value: tuple[Any, ...]) -> bytes:
        """Encode."""
        if len(value) > self.maximum or not self._ordered(value):
            raise InputError(f"a message list takes at most {self.maximum} items, sorted, none repeated")
        return len(value).to_bytes(4, "big") + b"".join([self.item.write(part) for part in value])

    def read(self, reader: Reader) -> tuple[Any, ...]:
        """Decode."""
        value = tuple(self._items(reader, reader.length(self.maximum)))
        if not self._ordered(value):
            raise PeerError("a message list is not in strictly ascending order; a member is repeated or out of place")
        return value

    def _items(self, reader: Reader, count: int) -> list[Any]:
        item = self.item
        if isinstance(item, Fixed):
            return _cut(reader.take(count * item.size), item.size)
        if isinstance(item, Tuple):
            sizes = [part.size for part in item.items if isinstance(part, Fixed)]
            if len(sizes) == len(item.items):
                # A Deal has n openings, and a coordinator of n members reads n Deals.
                cuts = [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]
                rows = _cut(reader.take(count * sum(sizes)), sum(sizes))
                return [tuple([row[cut] for cut in cuts]) for row in rows]
        return [item.read(reader) for _ in range(count)]

    def _ordered(self, value: tuple[Any, ...]) -> bool:
        if self.key is None:
            return True
        keys = [self.key(part) for part in value]
        return all(first < second for first, second in pairwise(keys))


Layout = Number | Fixed | Blob | Bulk | Text | Tuple | Listing


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


def wire_text(text: str) -> str:
    """The text as a reason field takes it: printable, at most 300 bytes."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.encode(errors="replace")[:300].decode(errors="ignore")
