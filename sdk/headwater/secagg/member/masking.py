"""A member's masked vector made part by part, each handed on while the next ones are in the making: protocol 4.4, 6."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from headwater.secagg.crypto.masks import MaskStream
from headwater.secagg.crypto.ring import RingVector
from headwater.secagg.wire.codec import MAXIMUM_CHUNK

__all__ = ["masked_parts"]


def masked_parts(front: RingVector, vector: RingVector, masks: MaskStream) -> Iterator[RingVector]:
    """Mask `front` followed by `vector`, in parts of one chunk each.

    With several lanes that many parts are in the making at a time, while the caller hashes and sends the one before.

    Args:
        front: the check coordinates.
        vector: of the same type, shape (length,); not changed.
        masks: a fresh stream; it is used up.

    Yields:
        The parts in order, the last one shorter. A part is valid until the next one is asked for.
    """
    total, step = front.size + vector.size, MAXIMUM_CHUNK // vector.itemsize
    parts = -(-total // step)
    lanes = min(masks.lanes, parts)
    buffers = [np.empty(min(step, total), dtype=vector.dtype) for _ in range(lanes)]

    def make(index: int) -> RingVector:
        begin = index * step
        part = buffers[index % lanes][: min(step, total - begin)]
        ahead = front.size if index == 0 else 0
        part[:ahead] = front[:ahead]
        part[ahead:] = vector[begin + ahead - front.size : begin + part.size - front.size]
        masks.apply_at(part, begin, index % lanes)
        return part

    if lanes == 1:
        yield from map(make, range(parts))
        return
    with ThreadPoolExecutor(lanes) as pool:
        making = deque(pool.submit(make, index) for index in range(lanes))
        for index in range(lanes, parts + lanes):
            yield making.popleft().result()
            if index < parts:
                # Its buffer is the one whose part the caller is done with.
                making.append(pool.submit(make, index))
