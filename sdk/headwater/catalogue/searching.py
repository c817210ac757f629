"""What a reader looks for in a catalogue, as its API is asked for it; the catalogue decides what fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from headwater.errors import InputError

__all__ = ["EVERYTHING", "Wish", "privacy_wish"]

_PRIVACY = MappingProxyType({"dp": "epsilon", "none": "none"})


@dataclass(frozen=True)
class Wish:
    """What is looked for; left empty, everything.

    Attributes:
        words: all of which stand in name, title, description, columns or consortium, as the catalogue's own pages
            search; parts of words count.
        privacy: "dp": differentially private only; "none": the others only; None: both.
        min_rows: at least this many.
    """

    words: str = ""
    privacy: Literal["dp", "none"] | None = None
    min_rows: int = 0

    def query(self) -> Mapping[str, str]:
        """The parameters of the API's list; withdrawn datasets are listed as well.

        Raises:
            InputError: `privacy` is neither "dp" nor "none", or `min_rows` is below 0.
        """
        privacy = privacy_wish(self.privacy)
        if self.min_rows < 0:
            raise InputError(f"min_rows={self.min_rows}: expected 0 or more")
        asked = {"withdrawn": "true", "sort": "relevance" if self.words.strip() else "name"}
        if self.words.strip():
            asked["q"] = self.words
        if privacy is not None:
            asked["privacy"] = _PRIVACY[privacy]
        if self.min_rows:
            asked["min_rows"] = str(self.min_rows)
        return asked


EVERYTHING = Wish()


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
