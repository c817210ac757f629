"""A charge is read back to the event that it states, in one spelling."""

import pytest

from headwater.errors import InputError
from headwater.privacy.events import NoisyCounts, read_charge, write_charge


@pytest.mark.parametrize("event", [None, NoisyCounts(400, 14), NoisyCounts(1, 1, 7)])
def test_a_charge_is_read_back(event: NoisyCounts | None) -> None:
    assert read_charge(write_charge(event)) == event


def test_a_round_without_noise_says_so() -> None:
    assert write_charge(None) == b'{"mechanism":"none"}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"mechanism":"gaussian"}',
        b'{"mechanism": "none"}',
        b'{"kind":"noisy-counts","records":1,"tables":1}',
        b'{"kind":"noisy-counts","records":1,"tables":1,"variance":0}',
        b'{"kind":"noisy-counts","records":1,"tables":1,"variance":4.0}',
        b'{"kind":"noisy-counts","records":true,"tables":1,"variance":4}',
        b'{"variance":4,"kind":"noisy-counts","records":1,"tables":1}',
    ],
)
def test_what_is_no_charge_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_charge(data)
