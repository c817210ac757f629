"""A folder for results: made whole, replaced only if the same command made it."""

import shutil
from pathlib import Path

from headwater.errors import InputError

__all__ = ["claim_folder"]


def claim_folder(folder: Path, maker: str) -> None:
    """Empty and mark a folder, or make it.

    Args:
        folder: where results will go.
        maker: the command's name; a folder that it marked before may be replaced.

    Raises:
        InputError: something that the command did not make is in the way.
    """
    marker = folder / f".headwater-{maker}"
    if folder.exists():
        if not folder.is_dir() or not (marker.is_file() or not any(folder.iterdir())):
            raise InputError(f"{folder} is there and was not made by {maker}; choose another --out or move it away")
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"made by headwater-coordinator {maker}; it may be replaced by the next\n", encoding="utf-8")
