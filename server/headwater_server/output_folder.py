"""A folder for results: never in place of somebody else's, replaced only by the command that made it."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from headwater.errors import InputError, StorageError

__all__ = ["check_replaceable", "claim_folder", "marker", "result_folder"]


def marker(folder: Path, maker: str) -> Path:
    """The file that says that a command made the folder, so that its next run may replace it.

    Args:
        folder: of results.
        maker: the command's name.
    """
    return folder / f".headwater-{maker}"


def check_replaceable(folder: Path, maker: str) -> None:
    """Refuse a folder that the command did not make, before any work is done.

    Raises:
        InputError: it is a file or a link, or a folder with other contents.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(f"{folder} is there and is no folder; say --out with another name")
    if not marker(folder, maker).is_file() and any(folder.iterdir()):
        raise InputError(f"{folder} was not made by {maker} and is not replaced; say --out with another name")


def claim_folder(folder: Path, maker: str) -> None:
    """Empty and mark a folder, or make it.

    Raises:
        InputError: something that the command did not make is in the way.
    """
    check_replaceable(folder, maker)
    if folder.exists():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    _mark(folder, maker)


@contextlib.contextmanager
def result_folder(folder: Path, maker: str) -> Iterator[Path]:
    """Yield a new folder that takes the place of `folder` when the block ends well, and vanishes when it does not.

    Guarantee: until the new folder stands under its name, the former one stands there or beside it; none is lost.

    Raises:
        InputError: `folder` is there and the command did not make it.
        StorageError: the new folder could not take its place; the former one stands.
    """
    check_replaceable(folder, maker)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        # mkdtemp makes a folder for its owner alone; this one is as any other.
        fresh.chmod(0o755)
        _mark(fresh, maker)
        yield fresh
        check_replaceable(folder, maker)
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, folder: Path) -> None:
    """Put a folder in another's place; the former one goes only when the new one stands."""
    former = fresh.with_name(f"{fresh.name}-former")
    there = folder.exists()
    try:
        if there:
            folder.rename(former)
        try:
            fresh.rename(folder)
        except OSError:
            if there:
                former.rename(folder)
            raise
    except OSError as error:
        raise StorageError(
            f"{folder} could not be replaced ({error.strerror}); it is as it was, and the new results are gone: check "
            "who may write beside it"
        ) from error
    shutil.rmtree(former, ignore_errors=True)


def _mark(folder: Path, maker: str) -> None:
    text = f"made by headwater-coordinator {maker}; it may be replaced by the next\n"
    marker(folder, maker).write_text(text, encoding="utf-8")
