"""Where payload, weight and metrics stand in a round's vector: `[payload | weight | metrics]` (protocol 2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.secagg.crypto.ring import RING_BITS, RingBits, RingVector, from_signed, to_signed

__all__ = ["COUNT_METRICS", "UPDATE_METRICS", "Layout", "Summed", "layout_of_counts", "layout_of_update"]

I64 = NDArray[np.int64]

COUNT_METRICS = ("skipped_rows",)
"""Whole numbers, summed: rows with a value that is not finite."""

UPDATE_METRICS = ("skipped", "clipped", "energy", "accuracy")
"""Whole numbers, summed: organisations whose training was not finite, or whose update passed the clip norm; and the
squared norms of what was contributed, as a share of the largest, in the units of a value (see `drift`); and in the same
units the shares of pairs of a row and a draw that critics told apart."""


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

    def join(
        self,
        payload: NDArray[np.signedinteger[Any]],
        weight: int,
        metrics: Mapping[str, int],
        *,
        largest: int,
        ring_bits: RingBits = RING_BITS,
    ) -> RingVector:
        """One vector in the ring.

        Args:
            payload: int32 or int64, shape (payload,).
            weight: not negative.
            metrics: a value for each name.
            largest: no magnitude may be above it, or the sum could wrap around.
            ring_bits: 32 or 64.

        Raises:
            InputError: a part has the wrong size, or a value is too large.
        """
        if payload.shape != (self.payload,) or set(metrics) != set(self.metrics):
            raise InputError(f"a payload of shape {payload.shape} does not fit a layout of {self.payload} values")
        end = [weight, *(metrics[name] for name in self.metrics)]
        magnitudes = [abs(value) for value in end]
        if payload.size:
            magnitudes += [int(payload.max()), -int(payload.min())]
        if max(magnitudes) > largest:
            # protocol 2.2: what was promised to the head-room check holds, or nothing leaves.
            raise InputError(
                f"a contributed value passes the plan's {largest}; raise recipe.value_bits, or give fewer rows"
            )
        vector = np.empty(self.length, payload.dtype)
        vector[: self.payload] = payload
        vector[self.payload :] = end
        return from_signed(vector, ring_bits)

    def split(self, vector: RingVector) -> Summed:
        """Take a summed vector apart, of whichever ring it is.

        Raises:
            InputError: of another length, or no vector of a ring.
        """
        if vector.shape != (self.length,) or vector.dtype not in (np.uint32, np.uint64):
            raise InputError(
                f"a sum has shape {vector.shape} and type {vector.dtype}, expected {self.length} × uint32 or uint64"
            )
        signed = to_signed(vector)
        values = signed[self.payload + 1 :]
        metrics = {name: int(value) for name, value in zip(self.metrics, values, strict=True)}
        return Summed(signed[: self.payload], int(signed[self.payload]), metrics)


def layout_of_counts(cells: int) -> Layout:
    """The vector of a round of counts."""
    return Layout(cells, COUNT_METRICS)


def layout_of_update(parameters: int) -> Layout:
    """The vector of a round of training: generator and critic side by side."""
    return Layout(parameters, UPDATE_METRICS)
