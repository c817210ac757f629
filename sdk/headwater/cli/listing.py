"""A catalogue's list as a table that fits the terminal and cuts no name."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from headwater.cli.wording import printable
from headwater.file_size import size_in_words
from headwater.privacy.words import NOT_PRIVATE, OUTSIDE, SCHEMA_FROM_ROWS

if TYPE_CHECKING:
    from headwater.catalogue import Listing

__all__ = ["listing_grid"]

_NONE = "none"
_RIGHT = ("version", "rows", "columns", "size")
# Given up in this order where there is no room. The next command needs the name, and privacy is never left unsaid.
_LESS_NEEDED = ("made", "columns", "size", "title", "rows", "version")
# A title or a privacy may be folded, but below this width it is no longer read.
_FOLDED = {"title": 16, "privacy": 16}


def listing_grid(listings: "Sequence[Listing]", title: str, width: int) -> Grid:
    """A row for each dataset, with as many columns as have room beside whole names.

    Args:
        listings: in the order to show; at least one.
        title: of the table, with markup.
        width: of the terminal, in cells.
    """
    cells = _cells(listings)
    shown = _with_room(cells, width)
    has_room = _needed(cells, shown) <= width
    grid = Grid(title=title)
    for heading in shown:
        # On a terminal narrower than a name the name is folded: a table wider than its terminal would be cut.
        whole = heading not in _FOLDED and has_room
        grid.add_column(
            heading,
            justify="right" if heading in _RIGHT else "left",
            no_wrap=whole,
            min_width=_width(heading, cells[heading]) if whole else None,
            overflow="fold",
        )
    for row in zip(*(cells[heading] for heading in shown), strict=True):
        grid.add_row(*row)
    notes = []
    if taken_back := [f"{printable(each.name)} version {each.version}" for each in listings if each.withdrawn]:
        notes.append(f"WITHDRAWN, not to be used: {', '.join(taken_back)}; its page in the catalogue says why.")
    if any(each.privacy == _NONE for each in listings):
        notes.append(f"privacy {_NONE}: {NOT_PRIVATE}.")
    if any(each.privacy.endswith(OUTSIDE) for each in listings):
        notes.append(f"{OUTSIDE} {SCHEMA_FROM_ROWS}.")
    if left_out := [heading for heading in cells if heading not in shown]:
        notes.append(f"No room for: {', '.join(left_out)}; `show NAME` has them.")
    grid.caption = " ".join(notes) or None
    return grid


def _cells(listings: "Sequence[Listing]") -> Mapping[str, Sequence[Text]]:
    return {
        "name": [Text(printable(each.name), "bold") for each in listings],
        "version": [Text(str(each.version)) for each in listings],
        "title": [Text(printable(each.title)) for each in listings],
        "rows": [Text(f"{each.rows:,}") for each in listings],
        "columns": [Text(str(each.columns)) for each in listings],
        "size": [Text(size_in_words(each.size_bytes)) for each in listings],
        "made": [Text(printable(each.created[:10])) for each in listings],
        "privacy": [Text(printable(each.privacy), _colour(each.privacy)) for each in listings],
    }


def _colour(privacy: str) -> str:
    return "yellow" if privacy == _NONE else "green"


def _with_room(cells: Mapping[str, Sequence[Text]], width: int) -> list[str]:
    shown = list(cells)
    for heading in _LESS_NEEDED:
        if _needed(cells, shown) <= width:
            break
        shown.remove(heading)
    return shown


def _needed(cells: Mapping[str, Sequence[Text]], shown: Sequence[str]) -> int:
    widths = {heading: _width(heading, cells[heading]) for heading in shown}
    for heading in widths.keys() & _FOLDED.keys():
        widths[heading] = min(widths[heading], _FOLDED[heading])
    # Beside its text a column takes a border and a blank on both sides; the last border closes the table.
    return sum(width + 3 for width in widths.values()) + 1


def _width(heading: str, column: Sequence[Text]) -> int:
    return max(cell_len(heading), *(cell.cell_len for cell in column))
