"""A refined mixture as bytes: safetensors around the mixture's own, bounded, no pickle."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.generator.network import flat_parameters, load_flat
from headwater.generator.refiner.features import Features
from headwater.generator.refiner.network import Refiner, RefinerShape, RowCritic
from headwater.mixture.parameters import Mixture
from headwater.model_header import check_version, declares, metadata_of

__all__ = ["RefinedMixture", "Weighing", "is_refined"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_VERSION = 1
_KEY = "headwater-refined"
_MOST_BYTES = 2**29
_MOST_LOG_WEIGHT = 20.0
# No training comes near it.
_MOST_WEIGHT = 1e6
_NAMES = {"critic", "knots", "mixture", "normals", "refiner", "tables"}


@dataclass(frozen=True, eq=False)
class Weighing:
    """How a critic's opinion becomes a draw's weight: exp(strength × logit + table of its codes − normal of its class).

    Attributes:
        strength: 0 to 1; 0 leaves the critic out.
        normals: float64, shape (classes,): logarithms that make the mean weight of a class 1.
        tables: float64, shape (classes, cells): what keeps each unit's shares in a class as they were.
        knots: float64, shape (scores, knots), ascending: scores at even shares of weighted draws.
    """

    strength: float
    normals: F64
    tables: F64
    knots: F64


@dataclass(frozen=True, eq=False)
class RefinedMixture:
    """A mixture, what moves its draws, and what weighs them.

    Attributes:
        mixture: the base, as it stood.
        shape: of the networks.
        refiner: float32, flat weights; empty where draws stay as they are.
        critic: float32, flat weights; empty where nothing is weighed.
        weighing: None before the last evaluation.
    """

    mixture: Mixture
    shape: RefinerShape
    refiner: F32
    critic: F32
    weighing: Weighing | None = None

    def __post_init__(self) -> None:
        """Check shapes and ranges; the parts may come from a peer.

        Raises:
            InputError: a part is of another shape, or not finite.
        """
        if self.mixture.tilt is not None:
            raise InputError("a refined mixture's base has no tilt; release a tilted mixture as it is")
        features = self.features
        for name, weights, expected in (
            ("refiner", self.refiner, self.shape.refiner_weights(features)),
            ("critic", self.critic, self.shape.critic_weights(features)),
        ):
            if weights.ndim != 1 or len(weights) not in (0, expected) or weights.dtype != np.float32:
                raise InputError(f"the {name} has not the weights of its shape; fetch it again")
            # Written so that NaN does not pass.
            if not np.abs(weights).max(initial=0.0) <= _MOST_WEIGHT:
                raise InputError(f"the {name} holds weights that are not finite, or huge; it must not be used")
        if self.weighing is not None:
            _check_weighing(self.weighing, features)
            if self.weighing.strength and not len(self.critic):
                raise InputError("a refined mixture's draws are weighed by a critic that is not there; fetch it again")

    @cached_property
    def features(self) -> Features:
        """The form's rows as vectors."""
        return Features(self.mixture.form)

    @classmethod
    def begin(cls, mixture: Mixture, shape: RefinerShape, seed: int) -> "RefinedMixture":
        """Fresh networks around a mixture: the refiner is the identity, the critic knows nothing."""
        features = Features(mixture.form)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            refiner, critic = Refiner(features, shape), RowCritic(features, shape)
        return cls(mixture, shape, flat_parameters(refiner).numpy(), flat_parameters(critic).numpy())

    def build_refiner(self) -> Refiner:
        """The refiner's network.

        Raises:
            InputError: the model has none.
        """
        if not len(self.refiner):
            raise InputError("the model has no refiner; this round needs one")
        network = Refiner(self.features, self.shape)
        load_flat(network, torch.from_numpy(self.refiner.copy()))
        return network

    def build_critic(self) -> RowCritic:
        """The critic's network.

        Raises:
            InputError: the model has none.
        """
        if not len(self.critic):
            raise InputError("the model has no critic; this round needs one")
        network = RowCritic(self.features, self.shape)
        load_flat(network, torch.from_numpy(self.critic.copy()))
        return network

    def moved(self, delta: NDArray[np.floating], rate: float) -> "RefinedMixture":
        """The model after a round: the refiner changed by rate × delta, the critic by its delta.

        Raises:
            InputError: the update is not of the model's length, or the weights leave float32.
        """
        cut = len(self.refiner)
        if delta.shape != (cut + len(self.critic),):
            raise InputError(
                f"the update has {delta.size} values, the model {cut + len(self.critic)}; they do not belong"
            )
        with np.errstate(over="ignore"):
            refiner = (self.refiner + rate * delta[:cut]).astype(np.float32)
            critic = (self.critic + delta[cut:]).astype(np.float32)
        return replace(self, refiner=refiner, critic=critic)

    def to_bytes(self) -> bytes:
        """Safetensors; equal models give equal bytes."""
        shape, weighing = self.shape, self.weighing
        document = {
            "version": _VERSION,
            "noise": shape.noise,
            "width": shape.width,
            "critic_width": shape.critic_width,
            "strength": None if weighing is None else weighing.strength,
        }
        empty = np.zeros(0)
        tensors: dict[str, NDArray[Any]] = {
            "critic": self.critic,
            "mixture": np.frombuffer(self.mixture.to_bytes(), np.uint8),
            "refiner": self.refiner,
            "normals": empty if weighing is None else weighing.normals,
            "tables": empty if weighing is None else weighing.tables,
            "knots": empty if weighing is None else weighing.knots,
        }
        kept = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
        return bytes(save_tensors(kept, metadata={_KEY: canonical_json(document).decode()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "RefinedMixture":
        """Read a refined mixture.

        Raises:
            InputError: none of this version, too large, of the wrong shape, not finite, or around no mixture.
        """
        metadata = metadata_of(data, "refined mixture", _MOST_BYTES)
        try:
            document = json.loads(metadata[_KEY])
            tensors = load_tensors(data)
            check_version(document, "refined mixture", _VERSION)
            strength = _strength(document["strength"])
            shape = RefinerShape(document["noise"], document["width"], document["critic_width"])
            inner = tensors["mixture"]
        except (SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InputError("these bytes are no refined mixture of Headwater; fetch it again") from error
        if set(tensors) != _NAMES or inner.dtype != np.uint8 or inner.ndim != 1:
            raise InputError("these bytes are no refined mixture of Headwater; fetch it again")
        weighing = None
        if strength is not None:
            weighing = Weighing(strength, tensors["normals"], tensors["tables"], tensors["knots"])
        return cls(Mixture.from_bytes(inner.tobytes()), shape, tensors["refiner"], tensors["critic"], weighing)


def _strength(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError("the strength of a weighing is no share")
    return float(value)


def is_refined(data: bytes) -> bool:
    """Whether these bytes say that they are a refined mixture; they may still be a broken one."""
    return declares(data, _KEY, _MOST_BYTES)


def _check_weighing(weighing: Weighing, features: Features) -> None:
    parts = (weighing.normals, weighing.tables, weighing.knots)
    if any(part.dtype != np.float64 for part in parts) or not all(np.isfinite(part).all() for part in parts):
        raise InputError("a refined mixture's weights hold numbers that are not finite; it must not be used")
    if (
        weighing.normals.shape != (features.classes,)
        or weighing.tables.shape != (features.classes, features.cells)
        or weighing.knots.ndim != 2
        or len(weighing.knots) != features.scores
        or not 2 <= weighing.knots.shape[1] <= 1 << 14
    ):
        raise InputError("a refined mixture's weights are not of its form; fetch it again")
    largest = max(np.abs(part).max(initial=0.0) for part in parts)
    if not 0 <= weighing.strength <= 1 or largest > _MOST_LOG_WEIGHT or (np.diff(weighing.knots, axis=1) < 0).any():
        raise InputError("a refined mixture's weights are out of range; it must not be used")
