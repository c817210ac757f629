"""Text from other parties as it may be shown on a terminal."""

from rich.markup import escape

__all__ = ["shown"]


def shown(text: str) -> str:
    """The text without control characters and with its brackets taken literally.

    A member's or plan's name comes from others: it must not move the cursor, recolour a warning or hide a line.
    """
    return escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text))
