"""What a model's bytes, a safetensors file, say of themselves; read before anything in them is believed."""

import json
import struct
from collections.abc import Mapping
from typing import Any

from headwater.errors import InputError

__all__ = ["check_version", "declares", "metadata_of"]

_MOST_BYTES = 2**30
# As safetensors itself bounds it: a header is read as JSON, which takes many times its length.
_MOST_HEADER_BYTES = 100_000_000


def metadata_of(data: bytes, what: str, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """The texts in a file's header.

    Args:
        data: the whole file.
        what: it should be, for the error.
        most_bytes: no model of this kind is larger.

    Raises:
        InputError: no safetensors file with such texts, or too large.
    """
    problem = f"these bytes are no {what} of Headwater; fetch it again"
    # The header's own length stands first; nothing is believed before it is within the data.
    if not 8 <= len(data) <= most_bytes:
        raise InputError(problem)
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, _MOST_HEADER_BYTES):
        raise InputError(problem)
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise InputError(problem) from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise InputError(problem)
    return metadata


def declares(data: bytes, key: str, most_bytes: int = _MOST_BYTES) -> bool:
    """Whether a file says under this key that it is a model of some kind; it may still be a broken one."""
    try:
        return key in metadata_of(data, "model", most_bytes)
    except InputError:
        return False


def check_version(document: Mapping[str, Any], what: str, newest: int) -> int:
    """The version that a model's description names, from 1 to the newest that this release reads.

    Raises:
        InputError: a later release wrote the model.
        KeyError: no version is named.
        TypeError: what is named is no version.
    """
    version: object = document["version"]
    if type(version) is not int or version < 1:
        raise TypeError("a version is a whole number from 1 on")
    if version > newest:
        raise InputError(
            f"the {what} is of version {version}, {newest} is read here; install the release that wrote it"
        )
    return version
