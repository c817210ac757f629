"""Range headers: what they ask for of a file of 100 bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError
from headwater_server.catalogue.ranges import MAXIMUM_RANGES, Span, read_ranges

SIZE = 100


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=95-1000", [(95, 100)]),
        ("Bytes = 0-9", [(0, 10)]),
        ("bytes=0-0, 50-59,-1", [(0, 1), (50, 60), (99, 100)]),
        ("bytes=50-59, 0-0", [(50, 60), (0, 1)]),
        ("bytes=0-9,5-19", [(0, 20)]),
        ("bytes=10-19,0-9", [(0, 20)]),
        ("bytes=0-9,200-300", [(0, 10)]),
        ("bytes=,0-9,,", [(0, 10)]),
    ],
)
def test_ranges_are_read(header: str, spans: list[tuple[int, int]]) -> None:
    assert read_ranges(header, SIZE) == [Span(*span) for span in spans]


@pytest.mark.parametrize("header", ["rows=0-9", "0-9", "", "bits=0-", "=0-9"])
def test_other_units_are_ignored(header: str) -> None:
    assert read_ranges(header, SIZE) is None


@pytest.mark.parametrize(
    "header",
    [
        "bytes=", "bytes=-", "bytes=9-0", "bytes=a-b", "bytes=0x1-2", "bytes=1.5-2", "bytes=+1-2", "bytes=0-9 10-19",
        "bytes=100-", "bytes=-0", "bytes=0-9,x", "bytes=0--9", "bytes=" + "9" * 30 + "-", "bytes=\u0661-\u0662",
        "bytes=0-9, bytes=20-29", "bytes=" + "," * 2000 + "0-9",
    ],
)  # fmt: skip
def test_malformed_and_unreachable_ranges_are_refused(header: str) -> None:
    with pytest.raises(InputError):
        read_ranges(header, SIZE)


def test_an_empty_file_has_no_ranges() -> None:
    for header in ("bytes=0-", "bytes=-1"):
        with pytest.raises(InputError, match="outside the file"):
            read_ranges(header, 0)


def test_ranges_are_capped() -> None:
    many = [f"{start}-{start}" for start in range(0, 2 * MAXIMUM_RANGES + 2, 2)]
    assert len(read_ranges("bytes=" + ",".join(many[:-1]), SIZE) or ()) == MAXIMUM_RANGES
    with pytest.raises(InputError, match="more than 16 ranges"):
        read_ranges("bytes=" + ",".join(many), SIZE)


_NUMBER = st.one_of(st.just(""), st.integers(0, 130).map(str))


@given(st.lists(st.tuples(_NUMBER, _NUMBER).map("-".join), min_size=1, max_size=8), st.integers(0, 120))
def test_what_is_sent_is_what_was_asked_for_and_each_byte_once(asked: list[str], size: int) -> None:
    wanted: set[int] = set()
    for piece in asked:
        first, last = piece.split("-")
        if first:
            wanted |= set(range(int(first), min(int(last) + 1, size) if last else size))
        elif last:
            wanted |= set(range(max(size - int(last), 0), size))
    try:
        spans = read_ranges("bytes=" + ",".join(asked), size)
    except InputError:
        return
    assert spans
    sent = [place for span in spans for place in range(span.start, span.end)]
    assert len(sent) == len(set(sent))
    assert set(sent) == wanted


@given(st.text(max_size=60))
def test_no_header_breaks_the_reader(header: str) -> None:
    try:
        spans = read_ranges("bytes=" + header, SIZE)
    except InputError:
        return
    assert all(0 <= span.start < span.end <= SIZE for span in spans or ())
