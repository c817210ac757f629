"""The weights of a convolutional generator and its critic: shapes, first values, bytes."""

import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.model_header import check_version, declares, metadata_of
from headwater.schema import BooleanColumn, CategoricalColumn, ImageColumn, Schema

__all__ = ["Convolution", "ConvolutionSpec", "first_convolution", "is_convolution"]

F32 = NDArray[np.float32]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]

_VERSION = 1
_KEY = "headwater-convolution"
_LEAST_SIDE = 4
_MOST_CLASSES = 64
# What sampling by the shares allows them to be off is more.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class ConvolutionSpec:
    """The shape of both networks.

    Attributes:
        schema: one image, and perhaps a categorical or boolean target that is never missing.
        channels: of both networks.
        latent: normal numbers that a picture is made of.
    """

    schema: Schema
    channels: int
    latent: int

    def __post_init__(self) -> None:
        """Check that the schema is one of pictures and their classes alone."""
        if not self.fits(self.schema) or not (1 <= self.channels <= 256 and 1 <= self.latent <= 1024):
            raise InputError(
                "a convolutional generator takes one image, and a target of at most 64 categories that is never "
                "missing; choose the recipe mixture"
            )

    @staticmethod
    def fits(schema: Schema) -> bool:
        """Whether a schema is of pictures and their classes alone."""
        others = [column for column in schema.columns if not isinstance(column, ImageColumn)]
        return len(schema.images) == 1 and all(
            isinstance(column, CategoricalColumn | BooleanColumn)
            and column.role == "target"
            and not column.missing
            and len(column.categories) <= _MOST_CLASSES
            for column in others
        )

    @property
    def image(self) -> ImageColumn:
        """The image."""
        return self.schema.images[0]

    @property
    def classes(self) -> int:
        """Categories of the target, 1 where there is none."""
        target = self.schema.target
        return len(target.categories) if isinstance(target, CategoricalColumn | BooleanColumn) else 1

    @property
    def doublings(self) -> int:
        """How often the generator doubles a picture's sides."""
        return max(1, math.ceil(math.log2(max(self.image.height, self.image.width) / _LEAST_SIDE)))

    @property
    def base(self) -> tuple[int, int]:
        """Height and width that the generator starts from; what it makes is cut to the image's."""
        return tuple(-(-side // 2**self.doublings) for side in (self.image.height, self.image.width))

    @cached_property
    def generator_shapes(self) -> Shapes:
        """Name and shape of each weight of the generator, in order."""
        c, (height, width) = self.channels, self.base
        shapes = _linear("in", self.latent + self.classes, 2 * c * height * width)
        for number in range(self.doublings):
            shapes += _convolution(f"up{number}", c if number else 2 * c, c)
        return (*shapes, *_convolution("mix", c, c), *_convolution("out", c, 1))

    @cached_property
    def critic_shapes(self) -> Shapes:
        """Name and shape of each weight of the critic, in order."""
        c, side = self.channels, [self.image.height, self.image.width]
        shapes = (*_convolution("first", 1, c), *_convolution("down0", c, 2 * c))
        for number in range(1, self.doublings + 1):
            shapes += _convolution(f"down{number}", 2 * c, 2 * c)
        for _ in range(self.doublings + 1):
            side = [-(-length // 2) for length in side]
        shapes += _linear("hidden", 2 * c * side[0] * side[1], 4 * c)
        return (*shapes, *_linear("score", 4 * c, 1), ("classes", (self.classes, 4 * c)))

    @property
    def parameters(self) -> int:
        """Weights of both."""
        return sum(math.prod(shape) for _, shape in (*self.generator_shapes, *self.critic_shapes))


@dataclass(frozen=True, eq=False)
class Convolution:
    """Weights of both networks as flat vectors, in the order of the shapes.

    Attributes:
        spec: the shapes.
        generator: float32.
        critic: float32; empty where the generator is only sampled.
        shares: of the classes, sum 1; empty in what organisations are sent: they are told no counts of others.
    """

    spec: ConvolutionSpec
    generator: F32
    critic: F32
    shares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        """Check what may come from a peer.

        Raises:
            InputError: weights or shares are not of the shapes, or not finite.
        """
        spec = self.spec
        sizes = [sum(math.prod(shape) for _, shape in part) for part in (spec.generator_shapes, spec.critic_shapes)]
        right = self.generator.shape == (sizes[0],) and self.critic.shape in ((0,), (sizes[1],))
        if not right or self.shares.shape not in ((0,), (spec.classes,)):
            raise InputError("the weights of a convolutional generator are not of its shape; fetch it again")
        if not all(np.isfinite(part).all() for part in (self.generator, self.critic, self.shares)):
            raise InputError("a convolutional generator holds numbers that are not finite; it must not be used")
        if len(self.shares) and (self.shares.min() < 0 or abs(self.shares.sum() - 1) > _ROUNDING):
            raise InputError("the class shares of a convolutional generator are no distribution; fetch it again")

    @property
    def weights(self) -> F32:
        """Both networks' weights, the generator's first."""
        return np.concatenate([self.generator, self.critic])

    def moved(self, change: NDArray[np.floating[Any]]) -> "Convolution":
        """The same networks with other weights.

        Args:
            change: shape of `weights`, added to them.

        Raises:
            InputError: of another length, or the sum is not finite.
        """
        if change.shape != self.weights.shape:
            raise InputError("a change is not of the networks' length; they do not belong together")
        with np.errstate(over="ignore"):
            weights = (self.weights + change).astype(np.float32)
        cut = len(self.generator)
        return replace(self, generator=weights[:cut], critic=weights[cut:])

    def to_bytes(self) -> bytes:
        """Safetensors; equal networks give equal bytes."""
        header = {
            "version": _VERSION,
            "schema": self.spec.schema.to_document(),
            "channels": self.spec.channels,
            "latent": self.spec.latent,
        }
        tensors = {"critic": self.critic, "generator": self.generator, "shares": self.shares}
        return bytes(save_tensors(tensors, metadata={_KEY: canonical_json(header).decode()}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Convolution":
        """Read both networks.

        Raises:
            InputError: not of this version's form.
        """
        try:
            document = json.loads(metadata_of(data, "convolutional generator")[_KEY])
            tensors = load_tensors(data)
            check_version(document, "convolutional generator", _VERSION)
            numbers = (document["channels"], document["latent"])
            kinds = {name: tensor.dtype for name, tensor in tensors.items()}
            if any(type(number) is not int for number in numbers):
                raise TypeError("a number is of another type")
            if kinds != {"critic": np.float32, "generator": np.float32, "shares": np.float64}:
                raise TypeError("a tensor is of another type")
            spec = ConvolutionSpec(Schema.from_document(document["schema"]), *numbers)
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError("these bytes are no convolutional generator of Headwater; fetch it again") from error
        return cls(spec, tensors["generator"], tensors["critic"], tensors["shares"])


def is_convolution(data: bytes) -> bool:
    """Whether these bytes say that they are a convolutional generator; they may still be a broken one."""
    return declares(data, _KEY)


def first_convolution(spec: ConvolutionSpec, seed: int) -> Convolution:
    """Both networks before any training, by public chance.

    Source: uniform within ±1/√inputs, as torch begins its layers.
    """
    random = np.random.default_rng(seed)

    def drawn(shapes: Shapes) -> F32:
        parts, reach = [], 1.0
        for name, shape in shapes:
            # A bias follows its weight and has the same reach; a class's row has as many inputs as there are classes.
            if len(shape) > 1:
                reach = 1 / math.sqrt(shape[0] if name == "classes" else math.prod(shape[1:]))
            parts.append(random.uniform(-reach, reach, math.prod(shape)))
        return np.concatenate(parts).astype(np.float32)

    return Convolution(spec, drawn(spec.generator_shapes), drawn(spec.critic_shapes))


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return ((f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,)))


def _convolution(name: str, inputs: int, outputs: int) -> Shapes:
    return ((f"{name}.weight", (outputs, inputs, 3, 3)), (f"{name}.bias", (outputs,)))
