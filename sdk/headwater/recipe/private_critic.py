"""A critic that is trained by noisy sums, as bytes: what organisations are asked about, and what training remembers."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.mixture.form import Form
from headwater.mixture.form_parts import FORM_ARRAYS, form_parts, read_form
from headwater.model_header import check_version, metadata_of

__all__ = ["PrivateCritic"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_VERSION = 1
_KEY = "headwater-private-critic"
_MOST_BYTES = 2**27
# No training comes near it.
_MOST_WEIGHT = 1e6
_NAMES = ("average", "first", "weights")
_WHAT = "critic under privacy"


def _nothing() -> F32:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class PrivateCritic:
    """A critic between two steps. Everything in it follows from noisy sums.

    Attributes:
        form: of the mixture whose draws it judges; what a row is to it.
        weights: float32, shape (parameters,): weight and bias of each layer in order.
        scales: units for 1.0 of what goes into each layer.
        average: float32, of the weights over the last steps; empty where organisations are asked.
        first: float32, the weights that training began with; empty where organisations are asked.
        steps: done, checks included.
        gain: estimate of how much the steps raised the rows' mean log-likelihood, as far as clipping shows it.
        gain_variance: of the noise in that estimate.
    """

    form: Form
    weights: F32
    scales: tuple[int, ...]
    average: F32 = field(default_factory=_nothing)
    first: F32 = field(default_factory=_nothing)
    steps: int = 0
    gain: float = 0.0
    gain_variance: float = 0.0

    def __post_init__(self) -> None:
        """Check shapes and ranges; the parts may come from a peer.

        Raises:
            InputError: a part is of another shape, or not finite.
        """
        for name in _NAMES:
            part = getattr(self, name)
            allowed = (len(self.weights),) if name == "weights" else (0, len(self.weights))
            if part.ndim != 1 or part.dtype != np.float32 or len(part) not in allowed:
                raise InputError(f"a critic's {name} are not of its shape; fetch it again")
            # Written so that NaN does not pass.
            if not np.abs(part).max(initial=0.0) <= _MOST_WEIGHT:
                raise InputError(f"a critic's {name} hold numbers that are not finite, or huge; it must not be used")
        if not all(type(scale) is int for scale in self.scales) or type(self.steps) is not int or self.steps < 0:
            raise InputError("a critic's scales or steps are no whole numbers; fetch it again")
        if not (np.isfinite(self.gain) and 0 <= self.gain_variance < np.inf):
            raise InputError("what a critic's steps gained is no number; fetch it again")

    def asked(self) -> "PrivateCritic":
        """What organisations need of it."""
        return PrivateCritic(self.form, self.weights, self.scales)

    @classmethod
    def begin(cls, form: Form, weights: F32, scales: tuple[int, ...]) -> "PrivateCritic":
        """A critic before its first step."""
        return cls(form, weights, scales, weights, weights)

    def after(self, gradient: F64, rate: float, forgets: float) -> "PrivateCritic":
        """The critic after a step uphill.

        Args:
            gradient: of the mean log-likelihood, with noise, shape (parameters,).
            rate: of the step.
            forgets: weight of the new weights in the average.

        Weights that run away stay at the end of their range: what was paid for is spent, and the verdict comes later.
        """
        weights = np.clip(self.weights + rate * gradient, -_MOST_WEIGHT, _MOST_WEIGHT).astype(np.float32)
        average = (self.average + forgets * (weights - self.average)).astype(np.float32)
        return replace(self, weights=weights, average=average, steps=self.steps + 1)

    def halfway(self) -> "PrivateCritic":
        """The critic that checks ask about: in the middle of the way from its first weights to their average.

        The mean slope of a smooth function along a way is that in its middle, but for terms of third order.
        """
        return replace(self, weights=((self.first + self.average) / 2).astype(np.float32))

    def checked(self, gradient: F64, deviation: float, checks: int) -> "PrivateCritic":
        """The critic after one of so many checks, whose noise is independent of every step.

        Args:
            gradient: halfway, with noise, shape (parameters,).
            deviation: of the noise on each of its numbers.
            checks: in all.
        """
        way = self.average.astype(np.float64) - self.first
        return replace(
            self,
            steps=self.steps + 1,
            gain=self.gain + float(gradient @ way) / checks,
            gain_variance=self.gain_variance + deviation**2 * float(way @ way) / checks**2,
        )

    def to_bytes(self) -> bytes:
        """Safetensors; equal critics give equal bytes."""
        form, arrays = form_parts(self.form)
        document = {
            "version": _VERSION,
            "form": form,
            "scales": list(self.scales),
            "steps": self.steps,
            "gain": self.gain,
            "gain_variance": self.gain_variance,
        }
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _NAMES}
        tensors |= {f"form.{name}": values for name, values in arrays.items()}
        return bytes(save_tensors(tensors, metadata={_KEY: canonical_json(document).decode()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "PrivateCritic":
        """Read a critic.

        Raises:
            InputError: none of this version, too large, of the wrong shape, or not finite.
        """
        problem = f"these bytes are no {_WHAT} of Headwater; fetch it again"
        metadata = metadata_of(data, _WHAT, _MOST_BYTES)
        try:
            document = json.loads(metadata[_KEY])
            tensors = load_tensors(data)
            check_version(document, _WHAT, _VERSION)
            form = dict(document["form"])
            scales, steps = tuple(document["scales"]), document["steps"]
            gain, variance = float(document["gain"]), float(document["gain_variance"])
        except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InputError(problem) from error
        arrays = {name.removeprefix("form."): values for name, values in tensors.items() if name not in _NAMES}
        if set(tensors) != {*_NAMES, *(f"form.{name}" for name in FORM_ARRAYS)}:
            raise InputError(problem)
        return cls(
            read_form(form, arrays),
            tensors["weights"],
            scales,
            tensors["average"],
            tensors["first"],
            steps,
            gain,
            variance,
        )
