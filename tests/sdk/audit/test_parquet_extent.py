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
    for _ in range(2000):
        changed = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            changed[len(content) - 8 - chance.randint(1, length)] = chance.randrange(256)
        file.write_bytes(changed)
        try:
            assert unnamed_bytes(file) >= 0
        except UnreadableFooter:
            continue
