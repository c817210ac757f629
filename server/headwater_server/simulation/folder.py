"""The folder that a simulation leaves: all of it or nothing, and never in place of somebody else's."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from headwater.errors import InputError

__all__ = ["MARKER", "check_replaceable", "result_folder"]

MARKER = ".headwater-simulation"
"""A file that says that a simulation made the folder, so that the next one may replace it."""


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that no simulation made, before any work is done.

    Raises:
        InputError: it is a file, or a folder with other contents.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(f"{folder} is there and is no folder; say --out with another name")
    if not (folder / MARKER).is_file() and any(folder.iterdir()):
        raise InputError(f"{folder} was not made by simulate and is not replaced; say --out with another name")


@contextlib.contextmanager
def result_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder that takes the place of `folder` when the block ends well, and vanishes when it does not.

    Raises:
        InputError: `folder` is there and no simulation made it.
    """
    check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        # mkdtemp makes a folder for its owner alone; this one is as any other.
        fresh.chmod(0o755)
        (fresh / MARKER).write_text("made by headwater-coordinator simulate\n", encoding="utf-8")
        yield fresh
        check_replaceable(folder)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
