"""Shamir's secret sharing of 256-bit secrets over GF(p), p the least prime above 2^256: protocol 4.11."""

import secrets
from collections.abc import Mapping
from functools import lru_cache

from headwater.errors import InputError, PeerError

__all__ = ["PRIME", "SECRET_BYTES", "SHARE_BYTES", "reconstruct", "split"]

PRIME = 2**256 + 297
"""The least prime above 2^256, so that every 32-byte secret is a field element."""

SECRET_BYTES = 32
SHARE_BYTES = 33


def split(secret: bytes, threshold: int, holders: int) -> list[bytes]:
    """Share a secret among `holders` so that any `threshold` of them open it and fewer learn nothing.

    Args:
        secret: 32 bytes.
        threshold: T, from 1 to `holders`.
        holders: n; the holder of rank r gets the polynomial's value at x = 1 + r.

    Returns:
        n shares of 33 bytes, big-endian field elements, in the order of rank.

    Raises:
        InputError: a size is outside its range.

    Guarantee: any threshold − 1 shares are uniform and independent of the secret.
    Source: Shamir 1979 (doi:10.1145/359168.359176).
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= holders:
        raise InputError("sharing needs a secret of 32 bytes and a threshold from 1 to the number of holders")
    # protocol 4.11: coefficients come from the operating system, never from a seedable generator.
    coefficients = [int.from_bytes(secret, "big"), *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]
    return [_evaluate(coefficients, 1 + rank).to_bytes(SHARE_BYTES, "big") for rank in range(holders)]


def reconstruct(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """Open a secret from shares by holder rank.

    Args:
        shares: rank of the holder in the session → share of 33 bytes; the first `threshold` by rank are used.
        threshold: T.

    Returns:
        The secret, 32 bytes.

    Raises:
        InputError: fewer than `threshold` shares are given.
        PeerError: a share is no field element, or the shares open no 32-byte secret.
    """
    if len(shares) < threshold:
        raise InputError(f"{len(shares)} shares are given, {threshold} open a secret; wait for more")
    ranks = tuple(sorted(shares)[:threshold])
    weights = _weights(ranks)
    value = sum(weight * _element(shares[rank]) for weight, rank in zip(weights, ranks, strict=True)) % PRIME
    if value >> 256:
        raise PeerError("shares open a value above 32 bytes; the dealer's shares are not of one secret")
    return value.to_bytes(SECRET_BYTES, "big")


def _evaluate(coefficients: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value


@lru_cache(maxsize=16)
def _weights(ranks: tuple[int, ...]) -> tuple[int, ...]:
    """Lagrange's weights at zero for the holders' points x = 1 + rank; public, the same for all secrets of a round."""
    weights = []
    for rank in ranks:
        numerator, denominator = 1, 1
        for other in ranks:
            if other != rank:
                numerator = numerator * (1 + other) % PRIME
                denominator = denominator * (other - rank) % PRIME
        weights.append(numerator * pow(denominator, -1, PRIME) % PRIME)
    return tuple(weights)


def _element(share: bytes) -> int:
    value = int.from_bytes(share, "big")
    if len(share) != SHARE_BYTES or value >= PRIME:
        raise PeerError("a share is no field element; it has 33 bytes below the field's prime")
    return value
