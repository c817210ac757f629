"""Whether what a release shows beside its rows follows from these rows: nothing else was audited."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headwater.errors import ReleaseRefused
from headwater.release.csv_copy import check_csv
from headwater.release.layout import CSV, DATA, MAXIMUM_STATISTICS_BYTES, STATISTICS
from headwater.release.manifest import Manifest
from headwater.release.statistics import check_statistics
from headwater.schema import Schema

__all__ = ["check_contents"]


def check_contents(folder: Path, manifest: Manifest, schema: Schema, absent: Collection[str] = ()) -> None:
    """Hold data.csv.gz and statistics.json, where a release has them, to data.parquet, and each to its number of rows.

    Whoever signs a release has audited data.parquet alone; without this, others could be read from what lies beside it.

    Args:
        folder: of the release, its files checked against the manifest.
        manifest: of the release.
        schema: of its rows.
        absent: listed files that are not in the folder; what is not there, or has no rows there, is not checked.

    Raises:
        ReleaseRefused: either holds or tells something else than the rows, or a Parquet file has another number of them
            than the manifest says.
    """
    there = {entry.path for entry in manifest.files} - set(absent)
    said = {DATA: manifest.rows} | {each.path: each.rows for each in manifest.configurations}
    for path, rows in said.items():
        if path in there:
            _check_rows(folder / path, path, rows)
    if DATA not in there:
        return
    if CSV in there:
        check_csv(folder / CSV, folder / DATA, schema)
    if STATISTICS in there:
        with (folder / STATISTICS).open("rb") as file:
            check_statistics(file.read(MAXIMUM_STATISTICS_BYTES + 1), folder / DATA, schema)


def _check_rows(file: Path, path: str, rows: int) -> None:
    try:
        held = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        raise ReleaseRefused(f"{path} is no Parquet file although it was signed; tell the consortium") from error
    if held != rows:
        raise ReleaseRefused(f"{path} has {held:,} rows, the manifest says {rows:,}; do not use the release")
