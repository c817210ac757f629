"""The drift ratio from two sums."""

import numpy as np
import pytest

from headwater.recipe.drift import drift_ratio, energy_of
from headwater.recipe.fixed_point import fixed_point, largest_magnitude, scale_for

LARGEST = largest_magnitude(20)


def ratio(updates: list[np.ndarray]) -> float:
    payloads = [fixed_point(update, 1.0, scale_for(1.0, 20)).astype(np.int64) for update in updates]
    energy = sum(energy_of(payload, LARGEST) for payload in payloads)
    return drift_ratio(np.sum(payloads, axis=0), energy, len(updates), LARGEST)


def test_equal_updates_do_not_drift_and_opposite_ones_cancel() -> None:
    update = np.random.default_rng(0).normal(size=500) * 0.01
    assert ratio([update] * 4) == pytest.approx(0, abs=1e-4)
    assert ratio([update, -update]) == 1.0
    assert ratio([np.zeros(5)] * 3) == 0.0


@pytest.mark.parametrize("organisations", [3, 5, 10])
def test_orthogonal_updates_drift_by_all_but_their_number(organisations: int) -> None:
    updates = list(np.eye(organisations) * 0.3)
    assert ratio(updates) == pytest.approx(1 - 1 / organisations, abs=1e-4)


def test_no_energy_passes_the_largest_value_that_a_vector_may_hold() -> None:
    full = fixed_point(np.full(100, 5.0), 1.0, scale_for(1.0, 20))
    assert LARGEST * 0.99 < energy_of(full, LARGEST) <= LARGEST
