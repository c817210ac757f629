"""A mixture's parameters in few bytes, and back."""

import json
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.mixture.form_parts import FORM_ARRAYS, form_parts, read_form
from headwater.mixture.parameters import LEAST_SHARE, Mixture
from headwater.mixture.tilt import Tilt
from headwater.model_header import declares, metadata_of

__all__ = ["PACKED_MIXTURE", "Precision", "is_packed_mixture", "pack_mixture", "unpack_mixture"]

F64 = NDArray[np.float64]
Precision = Literal["float16", "int8"]
"""What a parameter is kept in."""

PACKED_MIXTURE = "headwater-packed-mixture"
"""The key of the metadata that says what the bytes are."""

_MOST_BYTES = 2**28
_VERSION = 1
_STEPS = 255
_LEAST_DEVIATION = 1e-3
_KINDS = {"classes": "<i4", "factors": "<f2", "means": "<f2", "weights": "<f4"}
# A share's fourth root is kept: its 255 steps are a percent of a large share and reach down to a billionth.
_POWER = 4


def pack_mixture(mixture: Mixture, precision: Precision) -> bytes:
    """The mixture as bytes: shares by their fourth root in 8 or 16 bits, Gaussians in 16, weights in 32.

    Args:
        mixture: whatever its size; equal mixtures give equal bytes.
        precision: of the shares.
    """
    document, arrays = form_parts(mixture.form)
    entries: dict[str, object] = {"version": _VERSION, "form": document, "span": list(mixture.span)}
    roots = mixture.shares ** (1.0 / _POWER)
    places = np.tril_indices(mixture.means.shape[1])
    tensors: dict[str, NDArray[Any]] = {
        "classes": mixture.classes.astype("<i4"),
        "factors": mixture.factors[:, places[0], places[1]].astype("<f2"),
        "means": mixture.means.astype("<f2"),
        "shares": np.rint(roots * _STEPS).astype(np.uint8) if precision == "int8" else roots.astype("<f2"),
        "weights": mixture.weights.astype("<f4"),
        "combinations": arrays["combinations"].astype("<i4"),
        "knots": arrays["knots"].astype("<i4"),
        "knot_shares": arrays["knot_shares"].astype("<f4"),
    }
    if mixture.tilt is not None:
        entries |= {"tilt": mixture.tilt.to_document()}
        tensors["tilt"] = mixture.tilt.logs.astype("<f2")
    kept = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    return bytes(save_tensors(kept, metadata={PACKED_MIXTURE: canonical_json(entries).decode()}))


def is_packed_mixture(data: bytes) -> bool:
    """Whether these bytes say that they are a packed mixture; they may still be a broken one."""
    return declares(data, PACKED_MIXTURE, _MOST_BYTES)


def unpack_mixture(data: bytes) -> Mixture:
    """The mixture that `pack_mixture` wrote, rounded as it was.

    Raises:
        InputError: no packed mixture of this version, or one that is no distribution.
    """
    metadata = metadata_of(data, "packed mixture", _MOST_BYTES)
    problem = "these bytes are no packed mixture of Headwater; fetch it again"
    try:
        document = json.loads(metadata[PACKED_MIXTURE])
        tensors = load_tensors(data)
        version, span = document["version"], tuple(float(number) for number in document["span"])
        arrays = {name: tensors[name].astype(kind) for name, kind in FORM_ARRAYS.items()}
        shares = tensors["shares"]
        tilted, logs = document.get("tilt"), tensors.get("tilt", np.zeros(0)).astype(np.float32)
        if any(tensors[name].dtype != np.dtype(kind) for name, kind in _KINDS.items()):
            raise TypeError("a part is of another type")
        if shares.dtype not in (np.dtype(np.uint8), np.dtype("<f2")) or len(span) != 2:
            raise TypeError("a part is of another type")
    except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(problem) from error
    if version != _VERSION:
        raise InputError(f"the packed mixture is not of version {_VERSION}; install the release that wrote it")
    form = read_form(document["form"], arrays)
    means = tensors["means"].astype(np.float64)
    rows, columns = np.tril_indices(means.shape[1] if means.ndim == 2 else 0)
    components = len(tensors["classes"])
    packed = tensors["factors"].astype(np.float64)
    if packed.shape != (components, len(rows)) or shares.shape != (components, form.cells):
        raise InputError(problem)
    factors = np.zeros((components, len(form.scores), len(form.scores)))
    factors[:, rows, columns] = packed
    diagonal = np.arange(len(form.scores))
    factors[:, diagonal, diagonal] = np.maximum(factors[:, diagonal, diagonal], _LEAST_DEVIATION)
    weights = tensors["weights"].astype(np.float64)
    roots = shares.astype(np.float64) / (_STEPS if shares.dtype == np.uint8 else 1.0)
    return Mixture(
        form=form,
        classes=tensors["classes"],
        weights=weights / max(float(weights.sum()), LEAST_SHARE),
        shares=_normalised(form.offsets, form.unit_sizes, roots**_POWER),
        means=means,
        factors=factors,
        span=(span[0], span[1]),
        tilt=None if tilted is None else Tilt.from_document(tilted, form.sizes, logs),
    )


def _normalised(offsets: NDArray[np.int64], sizes: tuple[int, ...], shares: F64) -> F64:
    if not shares.shape[1]:
        return shares
    # Twice: a floor raised in the first turn is scaled in the second.
    for _ in range(2):
        shares = np.maximum(shares, LEAST_SHARE)
        shares = shares / np.repeat(np.add.reduceat(shares, offsets[:-1], axis=1), sizes, axis=1)
    return shares
