"""Where the rows of a table stand in the file that a person can open."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["lines_of_rows", "place_in_words"]


def lines_of_rows(file: Path, rows: Iterable[int]) -> dict[int, int]:
    """The line on which each row of a CSV file begins; empty for a file of another kind.

    Args:
        file: UTF-8, as `read_arrow` takes it.
        rows: counted from 0 after the header.

    Returns:
        Lines counted from 1, of as many rows as were found.
    """
    name = file.name.lower()
    wanted, found = set(rows), dict[int, int]()
    if not wanted or not name.removesuffix(".gz").endswith((".csv", ".tsv")):
        return found
    last = max(wanted)
    opened = gzip.open if name.endswith(".gz") else open
    try:
        with opened(file, "rt", encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, delimiter="\t" if ".tsv" in name else ",")
            row, begins = -1, 1
            for fields in reader:
                # Arrow skips empty lines, and the first line that is none is the header.
                if fields and row in wanted:
                    found[row] = begins
                row += bool(fields)
                begins = reader.line_num + 1
                if row > last:
                    break
    except (csv.Error, OSError, UnicodeDecodeError):
        # Whatever Python's own reader stumbles over, the rows can still be counted.
        return found
    return found


def place_in_words(row: int, lines: Mapping[int, int]) -> str:
    """A row as a person finds it: by the line on which it begins, else by its number counted from 1.

    Args:
        row: counted from 0 after the header.
        lines: of `lines_of_rows`.
    """
    return f"line {lines[row]:,}" if row in lines else f"row {row + 1:,}"
