"""A mixture's parameters in few bytes, and back."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.mixture.form import Form
from headwater.mixture.form_parts import FORM_ARRAYS, form_parts, read_form
from headwater.mixture.parameters import LEAST_DEVIATION, LEAST_SHARE, MOST_BYTES, Mixture, read_span
from headwater.mixture.tilt import Tilt
from headwater.model_header import check_version, declares, metadata_of

__all__ = ["PACKED_MIXTURE", "Precision", "is_packed_mixture", "pack_mixture", "unpack_mixture"]

F64 = NDArray[np.float64]
Precision = Literal["float16", "int8"]
"""What a parameter is kept in."""

PACKED_MIXTURE = "headwater-packed-mixture"
"""The key of the metadata that says what the bytes are."""

_VERSION = 1
_STEPS = 255
_KINDS: dict[str, np.dtype[Any]] = {
    "classes": np.dtype("<i4"),
    "combinations": np.dtype("<i4"),
    "factors": np.dtype("<f2"),
    "knot_shares": np.dtype("<f4"),
    "knots": np.dtype("<i4"),
    "means": np.dtype("<f2"),
    "weights": np.dtype("<f4"),
}
_SHARE_KINDS = (np.dtype(np.uint8), np.dtype("<f2"))
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
        **arrays,
        "classes": mixture.classes,
        "factors": mixture.factors[:, places[0], places[1]],
        "means": mixture.means,
        "weights": mixture.weights,
    }
    tensors = {name: values.astype(_KINDS[name]) for name, values in tensors.items()}
    tensors["shares"] = np.rint(roots * _STEPS).astype(np.uint8) if precision == "int8" else roots.astype("<f2")
    if mixture.tilt is not None:
        entries |= {"tilt": mixture.tilt.to_document()}
        tensors["tilt"] = mixture.tilt.logs.astype("<f2")
    kept = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    return bytes(save_tensors(kept, metadata={PACKED_MIXTURE: canonical_json(entries).decode()}))


def is_packed_mixture(data: bytes) -> bool:
    """Whether these bytes say that they are a packed mixture; they may still be a broken one."""
    return declares(data, PACKED_MIXTURE, MOST_BYTES)


def unpack_mixture(data: bytes) -> Mixture:
    """The mixture that `pack_mixture` wrote, rounded as it was.

    Raises:
        InputError: no packed mixture of this version, or one that is no distribution.
    """
    metadata = metadata_of(data, "packed mixture", MOST_BYTES)
    try:
        document = json.loads(metadata[PACKED_MIXTURE])
        check_version(document, "packed mixture", _VERSION)
        tensors = load_tensors(data)
        span, tilted = read_span(document["span"]), document.get("tilt")
        kinds = {name: tensor.dtype for name, tensor in tensors.items()}
        if kinds.pop("shares") not in _SHARE_KINDS:
            raise TypeError("a part is of another type")
        if kinds != (_KINDS if tilted is None else {**_KINDS, "tilt": np.dtype("<f2")}):
            raise TypeError("the parts are others, or of other types")
        arrays = {name: tensors.pop(name).astype(kind) for name, kind in FORM_ARRAYS.items()}
        form = read_form(document["form"], arrays)
        tilt = None if tilted is None else Tilt.from_document(tilted, form.sizes, tensors.pop("tilt").astype("<f4"))
    except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError("these bytes are no packed mixture of Headwater; fetch it again") from error
    _check_parts(tensors, form)
    rows, columns = np.tril_indices(len(form.scores))
    factors = np.zeros((len(tensors["classes"]), len(form.scores), len(form.scores)))
    factors[:, rows, columns] = tensors["factors"]
    diagonal = np.arange(len(form.scores))
    factors[:, diagonal, diagonal] = np.maximum(factors[:, diagonal, diagonal], LEAST_DEVIATION)
    weights, shares = tensors["weights"].astype(np.float64), tensors["shares"]
    roots = shares.astype(np.float64) / (_STEPS if shares.dtype == np.uint8 else 1.0)
    return Mixture(
        form=form,
        classes=tensors["classes"],
        weights=weights / max(float(weights.sum()), LEAST_SHARE),
        shares=_normalised(form.offsets, form.unit_sizes, roots**_POWER),
        means=tensors["means"].astype(np.float64),
        factors=factors,
        span=span,
        tilt=tilt,
    )


def _check_parts(tensors: Mapping[str, NDArray[Any]], form: Form) -> None:
    """Refuse parts that are not of the form, or not finite, or would come to more than a mixture may: before memory."""
    components, scores = tensors["classes"].size, len(form.scores)
    shapes = {
        "classes": (components,),
        "factors": (components, scores * (scores + 1) // 2),
        "means": (components, scores),
        "shares": (components, form.cells),
        "weights": (components,),
    }
    if any(tensors[name].shape != shape for name, shape in shapes.items()):
        raise InputError("the packed mixture's parts are not of its form; fetch it again")
    if 8 * components * (2 + form.cells + scores + scores**2) > MOST_BYTES:
        raise InputError(
            "the packed mixture has more components than one may have for its columns; it must not be used"
        )
    if not all(np.isfinite(tensors[name]).all() for name in shapes) or tensors["shares"].min(initial=0) < 0:
        raise InputError("the packed mixture holds numbers that are not finite, or below 0; it must not be used")


def _normalised(offsets: NDArray[np.int64], sizes: tuple[int, ...], shares: F64) -> F64:
    if not shares.shape[1]:
        return shares
    # Twice: a floor raised in the first turn is scaled in the second.
    for _ in range(2):
        shares = np.maximum(shares, LEAST_SHARE)
        shares = shares / np.repeat(np.add.reduceat(shares, offsets[:-1], axis=1), sizes, axis=1)
    return shares
