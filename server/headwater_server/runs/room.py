"""Whether the coordinator's disk has room for a setup and a round."""

import shutil
from pathlib import Path

from headwater.errors import StorageError

__all__ = ["require_room"]

# The database's log grows to 4 MiB between two checkpoints, and so do the records of a round.
_ROOM_BYTES = 16 * 2**20


def require_room(folder: Path, needed_bytes: int = _ROOM_BYTES) -> None:
    """Refuse to begin what would fill the disk.

    Args:
        folder: on the disk that is meant; it may be made later.
        needed_bytes: that must be free.

    Raises:
        StorageError: less is free.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror}; mend the disk") from error
    if free < needed_bytes:
        raise StorageError(
            f"{free / 2**20:.1f} MiB are free on the disk of {folder}, a setup needs {needed_bytes / 2**20:.0f}; "
            "make room"
        )
