"""The members, terms and vectors of a measured session; the same in every process that takes part in it."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from headwater.recipe.fixed_point import fixed_point, scale_for
from headwater.secagg import Roster, SessionTerms
from headwater.secagg.crypto.ring import from_signed, to_signed

__all__ = ["Consortium"]

_STEP = 7919
"""How far one member's vector is turned against the one before it."""


@dataclass(frozen=True)
class Consortium:
    """Keys, terms and vectors from two numbers.

    Attributes:
        count: members.
        length: values in each vector.
        rounds: rounds that may be taken.
    """

    count: int
    length: int
    rounds: int = 100

    @cached_property
    def names(self) -> list[str]:
        """The members, sorted."""
        return [f"org-{place:04}" for place in range(self.count)]

    def key(self, name: str) -> Ed25519PrivateKey:
        """A party's identity key; "" is the coordinator. No secret: every process can make it."""
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"bench" + name.encode()).digest())

    @cached_property
    def roster(self) -> Roster:
        """The charter's members."""
        keys = {name: self.key(name).public_key().public_bytes_raw() for name in self.names}
        return Roster(keys, self.key("").public_key().public_bytes_raw(), bytes(32))

    @property
    def value_bits(self) -> int:
        """The most that a sum of `count` values leaves in 32 bits, at most the recipe's 26."""
        return min(26, 31 - (self.count - 1).bit_length())

    @property
    def terms(self) -> SessionTerms:
        """The terms of the one session."""
        return SessionTerms("bench", bytes(32), 1, self.rounds, 0, self.length, self.value_bits)

    @cached_property
    def base(self) -> NDArray[np.float32]:
        """The first member's vector: uniform in ±1, float32, shape (length,)."""
        return np.random.default_rng(1).uniform(-1, 1, self.length).astype(np.float32)

    @property
    def clip(self) -> float:
        """A norm that no vector reaches, so that what is lost is rounding alone."""
        return 1.01 * math.sqrt(self.length / 3) + 1

    def vector(self, place: int) -> NDArray[np.float32]:
        """A member's vector, float32, shape (length,)."""
        return np.roll(self.base, _STEP * place)

    def encode(self, vector: NDArray[np.float32]) -> NDArray[np.uint32]:
        """What a member does to its vector before the protocol begins: clip, round, map to the ring."""
        scale = scale_for(self.clip, self.value_bits)
        return from_signed(fixed_point(vector, self.clip, scale)).astype(np.uint32, copy=False)

    @cached_property
    def encoded(self) -> NDArray[np.uint32]:
        """The first member's vector, encoded."""
        return self.encode(self.base)

    def encoded_vector(self, place: int) -> NDArray[np.uint32]:
        """A member's vector, encoded; a turn costs less than encoding it."""
        return np.roll(self.encoded, _STEP * place)

    def mean(self, places: list[int]) -> NDArray[np.float64]:
        """The mean that these members' real vectors have."""
        total = np.zeros(self.length)
        for place in places:
            total += self.vector(place)
        return total / len(places)

    def decode_mean(self, total: NDArray[np.uint32], contributors: int) -> NDArray[np.float64]:
        """The mean that a sum stands for."""
        scale = scale_for(self.clip, self.value_bits)
        return to_signed(total).astype(np.float64) / (scale * contributors)
