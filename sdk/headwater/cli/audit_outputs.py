"""Where an audit's report and figures go: looked at before the work, not after it."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from headwater.errors import InputError

__all__ = ["check_outputs", "write_output"]


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Refuse what could not be written in the end, or would take the place of what is read.

    Args:
        outputs: files by the option that names them; None where it was not given.
        inputs: files that are read.

    Raises:
        InputError: a folder is not there or takes no file, a folder where a file is named, or one file named twice.
    """
    taken = {os.path.realpath(path): f"{path}, which is read" for path in inputs}
    for option, path in outputs.items():
        if path is None:
            continue
        if (other := taken.get(os.path.realpath(path))) is not None:
            raise InputError(f"{option} {path} is the same file as {other}; name another")
        taken[os.path.realpath(path)] = option
        try:
            _try(option, path)
        except OSError as error:
            raise _unwritable(option, path, error) from error


def write_output(option: str, path: Path, text: str) -> None:
    """Write a file that `check_outputs` allowed.

    Raises:
        InputError: it can no longer be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(option, path, error) from error


def _try(option: str, path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{option} {path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}; make it, or name a file elsewhere")
    existed = path.exists()
    # What is no plain file, such as a pipe, would be used up by a try.
    if not existed or path.is_file():
        path.open("ab").close()
    if not existed:
        # Of a link that leads nowhere yet, what was made is the file at its end.
        os.unlink(os.path.realpath(path))


def _unwritable(option: str, path: Path, error: OSError) -> InputError:
    why = (error.strerror or "no reason is known").lower()
    return InputError(f"{option} {path} cannot be written: {why}; name a file where you may write")
