"""Cells that are no numbers, in a column that otherwise holds numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater.schema.row_lines import place_in_words

__all__ = ["Drafted", "OddCells", "look_at"]

Drafted = Literal["numbers", "categories", "nothing"]
"""What became of the column: numeric, categorical, or left out."""

Mask = NDArray[np.bool_]

_SHOWN = 3
_SHOWN_LETTERS = 40
# Numbers that are as few may be codes, beside which a text is one code more.
_FEW_NUMBERS = 20
_TOLERATED_SHARE = 100
_MENTIONED_SHARE = 4


@dataclass(frozen=True, slots=True)
class OddCells:
    """The cells of one column that are no numbers.

    Attributes:
        column: its name.
        count: how many cells, at least 1.
        values: how many cells of the column hold anything.
        rows: the first row of each of the most frequent texts, counted from 0.
        texts: these texts, values of the table: for the eyes of whoever holds it.
        drafted: what became of the column.
    """

    column: str
    count: int
    values: int
    rows: tuple[int, ...]
    texts: tuple[str, ...]
    drafted: Drafted

    def in_words(self, lines: Mapping[int, int] | None = None, *, quoting: bool = True) -> str:
        """One line: how many, which, where, and what to do.

        Args:
            lines: of `row_lines.lines_of_rows`; a row that is not in it is named by its number from 1.
            quoting: whether the cells are shown.
        """
        places = [place_in_words(row, lines or {}) for row in self.rows]
        if quoting:
            places = [f'"{_shown(text)}", {place}' for text, place in zip(self.texts, places, strict=True)]
        more = "; …" if self.count > len(self.rows) else ""
        are = "is no number" if self.count == 1 else "are no numbers"
        which = f"{self.count:,} of {self.values:,} values of column {self.column!r} {are} ({'; '.join(places)}{more})"
        them = "that cell" if self.count == 1 else "these cells"
        match self.drafted:
            case "numbers":
                return f"{which}: no table may hold such a value; mend or empty {them}"
            case "categories":
                return (
                    f"{which}; it is drafted as categories: if it holds numbers, mend or empty {them} and draft again"
                )
            case "nothing":
                return f"{which}; it is left out: if it holds numbers, mend or empty {them} and draft again"


def look_at(text: pa.ChunkedArray, odd: Mask, column: str, numbers: int) -> OddCells | None:
    """What is to be said of a column's cells that are no numbers; None where it rather holds text.

    | of the values | and different numbers | the column is |
    | --- | --- | --- |
    | 1 in 100 or fewer are odd, or a single one is | more than 20 | numeric |
    | a single one of 100 or more is odd | 20 or fewer | numeric |
    | 1 in 4 or fewer are odd | more than 20 | as its text is, which is said |
    | more are odd | any | as its text is |

    Args:
        text: the column as text.
        odd: which cells hold something that is no number, at least one.
        column: its name.
        numbers: how many different numbers it holds.
    """
    count, values = int(np.count_nonzero(odd)), len(text) - text.null_count
    many = numbers > _FEW_NUMBERS
    tolerated = count <= max(1, values // _TOLERATED_SHARE) if many else count == 1 and values >= _TOLERATED_SHARE
    if not tolerated and not (many and count * _MENTIONED_SHARE <= values):
        return None
    counted = pc.value_counts(text.filter(pa.array(odd)))
    frequent = sorted(counted.to_pylist(), key=lambda each: (-each["counts"], each["values"]))[:_SHOWN]
    texts = tuple(each["values"] for each in frequent)
    rows = tuple(pc.index(text, pa.scalar(value, text.type)).as_py() for value in texts)
    return OddCells(column, count, values, rows, texts, "numbers" if tolerated else "nothing")


def _shown(text: str) -> str:
    # A break or control character must neither end the line nor reach a terminal.
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= _SHOWN_LETTERS else f"{plain[:_SHOWN_LETTERS]}…"
