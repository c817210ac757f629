"""Protocol 4.11: secret sharing over the field above 2^256."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import InputError, PeerError
from headwater.secagg.crypto.shamir import PRIME, SHARE_BYTES, reconstruct, split


def is_probably_prime(number: int) -> bool:
    """Miller–Rabin with fixed bases; every composite used here falls to them."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        if number % base == 0:
            return number == base
        value = pow(base, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def test_the_field_is_the_least_prime_above_two_to_256() -> None:
    assert is_probably_prime(PRIME)
    assert not any(is_probably_prime(number) for number in range(2**256, PRIME))


@given(st.binary(min_size=32, max_size=32), st.integers(1, 8), st.integers(0, 4), st.randoms())
def test_any_quorum_of_shares_opens_the_secret(secret: bytes, quorum: int, more: int, random: object) -> None:
    shares = dict(enumerate(split(secret, quorum, quorum + more)))
    ranks = list(shares)
    random.shuffle(ranks)  # type: ignore[attr-defined]
    assert reconstruct({rank: shares[rank] for rank in ranks[:quorum]}, quorum) == secret


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_the_ends_of_the_range_are_shared(secret: bytes) -> None:
    assert reconstruct(dict(enumerate(split(secret, 3, 4))), 3) == secret


def test_fewer_shares_than_the_threshold_fit_any_secret() -> None:
    # For T − 1 shares there is, for every secret, exactly one polynomial: they say nothing.
    secret, other = secrets.token_bytes(32), secrets.token_bytes(32)
    shares = split(secret, 3, 3)
    points = {0: int.from_bytes(other, "big"), 1: int.from_bytes(shares[0], "big"), 2: int.from_bytes(shares[1], "big")}
    third = 0
    for x, y in points.items():
        weight = 1
        for z in points:
            if z != x:
                weight = weight * (3 - z) * pow(x - z, -1, PRIME) % PRIME
        third = (third + y * weight) % PRIME
    forged = {0: shares[0], 1: shares[1], 2: third.to_bytes(SHARE_BYTES, "big")}
    assert reconstruct(forged, 3) == other


def test_too_few_shares_are_refused() -> None:
    with pytest.raises(InputError, match="2 shares are given, 3"):
        reconstruct({0: bytes(33), 1: bytes(33)}, 3)


@pytest.mark.parametrize("share", [PRIME.to_bytes(33, "big"), b"\xff" * 33, bytes(32), b""])
def test_a_share_outside_the_field_is_refused(share: bytes) -> None:
    with pytest.raises(PeerError, match="no field element"):
        reconstruct({0: share, 1: bytes(33)}, 2)


def test_shares_of_no_32_byte_secret_are_refused() -> None:
    share = (PRIME - 1).to_bytes(33, "big")
    with pytest.raises(PeerError, match="not of one secret"):
        reconstruct({0: share, 1: share}, 2)


@pytest.mark.parametrize(("size", "quorum", "holders"), [(31, 2, 3), (33, 2, 3), (32, 0, 3), (32, 4, 3)])
def test_impossible_sharings_are_refused(size: int, quorum: int, holders: int) -> None:
    with pytest.raises(InputError):
        split(bytes(size), quorum, holders)


def test_two_sharings_of_one_secret_differ() -> None:
    assert split(bytes(32), 2, 2) != split(bytes(32), 2, 2)
