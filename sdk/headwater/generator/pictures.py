"""Draw pictures: scores from the generator inside, pixels from the scores."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from headwater.encoding.encoding import Encoding
from headwater.errors import InputError
from headwater.images.lifting import Lifting
from headwater.images.wrapping import wrap
from headwater.schema.schema import Schema
from headwater.schema.table import Table

if TYPE_CHECKING:
    from headwater.generator.sampler import Sampler

__all__ = ["PictureSampler", "schema_of_rows"]


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


def schema_of_rows(sampler: "Sampler", encoding: Encoding) -> Schema:
    """The schema of the rows that a sampler draws: with pictures where the encoding has their scores."""
    return sampler.lifting.schema if isinstance(sampler, PictureSampler) else encoding.schema
