"""Text of others, as a terminal shows it."""

from rich.markup import escape

__all__ = ["plain", "printable"]


def printable(text: str) -> str:
    """Text of others without characters that would command the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain(text: str) -> str:
    """Text of others without markup and without characters that would command the terminal."""
    return escape(printable(text))
