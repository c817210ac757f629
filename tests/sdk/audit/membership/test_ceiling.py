"""The ceiling that differential privacy leaves to attacks."""

import math

import pytest

from headwater.audit.membership.ceiling import membership_ceiling
from headwater.errors import InputError


def test_without_any_loss_an_attack_finds_as_many_as_it_takes_wrongly() -> None:
    assert membership_ceiling(0.0, 0.0, 0.01) == pytest.approx(0.01)


def test_the_first_line_rules_at_small_rates_and_the_second_at_large_ones() -> None:
    assert membership_ceiling(1.0, 1e-6, 0.01) == pytest.approx(math.e * 0.01 + 1e-6)
    assert membership_ceiling(1.0, 1e-6, 0.6) == pytest.approx(1 - math.exp(-1) * (1 - 1e-6 - 0.6))


def test_it_grows_with_epsilon_and_never_passes_one() -> None:
    values = [membership_ceiling(epsilon, 1e-5, 0.01) for epsilon in (0, 0.5, 1, 3, 8, 50, 1000, math.inf)]
    assert values == sorted(values)
    assert values[-1] == 1.0
    assert membership_ceiling(math.inf, 1e-5, 0.0) == pytest.approx(1e-5)
    assert membership_ceiling(2.0, 1.0, 0.0) == 1.0


@pytest.mark.parametrize(("epsilon", "delta", "rate"), [(-1, 0, 0.1), (math.nan, 0, 0.1), (1, -0.1, 0.1), (1, 0, 1.1)])
def test_arguments_out_of_range_are_refused(epsilon: float, delta: float, rate: float) -> None:
    with pytest.raises(InputError, match="must be"):
        membership_ceiling(epsilon, delta, rate)
