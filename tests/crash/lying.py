"""An organisation's process that lies in its Deals or masks, so that a round comes to complaints and inquiries."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np

from headwater.secagg.crypto.masks import check_values
from headwater.secagg.crypto.sealing import seal
from headwater.secagg.crypto.shamir import split
from headwater.secagg.member import round as member_round
from headwater.secagg.protocol import dealing

__all__ = ["lying"]


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _other_seed(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    return split(_flipped(secret), threshold, holders)


def _other_shares(key: Any, plain: bytes, associated: bytes) -> bytes:
    return seal(key, _flipped(plain) if len(plain) == 66 else plain, associated)


def _other_checks(rho: bytes, *ring: int) -> Any:
    values = check_values(rho, *ring)
    return values + np.ones_like(values)


_LIES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "": nullcontext,
    "deals another seed": lambda: patch.object(dealing, "split", _other_seed),
    "deals other shares": lambda: patch.object(dealing, "seal", _other_shares),
    "masks another vector": lambda: patch.object(member_round, "check_values", _other_checks),
}


def lying(lie: str) -> AbstractContextManager[Any]:
    """Lie in this process from now on; "" is the truth."""
    return _LIES[lie]()
