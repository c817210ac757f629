"""Generators in few bytes: what is sampled from them, and nothing more."""

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.generator.model import Model
from headwater.generator.network import Generator
from headwater.generator.spec import GeneratorSpec
from headwater.mixture.packing import Precision
from headwater.model_header import check_version, declares, metadata_of

__all__ = ["PACKED_NETWORK", "is_packed_network", "pack_network", "unpack_network"]

PACKED_NETWORK = "headwater-packed-network"
"""The key of the metadata that says what the bytes are."""

_MOST_BYTES = 2**28
_VERSION = 1
_LARGEST = 127
_SCALES = "_scales"


def pack_network(model: Model, precision: Precision) -> bytes:
    """The average weights as bytes.

    Args:
        model: its critic and its unaveraged weights are left out.
        precision: "float16" of every weight, or "int8": matrices in 8 bits with a scale a row, the rest in 16.
    """
    header = canonical_json({"version": _VERSION, "spec": model.spec.to_document()}).decode()
    tensors: dict[str, NDArray[Any]] = {}
    for name, weights in _named(model).items():
        if precision == "int8" and weights.ndim == 2:
            scales = np.maximum(np.abs(weights).max(axis=1), 1e-12) / _LARGEST
            tensors[name] = np.rint(weights / scales[:, None]).astype(np.int8)
            tensors[name + _SCALES] = scales.astype("<f4")
        else:
            tensors[name] = weights.astype("<f2")
    kept = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    return bytes(save_tensors(kept, metadata={PACKED_NETWORK: header}))


def is_packed_network(data: bytes) -> bool:
    """Whether these bytes say that they are a packed network; they may still be a broken one."""
    return declares(data, PACKED_NETWORK, _MOST_BYTES)


def unpack_network(data: bytes) -> Model:
    """The model that `pack_network` wrote, rounded as it was, without a critic.

    Raises:
        InputError: no packed network of this version, of another shape, or not finite.
    """
    problem = "these bytes are no packed generator of Headwater; fetch it again"
    try:
        document = json.loads(metadata_of(data, "packed generator", _MOST_BYTES)[PACKED_NETWORK])
        check_version(document, "packed generator", _VERSION)
        described = document["spec"]
        tensors = load_tensors(data)
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(problem) from error
    spec = GeneratorSpec.from_document(described)
    held = sum(values.size for name, values in tensors.items() if not name.endswith(_SCALES))
    # Counted before a network is built: a short description can claim gigabytes.
    if held != spec.generator_parameters:
        raise InputError(problem)
    parts = []
    for name, shape in _shapes(spec).items():
        values = tensors.get(name)
        if values is None or values.shape != shape:
            raise InputError(problem)
        weights = values.astype(np.float32)
        if values.dtype == np.int8:
            scales = tensors.get(name + _SCALES)
            if scales is None or scales.shape != shape[:1]:
                raise InputError(problem)
            weights = weights * scales.astype(np.float32)[:, None]
        parts.append(weights.reshape(-1))
    flat = np.concatenate(parts).astype(np.float32)
    return Model(spec, flat, flat, np.zeros(0, np.float32))


def _named(model: Model) -> dict[str, NDArray[np.float32]]:
    found, start = {}, 0
    for name, shape in _shapes(model.spec).items():
        size = int(np.prod(shape))
        found[name] = model.average[start : start + size].reshape(shape)
        start += size
    return found


def _shapes(spec: GeneratorSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters in their order."""
    with torch.random.fork_rng(devices=[]):
        network = Generator(spec)
    return {name: tuple(parameter.shape) for name, parameter in network.named_parameters()}
