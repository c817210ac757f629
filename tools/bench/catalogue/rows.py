"""What the benchmark of the catalogue measures: one row for each claim, several takes of it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Kind", "Row", "catalogue_rows", "quick_rows"]

Kind = Literal["pages", "file", "sdk", "while", "slow"]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: unique.
        kind: what measures it.
        takes: measurements; their median counts.
        page: path of the page; "" for a row of another kind.
        peer: whose environment it needs; None for none.
    """

    name: str
    kind: Kind
    takes: int
    page: str = ""
    peer: str | None = None


def _rows(takes: int) -> list[Row]:
    return [
        Row("page-index", "pages", takes, "/"),
        Row("page-dataset", "pages", takes, "/datasets/visits-01/1"),
        Row("file", "file", takes),
        Row("while-file", "while", takes),
        Row("slow-readers", "slow", 1),
        Row("sdk", "sdk", takes),
    ]


def catalogue_rows() -> list[Row]:
    """Every row, those with a number to reach among them."""
    return _rows(7)


def quick_rows() -> list[Row]:
    """The same rows, seldomer."""
    return _rows(3)
