"""Anybody's texts as they may stand in a drawing."""

from xml.sax.saxutils import escape

__all__ = ["percent", "plain", "safe", "shorten"]


def shorten(text: str, length: int = 21) -> str:
    """The text, cut to a length with an ellipsis where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def plain(text: str) -> str:
    """The text without what XML has no way to write, not even escaped."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def safe(text: str) -> str:
    """The text as it may stand in XML."""
    return escape(plain(text))


def percent(share: float) -> str:
    """A share as people read it."""
    return "< 0.1 %" if 0 < share < 0.001 else f"{share * 100:.1f} %"
