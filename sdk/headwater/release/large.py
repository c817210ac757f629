"""Very many rows of a release: files of a configuration "large", numbered from 0 without gaps."""

import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import InputError, ReleaseRefused

__all__ = [
    "LARGE",
    "LARGE_FILES",
    "LARGE_FOLDER",
    "MOST_SHARDS",
    "ShardFooter",
    "check_footers",
    "check_shard_paths",
    "is_large",
    "is_later_shard",
    "link_shards",
    "read_footer",
    "shard_path",
    "shard_paths",
]

LARGE = "large"
"""The configuration's name."""

LARGE_FOLDER = "large/"
"""What the path of everything of it begins with."""

LARGE_FILES = "large/*.parquet"
"""All of its rows, for readers that know patterns."""

MOST_SHARDS = 4096
"""Files of a release at most: as many, with their lists of blocks, stay far below the most bytes of a manifest."""

_SHARD = re.compile(r"large/part-[0-9]{5}\.parquet")
_BLOCKS = ".blocks.json"


@dataclass(frozen=True)
class ShardFooter:
    """What a Parquet file says of itself at its end.

    Attributes:
        rows: in it.
        schema: names and types of its columns.
    """

    rows: int
    schema: pa.Schema


def shard_path(number: int) -> str:
    """Where a file of very many rows stands in a release, by its number from 0."""
    return f"{LARGE_FOLDER}part-{number:05d}.parquet"


def is_large(path: str) -> bool:
    """Whether a file of a release belongs to its very many rows."""
    return path.startswith(LARGE_FOLDER)


def is_later_shard(path: str) -> bool:
    """Whether a file holds very many rows and is not the first of them."""
    return path != shard_path(0) and _SHARD.fullmatch(path) is not None


def shard_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """Those among the paths of a release that hold its very many rows, in order."""
    return tuple(sorted(path for path in paths if _SHARD.fullmatch(path)))


def check_shard_paths(paths: Collection[str]) -> None:
    """Hold what is listed under large/ to files numbered from 0 without gaps, each with the digests of its blocks.

    Args:
        paths: of all files of a release.

    Raises:
        ValueError: something is missing, or there is something else.
    """
    held = {path for path in paths if is_large(path)}
    shards = shard_paths(held)
    if not 0 < len(shards) <= MOST_SHARDS:
        raise ValueError(f"large/ holds {len(shards):,} files of rows; 1 to {MOST_SHARDS:,} were expected")
    expected = {shard_path(number) for number in range(len(shards))}
    if expected != set(shards):
        raise ValueError(f"{sorted(expected - set(shards))[0]} is missing: files of rows are numbered without gaps")
    expected |= {f"{path}{_BLOCKS}" for path in shards}
    if held != expected:
        raise ValueError(
            f"{sorted(held ^ expected)[0]} is missing or has no place in large/, which holds files of rows and the "
            "digests of their blocks"
        )


def read_footer(file: Path, path: str) -> ShardFooter:
    """What a file says of itself, whatever its size; no row is read.

    Args:
        file: where it is.
        path: as the manifest names it.

    Raises:
        ReleaseRefused: it is no Parquet file.
    """
    try:
        with pq.ParquetFile(file) as opened:
            return ShardFooter(opened.metadata.num_rows, opened.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise ReleaseRefused(f"{path} is no Parquet file although it was signed; tell the consortium") from error


def check_footers(footers: Mapping[str, ShardFooter], schema: pa.Schema | None, rows: int | None) -> None:
    """Hold files of very many rows to one schema, and to their number.

    Args:
        footers: by path.
        schema: of data.parquet; None where it is not at hand: they are then held to each other.
        rows: of all together, as the manifest says; None where not all files are at hand.

    Raises:
        ReleaseRefused: a file has other columns, or together they have another number of rows.
    """
    for path, footer in footers.items():
        schema = footer.schema if schema is None else schema
        if not footer.schema.equals(schema):
            raise ReleaseRefused(f"{path} has other columns than the rows of the release; do not use the release")
    held = sum(footer.rows for footer in footers.values())
    if rows is not None and held != rows:
        raise ReleaseRefused(f"large/ has {held:,} rows, the manifest says {rows:,}; do not use the release")


def link_shards(source: Path, target: Path) -> tuple[str, ...]:
    """Give files part-00000.parquet, part-00001.parquet … a second name in a release folder; nothing is copied.

    Where the file system has no second names, or the folder is on another one, they are copied after all. Other files
    of the folder stay where they are: the list of shards tells the seed.

    Args:
        source: folder of the files.
        target: the release's folder.

    Returns:
        Their paths inside the release, in order.

    Raises:
        InputError: there is none, or one is missing, too many or no plain file.
        OSError: the disk is full, or a file cannot be read.
    """
    found = sorted(source.glob("part-*.parquet"))
    expected = [Path(shard_path(number)).name for number in range(len(found))]
    if not found or [file.name for file in found] != expected or len(found) > MOST_SHARDS:
        raise InputError(
            f"{source.name} holds no files part-00000.parquet and so on without gaps, {MOST_SHARDS:,} at most"
        )
    (target / LARGE_FOLDER).mkdir()
    for file in found:
        if file.is_symlink() or not file.is_file():
            raise InputError(f"{file.name} in {source.name} is no plain file; draw the rows again")
        place = target / LARGE_FOLDER / file.name
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)
    return tuple(f"{LARGE_FOLDER}{name}" for name in expected)
