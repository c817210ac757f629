"""What a model's bytes, a safetensors file, say of themselves; read before anything in them is believed."""

import json
import struct
from typing import Any

from headwater.errors import InputError

__all__ = ["declares", "metadata_of"]

_MOST_BYTES = 2**30


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
    if length > len(data) - 8:
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
