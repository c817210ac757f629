"""Very many rows as a folder of Parquet files, each drawn by itself: row i is the same whoever draws it."""

import errno
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import Field, model_validator

from headwater.agreement.documents import Document, HexDigest
from headwater.errors import InputError
from headwater.generator.bundle import Bundle
from headwater.generator.pictures import schema_of_rows
from headwater.generator.table_generator import RowReader
from headwater.release.hashing import hash_file
from headwater.release.rows import ROW_GROUP_ROWS
from headwater.release.sample_statement import SampleRequest
from headwater_server.sampling.requests import row_request

__all__ = [
    "SHARD_ROWS",
    "DrawnShard",
    "Shard",
    "ShardOrder",
    "block_rows_of",
    "draw_shard",
    "failure_of",
    "plan_shards",
    "shard_name",
]

SHARD_ROWS = 1_048_576
"""Rows of a file: 16 row groups of 65,536. A hundred million rows are 96 files."""

_MOST_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Which rows a file holds.

    Attributes:
        number: from 0.
        start: position of its first row.
        rows: in it.
    """

    number: int
    start: int
    rows: int

    @property
    def name(self) -> str:
        """Of the file."""
        return shard_name(self.number)


class DrawnShard(Document):
    """A finished file."""

    path: str = Field(pattern=r"^part-[0-9]{5}\.parquet$")
    start: int = Field(ge=0, le=2**53 - 1)
    rows: int = Field(ge=1, le=2**53 - 1)
    size_bytes: int = Field(ge=1, le=2**53 - 1)
    sha256: HexDigest


class ShardOrder(Document):
    """All that decides the rows, so that what was begun can be gone on with, by whichever engine.

    Attributes:
        generator: digest of the bundle.
        request: rows, conditions, seed.
        shard_rows: of every file but the last.
    """

    generator: HexDigest
    request: SampleRequest
    shard_rows: int = Field(ge=1, le=2**40)

    @model_validator(mode="after")
    def _check_number(self) -> "ShardOrder":
        if -(-self.request.rows // self.shard_rows) > _MOST_SHARDS:
            raise ValueError(f"there would be more than {_MOST_SHARDS:,} files; put more rows into each")
        return self


def shard_name(number: int) -> str:
    """Of a file by its number."""
    return f"part-{number:05d}.parquet"


def plan_shards(rows: int, shard_rows: int, block_rows: int) -> tuple[Shard, ...]:
    """Cut rows into files that begin where blocks do.

    Args:
        rows: in all.
        shard_rows: wished of each file; rounded up to whole blocks.
        block_rows: rows that the generator draws together.

    Raises:
        InputError: fewer than one row in all or in a file.
    """
    if rows < 1 or shard_rows < 1:
        raise InputError(f"{rows:,} rows in files of {shard_rows:,} cannot be drawn; ask for 1 or more of each")
    # A file that began inside a block would draw the rest of it in vain.
    each = -(-shard_rows // block_rows) * block_rows
    return tuple(Shard(number, start, min(each, rows - start)) for number, start in enumerate(range(0, rows, each)))


def draw_shard(bundle: Path, order: ShardOrder, shard: Shard, folder: Path) -> DrawnShard:
    """Draw one file; it stands under its name only when it is whole.

    Memory is that of one row group, whatever the number of rows.

    Args:
        bundle: folder of the generator.
        order: of all files.
        shard: which one.
        folder: where the files are.

    Raises:
        InputError: the request does not fit the generator, or another bundle lies there.
        OSError: the disk is full or cannot be written; nothing of the file is left.
    """
    reader = _reader(str(bundle), order.to_bytes())
    target = folder / shard.name
    unfinished = folder / f".{shard.name}.part"
    writer: pq.ParquetWriter | None = None
    try:
        for part in reader.first(shard.rows, order.request.seed, start=shard.start, batch_size=ROW_GROUP_ROWS):
            table = part.to_arrow().combine_chunks()
            if writer is None:
                writer = pq.ParquetWriter(unfinished, table.schema, compression="zstd", write_page_index=True)
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        if writer is not None:
            writer.close()
            writer = None
        size, digest = hash_file(unfinished)
        unfinished.replace(target)
    finally:
        if writer is not None:
            _close(writer)
        unfinished.unlink(missing_ok=True)
    return DrawnShard(path=shard.name, start=shard.start, rows=shard.rows, size_bytes=size, sha256=digest)


def failure_of(error: BaseException) -> Mapping[str, str]:
    """What went wrong with a file, as text: errors of every kind travel between processes as that."""
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return {"failed": "the disk is full" if full else str(error) or type(error).__name__}


def _close(writer: pq.ParquetWriter) -> None:
    # What could not be written cannot be closed well either.
    try:
        writer.close()
    except (OSError, ValueError):
        return


@functools.lru_cache(maxsize=1)
def _reader(bundle: str, order: bytes) -> RowReader:
    """One for all files of an order that this process draws: what conditions prepare is prepared once."""
    said = ShardOrder.from_bytes(order)
    held = Bundle.load(Path(bundle), said.generator)
    wanted = row_request(schema_of_rows(held.sampler, held.encoding), said.request)
    return RowReader(held.sampler, held.encoding, wanted, "cpu")


def block_rows_of(bundle: Path, order: ShardOrder) -> int:
    """Rows that the generator draws together for this order.

    Raises:
        InputError: the request does not fit the generator, or another bundle lies there.
    """
    return _reader(str(bundle), order.to_bytes()).block_rows
