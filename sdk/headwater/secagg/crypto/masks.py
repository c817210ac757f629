"""Masks from AES-256-CTR, added or taken away slice by slice inside the processor's cache: protocol 4.4, 6."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from headwater.errors import InputError
from headwater.secagg.crypto.keys import Secret, digest
from headwater.secagg.crypto.ring import RING_BITS, RingVector, ring_type

__all__ = [
    "CHECK_VALUES",
    "LANE_BYTES",
    "SLICE_BYTES",
    "MaskStream",
    "check_values",
    "front_mask",
    "key_stream",
    "useful_lanes",
]

SLICE_BYTES = 128 * 1024
"""Bytes masked at a time: that much of vector, key stream and zeros together stay in the cache (protocol 6)."""

CHECK_VALUES = 4
"""Public coordinates in front of every vector that show whether the masks came off (protocol 4.4)."""

BLOCK_BYTES = 16
"""One AES block; a mask can begin at any of them, because the counter says which it is."""

LANE_BYTES = 8 * 2**20
"""Least key stream that is worth a thread of its own: over a millisecond of cipher."""

_ZEROS = bytes(SLICE_BYTES)


def check_values(rho: bytes, ring_bits: int = RING_BITS) -> RingVector:
    """The four public check coordinates PRF(ρ_t) that each member puts in front of its vector (protocol 4.4)."""
    kind = ring_type(ring_bits)
    return np.frombuffer(digest("check", rho)[: kind.itemsize * CHECK_VALUES], dtype=kind)


def front_mask(key: Secret, ring_bits: int = RING_BITS) -> RingVector:
    """The part of a mask that lies on the check coordinates, shape (4,); see `blame` (protocol 4.7)."""
    kind = ring_type(ring_bits)
    return np.frombuffer(key_stream(key.value).update(bytes(kind.itemsize * CHECK_VALUES)), dtype=kind)


def key_stream(key: bytes, counter: bytes = bytes(BLOCK_BYTES)) -> CipherContext:
    """The AES-256-CTR key stream of a 32-byte key; masks always begin at counter block zero (protocol 4.4)."""
    return Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor()


def useful_lanes(threads: int, masks: int, size: int) -> int:
    """How many of `threads` threads are worth starting to put `masks` masks on `size` bytes; at least 1."""
    return max(1, min(threads, masks * size // LANE_BYTES))


class MaskStream:
    """The running sum of several signed masks, applied to parts of one vector.

    A mask is PRG(k): the AES-256-CTR key stream of k from a zero counter block, read as little-endian values of the
    ring. No mask is ever held whole. One key serves one mask, so a stream is used for one vector and thrown away.

    Attributes:
        lanes: how many threads may apply parts at the same time, each in a lane of its own.
    """

    def __init__(
        self, added: Iterable[Secret], subtracted: Iterable[Secret], *, ring_bits: int = RING_BITS, lanes: int = 1
    ) -> None:
        """Start every mask at its first value.

        Args:
            added: 32-byte keys whose masks are added.
            subtracted: 32-byte keys whose masks are taken away.
            ring_bits: 32 or 64, the ring of the vector.
            lanes: threads that may work at the same time.

        Raises:
            InputError: one key is given twice; a mask that cancels itself, or doubles, hides nothing.
        """
        plus, minus = [key.value for key in added], [key.value for key in subtracted]
        if len({*plus, *minus}) != len(plus) + len(minus):
            # protocol 4.4: one key for one mask.
            raise InputError("a mask key is used twice; derive one key for each mask")
        self._type = ring_type(ring_bits)
        self._lanes = [_Lane(plus, minus, self._type) for _ in range(lanes)]

    @property
    def lanes(self) -> int:
        """How many threads may apply parts at the same time."""
        return len(self._lanes)

    def apply(self, values: RingVector) -> None:
        """Add the next part of every mask to `values` in place, modulo 2^32 or 2^64.

        Args:
            values: of the ring's type, shape (count,), contiguous: the part of the vector after those already given.
        """
        self._lanes[0].apply(self._checked(values))

    def apply_at(self, values: RingVector, begin: int, lane: int = 0) -> None:
        """Add one part of every mask in place; threads may do so at the same time, each in another lane.

        Args:
            values: as in `apply`: the part of the vector from its value number `begin` on.
            begin: at the border of a 16-byte block.
            lane: 0 to `lanes` − 1.

        Raises:
            InputError: `begin` is inside a block.
        """
        block, inside = divmod(begin * self._type.itemsize, BLOCK_BYTES)
        if inside:
            raise InputError(f"value {begin} is inside a cipher block; cut the vector at the border of one")
        self._lanes[lane].seek(block)
        self._lanes[lane].apply(self._checked(values))

    def apply_whole(self, values: RingVector) -> None:
        """Add every mask to a whole vector in place, its range split over all lanes.

        Guarantee: the result is the same bit by bit however many lanes there are.
        """
        step = -(-values.size // self.lanes)
        step += -step % BLOCK_BYTES
        borders = range(0, values.size, max(step, 1))
        if len(borders) <= 1:
            self.apply_at(values, 0)
            return
        with ThreadPoolExecutor(len(borders)) as pool:
            parts = [
                pool.submit(self.apply_at, values[begin : begin + step], begin, lane)
                for lane, begin in enumerate(borders)
            ]
            for part in parts:
                part.result()

    def _checked(self, values: RingVector) -> RingVector:
        if values.dtype != self._type:
            raise InputError(f"a part of {values.dtype} is to be masked, the ring holds {self._type}")
        return values


class _Lane:
    """One thread's ciphers and buffer; nothing in it is shared."""

    def __init__(self, plus: list[bytes], minus: list[bytes], kind: np.dtype[np.unsignedinteger]) -> None:
        self._plus = [key_stream(key) for key in plus]
        self._minus = [key_stream(key) for key in minus]
        self._stream = bytearray(SLICE_BYTES)
        self._masks = np.frombuffer(self._stream, dtype=kind)
        self._block: int | None = 0

    def seek(self, block: int) -> None:
        """Make a block of the key streams the next one."""
        if block != self._block:
            for cipher in (*self._plus, *self._minus):
                cipher.reset_nonce(block.to_bytes(BLOCK_BYTES, "big"))
            self._block = block

    def apply(self, values: RingVector) -> None:
        """Add the next values of every mask."""
        for part in _slices(values):
            mask, zeros = self._masks[: part.size], memoryview(_ZEROS)[: part.nbytes]
            for cipher in self._plus:
                cipher.update_into(zeros, self._stream)
                np.add(part, mask, out=part)
            for cipher in self._minus:
                cipher.update_into(zeros, self._stream)
                np.subtract(part, mask, out=part)
        # After a part that ends inside a block the place is known to the ciphers alone, and a seek sets it anew.
        passed, inside = divmod(values.nbytes, BLOCK_BYTES)
        self._block = None if inside or self._block is None else self._block + passed


def _slices(values: RingVector) -> Iterator[RingVector]:
    step = SLICE_BYTES // values.itemsize
    return (values[begin : begin + step] for begin in range(0, values.size, step))
