"""Read a text file that a person named."""

from pathlib import Path

from headwater.errors import InputError

__all__ = ["read_text"]


def read_text(file: Path, hint: str) -> str:
    """The text of a file.

    Args:
        file: as a person named it.
        hint: what to do where it is none, such as "headwater schema draft writes one".

    Raises:
        InputError: there is no such file, it cannot be read, or it is not text in UTF-8.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}; {hint}")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text; {hint}") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check its owner and mode") from error
