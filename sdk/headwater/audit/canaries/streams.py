"""Numbers derived from a secret, each stream under a label of its own."""

import hashlib
import hmac
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headwater.secagg.crypto.keys import label_fields, number

__all__ = ["Streams"]

_LABEL = "headwater/canary/1/"


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams of one secret in one run.

    Guarantee: equal labels give equal numbers; without the secret, numbers of all labels look like independent ones.

    Attributes:
        secret: 32 bytes of entropy.
        run_id: streams of two runs have nothing in common, should a secret ever serve two.
    """

    secret: bytes = field(repr=False)
    run_id: str

    def words(self, purpose: str, count: int, attempt: int = 0) -> NDArray[np.uint64]:
        """Uniform 64-bit words.

        Args:
            purpose: what they are for.
            count: how many.
            attempt: a later try at the same purpose.

        Returns:
            uint64, shape (count,). More words begin with the same ones.
        """
        label = label_fields(_LABEL + purpose, self.run_id.encode(), number(attempt))
        # HMAC makes a key for the purpose; the extendable output of SHAKE-256 under it is as long as needed.
        key = hmac.digest(self.secret, label, "sha256")
        return np.frombuffer(hashlib.shake_256(key).digest(8 * count), dtype="<u8").astype(np.uint64)

    def uniform(self, purpose: str, count: int, attempt: int = 0) -> NDArray[np.float64]:
        """Uniform numbers in [0, 1), multiples of 2^-53; shape (count,)."""
        return (self.words(purpose, count, attempt) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def coins(self, purpose: str, count: int, attempt: int = 0) -> NDArray[np.bool_]:
        """Fair coins; bool, shape (count,)."""
        return (self.words(purpose, count, attempt) & np.uint64(1)).astype(np.bool_)
