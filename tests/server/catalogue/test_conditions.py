"""Conditions of a request: which of them are heard, and in which order."""

import datetime

import pytest
from starlette.datastructures import Headers

from headwater_server.catalogue.conditions import Condition, judge, range_applies

TAG = '"abc"'
MODIFIED = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)
SAME, BEFORE, AFTER = (f"Sat, 21 Nov 2026 {hour}:00:00 GMT" for hour in (12, 11, 13))


def _judged(*pairs: tuple[str, str]) -> Condition:
    return judge(Headers(raw=[(n.encode(), v.encode()) for n, v in pairs]), TAG, MODIFIED)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("if-match", TAG, Condition.SEND),
        ("if-match", f'"x", {TAG}', Condition.SEND),
        ("if-match", "*", Condition.SEND),
        ("if-match", f"W/{TAG}", Condition.STALE),
        ("if-match", '"x"', Condition.STALE),
        ("if-match", "", Condition.STALE),
        ("if-unmodified-since", SAME, Condition.SEND),
        ("if-unmodified-since", BEFORE, Condition.STALE),
        ("if-unmodified-since", "yesterday", Condition.SEND),
        ("if-none-match", TAG, Condition.KNOWN),
        ("if-none-match", f'W/{TAG}, "x"', Condition.KNOWN),
        ("if-none-match", "*", Condition.KNOWN),
        ("if-none-match", "abc", Condition.SEND),
        ("if-modified-since", SAME, Condition.KNOWN),
        ("if-modified-since", AFTER, Condition.KNOWN),
        ("if-modified-since", BEFORE, Condition.SEND),
        ("if-modified-since", "Sat, 99 Nov 2026 12:00:00 GMT", Condition.SEND),
    ],
)
def test_each_condition_by_itself(name: str, value: str, expected: Condition) -> None:
    assert _judged((name, value)) is expected


def test_tags_go_before_dates_and_refusals_before_what_is_known() -> None:
    assert _judged(("if-none-match", '"x"'), ("if-modified-since", SAME)) is Condition.SEND
    assert _judged(("if-match", TAG), ("if-unmodified-since", BEFORE)) is Condition.SEND
    assert _judged(("if-match", '"x"'), ("if-none-match", TAG)) is Condition.STALE
    assert _judged(("if-match", TAG), ("if-none-match", TAG)) is Condition.KNOWN


def test_a_header_that_comes_twice_is_one_list() -> None:
    assert _judged(("if-none-match", '"x"'), ("if-none-match", TAG)) is Condition.KNOWN


@pytest.mark.parametrize(
    ("value", "applies"),
    [(None, True), (TAG, True), (f"W/{TAG}", False), ('"x"', False), (SAME, True), (BEFORE, False), ("soon", False)],
)
def test_a_range_holds_for_exactly_this_content(value: str | None, applies: bool) -> None:
    headers = Headers({} if value is None else {"if-range": value})
    assert range_applies(headers, TAG, MODIFIED) is applies
