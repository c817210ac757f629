"""Arithmetic modulo 2^32 or 2^64 on unsigned vectors, with the head-room that keeps a sum exact: protocol 2.1, 2.2."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headwater.errors import InputError

__all__ = ["RING_BITS", "RingBits", "RingVector", "check_headroom", "from_signed", "ring_type", "to_signed"]

RingBits = Literal[32, 64]
"""The width of a session's ring."""

RING_BITS: RingBits = 32
"""The ring of a plan that does not ask for the wider one."""

RingVector = NDArray[np.unsignedinteger[Any]]
"""Ring elements: uint32 for 32 bits, uint64 for 64."""

_TYPES: dict[int, np.dtype[np.unsignedinteger[Any]]] = {32: np.dtype("<u4"), 64: np.dtype("<u8")}


def ring_type(ring_bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The little-endian type of one ring element: how it is held, masked, hashed and sent (protocol 4.4).

    Raises:
        InputError: there is no ring of this width.
    """
    try:
        return _TYPES[ring_bits]
    except KeyError as error:
        raise InputError(f"a ring of {ring_bits} bits is asked for, there are 32 and 64; correct the plan") from error


def check_headroom(
    value_bits: int, members: int, *, weight_bits: int = 0, noise_bits: int = 0, ring_bits: int = RING_BITS
) -> None:
    """Refuse values whose sum over all members could leave the ring (protocol 2.2).

    Args:
        value_bits: bits of the largest magnitude that one member contributes to a coordinate, at least 1.
        members: n, the members whose vectors are summed.
        weight_bits: bits of the largest weight, when the values are multiplied by it.
        noise_bits: head-room for noise, tail 2^-40 over the vector.
        ring_bits: 32 or 64.

    Raises:
        InputError: 1 (sign) + value + weight + ⌈log2 n⌉ + noise exceeds the ring.

    Guarantee: when it passes, a sum of n values below 2^(value + weight) in magnitude is exact when signed.
    """
    if value_bits < 1 or members < 1 or weight_bits < 0 or noise_bits < 0:
        raise InputError(
            "head-room needs at least one value bit and one member, and no negative numbers; correct the plan"
        )
    needed = 1 + value_bits + weight_bits + (members - 1).bit_length() + noise_bits
    if needed > ring_bits:
        raise InputError(
            f"a sum over {members} members needs {needed} bits and the ring has {ring_bits}; "
            "use a coarser fixed-point scale or a smaller clip in the plan"
        )


def from_signed(values: NDArray[np.signedinteger[Any]], ring_bits: int = RING_BITS) -> RingVector:
    """Map signed integers to the ring, two's complement.

    Args:
        values: int32 or int64 of any shape, each within [−2^31, 2^31) for the ring of 32 bits.
        ring_bits: 32 or 64.

    Returns:
        Ring elements; where the type is as wide as the ring, in the memory of `values`.

    Raises:
        InputError: a value is outside that range.
    """
    width = ring_type(ring_bits)
    if values.itemsize > width.itemsize and values.size and (values.min() < -(2**31) or values.max() >= 2**31):
        raise InputError("a value does not fit the 32-bit ring; clip or scale it before it is masked")
    return values.astype(f"<i{width.itemsize}", copy=False).view(width)


def to_signed(values: RingVector) -> NDArray[np.int64]:
    """Read ring elements as the signed integers nearest zero; the inverse of `from_signed`."""
    return values.view(np.dtype(f"<i{values.itemsize}")).astype(np.int64)
