"""Who adds how much: enough for certain, whoever drops out or colludes (protocol 2.4, privacy.md 14)."""

import pytest

from headwater.errors import InputError
from headwater.privacy.budget import Budget
from headwater.privacy.shares import LEAST_SHARE, carried_variance, honest_members, share_of_noise
from headwater.secagg.protocol.terms import largest_collusion, threshold

JOINT, LOCAL = Budget(epsilon=1.0), Budget(epsilon=1.0, mode="local")


@pytest.mark.parametrize("members", range(3, 60))
def test_the_smallest_honest_set_that_may_survive_carries_the_whole_noise(members: int) -> None:
    for colluders in range(1, largest_collusion(members) + 1):
        honest = honest_members(JOINT, members, colluders)
        assert honest == threshold(members) - colluders
        for variance in (1, 3, 100, 4469, 16_777_216):
            assert honest * share_of_noise(variance, honest) >= variance


def test_five_organisations_carry_root_five_thirds_of_the_central_noise() -> None:
    honest = honest_members(JOINT, 5, 1)
    assert carried_variance(3_000_000, honest, 5) / 3_000_000 == pytest.approx(5 / 3)


def test_whoever_trusts_nobody_adds_all_of_it() -> None:
    assert honest_members(LOCAL, 50, 1) == 1
    assert share_of_noise(4469, 1) == 4469


def test_no_share_is_so_small_that_sums_of_it_differ_from_one_discrete_gaussian() -> None:
    assert share_of_noise(1, 30) == LEAST_SHARE == 4


def test_too_few_members_share_nothing() -> None:
    with pytest.raises(InputError, match="1 honest"):
        honest_members(JOINT, 3, 2)
    with pytest.raises(InputError, match="honest"):
        honest_members(JOINT, 0, 1)
