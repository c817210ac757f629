"""A generator of scores as bytes, with the directions that make pictures of them."""

import json

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.images.lifting import Lifting
from headwater.model_header import check_version, declares, metadata_of
from headwater.schema import Schema

__all__ = ["is_wrapped", "unwrap", "wrap"]

_VERSION = 1
_KEY = "headwater-pictures"
_WHAT = "generator of pictures"


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
    return declares(data, _KEY)


def unwrap(data: bytes) -> tuple[Lifting, bytes]:
    """The parts of `wrap`.

    Raises:
        InputError: not of this version's form.
    """
    try:
        document = json.loads(metadata_of(data, _WHAT)[_KEY])
        check_version(document, _WHAT, _VERSION)
        ((name, generator),) = load_tensors(data).items()
        if name != "generator" or generator.dtype != np.uint8 or generator.ndim != 1:
            raise TypeError("the generator inside is no bytes")
        lifting = Lifting.from_document(Schema.from_document(document["schema"]), document["images"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"these bytes are no {_WHAT} of Headwater; fetch it again") from error
    inner = generator.tobytes()
    if is_wrapped(inner):
        # What is inside draws scores: a file of files within files could be of any depth.
        raise InputError(f"these bytes are a {_WHAT} inside another; fetch it again")
    return lifting, inner
