"""The parameters of a mixture as bytes: safetensors with the form as JSON beside them, bounded, no pickle."""

import itertools
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.mixture.form import Form
from headwater.mixture.form_parts import FORM_ARRAYS, form_parts, read_form
from headwater.mixture.settings import MOST_COMPONENTS
from headwater.mixture.tilt import Tilt
from headwater.model_header import check_version, declares, metadata_of

__all__ = ["LEAST_DEVIATION", "LEAST_SHARE", "MOST_BYTES", "Mixture", "is_mixture", "read_span"]

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_VERSION = 1
# With a tilt; one without is written as before.
_TILTED = 2
_KEY = "headwater-mixture"

MOST_BYTES = 2**28
"""No mixture is larger, written with all its digits."""

LEAST_DEVIATION = 1e-3
"""No Gaussian is narrower along an axis of its Cholesky factor."""

LEAST_SHARE = 1e-9
"""No code is impossible in a component: its logarithm must be finite."""

_MOST_DEVIATION, _MOST_MEAN = 1e3, 1e3
# Log-densities of mixtures within these bounds lie far inside.
_WIDEST_SPAN = 1e12
_TOLERANCE = 1e-6
_KINDS = {
    "classes": np.dtype("<i4"),
    "factors": np.dtype("<f8"),
    "means": np.dtype("<f8"),
    "shares": np.dtype("<f8"),
    "weights": np.dtype("<f8"),
}


@dataclass(frozen=True, eq=False)
class Mixture:
    """Components, each a product of a categorical distribution a unit and one Gaussian over the scores.

    Attributes:
        form: what a row is.
        classes: int32, shape (components,), ascending: the class that a component belongs to.
        weights: float64, shape (components,), sum 1.
        shares: float64, shape (components, form.cells): each unit's part sums to 1.
        means: float64, shape (components, scores).
        factors: float64, shape (components, scores, scores): lower Cholesky factors of the covariances.
        span: log-densities are counted in even bins from the first number to the second.
        tilt: a factor on the density, or None.
    """

    form: Form
    classes: I32
    weights: F64
    shares: F64
    means: F64
    factors: F64
    span: tuple[float, float] = (-1000.0, 1000.0)
    tilt: Tilt | None = None

    def __post_init__(self) -> None:
        """Check shapes and ranges; the parts may come from a peer.

        Raises:
            InputError: a part is of another shape, not finite, or no distribution.
        """
        form, components, scores = self.form, self.weights.size, len(self.form.scores)
        shapes = (
            self.classes.shape == (components,),
            self.weights.shape == (components,),
            self.shares.shape == (components, form.cells),
            self.means.shape == (components, scores),
            self.factors.shape == (components, scores, scores),
        )
        if not 1 <= components <= MOST_COMPONENTS or not all(shapes):
            raise InputError("the mixture's parts are not of its form; fetch it again")
        parts = (self.weights, self.shares, self.means, self.factors, np.asarray(self.span))
        if not all(np.isfinite(part).all() for part in parts):
            raise InputError("the mixture holds numbers that are not finite; it must not be used")
        if not -_WIDEST_SPAN <= self.span[0] < self.span[1] <= _WIDEST_SPAN:
            raise InputError("the mixture's log-densities have no span to be counted in; it must not be used")
        within = self.classes.min() >= 0 and self.classes.max() < form.classes
        if not within or (np.diff(self.classes) < 0).any():
            raise InputError("the mixture's components are not in the order of its classes; fetch it again")
        sums = np.add.reduceat(self.shares, form.offsets[:-1], axis=1) if form.cells else np.ones((1, 1))
        least = min(self.weights.min(), self.shares.min(initial=1.0))
        if least <= 0 or abs(self.weights.sum() - 1) > _TOLERANCE or (np.abs(sums - 1) > _TOLERANCE).any():
            raise InputError("the mixture's shares are no distribution; it must not be used")
        deviations = np.diagonal(self.factors, axis1=1, axis2=2)
        if scores and (
            deviations.min() < LEAST_DEVIATION
            or np.abs(self.factors).max() > _MOST_DEVIATION
            or np.abs(self.means).max() > _MOST_MEAN
            or np.triu(self.factors, 1).any()
        ):
            raise InputError("the mixture's Gaussians are out of range; it must not be used")
        if self.tilt is not None and self.tilt.sizes != form.sizes:
            raise InputError("the mixture's tilt is of another table; fetch it again")

    @property
    def components(self) -> int:
        """How many."""
        return len(self.weights)

    @cached_property
    def class_slices(self) -> tuple[slice, ...]:
        """The components of each class; empty for a class without any."""
        edges = np.searchsorted(self.classes, np.arange(self.form.classes + 1))
        return tuple(slice(int(start), int(end)) for start, end in itertools.pairwise(edges))

    def with_span(self, low: float, high: float) -> "Mixture":
        """The same mixture, its log-densities counted from `low` to `high`."""
        return replace(self, span=(low, high))

    def to_bytes(self) -> bytes:
        """Safetensors; equal mixtures give equal bytes."""
        document, arrays = form_parts(self.form)
        entries: dict[str, object] = {"version": _VERSION, "form": document, "span": list(self.span)}
        if self.tilt is not None:
            entries |= {"version": _TILTED, "tilt": self.tilt.to_document()}
            arrays = {**arrays, "tilt": self.tilt.logs}
        header = canonical_json(entries)
        tensors: dict[str, NDArray[Any]] = {
            **arrays,
            "classes": self.classes,
            "factors": self.factors,
            "means": self.means,
            "shares": self.shares,
            "weights": self.weights,
        }
        kept = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
        return bytes(save_tensors(kept, metadata={_KEY: header.decode()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Mixture":
        """Read a mixture.

        Raises:
            InputError: not a mixture of this version, too large, of the wrong shape, not finite, or no distribution.
        """
        metadata = metadata_of(data, "mixture", MOST_BYTES)
        try:
            document = json.loads(metadata[_KEY])
            version = check_version(document, "mixture", _TILTED)
            tensors = load_tensors(data)
            form, span = document["form"], read_span(document["span"])
            tilt = tensors.pop("tilt") if version == _TILTED else None
            kinds = {name: tensor.dtype for name, tensor in tensors.items()}
            if not isinstance(form, dict) or kinds != {**_KINDS, **FORM_ARRAYS}:
                raise TypeError("the parts are others, or of other types")
            tilted = None if tilt is None else Tilt.from_document(document["tilt"], form["sizes"], tilt)
        except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InputError("these bytes are no mixture of Headwater; fetch it again") from error
        arrays = {name: tensors.pop(name) for name in FORM_ARRAYS}
        return cls(form=read_form(form, arrays), span=span, tilt=tilted, **tensors)


def is_mixture(data: bytes) -> bool:
    """Whether these bytes say that they are a mixture; they may still be a broken one."""
    return declares(data, _KEY, MOST_BYTES)


def read_span(entry: object) -> tuple[float, float]:
    """A mixture's span from JSON.

    Raises:
        TypeError: not two numbers.
    """
    if not isinstance(entry, list) or len(entry) != 2 or any(type(number) not in (int, float) for number in entry):
        raise TypeError("a span is not of two numbers")
    return float(entry[0]), float(entry[1])
