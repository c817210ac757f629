"""Draw pictures: from scores of a generator inside, or by a convolutional generator."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.images.convolution import Convolution
from headwater.images.lifting import Lifting
from headwater.images.wrapping import wrap
from headwater.schema.schema import Schema
from headwater.schema.table import Table

if TYPE_CHECKING:
    from headwater.generator.sampler import Sampler

__all__ = ["ConvolutionSampler", "PictureSampler", "schema_of_rows"]


class PictureSampler:
    """Samples a generator of scores of whichever kind, and makes pictures of its scores. A `Sampler`.

    Attributes:
        lifting: scores to pictures.
        inner: the generator of scores.
    """

    def __init__(self, lifting: Lifting, inner: "Sampler") -> None:
        """Take both."""
        self.lifting = lifting
        self.inner = inner

    @property
    def kind(self) -> str:
        """The kind of the generator inside."""
        return self.inner.kind

    def to_bytes(self) -> bytes:
        """Both, with nothing that only training needs."""
        return wrap(self.lifting, self.inner.to_bytes())

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = 8192,
        device: str = "auto",
    ) -> Iterator[Table]:
        """As `Sampler.tables`.

        Args:
            encoding: of the scores.
            rows: how many in all.
            seed: of scores and pixels.
            label: as of the generator inside: the target is no picture.
            batch_size: rows of a batch.
            device: for what runs on one.

        Raises:
            InputError: the encoding is of other scores.
        """
        if encoding.schema != self.lifting.lifted_schema:
            raise InputError("the encoding is not of these pictures' scores; they do not belong together")
        # Scores and pixels are drawn from two streams of one seed.
        pixels = np.random.default_rng([seed, 2])
        for table in self.inner.tables(encoding, rows, seed, label=label, batch_size=batch_size, device=device):
            yield self.lifting.lower(table, pixels)


class ConvolutionSampler:
    """Samples a convolutional generator: classes by their shares, then a picture of each. A `Sampler`.

    Attributes:
        model: with its class shares.
    """

    kind = "convolution"

    def __init__(self, model: Convolution) -> None:
        """Take a model; its critic is not needed.

        Raises:
            InputError: it has no class shares: it is one of a run under way.
        """
        if not len(model.shares):
            raise InputError("the convolutional generator is one of a run under way; sample the run's result")
        self.model = model

    def to_bytes(self) -> bytes:
        """The generator and the class shares."""
        return replace(self.model, critic=self.model.critic[:0]).to_bytes()

    def tables(
        self,
        encoding: Encoding,
        rows: int,
        seed: int,
        *,
        label: int | None = None,
        batch_size: int = 8192,
        device: str = "auto",
    ) -> Iterator[Table]:
        """As `Sampler.tables`; nothing is encoded, and so small a network runs where it is.

        Raises:
            InputError: there is no such class.
        """
        import torch

        from headwater.generator.convolutional import draw_pictures

        del encoding, device
        spec = self.model.spec
        if label is not None and not 0 <= label < spec.classes:
            raise InputError(f"there is no class {label}, the pictures have {spec.classes}; ask for one of these")
        classes, latent = np.random.default_rng([seed, 3]), torch.Generator().manual_seed(seed)
        for start in range(0, rows, batch_size):
            count = min(batch_size, rows - start)
            if label is None:
                labels = classes.choice(spec.classes, count, p=self.model.shares).astype(np.int32)
            else:
                labels = np.full(count, label, np.int32)
            columns: dict[str, NDArray[Any]] = {spec.image.name: draw_pictures(self.model, labels, latent)}
            if spec.schema.target is not None:
                columns[spec.schema.target.name] = labels
            yield Table(spec.schema, columns, count)


def schema_of_rows(sampler: "Sampler", encoding: Encoding) -> Schema:
    """The schema of the rows that a sampler draws: with pictures where the encoding has their scores."""
    if isinstance(sampler, ConvolutionSampler):
        return sampler.model.spec.schema
    return sampler.lifting.schema if isinstance(sampler, PictureSampler) else encoding.schema
