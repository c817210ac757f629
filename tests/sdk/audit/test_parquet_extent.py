"""Every byte of a Parquet file is one that its footer names, or it is told how many are not."""

import random
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater.audit.parquet_extent import UnreadableFooter, unnamed_bytes
from headwater.release.rows import write_rows
from support.releases import make_table

ROWS = make_table().to_arrow()
HIDDEN = b"ward 7 had 12 more of them"


def grouped(file: Path) -> None:
    pq.write_table(pa.concat_tables([ROWS] * 5), file, row_group_size=700, write_page_index=True)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a release": lambda file: write_rows(ROWS, file),
    "pyarrow": lambda file: pq.write_table(ROWS, file),
    "without dictionaries": lambda file: pq.write_table(ROWS, file, use_dictionary=False, compression=None),
    "many row groups": grouped,
    "no rows": lambda file: pq.write_table(ROWS.slice(0, 0), file),
    "pandas": lambda file: ROWS.to_pandas().to_parquet(file),
    "duckdb, with bloom filters": lambda file: duckdb.from_arrow(ROWS).write_parquet(str(file)),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_honest_files_are_covered_whole(tmp_path: Path, writer: Callable[[Path], object]) -> None:
    writer(tmp_path / "rows.parquet")
    assert unnamed_bytes(tmp_path / "rows.parquet") == 0


def test_bytes_before_the_footer_and_behind_it_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    write_rows(ROWS, file)
    content = file.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    begin = len(content) - 8 - length
    file.write_bytes(content[:begin] + HIDDEN + content[begin:])
    assert pq.read_table(file).equals(ROWS), "readers see nothing of it"
    assert unnamed_bytes(file) == len(HIDDEN)
    longer = (length + len(HIDDEN)).to_bytes(4, "little")
    file.write_bytes(content[:-8] + HIDDEN + longer + b"PAR1")
    assert pq.read_table(file).equals(ROWS)
    assert unnamed_bytes(file) == len(HIDDEN)


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def test_bytes_inside_a_column_behind_its_last_value_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(ROWS, file)
    content = file.read_bytes()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    held = pq.read_metadata(file).row_group(0)
    size = held.column(held.num_columns - 1).total_compressed_size
    # Field 7 of the last column's description: it now claims the hidden bytes too.
    before, after = (b"\x16" + varint(2 * each) for each in (size, size + len(HIDDEN)))
    at = content.rindex(before + b"\x26")
    footer = content[begin:at] + after + content[at + len(before) : -8]
    file.write_bytes(content[:begin] + HIDDEN + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    assert pq.read_table(file).equals(ROWS), "readers see nothing of it"
    assert unnamed_bytes(file) == len(HIDDEN)


def test_pages_that_readers_pass_over_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    # A file of one column with one value; an index page, head and body, comes before its data.
    data = b"\x15\x00\x15\x02\x15\x02\x2c\x15\x02\x00\x00" + b"x"
    length = varint(2 * len(HIDDEN))
    index = b"\x15\x02\x15" + length + b"\x15" + length + b"\x3c\x00\x00" + HIDDEN
    for pages, whole in ((data, True), (index + data, False)):
        chunk = b"\x3c" + b"\x56\x02" + b"\x26" + varint(2 * len(pages)) + b"\x26\x08\x00" + b"\x00"
        footer = b"\x49\x1c" + b"\x19\x1c" + chunk + b"\x00\x00"
        file.write_bytes(b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        if whole:
            assert unnamed_bytes(file) == 0
        else:
            with pytest.raises(UnreadableFooter, match="page"):
                unnamed_bytes(file)


@pytest.mark.parametrize(
    "footer",
    [
        # Field 3 twice, in the long form the second time.
        b"\x36\x02\x06\x06\x04\x00",
        # Deeper than any footer.
        b"\x1c" * 5000,
        b"\x19" * 5000,
    ],
    ids=["said twice", "structures in structures", "lists in lists"],
)
def test_a_hostile_footer_is_unreadable(tmp_path: Path, footer: bytes) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(UnreadableFooter):
        unnamed_bytes(file)


def test_places_that_are_lists_are_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    # A group's one chunk has field 3 with values, length and data page, and lists where its column index is.
    described = b"\x56\x00\x26\x00\x26\x08\x00"
    chunk = b"\x3c" + described + b"\x19\x06\x19\x06\x00"
    footer = b"\x49\x1c" + b"\x19\x1c" + chunk + b"\x00\x00"
    file.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(UnreadableFooter, match="in numbers"):
        unnamed_bytes(file)


def test_a_footer_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    length = 200 * 2**20
    with file.open("wb") as opened:
        opened.write(b"PAR1")
        opened.seek(4 + length)
        opened.write(length.to_bytes(4, "little") + b"PAR1")
    with pytest.raises(UnreadableFooter, match="more than"):
        unnamed_bytes(file)


def test_what_is_no_footer_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    write_rows(ROWS, file)
    content = file.read_bytes()
    length = int.from_bytes(content[-8:-4], "little")
    chance = random.Random(7)
    for broken in (b"", b"PAR1", content[:-1], b"PAR1" + b"\xff" * 60 + (60).to_bytes(4, "little") + b"PAR1"):
        file.write_bytes(broken)
        with pytest.raises(UnreadableFooter):
            unnamed_bytes(file)
    for _ in range(500):
        changed = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            changed[len(content) - 8 - chance.randint(1, length)] = chance.randrange(256)
        file.write_bytes(changed)
        try:
            assert unnamed_bytes(file) >= 0
        except UnreadableFooter:
            continue
