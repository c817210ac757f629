"""Which lines of a catalogue's list fit words and wishes."""

from collections.abc import Sequence
from typing import Literal

from headwater.catalogue.client import Listing
from headwater.errors import InputError

__all__ = ["matching", "privacy_wish"]


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
    privacy = privacy_wish(privacy)
    asked = words.casefold().split()

    def fits(each: Listing) -> bool:
        text = f"{each.name} {each.title} {each.description}".casefold()
        right = privacy is None or each.private == (privacy == "dp")
        return right and each.rows >= min_rows and all(word in text for word in asked)

    def rank(each: Listing) -> tuple[int, int, str]:
        name, title = each.name.casefold(), each.title.casefold()
        return -sum(word in name for word in asked), -sum(word in title for word in asked), each.name

    return sorted((each for each in listings if fits(each)), key=rank)


def privacy_wish(given: str | None) -> Literal["dp", "none"] | None:
    """Which datasets are wanted by their privacy.

    Raises:
        InputError: it is neither "dp" nor "none".
    """
    match given:
        case None | "dp" | "none":
            return given
        case _:
            raise InputError(f"privacy {given!r} is neither 'dp' nor 'none'; leave it out for both")
