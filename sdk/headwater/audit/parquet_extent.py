"""Whether a Parquet file holds any byte that no part of it names: readers never look there, so anything could stand.

Arrow tells where column chunks lie, and not where their indexes do; the footer is therefore read here, and in each
chunk the heads of its pages: readers stop at the last value, whatever the chunk holds behind it. Both are Thrift in its
compact protocol, of which numbers, lists and structures are all that is needed. What stands inside a compressed page is
not looked at.

Source: Apache Parquet format 2.10, parquet.thrift and PageIndex.md; Apache Thrift, thrift-compact-protocol.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["UnreadableFooter", "unnamed_bytes"]

_MAGIC = b"PAR1"
_TAIL = 8
_MOST_DEPTH = 16
# A footer has some hundred bytes for a column of a row group; more than this is there to use memory up.
_MOST_FOOTER = 64 * 2**20
# Heads of pages have some ten bytes, and the smallest and largest value where they tell them.
_HEADS = (4096, 2**20)
_DATA_PAGES, _DICTIONARY_PAGE = (5, 8), 7
# Of a column chunk and of its description: where something begins, and how long it is.
_INDEXES = ((4, 5), (6, 7))
_BLOOM = (14, 15)
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12

Fields = dict[int, Any]


class UnreadableFooter(ValueError):
    """The end of the file is no footer."""


def unnamed_bytes(file: Path) -> int:
    """How many bytes neither a column chunk with its dictionary, an index, the footer nor the two marks hold.

    Args:
        file: Parquet; of it the footer and the heads of pages are read.

    Returns:
        0 for a file that its parts cover from the first byte to the last, each byte once; else how many are in none,
        in two, or in a column chunk behind the page with its last value.

    Raises:
        UnreadableFooter: there is no whole footer, or it names parts outside the file.
        OSError: it cannot be read.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(len(_MAGIC))
        opened.seek(max(0, size - _TAIL))
        tail = opened.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        begin = size - _TAIL - length
        if head != _MAGIC or tail[4:] != _MAGIC or begin < len(_MAGIC):
            raise UnreadableFooter("the marks of Parquet do not stand at both ends")
        if length > _MOST_FOOTER:
            raise UnreadableFooter(f"it has more than {_MOST_FOOTER:,} bytes")
        opened.seek(begin, os.SEEK_SET)
        compact = _Compact(opened.read(length))
        footer = compact.struct()
        at, unnamed = len(_MAGIC), length - compact.at
        for start, stop, values in sorted(_parts(footer)):
            if not len(_MAGIC) <= start <= stop <= begin:
                raise UnreadableFooter("it names parts outside the file")
            unnamed += abs(start - at)
            if values >= 0:
                unnamed += stop - _end_of_pages(opened, start, stop, values)
            at = stop
    return unnamed + begin - at


def _end_of_pages(opened: BinaryIO, start: int, stop: int, values: int) -> int:
    """Where the page ends that holds the last of a column chunk's values."""
    at, seen, dictionary = start, 0, False
    while at < stop and (seen < values or at == start):
        length, found = _page(opened, at, stop)
        # Readers pass over pages of other kinds, and over those without a value.
        if (found is None and (dictionary or seen)) or found == 0 < values:
            raise UnreadableFooter("a column has a page that no reader needs")
        dictionary = dictionary or found is None
        at += length
        seen += found or 0
    if at > stop or seen != values:
        raise UnreadableFooter("a column's pages do not hold as many values as it says")
    return at


def _page(opened: BinaryIO, at: int, stop: int) -> tuple[int, int | None]:
    """How long a page is with its head, and how many values it holds; None for a dictionary, which is none of them."""
    short, long = _HEADS
    try:
        head, begun = _head(opened, at, min(short, stop - at))
    except UnreadableFooter:
        head, begun = _head(opened, at, min(long, stop - at))
    size, data = head.get(3), [head[key] for key in _DATA_PAGES if key in head]
    counts = [each.get(1) if isinstance(each, dict) else None for each in data]
    if not isinstance(size, int) or size < 0 or len(counts) + (_DICTIONARY_PAGE in head) != 1:
        raise UnreadableFooter("the head of a page does not say how long it is")
    for count in counts:
        if not isinstance(count, int) or count < 0:
            raise UnreadableFooter("the head of a page does not say how many values it has")
    return begun + size, counts[0] if counts else None


def _head(opened: BinaryIO, at: int, most: int) -> tuple[Fields, int]:
    opened.seek(at)
    compact = _Compact(opened.read(most))
    return compact.struct(), compact.at


def _parts(footer: Fields) -> Iterator[tuple[int, int, int]]:
    """Where each part begins and ends, and how many values it has; -1 for what has no pages."""
    for part in _claimed(footer):
        if not all(isinstance(each, int) for each in part):
            raise UnreadableFooter("it does not say in numbers where its columns are")
        yield part


def _claimed(footer: Fields) -> Iterator[tuple[Any, Any, Any]]:
    try:
        for group in footer.get(4, []):
            for chunk in group[1]:
                said = chunk[3]
                starts = [said[key] for key in (9, 11) if said.get(key)]
                if said[5] < 0:
                    raise UnreadableFooter("a column in it has fewer values than none")
                yield min(starts), min(starts) + said[7], said[5]
                places = [(chunk, *keys) for keys in _INDEXES] + [(said, *_BLOOM)]
                for holder, offset, length in places:
                    if holder.get(offset) is not None:
                        yield holder[offset], holder[offset] + holder[length], -1
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFooter("it does not say where its columns are") from error


class _Compact:
    """Reads Thrift's compact protocol; texts are passed over."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def struct(self, depth: int = 0) -> Fields:
        """Fields by their numbers."""
        if depth > _MOST_DEPTH:
            raise UnreadableFooter("it goes deeper than any footer")
        fields: Fields = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._zigzag()
            if number in fields:
                # Which of the two a reader believes depends on the reader.
                raise UnreadableFooter("it says one thing twice")
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _BINARY:
            self._skip(self._varint())
            return None
        if kind == _DOUBLE:
            self._skip(8)
            return None
        if 3 < kind < _DOUBLE:
            return self._zigzag()
        # No footer has a map.
        raise UnreadableFooter("it holds what no footer holds")

    def _list(self, depth: int) -> list[Any]:
        if depth > _MOST_DEPTH:
            raise UnreadableFooter("it goes deeper than any footer")
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        if count > len(self._content) - self.at:
            raise UnreadableFooter("a list in it is longer than it is")
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        if self.at >= len(self._content):
            raise UnreadableFooter("it ends early")
        self.at += 1
        return self._content[self.at - 1]

    def _skip(self, count: int) -> None:
        if count > len(self._content) - self.at:
            raise UnreadableFooter("it ends early")
        self.at += count

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise UnreadableFooter("a number in it has more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
