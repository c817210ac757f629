"""A generator of scores as bytes, with the directions that make pictures of them."""

import json
import struct
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.images.lifting import Lifting
from headwater.schema import Schema

__all__ = ["is_wrapped", "metadata_of", "unwrap", "wrap"]

_VERSION = 1
_KEY = "headwater-pictures"
_MOST_BYTES = 2**30
_PROBLEM = "these bytes are no generator of pictures of Headwater; fetch it again"


def wrap(lifting: Lifting, generator: bytes) -> bytes:
    """One file of both; equal parts give equal bytes."""
    header = {
        "version": _VERSION,
        "schema": lifting.schema.to_document(),
        "images": lifting.to_document(all_directions=True),
    }
    tensors = {"generator": np.frombuffer(generator, np.uint8)}
    return bytes(save_tensors(tensors, metadata={_KEY: canonical_json(header).decode()}))


def is_wrapped(data: bytes) -> bool:
    """Whether these bytes say that they are a generator of pictures; they may still be a broken one."""
    try:
        return _KEY in metadata_of(data)
    except InputError:
        return False


def unwrap(data: bytes) -> tuple[Lifting, bytes]:
    """The parts of `wrap`.

    Raises:
        InputError: not of this version's form.
    """
    try:
        document = json.loads(metadata_of(data)[_KEY])
        generator = load_tensors(data)["generator"]
        if document["version"] != _VERSION or generator.dtype != np.uint8 or generator.ndim != 1:
            raise InputError(f"the generator of pictures is not of version {_VERSION}; install the release of it")
        lifting = Lifting.from_document(Schema.from_document(document["schema"]), document["images"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(_PROBLEM) from error
    return lifting, generator.tobytes()


def metadata_of(data: bytes) -> dict[str, Any]:
    """What safetensors bytes say of themselves beside their tensors.

    Raises:
        InputError: no safetensors.
    """
    # The header's own length stands first; nothing is believed before it is within the data.
    if not 8 <= len(data) <= _MOST_BYTES:
        raise InputError(_PROBLEM)
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise InputError(_PROBLEM)
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise InputError(_PROBLEM) from error
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}
