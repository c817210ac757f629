"""Sizes of files in words, for terminals and pages alike."""

__all__ = ["size_in_words"]


def size_in_words(size_bytes: int) -> str:
    """A size with its unit."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
