"""A generator as bytes: safetensors with the shape as JSON beside it, deterministic, no pickle."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from headwater.canonical import canonical_json
from headwater.errors import InputError
from headwater.generator.network import Critic, Generator, flat_parameters, load_flat
from headwater.generator.spec import GeneratorSpec
from headwater.model_header import check_version, metadata_of

__all__ = ["Model", "pick_device"]

F32 = NDArray[np.float32]
_VERSION = 1


def pick_device(device: str) -> torch.device:
    """The device by name; "auto" takes a GPU where there is one.

    Raises:
        InputError: no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    if device == "cuda":
        if not torch.cuda.is_available():
            raise InputError("device cuda was asked for, there is no CUDA here; say cpu or auto")
        return torch.device("cuda")
    raise InputError(f"device {device!r} is none of auto, cpu, cuda")


@dataclass(frozen=True, eq=False)
class Model:
    """Weights of generator and critic, as flat vectors in the order of the networks' parameters.

    Attributes:
        spec: the shape.
        generator: float32, what the next round trains.
        average: float32, the moving average that is sampled and released.
        critic: float32, empty until a round trained one.
        server_state: float32, what the server's optimiser keeps from round to round; empty where it keeps nothing.
    """

    spec: GeneratorSpec
    generator: F32
    average: F32
    critic: F32
    server_state: F32 = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        """Check that the weights are of the shape and finite.

        The shape's weights are counted, not built: a short description can claim gigabytes.
        """
        expected = self.spec.generator_parameters
        if self.generator.shape != (expected,) or self.average.shape != (expected,):
            raise InputError(f"the generator has not the {expected} weights of its shape; fetch it again")
        if len(self.critic) not in (0, self.spec.critic_parameters):
            raise InputError("the critic has not the weights of its shape; fetch it again")
        if len(self.server_state) not in (0, expected, 2 * expected):
            raise InputError("the server's state has not the weights of the shape; fetch the generator again")
        held = (self.generator, self.average, self.critic, self.server_state)
        if not all(np.isfinite(weights).all() for weights in held):
            raise InputError("the model holds weights that are not finite; it must not be used")

    @classmethod
    def of(cls, generator: Generator, average: torch.Tensor | None = None, critic: Critic | None = None) -> "Model":
        """Take the weights out of networks; `average` is the generator itself where none is given."""
        weights = flat_parameters(generator)
        return cls(
            spec=generator.spec,
            generator=_numpy(weights),
            average=_numpy(weights if average is None else average.detach().cpu()),
            critic=_numpy(flat_parameters(critic)) if critic is not None else np.zeros(0, np.float32),
        )

    def with_critic(self, seed: int) -> "Model":
        """The same model with a fresh critic, if it has none."""
        if len(self.critic):
            return self
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return replace(self, critic=_numpy(flat_parameters(Critic(self.spec))))

    def build_generator(self, device: torch.device, *, average: bool) -> Generator:
        """The generator network with these weights."""
        network = Generator(self.spec)
        load_flat(network, torch.from_numpy((self.average if average else self.generator).copy()))
        return network.to(device)

    def build_critic(self, device: torch.device) -> Critic:
        """The critic network with these weights.

        Raises:
            InputError: the model has no critic.
        """
        if not len(self.critic):
            raise InputError("the model has no critic; this round needs one")
        network = Critic(self.spec)
        load_flat(network, torch.from_numpy(self.critic.copy()))
        return network.to(device)

    def to_bytes(self) -> bytes:
        """Safetensors; equal models give equal bytes."""
        header = canonical_json({"version": _VERSION, "spec": self.spec.to_document()}).decode()
        tensors = {"average": self.average, "critic": self.critic, "generator": self.generator}
        if len(self.server_state):
            tensors["server_state"] = self.server_state
        return bytes(save_tensors(tensors, metadata={"headwater": header}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Model":
        """Read a model.

        Raises:
            InputError: not a model of this version, too large, of the wrong shape, or not finite.
        """
        metadata = metadata_of(data, "generator")
        try:
            document = json.loads(metadata["headwater"])
            check_version(document, "generator", _VERSION)
            tensors = load_tensors(data)
        except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise InputError("these bytes are no generator of Headwater; fetch it again") from error
        state = tensors.pop("server_state", np.zeros(0, np.float32))
        if set(tensors) != {"average", "critic", "generator"} or any(
            tensor.dtype != np.float32 or tensor.ndim != 1 for tensor in (*tensors.values(), state)
        ):
            raise InputError("the generator's weights are not of the expected form; fetch it again")
        spec = GeneratorSpec.from_document(document.get("spec", {}))
        return cls(spec, tensors["generator"], tensors["average"], tensors["critic"], state)


def _numpy(tensor: torch.Tensor) -> F32:
    return np.ascontiguousarray(tensor.to(torch.float32).numpy())
