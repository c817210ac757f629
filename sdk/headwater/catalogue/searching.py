"""Which lines of a catalogue's list fit words and wishes."""

from collections.abc import Sequence
from typing import Literal

from headwater.catalogue.client import Listing
from headwater.errors import InputError

__all__ = ["matching"]


def matching(
    listings: Sequence[Listing], words: str = "", privacy: Literal["dp", "none"] | None = None, min_rows: int = 0
) -> Sequence[Listing]:
    """Lines that hold every word, those with more of them in their name first.

    Args:
        listings: of a catalogue.
        words: separated by blanks, in any case; parts of words count.
        privacy: "dp": differentially private only; "none": the others only; None: both.
        min_rows: at least this many.

    Raises:
        InputError: `privacy` is neither.
    """
    if privacy not in {None, "dp", "none"}:
        raise InputError(f"privacy={privacy!r} is neither 'dp' nor 'none'; leave it out for both")
    asked = words.casefold().split()

    def fits(each: Listing) -> bool:
        text = f"{each.name} {each.title} {each.description}".casefold()
        right = privacy is None or each.private == (privacy == "dp")
        return right and each.rows >= min_rows and all(word in text for word in asked)

    def rank(each: Listing) -> tuple[int, int, str]:
        name, title = each.name.casefold(), each.title.casefold()
        return -sum(word in name for word in asked), -sum(word in title for word in asked), each.name

    return sorted((each for each in listings if fits(each)), key=rank)
