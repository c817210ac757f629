"""What can be sampled: a network, a mixture or a refined mixture, behind one interface."""

from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.generator.pictures import ConvolutionSampler, PictureSampler
from headwater.images.convolution import Convolution, is_convolution
from headwater.images.wrapping import is_wrapped, unwrap
from headwater.mixture.packing import is_packed_mixture, unpack_mixture
from headwater.mixture.parameters import Mixture, is_mixture
from headwater.mixture.sampling import Draws, sample_tables
from headwater.model_header import declares
from headwater.schema.table import Table

if TYPE_CHECKING:
    from headwater.generator.model import Model
    from headwater.generator.refiner.drawing import RefinedDraws
    from headwater.generator.refiner.model import RefinedMixture

__all__ = ["MixtureSampler", "NetworkSampler", "RefinedSampler", "Sampler", "read_sampler"]

_BATCH = 8192
# As `headwater.generator.refiner.model` and `packing` write them, which torch loads.
_REFINED, _PACKED_NETWORK = "headwater-refined", "headwater-packed-network"
_MOST_BYTES = 2**29


class Sampler(Protocol):
    """A fitted generator of whichever kind."""

    @property
    def kind(self) -> str:
        """The kind by name, as bundles and cards say it."""

    def to_bytes(self) -> bytes:
        """What `read_sampler` reads back, and nothing that only training needs."""

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = _BATCH,
        device: str = "auto",
    ) -> Iterator[Table]:
        """Yield synthetic rows in batches; memory is bounded by the batch.

        Args:
            encoding: that the generator was fitted with, with its counts.
            rows: how many in all.
            seed: equal seeds and batch sizes give equal rows on one machine's CPU.
            label: code of the label that every row shall have; None draws the label too.
            batch_size: rows of a batch.
            device: "auto", "cpu" or "cuda", for what runs on one.

        Raises:
            InputError: the encoding is of another generator, or this kind cannot draw rows of one label.
        """


class NetworkSampler:
    """Samples the moving average of a generator network."""

    kind = "network"

    def __init__(self, model: "Model", packed: bytes | None = None) -> None:
        """Take a model; its critic is not needed. `packed` is what it was read from, where that was packed."""
        self.model = model
        self._packed = packed

    def to_bytes(self) -> bytes:
        """The average weights alone."""
        if self._packed is not None:
            return self._packed
        from headwater.generator.model import Model

        model = self.model
        return Model(model.spec, model.average, model.average, model.critic[:0]).to_bytes()

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = _BATCH,
        device: str = "auto",
    ) -> Iterator[Table]:
        """As `Sampler.tables`."""
        from headwater.generator.sampling import sample_codes

        if self.model.spec.sizes != encoding.sizes:
            raise InputError("the generator's columns are not the encoding's; they do not belong together")
        # The codes and the values inside a code are drawn from two streams of one seed.
        values = np.random.default_rng([seed, 1])
        for codes in sample_codes(self.model, rows, seed, batch_size, device, label):
            yield encoding.decode(codes, values)


class MixtureSampler:
    """Samples a mixture."""

    kind = "mixture"

    def __init__(self, mixture: Mixture, packed: bytes | None = None) -> None:
        """Take a mixture. `packed` is what it was read from, where that was packed."""
        self.mixture = mixture
        self._packed = packed

    def to_bytes(self) -> bytes:
        """The mixture's bytes."""
        return self.mixture.to_bytes() if self._packed is None else self._packed

    @cached_property
    def _draws(self) -> Draws:
        # Worked out once, however many blocks of a stream are drawn.
        return Draws(self.mixture)

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = _BATCH,
        device: str = "auto",
    ) -> Iterator[Table]:
        """As `Sampler.tables`."""
        del device
        return sample_tables(self.mixture, encoding, rows, seed, batch_size=batch_size, label=label, draws=self._draws)


class RefinedSampler:
    """Samples a refined mixture: its critic goes with it where draws are weighed."""

    kind = "refined"

    def __init__(self, model: "RefinedMixture") -> None:
        """Take a refined mixture."""
        self.model = model

    def to_bytes(self) -> bytes:
        """The bytes of mixture, refiner and critic."""
        return self.model.to_bytes()

    @cached_property
    def _draws(self) -> "RefinedDraws":
        from headwater.generator.refiner.drawing import RefinedDraws

        # Worked out once, however many blocks of a stream are drawn.
        return RefinedDraws(self.model)

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = _BATCH,
        device: str = "auto",
    ) -> Iterator[Table]:
        """As `Sampler.tables`."""
        from headwater.generator.refiner.drawing import sample_refined

        del device
        return sample_refined(self._draws, encoding, rows, seed, batch_size=batch_size, label=label)


def read_sampler(data: bytes) -> Sampler:
    """A generator from its bytes, of the kind that they are of. A mixture needs no torch, neither here nor to draw.

    Raises:
        InputError: no generator of this version; or it is one of the kinds that torch runs, and torch is missing.
    """
    if is_wrapped(data):
        lifting, inner = unwrap(data)
        return PictureSampler(lifting, read_sampler(inner))
    if is_packed_mixture(data):
        return MixtureSampler(unpack_mixture(data), data)
    if is_mixture(data):
        return MixtureSampler(Mixture.from_bytes(data))
    try:
        import_module("torch")
    except ModuleNotFoundError as error:
        raise InputError(
            "this generator is no mixture, and other kinds are run by torch; pip install 'headwater[generator]' brings "
            "it"
        ) from error
    if is_convolution(data):
        return ConvolutionSampler(Convolution.from_bytes(data))
    return _read_network(data)


def _read_network(data: bytes) -> Sampler:
    # torch is loaded by the first generator that it runs.
    from headwater.generator.model import Model
    from headwater.generator.packing import unpack_network
    from headwater.generator.refiner.model import RefinedMixture

    if declares(data, _PACKED_NETWORK, _MOST_BYTES):
        return NetworkSampler(unpack_network(data), data)
    if declares(data, _REFINED, _MOST_BYTES):
        return RefinedSampler(RefinedMixture.from_bytes(data))
    return NetworkSampler(Model.from_bytes(data))
