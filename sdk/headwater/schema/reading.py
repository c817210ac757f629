"""Read a table from a file: CSV, compressed CSV or Parquet, the same on every machine."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from headwater.errors import InputError

__all__ = ["read_arrow"]

_CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


def read_arrow(path: str | Path) -> pa.Table:
    """Read a whole table.

    In CSV, the empty field is missing and nothing else is: "NA", "?" and "null" are text. Types of CSV columns are
    found from all their values: integers, decimals with a point, ISO dates, else text. Never locale dependent.

    Args:
        path: ends in .csv, .csv.gz, .tsv, .tsv.gz or .parquet.

    Raises:
        InputError: no such file, a folder, an empty table, a header with a name twice, ragged rows, not UTF-8,
            not Parquet. The line never holds a value of the table.
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
    twice = [column for column, times in Counter(table.column_names).items() if times > 1]
    if twice:
        raise InputError(f"{file.name} has the column {twice[0]!r} twice; rename one")
    if table.num_rows == 0:
        raise InputError(f"{file.name} has a header and no row; a table needs at least one")
    return table


def _read_parquet(file: Path) -> pa.Table:
    try:
        return pyarrow.parquet.read_table(file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InputError(f"{file.name} is not a readable Parquet file; write it again") from error


def _read_csv(file: Path, delimiter: str) -> pa.Table:
    try:
        return pyarrow.csv.read_csv(
            file,
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                # "true" is text like any other: a schema decides what a label means, and it must come back as written.
                true_values=[],
                false_values=[],
                timestamp_parsers=[],
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{file.name} is not a readable CSV table: {_reason(str(error))}") from error
    except OSError as error:
        raise InputError(f"{file.name} cannot be read; is it really what its name ends in?") from error


def _reason(text: str) -> str:
    # The parser's messages quote the offending row; only what kind of fault it is may be shown.
    if "Expected" in text and "columns" in text:
        return "a row has another number of fields than the header; mend or quote it"
    if "UTF8" in text or "UTF-8" in text:
        return "it is not UTF-8; convert it"
    if "Empty CSV" in text:
        return "it is empty; a table needs a header and at least one row"
    return "its rows could not be parsed; check quotes and delimiters"
