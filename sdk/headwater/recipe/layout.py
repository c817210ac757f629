"""Where payload, weight and metrics stand in a round's vector: `[payload | weight | metrics]` (protocol 2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["COUNT_METRICS", "UPDATE_METRICS", "Layout", "Summed", "layout_of_counts", "layout_of_update"]

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

COUNT_METRICS = ("skipped_rows",)
"""Whole numbers, summed: rows with a value that is not finite."""

UPDATE_METRICS = ("skipped", "clipped")
"""Whole numbers, summed: organisations whose training was not finite, or whose update passed the clip norm."""


@dataclass(frozen=True, slots=True)
class Summed:
    """A sum, taken apart.

    Attributes:
        payload: int64.
        weight: counts: rows; updates: the sum of fixed-point weights.
        metrics: by name, in their integer units.
    """

    payload: I64
    weight: int
    metrics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of the parts of a vector.

    Attributes:
        payload: values in it.
        metrics: names, one value each.
    """

    payload: int
    metrics: tuple[str, ...]

    @property
    def length(self) -> int:
        """Values in the whole vector."""
        return self.payload + 1 + len(self.metrics)

    def join(self, payload: I64, weight: int, metrics: Mapping[str, int], *, largest: int) -> U32:
        """One vector in the ring.

        Args:
            payload: int64, shape (payload,).
            weight: not negative.
            metrics: a value for each name.
            largest: no magnitude may be above it, or the sum could wrap around.

        Raises:
            InputError: a part has the wrong size, or a value is too large.
        """
        if payload.shape != (self.payload,) or set(metrics) != set(self.metrics):
            raise InputError(f"a payload of shape {payload.shape} does not fit a layout of {self.payload} values")
        vector = np.concatenate([payload, [weight], [metrics[name] for name in self.metrics]]).astype(np.int64)
        if int(np.abs(vector).max()) > largest:
            # protocol 2.2: what was promised to the head-room check holds, or nothing leaves.
            raise InputError(
                f"a contributed value passes the plan's {largest}; raise recipe.value_bits, or give fewer rows"
            )
        return vector.astype(np.uint32)

    def split(self, vector: U32) -> Summed:
        """Take a summed vector apart.

        Raises:
            InputError: of another length.
        """
        if vector.shape != (self.length,) or vector.dtype != np.uint32:
            raise InputError(f"a sum has shape {vector.shape} and type {vector.dtype}, expected {self.length} × uint32")
        signed = vector.view(np.int32).astype(np.int64)
        values = signed[self.payload + 1 :]
        metrics = {name: int(value) for name, value in zip(self.metrics, values, strict=True)}
        return Summed(signed[: self.payload], int(signed[self.payload]), metrics)


def layout_of_counts(cells: int) -> Layout:
    """The vector of a round of counts."""
    return Layout(cells, COUNT_METRICS)


def layout_of_update(parameters: int) -> Layout:
    """The vector of a round of training: generator and critic side by side."""
    return Layout(parameters, UPDATE_METRICS)
