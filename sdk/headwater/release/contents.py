"""Whether what a release shows beside its rows follows from these rows: nothing else was audited."""

from collections.abc import Collection
from pathlib import Path

from headwater.errors import ReleaseRefused
from headwater.release.csv_copy import check_csv
from headwater.release.large import LARGE, check_footers, read_footer, shard_paths
from headwater.release.layout import CSV, DATA, MAXIMUM_STATISTICS_BYTES, STATISTICS
from headwater.release.manifest import Manifest
from headwater.release.row_files import check_cells, check_extent
from headwater.release.statistics import check_statistics
from headwater.schema import Schema

__all__ = ["check_contents"]


def check_contents(
    folder: Path, manifest: Manifest, schema: Schema, absent: Collection[str] = (), *, cells: bool = True
) -> None:
    """Hold data.csv.gz and statistics.json, where a release has them, to data.parquet, and each to its number of rows.

    Every Parquet file consists of what its footer names alone, and of configurations every cell is one that the schema
    allows; cells of data.parquet are the audit's.

    Whoever signs a release has audited data.parquet alone; without this, others could be read from what lies beside it.

    Args:
        folder: of the release, its files checked against the manifest.
        manifest: of the release.
        schema: of its rows.
        absent: listed files that are not in the folder; what is not there, or has no rows there, is not checked.
        cells: whether rows of configurations are read; files that were read when they came hold what they held.

    Raises:
        ReleaseRefused: either holds or tells something else than the rows, or a Parquet file has another number of them
            than the manifest says, bytes that it does not name, or a value that the schema does not allow. So have the
            files of very many rows together, where all of them are there, or one of them has other columns than
            data.parquet.
    """
    there = {entry.path for entry in manifest.files} - set(absent)
    parquet = sorted(path for path in there if path.endswith(".parquet"))
    for path in parquet:
        check_extent(folder / path, path)
    said = {DATA: manifest.rows} | {each.path: each.rows for each in manifest.configurations if each.name != LARGE}
    for path, rows in said.items():
        if path in there:
            _check_rows(folder / path, path, rows)
    for each in manifest.configurations:
        if each.name == LARGE:
            _check_large(folder, manifest, there, each.rows)
    for path in parquet if cells else ():
        if path != DATA:
            check_cells(folder / path, path, schema)
    if DATA not in there:
        return
    if CSV in there:
        check_csv(folder / CSV, folder / DATA, schema)
    if STATISTICS in there:
        with (folder / STATISTICS).open("rb") as file:
            check_statistics(file.read(MAXIMUM_STATISTICS_BYTES + 1), folder / DATA, schema)


def _check_large(folder: Path, manifest: Manifest, there: Collection[str], rows: int) -> None:
    listed = shard_paths(entry.path for entry in manifest.files)
    footers = {path: read_footer(folder / path, path) for path in listed if path in there}
    like = read_footer(folder / DATA, DATA).schema if DATA in there else None
    check_footers(footers, like, rows if len(footers) == len(listed) else None)


def _check_rows(file: Path, path: str, rows: int) -> None:
    held = read_footer(file, path).rows
    if held != rows:
        raise ReleaseRefused(f"{path} has {held:,} rows, the manifest says {rows:,}; do not use the release")
