"""Write rows to a file as they are drawn: whole under its name, or not at all."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from headwater.canonical import sha256_hex
from headwater.errors import InputError, StorageError
from headwater.generator.rows import Rows, extra_names
from headwater.schema.writing import as_written

__all__ = ["FORMATS", "check_target", "write_rows"]

FORMATS = (".parquet", ".csv", ".csv.gz")
"""Endings of a file's name that say how it is written."""

_GROUP_ROWS = 65_536


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


def check_target(file: Path, *, replace: bool) -> None:
    """Refuse a file that cannot be written, before any row is drawn.

    Raises:
        InputError: another ending, a file that is there, or no folder to write to.
    """
    if not file.name.endswith(FORMATS):
        raise InputError(f"{file} ends in none of {', '.join(FORMATS)}; name the file by its format")
    if file.is_dir() or (file.exists() and not replace):
        raise InputError(f"{file} is there already; choose another --out, or say --replace")
    if not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent}; make it first")


def write_rows(parts: Iterator[Rows], file: Path, on_rows: Callable[[int], None]) -> tuple[int, int]:
    """Write batches as they come; memory is that of one, or of 65,536 rows.

    Args:
        parts: at least one batch.
        file: as `check_target` lets it pass.
        on_rows: told how many rows there are so far.

    Returns:
        Rows, and bytes of the file.

    Raises:
        StorageError: the disk is full or fails; nothing stands under the file's name that did not before.
    """
    # As short for every name: one with more around it could be too long where its own is not.
    unfinished = file.with_name(f".{sha256_hex(file.name.encode())[:16]}.{os.getpid()}.part")
    writer: _Writer | None = None
    rows = 0
    try:
        for part in _gathered(parts):
            table = _shown(part, csv=not file.name.endswith(".parquet"))
            if writer is None:
                writer = _open(unfinished, file.name, table.schema)
            writer.write_table(table)
            rows += part.table.rows
            on_rows(rows)
        if writer is not None:
            writer.close()
            writer = None
        unfinished.replace(file)
        return rows, file.stat().st_size
    except OSError as error:
        what, remedy = error.strerror or str(error), "mend that or choose another --out"
        if error.errno == errno.ENOSPC:
            what, remedy = "the disk is full", "make room"
        raise StorageError(f"{file} could not be written: {what}; {remedy}, nothing was kept") from error
    finally:
        if writer is not None:
            # What could not be written cannot be closed well either; the file goes in any case.
            with contextlib.suppress(OSError, pa.ArrowInvalid):
                writer.close()
        unfinished.unlink(missing_ok=True)


def _gathered(parts: Iterator[Rows]) -> Iterator[Rows]:
    """The same rows in batches of a row group's size: what surrounds each is written once."""
    waiting: list[Rows] = []
    for part in parts:
        waiting.append(part)
        if sum(each.table.rows for each in waiting) >= _GROUP_ROWS:
            yield Rows.concat(waiting)
            waiting = []
    if waiting:
        yield Rows.concat(waiting)


def _shown(part: Rows, *, csv: bool) -> pa.Table:
    if not csv:
        # Codes and their texts are written as they are, and read as texts: only Arrow's own schema would say otherwise.
        return part.to_arrow(dictionaries=not part.table.schema.images)
    shown = as_written(part.table.to_arrow(), part.table.schema)
    names = extra_names(part.table.schema, tuple(part.extra))
    for role, values in part.extra.items():
        shown = shown.append_column(names[role], pa.array(values))
    return shown


def _open(unfinished: Path, name: str, schema: pa.Schema) -> _Writer:
    if name.endswith(".parquet"):
        coded = any(pa.types.is_dictionary(kind) for kind in schema.types)
        parquet: _Writer = pyarrow.parquet.ParquetWriter(unfinished, schema, compression="zstd", store_schema=not coded)
        return parquet
    stream = pa.output_stream(str(unfinished), compression="gzip" if name.endswith(".gz") else None)
    return _Csv(stream, schema)


class _Csv:
    """Closes the stream that the writer leaves open."""

    def __init__(self, stream: pa.NativeFile, schema: pa.Schema) -> None:
        self._stream = stream
        self._writer = pyarrow.csv.CSVWriter(
            stream, schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed")
        )

    def write_table(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()
        self._stream.close()
