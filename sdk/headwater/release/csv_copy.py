"""data.csv.gz: the rows of data.parquet once more, for programs that read only text."""

import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from headwater.errors import ReleaseRefused
from headwater.schema import Schema
from headwater.schema.writing import as_written, csv_lines

__all__ = ["check_csv", "write_csv_copy"]

_BATCH_ROWS = 16_384
_PIECE_BYTES = 1 << 20
_LEVEL = 6
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
"""Of gzip: deflate, no name, no comment, no time."""


def write_csv_copy(rows: Path, schema: Schema, target: Path) -> None:
    """Write the rows of a Parquet file as compressed CSV, in bounded memory.

    Text is UTF-8 under a header; missing is the empty field; numbers have as many digits as
    tell them apart, dates their schema's format, pictures a column for each pixel. The same rows give the same bytes
    with the same versions of pyarrow and zlib: no time and no name stands in the file.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed,
        pq.ParquetFile(rows) as parquet,
    ):
        first = True
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
            written = as_written(pa.Table.from_batches([batch]), schema)
            packed.write(csv_lines(written, header=first))
            first = False


def check_csv(file: Path, rows: Path, schema: Schema) -> None:
    """Hold data.csv.gz to data.parquet, value by value, in bounded memory.

    Args:
        file: data.csv.gz.
        rows: data.parquet, whose digest was checked.
        schema: of its rows.

    Raises:
        ReleaseRefused: it holds other rows, or anything that is no row.
    """
    refused = f"{file.name} does not hold the rows of {rows.name}; do not use the release, tell the consortium"
    try:
        with pq.ParquetFile(rows) as parquet, file.open("rb") as packed:
            if tuple(parquet.schema_arrow.names) != tuple(schema.names):
                raise ReleaseRefused(
                    f"{rows.name} does not hold the columns of the release's own schema; do not use it"
                )
            expected = (
                as_written(pa.Table.from_batches([batch]), schema)
                for batch in parquet.iter_batches(batch_size=_BATCH_ROWS)
            )
            if not _same(expected, packed):
                raise ReleaseRefused(refused)
    except (pa.ArrowException, OSError, ValueError, zlib.error) as error:
        raise ReleaseRefused(refused) from error


def _same(expected: Iterator[pa.Table], packed: io.BufferedReader) -> bool:
    first = next(expected)
    types = first.schema
    options = pc.ConvertOptions(
        column_types=types,
        # As it is written: only what is not quoted may be missing, and nothing but the empty field is.
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=len(types) == 1,
        true_values=[],
        false_values=[],
    )
    source = cast(io.RawIOBase, _Unpacked(packed))
    reading = pc.ReadOptions(block_size=_PIECE_BYTES, use_threads=False)
    with pc.open_csv(
        io.BufferedReader(source, _PIECE_BYTES), reading, pc.ParseOptions(newlines_in_values=True), options
    ) as reader:
        if reader.schema.names != types.names:
            return False
        there = (batch for batch in reader if batch.num_rows)
        left: pa.Table = types.empty_table()
        for table in chain([first], expected):
            while left.num_rows < table.num_rows:
                batch = next(there, None)
                if batch is None:
                    return False
                left = pa.concat_tables([left, pa.Table.from_batches([batch])])
            if not left.slice(0, table.num_rows).equals(table):
                return False
            left = left.slice(table.num_rows)
        return not left.num_rows and next(there, None) is None


class _Unpacked(io.RawIOBase):
    """The text of one gzip member, with nothing before, behind or beside it."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed = packed
        self._stream = zlib.decompressobj(wbits=31)
        if packed.peek(len(_HEADER))[: len(_HEADER)] != _HEADER:
            raise zlib.error("not the header that is written here")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        """Fill as much as one piece gives; 0 at the end."""
        while not self._stream.eof:
            piece = self._stream.unconsumed_tail or self._packed.read(_PIECE_BYTES)
            found = self._stream.decompress(piece, len(buffer))
            if found:
                buffer[: len(found)] = found
                return len(found)
            if not piece:
                raise zlib.error("it ends early")
        if self._stream.unused_data or self._packed.read(1):
            raise zlib.error("bytes behind the end")
        return 0
