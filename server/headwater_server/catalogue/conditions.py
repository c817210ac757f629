"""Whether a file is to be sent at all, by what a reader says of the copy that it has."""

import datetime
import re
from email.utils import parsedate_to_datetime
from enum import Enum

from starlette.datastructures import Headers

__all__ = ["Condition", "header_value", "judge", "range_applies"]

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Condition(Enum):
    """What the conditions of a request come to."""

    SEND = "send"
    KNOWN = "304: the reader has it"
    STALE = "412: the reader wants another"


def header_value(headers: Headers, name: str) -> str | None:
    """A header's value, several of one name joined as HTTP has it; None where there is none."""
    values = headers.getlist(name)
    return ", ".join(values) if values else None


def judge(headers: Headers, etag: str, modified: datetime.datetime) -> Condition:
    """Judge all four conditions of a GET or HEAD, in the order that HTTP sets.

    Args:
        headers: of the request.
        etag: strong, with its quotes.
        modified: with a time zone, whole seconds.

    Source: RFC 9110, 13.2.2.
    """
    match = header_value(headers, "if-match")
    if match is not None:
        # Strong comparison: a weak tag never matches.
        if match.strip() != "*" and etag not in _tags(match, weak=False):
            return Condition.STALE
    elif (limit := _date(headers.get("if-unmodified-since"))) is not None and modified > limit:
        return Condition.STALE
    known = header_value(headers, "if-none-match")
    if known is not None:
        return Condition.KNOWN if known.strip() == "*" or etag in _tags(known, weak=True) else Condition.SEND
    since = _date(headers.get("if-modified-since"))
    return Condition.KNOWN if since is not None and modified <= since else Condition.SEND


def range_applies(headers: Headers, etag: str, modified: datetime.datetime) -> bool:
    """Whether a Range is to be honoured: If-Range, where it stands, names exactly this content.

    Source: RFC 9110, 13.1.5.
    """
    condition = header_value(headers, "if-range")
    if condition is None:
        return True
    if '"' in condition:
        return condition.strip() == etag
    return _date(condition) == modified


def _tags(header: str, *, weak: bool) -> set[str]:
    return {tag for prefix, tag in _TAG.findall(header) if weak or not prefix}


def _date(value: str | None) -> datetime.datetime | None:
    """An HTTP date; None for anything else, which is to be ignored."""
    if value is None or not value.endswith("GMT"):
        return None
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None
