"""How fast masks are made, beside what the cipher and the memory of this machine can do: section (c)."""

import time
from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from headwater.secagg.crypto.keys import Secret
from headwater.secagg.crypto.masks import SLICE_BYTES, MaskStream

__all__ = ["measure_ceilings"]

COPY_BYTES = 256 * 2**20


def measure_ceilings(masks: int = 10, length: int = 10**7, repeats: int = 5) -> list[dict[str, float]]:
    """Measure cipher, copy and masking in turns, on one thread, in bytes per CPU second.

    Args:
        masks: masks on one vector.
        length: values in it.
        repeats: how often each is measured.

    Returns:
        For each repeat: "keystream" (AES-256-CTR into one reused buffer), "masking" (key stream made and added),
        "copy" (bytes copied from one array to another).
    """
    values = np.zeros(length, np.uint32)
    # Larger than any cache, so that it is the memory that is measured.
    source, target = np.ones(COPY_BYTES, np.uint8), np.zeros(COPY_BYTES, np.uint8)
    size = values.nbytes
    zeros, stream = bytes(SLICE_BYTES), bytearray(SLICE_BYTES)

    def cipher() -> None:
        encryptor = Cipher(algorithms.AES256(bytes(32)), modes.CTR(bytes(16))).encryptor()
        for _ in range(masks * size // SLICE_BYTES):
            encryptor.update_into(zeros, stream)

    def masking() -> None:
        keys = [Secret.fresh() for _ in range(masks)]
        MaskStream(keys[: masks // 2], keys[masks // 2 :]).apply_whole(values)

    def copy() -> None:
        np.copyto(target, source)

    return [
        {
            "keystream": (masks * size // SLICE_BYTES) * SLICE_BYTES / _seconds(cipher),
            "masking": masks * size / _seconds(masking),
            "copy": COPY_BYTES / _seconds(copy),
        }
        for _ in range(repeats)
    ]


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
