"""Rates of requests, held in memory and forgotten within minutes."""

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Buckets", "address_key"]

_MOST_BUCKETS = 20_000
_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Buckets:
    """A token bucket for each key, of one rate.

    A bucket that is full again is as one that never was, so it is forgotten: nothing is kept of a reader for longer
    than a minute after the last request.
    """

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        """Start with every bucket full.

        Args:
            per_minute: what a bucket holds, and what runs in each minute; 0 for no limit.
            now: seconds of a clock that never goes back.
        """
        self._capacity = float(per_minute)
        self._now = now
        self._buckets: dict[str, _Bucket] = {}
        self._swept = now()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)

    def take(self, key: str) -> int:
        """Take one from a key's bucket.

        Returns:
            0 where there was one; else how many seconds it is until there is.
        """
        if not self._capacity:
            return 0
        now = self._now()
        if now - self._swept >= _MINUTE or len(self._buckets) >= _MOST_BUCKETS:
            self._sweep(now)
        bucket = self._buckets.setdefault(key, _Bucket(self._capacity, now))
        self._fill(bucket, now)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return max(1, math.ceil((1 - bucket.tokens) * _MINUTE / self._capacity))

    def _fill(self, bucket: _Bucket, now: float) -> None:
        run_in = (now - bucket.filled) * self._capacity / _MINUTE
        bucket.tokens = min(self._capacity, bucket.tokens + run_in)
        bucket.filled = now

    def _sweep(self, now: float) -> None:
        self._swept = now
        for key in list(self._buckets):
            bucket = self._buckets[key]
            self._fill(bucket, now)
            if bucket.tokens >= self._capacity:
                del self._buckets[key]
        # Somebody with very many addresses: the eldest are forgotten first, in the order of the dictionary, and many
        # at once, so that the next requests need not look through all of them again.
        if len(self._buckets) >= _MOST_BUCKETS:
            for key in list(self._buckets)[: _MOST_BUCKETS // 2]:
                del self._buckets[key]


def address_key(host: str) -> str:
    """What an address is counted under: itself, or the /64 of an IPv6 one, which is one subscriber's."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
