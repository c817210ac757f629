"""Text of others and sizes of files, as a terminal shows them."""

from rich.markup import escape

__all__ = ["plain", "printable", "size_in_words"]


def printable(text: str) -> str:
    """Text of others without characters that would command the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain(text: str) -> str:
    """Text of others without markup and without characters that would command the terminal."""
    return escape(printable(text))


def size_in_words(size_bytes: int) -> str:
    """A size with its unit."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
