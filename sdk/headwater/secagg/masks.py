"""Masks from AES-256-CTR, added or taken away slice by slice inside the processor's cache: protocol 4.4, 6."""

from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from headwater.errors import InputError
from headwater.secagg.keys import Secret, digest

__all__ = ["CHECK_VALUES", "SLICE_VALUES", "MaskStream", "check_values", "key_stream"]

SLICE_VALUES = 16 * 1024
"""Values masked at a time: 64 KiB of vector, key stream and zeros stay in the cache (protocol 6)."""

CHECK_VALUES = 4
"""Public coordinates in front of every vector that show whether the masks came off (protocol 4.4)."""

_ZEROS = bytes(4 * SLICE_VALUES)


def check_values(rho: bytes) -> NDArray[np.uint32]:
    """The four public check coordinates PRF(ρ_t) that each member puts in front of its vector (protocol 4.4)."""
    return np.frombuffer(digest("check", rho)[: 4 * CHECK_VALUES], dtype="<u4").astype(np.uint32)


def key_stream(key: bytes, counter: bytes = bytes(16)) -> CipherContext:
    """The AES-256-CTR key stream of a 32-byte key; masks always begin at counter block zero (protocol 4.4)."""
    return Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor()


class MaskStream:
    """The running sum of several signed masks, applied to consecutive parts of one vector.

    A mask is PRG(k): the AES-256-CTR key stream of k from a zero counter block, read as little-endian uint32. No
    mask is ever held whole. One key serves one mask, so a stream is used for one vector and thrown away.
    """

    def __init__(self, added: Iterable[Secret], subtracted: Iterable[Secret]) -> None:
        """Start every mask at its first value.

        Args:
            added: 32-byte keys whose masks are added.
            subtracted: 32-byte keys whose masks are taken away.

        Raises:
            InputError: one key is given twice; a mask that cancels itself, or doubles, hides nothing.
        """
        keys = [(key.value, True) for key in added] + [(key.value, False) for key in subtracted]
        if len({key for key, _ in keys}) != len(keys):
            # protocol 4.4: one key for one mask.
            raise InputError("a mask key is used twice; derive one key for each mask")
        self._ciphers = [(Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor(), add) for key, add in keys]
        self._stream = bytearray(4 * SLICE_VALUES)

    def apply(self, values: NDArray[np.uint32]) -> None:
        """Add the next part of every mask to `values` in place, modulo 2^32.

        Args:
            values: uint32, shape (count,), contiguous: the part of the vector after those already given.
        """
        whole = np.frombuffer(self._stream, dtype="<u4")
        for begin in range(0, values.size, SLICE_VALUES):
            part = values[begin : begin + SLICE_VALUES]
            mask = whole[: part.size]
            zeros = memoryview(_ZEROS)[: 4 * part.size]
            for cipher, add in self._ciphers:
                cipher.update_into(zeros, self._stream)
                if add:
                    np.add(part, mask, out=part)
                else:
                    np.subtract(part, mask, out=part)
