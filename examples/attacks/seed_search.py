"""The seeds that flwr's masks can have, counted and searched, many at a time."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from flwr.common.secure_aggregation.crypto.symmetric_encryption import generate_shared_key
from flwr.supercore.primitives.asymmetric import generate_key_pairs
from numpy.typing import NDArray

__all__ = ["SEED_BITS", "Search", "fold", "place_of", "seed_at", "varying_bits"]

Words = NDArray[np.uint32]
SEED_BITS = 28
_BLOCK = 2**15
_SHIFT, _OUTPUTS = 397, 3


def fold(key: bytes) -> int:
    """What flwr's `pseudo_rand_gen` makes of a key before it seeds the twister: 4-byte words, XORed."""
    folded = 0
    for place in range(0, len(key), 4):
        folded ^= int.from_bytes(key[place : place + 4], "little")
    return folded


def varying_bits(samples: int) -> int:
    """A word with the bits set that differ between the folded seeds of fresh pairs of keys.

    A pair's key is base64 text, so each of its bytes is below 128: the top bit of each byte of the folded word is
    always 0, and 28 of the 32 bits are left.
    """
    public = generate_key_pairs()[1]
    seeds = [fold(generate_shared_key(generate_key_pairs()[0], public)) for _ in range(samples)]
    return int(np.bitwise_or.reduce(np.array(seeds) ^ seeds[0]))


def seed_at(places: Words) -> Words:
    """The seeds at these places of the space: seven bits of the place to each byte of the seed."""
    seeds = np.zeros_like(places)
    for byte in range(4):
        seeds |= ((places >> np.uint32(7 * byte)) & np.uint32(0x7F)) << np.uint32(8 * byte)
    return seeds


def place_of(seed: int) -> int:
    """The place of a seed in the space; the inverse of `seed_at`."""
    return sum(((seed >> 8 * byte) & 0x7F) << 7 * byte for byte in range(4))


def first_values(seeds: Words) -> list[Words]:
    """For each seed, the first three values of numpy's `RandomState(seed)`, as columns."""
    state, scratch, kept = seeds.copy(), np.empty_like(seeds), {0: seeds.copy()}
    for index in range(1, _SHIFT + _OUTPUTS):
        np.right_shift(state, 30, out=scratch)
        np.bitwise_xor(state, scratch, out=state)
        np.multiply(state, np.uint32(1812433253), out=state)
        np.add(state, np.uint32(index), out=state)
        if index <= _OUTPUTS or index >= _SHIFT:
            kept[index] = state.copy()
    return [_tempered(kept[k], kept[k + 1], kept[k + _SHIFT]) for k in range(_OUTPUTS)]


def _tempered(first: Words, second: Words, shifted: Words) -> Words:
    mixed = (first & np.uint32(0x80000000)) | (second & np.uint32(0x7FFFFFFF))
    value: Words = shifted ^ (mixed >> np.uint32(1)) ^ ((mixed & np.uint32(1)) * np.uint32(0x9908B0DF))
    value ^= value >> np.uint32(11)
    value ^= (value << np.uint32(7)) & np.uint32(0x9D2C5680)
    value ^= (value << np.uint32(15)) & np.uint32(0xEFC60000)
    value ^= value >> np.uint32(18)
    return value


class Search:
    """Looks for the seed of one mask over a vector whose values are known to be small.

    Attributes:
        visited: seeds tried so far.
        seconds: time that took, on one core.
    """

    def __init__(self, masked: NDArray[np.int64], sign: int, largest: int) -> None:
        """Look behind `masked` = values + sign · mask modulo 2^32, every value at most `largest`."""
        self.visited, self.seconds = 0, 0.0
        self._masked, self._sign = masked[:_OUTPUTS].astype(np.uint64).astype(np.uint32), sign
        self._largest = np.uint32(largest)

    def candidates(self, first: int, count: int) -> Iterator[int]:
        """The seeds among `count` places from `first` that leave only small values."""
        for begin in range(first, first + count, _BLOCK):
            started = perf_counter()
            seeds = seed_at(np.arange(begin, min(begin + _BLOCK, first + count), dtype=np.uint32))
            fits = np.ones(len(seeds), dtype=bool)
            for masked, mask in zip(self._masked, first_values(seeds), strict=True):
                fits &= (masked - mask if self._sign > 0 else masked + mask) <= self._largest
            self.visited += len(seeds)
            self.seconds += perf_counter() - started
            yield from (int(seed) for seed in seeds[fits])
