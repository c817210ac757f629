"""Read a table from a file or from memory: CSV, compressed CSV, Parquet, Arrow or pandas, the same on every machine."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from headwater.errors import InputError
from headwater.schema.parsing import without_views
from headwater.schema.utf8 import check_utf8

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "read_arrow", "rows_of"]

Rows = Union[str, Path, pa.Table, "pd.DataFrame"]
"""What a table may be given as; anything with Arrow's `__arrow_c_stream__`, like a polars frame, serves too."""

_CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
# A record must fit a block; Arrow's own megabyte is short for one long text.
_BLOCK_BYTES = 1 << 24
# Eighteen digits always fit 64 bits.
_PLAIN_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
_GLANCE = 100


def read_arrow(path: str | Path) -> pa.Table:
    """Read a whole table.

    A CSV column is int64 where every value is a whole number written plainly, else text exactly as written (" 7" and
    "007" stay): what a text means is for a schema to say. The empty field is missing and nothing else is: "NA", "?" and
    "null" are text. Parquet columns keep their types, but for views of text or bytes, which become plain.

    Args:
        path: ends in .csv, .csv.gz, .tsv, .tsv.gz or .parquet.

    Raises:
        InputError: no such file, a folder, an empty table, a header with a name twice or without a name, ragged rows,
            not UTF-8 (with the line), not Parquet. The message never holds a value of the table.
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file} is a folder; give a CSV, CSV.gz or Parquet file")
    if not file.is_file():
        raise InputError(f"there is no file {file}; give a CSV, CSV.gz or Parquet file")
    if file.stat().st_size == 0:
        raise InputError(f"{file} is empty; a table needs a header and at least one row")
    name = file.name.lower()
    if name.endswith((".parquet", ".pq")):
        table = _read_parquet(file)
    elif name.endswith(_CSV_ENDINGS):
        table = _read_csv(file, "\t" if ".tsv" in name else ",")
    else:
        raise InputError(f"{file.name} is none of .csv, .csv.gz, .tsv, .tsv.gz or .parquet; rename or convert it")
    _check_names(file.name, table.column_names)
    if table.num_rows == 0:
        raise InputError(f"{file.name} has a header and no row; a table needs at least one")
    return table


def rows_of(source: Rows) -> pa.Table:
    """The rows of a path, an Arrow table, a pandas data frame (its index is dropped) or another frame of Arrow's.

    Raises:
        InputError: none of these, unreadable, or a column's name stands twice.
    """
    if isinstance(source, str | Path):
        return read_arrow(source)
    if isinstance(source, pa.Table):
        return _without_views(source)
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if hasattr(source, "__arrow_c_stream__"):
        return _without_views(pa.table(source))
    raise InputError(f"rows come as {type(source).__name__}; give a path, an Arrow table or a pandas data frame")


def _check_names(where: str, names: Sequence[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(f"{where} has the column {twice[0]!r} twice; rename one")
    if "" in names:
        raise InputError(f"{where} has a column without a name; name it, or write the table without its row numbers")
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise InputError(f"{where} has one column, {names[0]!r}; separate by commas, or name a tabbed file .tsv")


def _from_pandas(frame: "pd.DataFrame") -> pa.Table:
    names = [str(name) for name in frame.columns]
    _check_names("the data frame", names)
    columns = []
    for position in range(len(names)):
        values = frame.iloc[:, position]
        try:
            columns.append(pa.Array.from_pandas(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            # A column of mixed types is what its text would be in CSV.
            absent = values.isna()
            texts = [None if missing else str(value) for value, missing in zip(values, absent, strict=True)]
            columns.append(pa.array(texts, pa.string()))
    return pa.table(columns, names=names)


def _read_parquet(file: Path) -> pa.Table:
    try:
        # Arrow itself does not read a table with a name twice.
        _check_names(file.name, pyarrow.parquet.read_schema(file).names)
        return _without_views(pyarrow.parquet.read_table(file))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file.name} is not a readable Parquet file; write it again") from error


def _without_views(table: pa.Table) -> pa.Table:
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        plain = without_views(column)
        if plain is not column:
            table = table.set_column(place, name, plain)
    return table


def _read_csv(file: Path, delimiter: str) -> pa.Table:
    try:
        table = _parse(file, delimiter)
        names = table.column_names
    except OSError as error:
        raise InputError(f"{file.name} cannot be read; is it what its name ends in, and may you read it?") from error
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        check_utf8(file)
        if ragged := _count_ragged(file, delimiter):
            raise InputError(ragged) from error
        raise InputError(f"{file.name} is not a readable CSV table: {_reason(str(error))}") from error
    return pa.table([_plain_integers(column) for column in table.columns], names=names)


def _parse(
    file: Path,
    delimiter: str,
    on_ragged: Callable[[pyarrow.csv.InvalidRow], str] | None = None,
) -> pa.Table:
    """Let Arrow parse the file; with a handler for ragged rows on this thread alone.

    Arrow's threads call the handler, and one of them may let go of it when an error has long been raised. A thread that
    asks for the interpreter while that ends is killed, and takes the process along ("terminate called without an active
    exception", exit status 134). Without a handler none asks.
    """
    return pyarrow.csv.read_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=on_ragged is None),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            default_column_type=pa.string(),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _count_ragged(file: Path, delimiter: str) -> str:
    """What is wrong with a file's ragged rows; the empty text where it has none."""
    ragged, expected = 0, 0

    def count(row: pyarrow.csv.InvalidRow) -> str:
        nonlocal ragged, expected
        ragged, expected = ragged + 1, row.expected_columns
        return "skip"

    # What was counted before another fault is still true.
    with contextlib.suppress(pa.ArrowInvalid, OSError):
        _parse(file, delimiter, count)
    if not ragged:
        return ""
    counted = "1 row" if ragged == 1 else f"{ragged} rows"
    return (
        f"{file.name} has {counted} with another number of fields than its header, which has {expected}; "
        "mend or quote them"
    )


def _plain_integers(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """As int64 if that loses nothing: every number would be written back as it stands."""
    if text.null_count == len(text):
        return text
    # A glance at the first rows spares a column of text the whole search.
    for part in (text.slice(0, _GLANCE), text):
        if not pc.all(pc.match_substring_regex(part, _PLAIN_INTEGER), min_count=0).as_py():
            return text
    return text.cast(pa.int64())


def _reason(text: str) -> str:
    # The parser's messages quote the offending row; only what kind of fault it is may be shown.
    if "Empty CSV" in text:
        return "it is empty; a table needs a header and at least one row"
    return "its rows could not be parsed; check quotes and delimiters"
