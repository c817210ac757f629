"""Which bytes of a file a Range header asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.errors import InputError

__all__ = ["MAXIMUM_RANGES", "Span", "read_ranges"]

MAXIMUM_RANGES = 16
"""More ranges in one request than any reader of Parquet sends; each costs a part of the answer."""

_RANGE = re.compile(r"([0-9]{0,19})-([0-9]{0,19})", re.ASCII)
_MAXIMUM_HEADER = 1024


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end`, the last one excluded; never empty."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Number of bytes, at least 1."""
        return self.end - self.start


def read_ranges(header: str, size: int) -> Sequence[Span] | None:
    """The spans that a Range header asks for, within a file.

    Args:
        header: its value; several headers of this name joined by commas, as HTTP has it.
        size: bytes of the file.

    Returns:
        At least one span, in the order asked for, or by position where some overlap or touch and were joined; None
        where the header speaks of other units than bytes, which is to be ignored.

    Raises:
        InputError: malformed, too many, or nothing of it within the file: to be answered with 416.

    Source: RFC 9110, 14.1 and 14.2.
    """
    unit, _, asked = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    pieces = [piece.strip(" \t") for piece in asked.split(",")]
    pieces = [piece for piece in pieces if piece]
    if len(pieces) > MAXIMUM_RANGES or len(header) > _MAXIMUM_HEADER:
        raise InputError(f"more than {MAXIMUM_RANGES} ranges in one request; ask for fewer")
    found = [_RANGE.fullmatch(piece) for piece in pieces]
    if not found or any(match is None or match[0] == "-" for match in found):
        raise InputError("the range is malformed; write bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT")
    spans = [span for match in found if match is not None and (span := _span(match[1], match[2], size)) is not None]
    if not spans:
        raise InputError(f"the range lies outside the file, which has {size} bytes; ask for bytes within it")
    return _joined(spans)


def _span(first: str, last: str, size: int) -> Span | None:
    """One range within the file; None where it lies outside."""
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            raise InputError("the range is malformed: it ends before it begins")
    return Span(start, end) if start < end else None


def _joined(spans: Sequence[Span]) -> Sequence[Span]:
    """Spans that overlap or touch made one: what is sent is never more than the file."""
    placed = sorted(spans, key=lambda span: span.start)
    joined = placed[:1]
    for span in placed[1:]:
        if span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return spans if len(joined) == len(spans) else joined
