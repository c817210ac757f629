"""The SHA-256 of a file, read in pieces."""

import hashlib
from pathlib import Path

__all__ = ["hash_file"]

_PIECE_BYTES = 1 << 20


def hash_file(path: Path) -> tuple[int, str]:
    """(size in bytes, SHA-256 in hexadecimal) of a file of any size, in bounded memory."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
